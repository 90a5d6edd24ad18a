#ifndef PARE_CORE_EXTENTS_HPP
#define PARE_CORE_EXTENTS_HPP

#include <array>
#include <cstddef>

#include <pare/config/assert.hpp>

PARE_NAMESPACE_BEGIN

/// An extent that is known only at run time.
inline constexpr std::size_t dyn = static_cast<std::size_t>(-1);

/// The lengths of a tensor's axes, outermost first; each is a constant of the type or, where it is `dyn`, a value.
template <std::size_t... E>
class extents {
public:
    static constexpr std::size_t rank = sizeof...(E);
    static constexpr std::size_t rank_dynamic = (std::size_t{E == dyn} + ... + 0);
    static constexpr bool is_static = rank_dynamic == 0;

    constexpr extents() noexcept = default;

    /// Takes the dynamic extents only, or all of them; a static one must then agree.
    template <class... N>
    requires(sizeof...(N) > 0 && (sizeof...(N) == rank_dynamic || sizeof...(N) == rank)) constexpr explicit(sizeof...(N) == 1)
        extents(N... n) noexcept {
        const std::size_t given[] = {static_cast<std::size_t>(n)...};
        if constexpr (sizeof...(N) == rank) {
            for (std::size_t axis = 0, next = 0; axis < rank; ++axis) {
                PARE_ASSERT(static_extent(axis) == dyn || static_extent(axis) == given[axis], "axis %zu: expected %zu, got %zu",
                            axis, static_extent(axis), given[axis]);
                if (static_extent(axis) == dyn) {
                    dynamic_[next++] = given[axis];
                }
            }
        } else {
            for (std::size_t i = 0; i < rank_dynamic; ++i) {
                dynamic_[i] = given[i];
            }
        }
    }

    /// Extents of the same rank convert where the static ones agree.
    template <std::size_t... O>
    requires(sizeof...(O) == rank && ((E == O || E == dyn || O == dyn) && ...)) constexpr explicit(((E != dyn && O == dyn) || ...))
        extents(const extents<O...>& other) noexcept {
        for (std::size_t axis = 0, next = 0; axis < rank; ++axis) {
            PARE_ASSERT(static_extent(axis) == dyn || static_extent(axis) == other[axis], "axis %zu: expected %zu, got %zu", axis,
                        static_extent(axis), other[axis]);
            if (static_extent(axis) == dyn) {
                dynamic_[next++] = other[axis];
            }
        }
    }

    static constexpr std::size_t static_extent(std::size_t axis) noexcept {
        const std::size_t all[] = {E..., 0};
        return all[axis];
    }

    constexpr std::size_t operator[](std::size_t axis) const noexcept {
        const std::size_t all[] = {E..., 0};
        if (all[axis] != dyn) {
            return all[axis];
        }
        std::size_t before = 0;
        for (std::size_t i = 0; i < axis; ++i) {
            before += all[i] == dyn;
        }
        return dynamic_[before];
    }

    /// The number of elements.
    constexpr std::size_t size() const noexcept {
        std::size_t product = 1;
        for (std::size_t axis = 0; axis < rank; ++axis) {
            product *= (*this)[axis];
        }
        return product;
    }

    template <std::size_t... O>
    constexpr bool operator==(const extents<O...>& other) const noexcept {
        if constexpr (sizeof...(O) != rank) {
            return false;
        } else {
            for (std::size_t axis = 0; axis < rank; ++axis) {
                if ((*this)[axis] != other[axis]) {
                    return false;
                }
            }
            return true;
        }
    }

private:
    std::array<std::size_t, rank_dynamic> dynamic_{};
};

/// The number of elements where it is a constant of the type, else `dyn`.
template <std::size_t... E>
constexpr std::size_t static_size(const extents<E...>&) noexcept {
    if constexpr (((E == dyn) || ...)) {
        return dyn;
    } else {
        return (E * ... * 1);
    }
}

PARE_NAMESPACE_END

#endif
