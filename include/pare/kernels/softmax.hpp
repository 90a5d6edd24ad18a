#ifndef PARE_KERNELS_SOFTMAX_HPP
#define PARE_KERNELS_SOFTMAX_HPP

#include <cstddef>

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/reduce.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// y[j] = exp(x[j] - max x) / sum over k of exp(x[k] - max x), for n >= 1 numbers of which one is finite and none NaN or inf; -inf
/// gives 0. `y` may be `x`. Same bits on every Isa. O(n).
template <class Isa>
PARE_FLATTEN void softmax_row(const float* x, std::size_t n, float* y) noexcept {
    using V = simd::ops<Isa>;
    using R = simd::rounded<Isa>;
    const auto shift = V::set(largest_of(x, n));
    transform<Isa>(
        n, y, [&](auto v) { return simd::exp<Isa>(R::subtract(v, shift)); }, x);
    const float sum = sum_of<Isa>(
        n, [](auto v) { return v; }, y);
    const auto inverse = V::set(simd::ops<isa::scalar>::divide(1.0f, sum));
    transform<Isa>(
        n, y, [&](auto v) { return R::multiply(v, inverse); }, y);
}

/// y[j] = x[j] - max x - log(sum over k of exp(x[k] - max x)); as above.
template <class Isa>
PARE_FLATTEN void log_softmax_row(const float* x, std::size_t n, float* y) noexcept {
    using V = simd::ops<Isa>;
    using R = simd::rounded<Isa>;
    const auto shift = V::set(largest_of(x, n));
    const float sum = sum_of<Isa>(
        n, [&](auto v) { return simd::exp<Isa>(R::subtract(v, shift)); }, x);
    const auto log_sum = V::set(simd::log<isa::scalar>(sum));
    transform<Isa>(
        n, y, [&](auto v) { return R::subtract(R::subtract(v, shift), log_sum); }, x);
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
