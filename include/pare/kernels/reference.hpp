#ifndef PARE_KERNELS_REFERENCE_HPP
#define PARE_KERNELS_REFERENCE_HPP

#include <cstddef>
#include <cstdint>

#include <pare/core/tensor.hpp>
#include <pare/kernels/conv.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/quantize.hpp>
#include <pare/types/group_format.hpp>

PARE_NAMESPACE_BEGIN

/// What each kernel computes, in plain loops. Tests compare the kernels with these, the integer ones to the bit.
namespace kernels::reference {

/// C(i, j) = stages(sum over k of a(i, k) * w(j, k)), the sum in Sum: std::int32_t for bytes, std::int64_t where they are deeper
/// than int8_largest_depth, double for floats. What leaves an integer output saturates.
template <class Sum, class A, class W, class Output, class... Stages>
void multiply(matrix_view<const A> a, matrix_view<const W> w, matrix_view<Output> c, const Stages&... stages) noexcept {
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < w.rows; ++j) {
            Sum sum = 0;
            for (std::size_t k = 0; k < a.columns; ++k) {
                sum += static_cast<Sum>(a(i, k)) * static_cast<Sum>(w(j, k));
            }
            if constexpr (sizeof...(Stages) == 0) {
                c(i, j) = saturated<Output>(sum);
            } else {
                using first = std::conditional_t<std::is_integral_v<Sum>, Sum, float>;
                c(i, j) = saturated<Output>(finish_number(static_cast<first>(sum), i, j, stages...));
            }
        }
    }
}

/// C(i, j) = stages(sum over groups g of what a(i, k) * w(j, k) for k in g add up to), w as codes [n, k], scales [n, groups] and
/// offsets [n, groups] of a group_format; groups in order, but an unfinished one first. Sums of integers are exact; each is one
/// float, times the scale of its group; with minima, the sum of the a(i, k) times the minimum is added behind it.
template <class Format, class Output, class... Stages>
void multiply_groups(matrix_view<const std::int8_t> a, matrix_view<const std::uint8_t> codes,
                     matrix_view<const typename Format::scale> scales, matrix_view<const typename Format::scale> offsets,
                     matrix_view<Output> c, const Stages&... stages) noexcept {
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < codes.rows; ++j) {
            float total = 0.0f;
            const auto add = [&](std::size_t g) {
                std::int32_t zero = 0;
                if constexpr (Format::offset == group_offset::none) {
                    zero = Format::middle;
                } else if constexpr (Format::offset == group_offset::zero_point) {
                    zero = static_cast<std::int32_t>(offsets(j, g));
                }
                std::int32_t sum = 0;
                std::int32_t all = 0;
                for (std::size_t k = g * Format::size; k < a.columns && k < (g + 1) * Format::size; ++k) {
                    sum += a(i, k) * (codes(j, k) - zero);
                    all += a(i, k);
                }
                total = opaque(total + exact_multiply(static_cast<float>(sum), scales(j, g)));
                if constexpr (Format::offset == group_offset::minimum) {
                    total = opaque(total + exact_multiply(static_cast<float>(all), offsets(j, g)));
                }
            };
            const std::size_t whole = a.columns / Format::size;
            if (a.columns % Format::size != 0) {
                add(whole);
            }
            for (std::size_t g = 0; g < whole; ++g) {
                add(g);
            }
            c(i, j) = finish_number(total, i, j, stages...);
        }
    }
}

/// C(output pixel, j) = stages(sum over the kernel of x * w[j]), where x is `outside` beyond the image. Shapes as in `convolution`.
template <class Sum, class A, class W, class Output, class... Stages>
void convolve(const convolution& s, const A* image, A outside, const W* w, Output* c, const Stages&... stages) noexcept {
    for (std::size_t pixel = 0; pixel < s.output_pixels(); ++pixel) {
        for (std::size_t j = 0; j < s.outputs; ++j) {
            Sum sum = 0;
            for (std::size_t ky = 0; ky < s.kernel_height; ++ky) {
                for (std::size_t kx = 0; kx < s.kernel_width; ++kx) {
                    const std::size_t y = pixel / s.output_width() * s.stride_height + ky * s.dilation_height;
                    const std::size_t x = pixel % s.output_width() * s.stride_width + kx * s.dilation_width;
                    const bool inside = y >= s.padding_height && y < s.padding_height + s.height && x >= s.padding_width &&
                                        x < s.padding_width + s.width;
                    const std::size_t first = j / s.group_outputs() * s.group_channels();
                    for (std::size_t i = 0; i < s.group_channels(); ++i) {
                        const A value =
                            inside ? image[((y - s.padding_height) * s.width + x - s.padding_width) * s.channels + first + i]
                                   : outside;
                        sum += static_cast<Sum>(value) *
                               static_cast<Sum>(w[((j * s.kernel_height + ky) * s.kernel_width + kx) * s.group_channels() + i]);
                    }
                }
            }
            using first = std::conditional_t<std::is_integral_v<Sum>, Sum, float>;
            c[pixel * s.outputs + j] = saturated<Output>(finish_number(static_cast<first>(sum), pixel, j, stages...));
        }
    }
}

inline value_range range_of(const float* x, std::size_t n) noexcept {
    value_range r;
    for (std::size_t i = 0; i < n; ++i) {
        r.bounded = r.bounded && !is_nan(x[i]) && x[i] <= largest_range && x[i] >= -largest_range;
        if (!is_nan(x[i])) {
            r.min = x[i] < r.min ? x[i] : r.min;
            r.max = x[i] > r.max ? x[i] : r.max;
        }
    }
    return r;
}

template <class Q>
void quantize_values(const float* x, std::size_t n, quantization q, typename Q::storage* out) noexcept {
    const float inverse = exact_divide(1.0f, q.scale);
    for (std::size_t i = 0; i < n; ++i) {
        out[i] = static_cast<typename Q::storage>(quantize_value(x[i], inverse, q.zero_point, Q::smallest, Q::largest));
    }
}

}  // namespace kernels::reference

PARE_NAMESPACE_END

#endif
