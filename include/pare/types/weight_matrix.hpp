#ifndef PARE_TYPES_WEIGHT_MATRIX_HPP
#define PARE_TYPES_WEIGHT_MATRIX_HPP

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <pare/core/aligned.hpp>
#include <pare/core/result.hpp>
#include <pare/types/csr.hpp>
#include <pare/types/full.hpp>
#include <pare/types/qint.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// How an element type keeps a number: the integer or float that is stored, and whether each row has a scale.
template <class Element>
struct element_storage {
    using type = typename Element::storage;
    static constexpr bool has_scales = true;
    static constexpr const char* name = Element::name;
};
template <>
struct element_storage<float> {
    using type = float;
    static constexpr bool has_scales = false;
    static constexpr const char* name = "float";
};

}  // namespace detail

/// A matrix of weights [rows = outputs, columns = inputs] as a model holds it: equal on every machine. `Element` says what a number
/// is, `Layout` which numbers are stored and where: two independent choices. Stored value i stands for values[i] * scales[its row],
/// or for values[i] itself where the element is float.
template <class Element, class Layout>
struct weight_matrix {
    using element = Element;
    using layout = Layout;
    using storage = typename detail::element_storage<Element>::type;

    typename Layout::structure structure;
    aligned_array<storage> values;
    aligned_array<float> scales;

    weight_matrix() = default;
    explicit weight_matrix(typename Layout::structure s)
        : structure(std::move(s)),
          values(structure.stored()),
          scales(detail::element_storage<Element>::has_scales ? structure.rows() : 0) {}
    weight_matrix(std::size_t rows, std::size_t columns) requires std::is_same_v<Layout, full>
        : weight_matrix(full::structure(rows, columns)) {}

    std::size_t rows() const noexcept { return structure.rows(); }
    std::size_t columns() const noexcept { return structure.columns(); }
    /// Bytes that a deployed model needs for it.
    std::size_t bytes() const noexcept {
        return values.size() * sizeof(storage) + scales.size() * sizeof(float) + structure.bytes();
    }

    /// The real number that stored value i of a row stands for.
    float real(std::size_t row, std::size_t i) const noexcept {
        if constexpr (detail::element_storage<Element>::has_scales) {
            return static_cast<float>(values[i]) * scales[row];
        } else {
            return values[i];
        }
    }

    std::string describe() const { return sentence(detail::element_storage<Element>::name, " ", Layout::name); }
};

PARE_NAMESPACE_END

#endif
