#ifndef PARE_KERNELS_POOL_HPP
#define PARE_KERNELS_POOL_HPP

#include <algorithm>
#include <limits>

#include <pare/kernels/conv.hpp>

PARE_NAMESPACE_BEGIN

/// Pools of images [height, width, channels], channels last: vectors of channels. A `convolution` says how the window moves; its
/// outputs are not looked at.
namespace kernels {

namespace detail {

/// Moves `first`, where taps begin to see a line with its border, to the first tap inside of it; returns how many are inside.
PARE_INLINE std::size_t clip(std::size_t& first, std::size_t taps, std::size_t dilation, std::size_t padding,
                             std::size_t length) noexcept {
    for (; taps > 0 && first < padding; --taps) {
        first += dilation;
    }
    while (taps > 0 && first + (taps - 1) * dilation >= padding + length) {
        --taps;
    }
    return taps;
}

/// The pixels of an image, without its border, that an output pixel sees.
struct pool_window {
    std::size_t first;  // offset of the first
    std::size_t rows;
    std::size_t columns;
    std::size_t row_step;
    std::size_t step;

    PARE_INLINE static pool_window of(const convolution& s, std::size_t oy, std::size_t ox) noexcept {
        std::size_t y = oy * s.stride_height, x = ox * s.stride_width;
        const std::size_t rows = clip(y, s.kernel_height, s.dilation_height, s.padding_height, s.height);
        const std::size_t columns = clip(x, s.kernel_width, s.dilation_width, s.padding_width, s.width);
        return {((y - s.padding_height) * s.width + x - s.padding_width) * s.channels, rows, columns,
                s.dilation_height * s.width * s.channels, s.dilation_width * s.channels};
    }
    /// Offset of the last, where there is one.
    PARE_INLINE std::size_t last() const noexcept { return first + (rows - 1) * row_step + (columns - 1) * step; }
    /// Calls f(offset) for each, in the order of rows.
    template <class F>
    PARE_INLINE void for_each(const F& f) const {
        std::size_t row = first;
        for (std::size_t ky = 0; ky < rows; ++ky, row += row_step) {
            std::size_t at = row;
            for (std::size_t kx = 0; kx < columns; ++kx, at += step) {
                f(at);
            }
        }
    }
};

/// Calls f(offset of the pixel) for each pixel of the image that an output pixel sees.
template <class F>
PARE_INLINE void for_each_pixel(const convolution& s, std::size_t oy, std::size_t ox, const F& f) {
    pool_window::of(s, oy, ox).for_each(f);
}

/// Calls f(output row, output column, first channel, how many of them, offset of the output) for vectors of all outputs.
template <class Isa, class F>
PARE_INLINE void for_each_pooled(const convolution& s, const F& f) {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes;
    std::size_t offset = 0;
    for (std::size_t oy = 0; oy < s.output_height(); ++oy) {
        for (std::size_t ox = 0; ox < s.output_width(); ++ox, offset += s.channels) {
            for (std::size_t c = 0; c < s.channels; c += lanes) {
                f(oy, ox, c, s.channels - c < lanes ? s.channels - c : lanes, offset + c);
            }
        }
    }
}

template <class Isa, class Vector>
PARE_INLINE void store_count(float* p, Vector v, std::size_t count) noexcept {
    using V = simd::ops<Isa>;
    count == V::lanes ? V::store(p, v) : V::store_partial(p, v, count);
}

/// The greatest number that output (oy, ox) sees of `count` channels from c on: NaN where one is, -inf where it sees only the
/// border.
template <class Isa>
PARE_INLINE auto greatest_of(const convolution& s, std::size_t oy, std::size_t ox, const float* x, std::size_t c,
                             std::size_t count) noexcept {
    using V = simd::ops<Isa>;
    // Magnitudes above that of infinity are NaN: found in integers, for -ffast-math and whatever maximum() makes of NaN.
    const auto infinity = V::set(std::int32_t{0x7f800000});
    auto magnitude = V::set(std::int32_t{0});
    auto greatest = V::from_bits(V::set((std::numeric_limits<std::int32_t>::min)() | 0x7f800000));
    for_each_pixel(s, oy, ox, [&](std::size_t at) {
        const auto v = load_first<Isa>(x + at + c, count);
        greatest = V::maximum(greatest, v);
        magnitude = V::maximum(magnitude, V::bits(v) & V::set(std::int32_t{0x7fffffff}));
    });
    return V::select_greater(magnitude, infinity, V::from_bits(magnitude), greatest);
}

}  // namespace detail

/// The greatest number of each window.
template <class Isa>
PARE_FLATTEN PARE_NOINLINE void max_pool(const convolution& s, const float* x, float* y) noexcept {
    detail::for_each_pooled<Isa>(s, [&](std::size_t oy, std::size_t ox, std::size_t c, std::size_t count, std::size_t out) {
        detail::store_count<Isa>(y + out, detail::greatest_of<Isa>(s, oy, ox, x, c, count), count);
    });
}

/// Whether each number is seen by at most one window.
constexpr bool windows_are_tiles(const convolution& s) noexcept {
    return s.stride_height == s.kernel_height && s.stride_width == s.kernel_width && s.dilation_height == 1 &&
           s.dilation_width == 1 && s.padding_height == 0 && s.padding_width == 0;
}

/// dx = dy where x was the first of the greatest of its window, summed over windows. Where windows are tiles, dx may be x.
template <class Isa>
PARE_FLATTEN PARE_NOINLINE void max_pool_gradient(const convolution& s, const float* x, const float* dy, float* dx) noexcept {
    using V = simd::ops<Isa>;
    const bool tiles = windows_are_tiles(s);
    if (!tiles) {
        std::fill_n(dx, s.height * s.width * s.channels, 0.0f);
    }
    detail::for_each_pooled<Isa>(s, [&](std::size_t oy, std::size_t ox, std::size_t c, std::size_t count, std::size_t out) {
        const auto greatest = detail::greatest_of<Isa>(s, oy, ox, x, c, count);
        auto left = load_first<Isa>(dy + out, count);
        detail::for_each_pixel(s, oy, ox, [&](std::size_t at) {
            const auto v = load_first<Isa>(x + at + c, count);
            const auto sum = tiles ? V::set(0.0f) : load_first<Isa>(dx + at + c, count);
            detail::store_count<Isa>(dx + at + c, V::where_equal(v, greatest, sum + left, sum), count);
            left = V::where_equal(v, greatest, V::set(0.0f), left);
        });
    });
    if (tiles) {  // what no window sees
        const std::size_t rows = s.output_height() * s.stride_height;
        const std::size_t columns = (std::min)(s.output_width() * s.stride_width, s.width);
        for (std::size_t y = 0; y < s.height; ++y) {
            const std::size_t first = y < rows ? columns : 0;
            std::fill_n(dx + (y * s.width + first) * s.channels, (s.width - first) * s.channels, 0.0f);
        }
    }
}

/// One by the number of pixels that count in each window: all of it that is not beyond the border, or those of the image alone.
struct pool_shares {
    convolution shape;
    bool border_counts;
    float of_all = 1.0f / static_cast<float>(shape.kernel_height * shape.kernel_width);

    PARE_INLINE float operator()(std::size_t oy, std::size_t ox) const noexcept {
        if (all_count()) {
            return of_all;
        }
        const std::size_t count = pixels(oy, ox);
        return count == 0 ? 0.0f : 1.0f / static_cast<float>(count);
    }
    bool all_count() const noexcept { return border_counts && shape.beyond_height + shape.beyond_width == 0; }
    std::size_t pixels(std::size_t oy, std::size_t ox) const noexcept {
        const convolution& s = shape;
        const std::size_t top = border_counts ? 0 : s.padding_height, left = border_counts ? 0 : s.padding_width;
        const std::size_t rows = inside(oy * s.stride_height, s.kernel_height, s.dilation_height, top, s.padded_height() - top);
        const std::size_t columns = inside(ox * s.stride_width, s.kernel_width, s.dilation_width, left, s.padded_width() - left);
        return rows * columns;
    }

private:
    /// How many of a kernel's rows, or columns, from `first` on lie in [from, end).
    static std::size_t inside(std::size_t first, std::size_t kernel, std::size_t dilation, std::size_t from,
                              std::size_t end) noexcept {
        std::size_t count = 0;
        for (std::size_t k = 0; k < kernel; ++k) {
            const std::size_t at = first + k * dilation;
            count += at >= from && at < end ? 1 : 0;
        }
        return count;
    }
};

/// The sum of each window, times its share.
template <class Isa>
PARE_FLATTEN PARE_NOINLINE void average_pool(const convolution& s, const pool_shares& shares, const float* x, float* y) noexcept {
    using V = simd::ops<Isa>;
    detail::for_each_pooled<Isa>(s, [&](std::size_t oy, std::size_t ox, std::size_t c, std::size_t count, std::size_t out) {
        auto sum = V::set(0.0f);
        detail::for_each_pixel(s, oy, ox, [&](std::size_t at) { sum = sum + load_first<Isa>(x + at + c, count); });
        detail::store_count<Isa>(y + out, sum * V::set(shares(oy, ox)), count);
    });
}

template <class Isa>
PARE_FLATTEN PARE_NOINLINE void average_pool_gradient(const convolution& s, const pool_shares& shares, const float* dy,
                                                      float* dx) noexcept {
    using V = simd::ops<Isa>;
    std::fill_n(dx, s.height * s.width * s.channels, 0.0f);
    detail::for_each_pooled<Isa>(s, [&](std::size_t oy, std::size_t ox, std::size_t c, std::size_t count, std::size_t out) {
        const auto share = V::opaque(load_first<Isa>(dy + out, count) * V::set(shares(oy, ox)));
        detail::for_each_pixel(s, oy, ox, [&](std::size_t at) {
            detail::store_count<Isa>(dx + at + c, load_first<Isa>(dx + at + c, count) + share, count);
        });
    });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
