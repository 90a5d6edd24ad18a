#ifndef PARE_KERNELS_REFERENCE_HPP
#define PARE_KERNELS_REFERENCE_HPP

#include <cstddef>
#include <cstdint>

#include <pare/core/tensor.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/quantize.hpp>

PARE_NAMESPACE_BEGIN

/// What each kernel computes, in plain loops. Tests compare the kernels with these, the integer ones to the bit.
namespace kernels::reference {

/// C(i, j) = stages(sum over k of a(i, k) * w(j, k)), the sum in Sum: std::int32_t for bytes, double for floats.
template <class Sum, class A, class W, class Output, class... Stages>
void multiply(matrix_view<const A> a, matrix_view<const W> w, matrix_view<Output> c, const Stages&... stages) noexcept {
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < w.rows; ++j) {
            Sum sum = 0;
            for (std::size_t k = 0; k < a.columns; ++k) {
                sum += static_cast<Sum>(a(i, k)) * static_cast<Sum>(w(j, k));
            }
            if constexpr (sizeof...(Stages) == 0) {
                c(i, j) = static_cast<Output>(sum);
            } else {
                using first = std::conditional_t<std::is_integral_v<Sum>, std::int32_t, float>;
                c(i, j) = finish_number(static_cast<first>(sum), i, j, stages...);
            }
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
