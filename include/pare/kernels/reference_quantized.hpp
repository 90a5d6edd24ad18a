#ifndef PARE_KERNELS_REFERENCE_QUANTIZED_HPP
#define PARE_KERNELS_REFERENCE_QUANTIZED_HPP

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <pare/kernels/conv.hpp>
#include <pare/kernels/quantized_rows.hpp>

PARE_NAMESPACE_BEGIN

/// What each kernel on bytes computes, in plain loops: to the bit.
namespace kernels::reference {

/// x, in steps of the scale of y, as a byte.
template <class Y>
Y byte_of(float x, const byte_output& y) noexcept {
    return static_cast<Y>(quantize_value(x, 1.0f, y.q.zero_point, y.smallest, y.largest));
}

template <class A, class B, class Y>
void add_bytes(std::size_t n, Y* out, const A* first, const B* second, quantization a, quantization b,
               const byte_output& y) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        const float x = exact_multiply(static_cast<float>(first[i] - a.zero_point), exact_divide(a.scale, y.q.scale));
        const float z = exact_multiply(static_cast<float>(second[i] - b.zero_point), exact_divide(b.scale, y.q.scale));
        out[i] = byte_of<Y>(opaque(x + z), y);
    }
}

template <class X, class Y>
void requantize_bytes(std::size_t n, Y* out, const X* in, quantization x, const byte_output& y) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        out[i] = byte_of<Y>(exact_multiply(static_cast<float>(in[i] - x.zero_point), exact_divide(x.scale, y.q.scale)), y);
    }
}

/// Calls take(byte) for what a window sees of the image, and finish(how many pixels of the image and its border it sees) behind it,
/// which gives the output.
template <class X, class Y, class Take, class Finish>
void pool_bytes(const convolution& s, const X* in, Y* out, const Take& take, const Finish& finish) noexcept {
    for (std::size_t i = 0; i < s.output_pixels() * s.channels; ++i) {
        const std::size_t pixel = i / s.channels;
        std::size_t seen = 0;
        for (std::size_t k = 0; k < s.kernel_height * s.kernel_width; ++k) {
            const std::size_t y = pixel / s.output_width() * s.stride_height + k / s.kernel_width * s.dilation_height;
            const std::size_t x = pixel % s.output_width() * s.stride_width + k % s.kernel_width * s.dilation_width;
            seen += y < s.padded_height() && x < s.padded_width() ? 1 : 0;
            if (y >= s.padding_height && y < s.padding_height + s.height && x >= s.padding_width && x < s.padding_width + s.width) {
                take(in[((y - s.padding_height) * s.width + x - s.padding_width) * s.channels + i % s.channels]);
            }
        }
        out[i] = finish(seen);
    }
}

template <class A>
void max_pool_bytes(const convolution& s, const A* in, A* out) noexcept {
    A greatest = (std::numeric_limits<A>::min)();
    pool_bytes(
        s, in, out, [&](A x) { greatest = (std::max)(greatest, x); },
        [&](std::size_t) { return std::exchange(greatest, (std::numeric_limits<A>::min)()); });
}

template <class X, class Y>
void average_pool_bytes(const convolution& s, quantization x, const byte_output& y, const X* in, Y* out,
                        bool border_counts = true) noexcept {
    std::int32_t sum = 0;
    std::size_t taken = 0;
    pool_bytes(
        s, in, out,
        [&](X v) {
            sum += v - x.zero_point;
            ++taken;
        },
        [&](std::size_t seen) {
            const auto window = static_cast<float>(border_counts ? seen : taken);
            const float factor = window == 0.0f ? 0.0f : exact_divide(exact_divide(x.scale, y.q.scale), window);
            taken = 0;
            return byte_of<Y>(exact_multiply(static_cast<float>(std::exchange(sum, 0)), factor), y);
        });
}

template <class X, class Y>
void softmax_bytes(std::size_t n, Y* out, const X* in, float scale) noexcept {
    const X largest = *std::max_element(in, in + n);
    const auto exponential = [&](std::size_t i) {
        const float d = exact_multiply(static_cast<float>(in[i] - largest), scale);
        return round_half_even(exact_multiply(simd::exp<isa::scalar>(d), 0x1p22f));
    };
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        sum += exponential(i);
    }
    const float factor = exact_divide(256.0f, static_cast<float>(sum));
    const auto y = byte_output::of<Y>({0x1p-8f, (std::numeric_limits<Y>::min)()});
    for (std::size_t i = 0; i < n; ++i) {
        out[i] = byte_of<Y>(exact_multiply(static_cast<float>(exponential(i)), factor), y);
    }
}

template <class X, class Y>
void layer_norm_bytes(std::size_t n, Y* out, const X* in, const float* weight, const float* bias, float epsilon, float scale,
                      const byte_output& y) noexcept {
    const auto count = static_cast<std::int64_t>(n);
    std::int64_t sum = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
        sum += in[i];
        squares += std::int64_t{in[i]} * in[i];
    }
    const std::int64_t variance = count * squares - sum * sum;
    const float steps = exact_divide(static_cast<float>(n), scale);
    const float least = exact_multiply(exact_multiply(epsilon, steps), steps);
    const float r = variance == 0 ? 0.0f : exact_divide(1.0f, std::sqrt(opaque(opaque(static_cast<float>(variance)) + least)));
    const float inverse = exact_divide(1.0f, y.q.scale);
    for (std::size_t i = 0; i < n; ++i) {
        const float normal = exact_multiply(static_cast<float>(count * in[i] - sum), r);
        const float real = opaque(exact_multiply(normal, weight[i]) + bias[i]);
        out[i] = byte_of<Y>(exact_multiply(real, inverse), y);
    }
}

}  // namespace kernels::reference

PARE_NAMESPACE_END

#endif
