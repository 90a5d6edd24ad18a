#ifndef PARE_KERNELS_QUANTIZED_POOL_HPP
#define PARE_KERNELS_QUANTIZED_POOL_HPP

#include <limits>

#include <pare/kernels/pool.hpp>
#include <pare/kernels/quantized_elementwise.hpp>

PARE_NAMESPACE_BEGIN

/// Pools of images of bytes [height, width, channels]. Vectors may reach beyond the channels of a pixel into those of the next, as
/// far as the image goes: outputs are written in order, so what a vector writes beyond a pixel is written again.
namespace kernels {

/// The greatest byte of each window, the least one of all where it sees only the border. What bytes stand for stays.
template <class Isa, class A>
PARE_FLATTEN PARE_NOINLINE void max_pool_bytes(const convolution& shape, const A* x, A* y) noexcept {
    using V = simd::ops<Isa>;
    constexpr std::size_t lanes = V::byte_lanes;
    const convolution s = shape;  // a copy, whose numbers no store of bytes can change
    const std::size_t height = s.output_height(), width = s.output_width();
    const std::size_t x_size = s.height * s.width * s.channels, y_size = height * width * s.channels;
    std::size_t out = 0;
    for (std::size_t oy = 0; oy < height; ++oy) {
        for (std::size_t ox = 0; ox < width; ++ox, out += s.channels) {
            const auto window = detail::pool_window::of(s, oy, ox);
            const bool sees_pixels = window.rows * window.columns != 0;
            for (std::size_t c = 0; c < s.channels; c += lanes) {
                auto greatest = V::set_bytes((std::numeric_limits<A>::min)());
                if (sees_pixels && window.last() + c + lanes <= x_size) {
                    window.for_each(
                        [&](std::size_t at) { greatest = V::template maximum_bytes<A>(greatest, V::load_bytes(x + at + c)); });
                } else {
                    window.for_each([&](std::size_t at) {
                        const std::size_t left = x_size - at - c;
                        greatest =
                            V::template maximum_bytes<A>(greatest, V::load_bytes_partial(x + at + c, left < lanes ? left : lanes));
                    });
                }
                const std::size_t left = y_size - out - c;
                if (left >= lanes) {
                    V::store_bytes(y + out + c, greatest);
                } else {
                    V::store_bytes_partial(y + out + c, greatest, left);
                }
            }
        }
    }
}

/// y = clamp(RNE(float(sum over the window of x - x.zero_point) * (x.scale / y.scale / window size)) + y.zero_point): the mean, in
/// which the border counts as zeros, or not at all (see pool_shares). The sum is exact; each quotient and product is rounded by
/// itself. A window as large as the image is a global pool. Windows hold at most 2^23 pixels.
template <class Isa, class X, class Y>
PARE_FLATTEN PARE_NOINLINE void average_pool_bytes(const convolution& shape, quantization x, byte_output y, const X* in, Y* out,
                                                   bool border_counts = true) noexcept {
    using V = simd::ops<Isa>;
    constexpr std::size_t lanes = V::lanes;
    const convolution s = shape;  // a copy, as above
    const std::size_t height = s.output_height(), width = s.output_width();
    const pool_shares shares{s, border_counts};
    const float of_scales = exact_divide(x.scale, y.q.scale);
    const auto factor_of = [&](std::size_t count) {
        return V::set(count == 0 ? 0.0f : exact_divide(of_scales, static_cast<float>(count)));
    };
    auto factor = factor_of(s.kernel_height * s.kernel_width);
    const std::size_t in_size = s.height * s.width * s.channels, out_size = height * width * s.channels;
    std::size_t first = 0;  // output of a pixel
    for (std::size_t oy = 0; oy < height; ++oy) {
        for (std::size_t ox = 0; ox < width; ++ox, first += s.channels) {
            const auto window = detail::pool_window::of(s, oy, ox);
            const auto zeros = V::set(static_cast<std::int32_t>(window.rows * window.columns) * x.zero_point);
            if (!shares.all_count()) {
                factor = factor_of(shares.pixels(oy, ox));
            }
            const auto mean = [&](auto sum) {
                return y.template round<Isa>(simd::rounded<Isa>::multiply(V::to_float(sum - zeros), factor));
            };
            std::size_t c = 0;
            for (; c + 4 * lanes <= s.channels; c += 4 * lanes) {
                typename V::i32 sum[4] = {V::set(std::int32_t{0}), V::set(std::int32_t{0}), V::set(std::int32_t{0}),
                                          V::set(std::int32_t{0})};
                window.for_each([&](std::size_t at) {
                    PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
                        sum[u] = sum[u] + V::load_widened(in + at + c + u * lanes);
                    }
                });
                PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
                    sum[u] = mean(sum[u]);
                }
                simd::store_four_saturated<Isa>(out + first + c, sum, y.q.zero_point);
            }
            for (; c < s.channels; c += lanes) {
                auto sum = V::set(std::int32_t{0});
                if (window.rows * window.columns != 0 && window.last() + c + lanes <= in_size) {
                    window.for_each([&](std::size_t at) { sum = sum + V::load_widened(in + at + c); });
                } else {
                    window.for_each([&](std::size_t at) {
                        const std::size_t left = in_size - at - c;
                        sum = sum + simd::load_widened_partial<Isa>(in + at + c, left < lanes ? left : lanes);
                    });
                }
                const auto bytes = mean(sum) + V::set(y.q.zero_point);
                const std::size_t left = out_size - first - c;
                if (left >= lanes) {
                    V::store_saturated(out + first + c, bytes);
                } else {
                    V::store_saturated_partial(out + first + c, bytes, left);
                }
            }
        }
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
