#ifndef PARE_CORE_TENSOR_HPP
#define PARE_CORE_TENSOR_HPP

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include <pare/core/aligned.hpp>
#include <pare/core/extents.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <class Extents, class... I>
constexpr std::size_t row_major_offset(const Extents& shape, I... index) noexcept {
    static_assert(sizeof...(I) == Extents::rank, "pare::tensor: give as many indices as the tensor has axes");
    std::size_t offset = 0;
    std::size_t axis = 0;
    ((PARE_ASSERT(static_cast<std::size_t>(index) < shape[axis], "index %zu on axis %zu of length %zu",
                  static_cast<std::size_t>(index), axis, shape[axis]),
      offset = offset * shape[axis] + static_cast<std::size_t>(index), ++axis),
     ...);
    return offset;
}

}  // namespace detail

/// A contiguous row-major array that somebody else owns. Two words and the dynamic extents; pass it by value.
template <class T, std::size_t... E>
class tensor_view {
public:
    using value_type = std::remove_const_t<T>;
    using extents_type = pare::extents<E...>;

    constexpr tensor_view() noexcept = default;
    constexpr tensor_view(T* data, extents_type shape) noexcept : data_(data), shape_(shape) {}
    template <class... N>
    requires(std::convertible_to<N, std::size_t>&&...) constexpr tensor_view(T* data, N... n) noexcept
        : data_(data), shape_(n...) {}

    /// To const elements, or to extents that agree.
    template <class U, std::size_t... O>
    requires(std::convertible_to<U (*)[], T (*)[]>&& std::constructible_from<extents_type, pare::extents<O...>>) constexpr explicit(
        !std::convertible_to<pare::extents<O...>, extents_type>) tensor_view(const tensor_view<U, O...>& other) noexcept
        : data_(other.data()), shape_(other.shape()) {}

    constexpr T* data() const noexcept { return data_; }
    constexpr const extents_type& shape() const noexcept { return shape_; }
    constexpr std::size_t extent(std::size_t axis) const noexcept { return shape_[axis]; }
    constexpr std::size_t size() const noexcept { return shape_.size(); }
    constexpr std::span<T> values() const noexcept { return {data_, size()}; }
    constexpr T* begin() const noexcept { return data_; }
    constexpr T* end() const noexcept { return data_ + size(); }

    template <class... I>
    constexpr T& operator()(I... index) const noexcept {
        return data_[detail::row_major_offset(shape_, index...)];
    }

private:
    T* data_ = nullptr;
    extents_type shape_{};
};

/// A row-major array that owns its elements, which begin on a cache line and start as zero. A value: copies are deep.
template <class T, std::size_t... E>
class tensor {
public:
    using value_type = T;
    using extents_type = pare::extents<E...>;

    tensor() : tensor(extents_type{}) {}
    explicit tensor(extents_type shape) : shape_(shape), values_(shape.size()) {}
    template <class... N>
    requires(sizeof...(N) > 0 && (std::convertible_to<N, std::size_t> && ...)) explicit tensor(N... n)
        : tensor(extents_type(n...)) {}

    T* data() noexcept { return values_.data(); }
    const T* data() const noexcept { return values_.data(); }
    const extents_type& shape() const noexcept { return shape_; }
    std::size_t extent(std::size_t axis) const noexcept { return shape_[axis]; }
    std::size_t size() const noexcept { return values_.size(); }
    std::span<T> values() noexcept { return {data(), size()}; }
    std::span<const T> values() const noexcept { return {data(), size()}; }
    T* begin() noexcept { return data(); }
    T* end() noexcept { return data() + size(); }
    const T* begin() const noexcept { return data(); }
    const T* end() const noexcept { return data() + size(); }

    tensor_view<T, E...> view() noexcept { return {data(), shape_}; }
    tensor_view<const T, E...> view() const noexcept { return {data(), shape_}; }

    template <class... I>
    T& operator()(I... index) noexcept {
        return values_[detail::row_major_offset(shape_, index...)];
    }
    template <class... I>
    const T& operator()(I... index) const noexcept {
        return values_[detail::row_major_offset(shape_, index...)];
    }

private:
    extents_type shape_{};
    aligned_array<T> values_;
};

/// Rows of a matrix inside a larger array: element (r, c) is data[r * stride + c].
template <class T>
struct matrix_view {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t stride = 0;

    constexpr matrix_view() noexcept = default;
    constexpr matrix_view(T* p, std::size_t r, std::size_t c) noexcept : data(p), rows(r), columns(c), stride(c) {}
    constexpr matrix_view(T* p, std::size_t r, std::size_t c, std::size_t s) noexcept : data(p), rows(r), columns(c), stride(s) {}
    template <class U>
    requires std::convertible_to<U (*)[], T (*)[]>
    constexpr matrix_view(const matrix_view<U>& other) noexcept
        : data(other.data), rows(other.rows), columns(other.columns), stride(other.stride) {}
    template <class U, std::size_t R, std::size_t C>
    requires std::convertible_to<U (*)[], T (*)[]>
    constexpr matrix_view(const tensor_view<U, R, C>& t) noexcept : matrix_view(t.data(), t.extent(0), t.extent(1)) {}

    constexpr T* row(std::size_t r) const noexcept { return data + r * stride; }
    constexpr T& operator()(std::size_t r, std::size_t c) const noexcept {
        PARE_ASSERT(r < rows && c < columns, "element (%zu, %zu) of a %zux%zu matrix", r, c, rows, columns);
        return data[r * stride + c];
    }
};

PARE_NAMESPACE_END

template <class T, std::size_t... E>
inline constexpr bool std::ranges::enable_borrowed_range<pare::tensor_view<T, E...>> = true;

#endif
