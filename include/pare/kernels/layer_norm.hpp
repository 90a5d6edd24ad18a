#ifndef PARE_KERNELS_LAYER_NORM_HPP
#define PARE_KERNELS_LAYER_NORM_HPP

#include <cmath>

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/kernels/reduce.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// y[i, j] = (x[i, j] - mean) / sqrt(variance + epsilon) * weight[j] + bias[j], with the mean and the variance (over n, not n - 1)
/// of row i. Every operation is rounded by itself: the same bits on every instruction set. O(rows n). Ba et al. 2016.
struct layer_norm_rows {
    const float* weight;
    const float* bias;
    float epsilon;
    std::size_t n;

    struct moments {
        float mean;
        float inverse_deviation;
    };
    template <class Isa>
    PARE_INLINE moments moments_of(const float* x) const noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        using S = simd::ops<isa::scalar>;
        const auto count = static_cast<float>(n);
        const float mean = S::divide(sum_of<Isa>(
                                         n, [](auto v) { return v; }, x),
                                     count);
        const auto shift = V::set(mean);
        const float squares = sum_of<Isa>(
            n,
            [&](auto v) {
                const auto d = R::subtract(v, shift);
                return R::multiply(d, d);
            },
            x);
        const float deviation = std::sqrt(opaque(opaque(S::divide(squares, count)) + epsilon));
        return {mean, S::divide(1.0f, deviation)};
    }

    template <class Isa>
    PARE_FLATTEN void row(const float* x, float* y) const noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const moments m = moments_of<Isa>(x);
        const auto mean = V::set(m.mean), inverse = V::set(m.inverse_deviation);
        transform<Isa>(
            n, y, [&](auto v, auto w, auto b) { return R::add(R::multiply(R::multiply(R::subtract(v, mean), inverse), w), b); }, x,
            weight, bias);
    }

    /// dx = (g - mean(g) - z mean(g z)) / deviation, where g = dy weight and z is the normalized row; adds to the gradients of
    /// weight and bias. dx may be null.
    template <class Isa>
    PARE_FLATTEN void backward_row(const float* x, const float* dy, float* dx, float* dweight, float* dbias) const noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const moments m = moments_of<Isa>(x);
        const auto mean = V::set(m.mean), inverse = V::set(m.inverse_deviation);
        const auto normalized = [&](auto v) { return (v - mean) * inverse; };
        transform<Isa>(n, dweight, [&](auto sum, auto v, auto d) { return sum + R::multiply(d, normalized(v)); }, dweight, x, dy);
        transform<Isa>(
            n, dbias, [](auto sum, auto d) { return sum + d; }, dbias, dy);
        if (dx != nullptr) {
            const float scale = 1.0f / static_cast<float>(n);
            const auto mean_of = [&](float sum) { return V::set(opaque(scale * sum)); };
            const auto first = mean_of(sum_of<Isa>(n, [](auto d, auto w) { return d * w; }, dy, weight));
            const auto second =
                mean_of(sum_of<Isa>(n, [&](auto v, auto d, auto w) { return d * w * normalized(v); }, x, dy, weight));
            transform<Isa>(
                n, dx,
                [&](auto v, auto d, auto w) { return (R::multiply(d, w) - first - R::multiply(normalized(v), second)) * inverse; },
                x, dy, weight);
        }
    }

    struct operation {
        template <class Isa, class Executor>
        static void run(Executor&, layer_norm_rows self, std::size_t rows, const float* x, float* y) {
            for (std::size_t i = 0; i < rows; ++i) {
                self.row<Isa>(x + i * self.n, y + i * self.n);
            }
        }
    };
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
