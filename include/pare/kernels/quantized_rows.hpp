#ifndef PARE_KERNELS_QUANTIZED_ROWS_HPP
#define PARE_KERNELS_QUANTIZED_ROWS_HPP

#include <cmath>

#include <pare/kernels/quantized_elementwise.hpp>
#include <pare/kernels/reduce.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Softmax of rows of bytes. With e(d) = RNE(2^22 exp(-d x.scale)), which a table of 256 integers holds, and d[j] = max x - x[j]:
///
///     y[j] = clamp(RNE(float(e(d[j])) * (256 / float(sum over k of e(d[k])))) + y.zero_point)
///
/// where the sum is exact. Outputs have scale 1/256, and the zero point that makes their least integer stand for 0 (0, or -128); 1
/// itself saturates, to 255/256. What an output stands for is within 1/512 + (n + 3) 2^-22 of the softmax of what the inputs stand
/// for, and 1/256 less than 1 at most. O(n), n >= 1.
struct softmax_bytes {
    std::int32_t exponential[256];

    explicit softmax_bytes(float scale) noexcept {
        for (int d = 0; d < 256; ++d) {
            const float power = simd::exp<isa::scalar>(exact_multiply(static_cast<float>(-d), scale));
            exponential[d] = round_half_even(exact_multiply(power, 0x1p22f));
        }
    }

    /// What all outputs of type Y stand for.
    template <class Y>
    static constexpr quantization output() noexcept {
        return {0x1p-8f, (std::numeric_limits<Y>::min)()};
    }

    template <class Isa, class Y, class X>
    PARE_FLATTEN PARE_NOINLINE void apply(std::size_t n, Y* y, const X* x) const noexcept {
        using V = simd::ops<Isa>;
        const std::int32_t largest = largest_of(x, n);
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += exponential[largest - x[i]];
        }
        const auto factor = V::set(exact_divide(256.0f, static_cast<float>(sum)));
        transform_bytes<Isa>(n, y, output<Y>().zero_point, [&](std::size_t i, std::size_t count) {
            alignas(64) std::int32_t power[V::lanes] = {};
            for (std::size_t l = 0; l < count; ++l) {
                power[l] = exponential[largest - x[i + l]];
            }
            return V::round(simd::rounded<Isa>::multiply(V::to_float(V::load(power)), factor));
        });
    }
};

/// Layer norm of rows of n bytes, whose scale is `scale` and whose zero point does not matter. With the exact integers
///
///     s = sum of x[j],    v = n (sum of x[j]^2) - s^2,    d[j] = n x[j] - s
///
/// and r = 1 / sqrt(float(v) + epsilon (n / scale)^2), or 0 where v is 0,
///
///     y[j] = clamp(RNE((float(d[j]) * r * weight[j] + bias[j]) * (1 / y.scale)) + y.zero_point)
///
/// in this order, each operation rounded by itself: what layer_norm_rows computes of (x - zero_point) scale, but for some roundings
/// of float. O(n), n <= 2^23.
struct layer_norm_bytes {
    const float* weight;
    const float* bias;
    float epsilon;
    float scale;
    byte_output y;

    template <class Isa, class Y, class X>
    PARE_FLATTEN PARE_NOINLINE void apply(std::size_t n, Y* out, const X* x) const noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const sums total = sums_of<Isa>(n, x);
        const auto count = V::set(static_cast<std::int32_t>(n)), sum = V::set(static_cast<std::int32_t>(total.first));
        const auto r = V::set(inverse_deviation(n, total));
        const auto inverse = V::set(exact_divide(1.0f, y.q.scale));
        const float *const w = weight, *const b = bias;
        const byte_output to = y;
        transform_bytes<Isa>(
            n, out, to.q.zero_point,
            [&](std::size_t i, std::size_t lanes, auto v) {
                const auto normal = R::multiply(V::to_float(count * v - sum), r);
                const auto real = R::add(R::multiply(normal, load_first<Isa>(w + i, lanes)), load_first<Isa>(b + i, lanes));
                return to.template round<Isa>(V::nan_to_zero(R::multiply(real, inverse)));
            },
            x);
    }

    struct sums {
        std::int64_t first;
        std::int64_t squares;
    };
    float inverse_deviation(std::size_t n, const sums& s) const noexcept {
        const std::int64_t variance = static_cast<std::int64_t>(n) * s.squares - s.first * s.first;
        if (variance == 0) {
            return 0.0f;
        }
        const float steps = exact_divide(static_cast<float>(n), scale);
        const float least = exact_multiply(exact_multiply(epsilon, steps), steps);
        return exact_divide(1.0f, std::sqrt(opaque(opaque(static_cast<float>(variance)) + least)));
    }

private:
    /// Lanes of 32 bits hold the squares of 2^15 numbers.
    template <class Isa, class X>
    PARE_INLINE static sums sums_of(std::size_t n, const X* x) noexcept {
        using V = simd::ops<Isa>;
        sums total{0, 0};
        for (std::size_t begin = 0; begin < n; begin += std::size_t{1} << 15) {
            const std::size_t end = n - begin < (std::size_t{1} << 15) ? n : begin + (std::size_t{1} << 15);
            auto first = V::set(std::int32_t{0}), squares = V::set(std::int32_t{0});
            const auto take = [&](auto v) {
                first = first + v;
                squares = squares + v * v;
            };
            std::size_t i = begin;
            for (; i + V::lanes <= end; i += V::lanes) {
                take(V::load_widened(x + i));
            }
            if (i < end) {
                take(simd::load_widened_partial<Isa>(x + i, end - i));
            }
            alignas(64) std::int32_t lane[2][V::lanes];
            V::store(lane[0], first);
            V::store(lane[1], squares);
            for (std::size_t l = 0; l < V::lanes; ++l) {
                total.first += lane[0][l];
                total.squares += lane[1][l];
            }
        }
        return total;
    }
};

/// One of these kernels on each of some rows of n bytes: see kernels/operation.hpp.
template <class Kernel, class Y, class X>
struct byte_rows_operation {
    template <class Isa, class Executor>
    static void run(Executor&, Kernel kernel, std::size_t rows, std::size_t n, Y* y, const X* x) {
        for (std::size_t r = 0; r < rows; ++r) {
            kernel.template apply<Isa>(n, y + r * n, x + r * n);
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
