#ifndef PARE_KERNELS_CONV_GRADIENT_HPP
#define PARE_KERNELS_CONV_GRADIENT_HPP

#include <algorithm>

#include <pare/kernels/conv.hpp>
#include <pare/kernels/slices.hpp>

PARE_NAMESPACE_BEGIN

/// The two gradients of a convolution, image by image. Both go through patches: rows of what some output pixels see, in scratch
/// memory small enough for the second-level cache. dx is the patches' gradient dy W, each number added to where it was seen; dw is
/// dy^T times the patches.
namespace kernels {

/// What output pixel `pixel` sees of a group of channels of an image without a border, run by run: inside(column, offset, count)
/// for numbers of the image, which belong to weights [column, column + count) and begin at `offset`; outside(column, count) for the
/// border.
template <class Inside, class Outside>
PARE_INLINE void for_each_run(const convolution& s, std::size_t pixel, std::size_t group, const Inside& inside,
                              const Outside& outside) {
    const std::size_t top = pixel / s.output_width() * s.stride_height;  // in the image with its border
    const std::size_t left = pixel % s.output_width() * s.stride_width;
    const std::size_t right = s.padding_width + s.width;
    const std::size_t channels = s.group_channels();
    std::size_t column = 0;
    for (std::size_t ky = 0; ky < s.kernel_height; ++ky) {
        const std::size_t y = top + ky * s.dilation_height;
        if (y < s.padding_height || y >= s.padding_height + s.height) {
            outside(column, s.kernel_width * channels);
            column += s.kernel_width * channels;
            continue;
        }
        const std::size_t row = (y - s.padding_height) * s.width;
        if (s.groups == 1 && s.dilation_width == 1) {
            const std::size_t before = left < s.padding_width ? (std::min)(s.padding_width - left, s.kernel_width) : 0;
            const std::size_t end = left < right ? (std::max)((std::min)(right - left, s.kernel_width), before) : before;
            outside(column, before * channels);
            if (end > before) {
                inside(column + before * channels, (row + left + before - s.padding_width) * channels, (end - before) * channels);
            }
            outside(column + end * channels, (s.kernel_width - end) * channels);
            column += s.kernel_width * channels;
        } else {
            for (std::size_t kx = 0; kx < s.kernel_width; ++kx, column += channels) {
                const std::size_t x = left + kx * s.dilation_width;
                if (x < s.padding_width || x >= right) {
                    outside(column, channels);
                } else {
                    inside(column, (row + x - s.padding_width) * s.channels + group * channels, channels);
                }
            }
        }
    }
}

/// y[i] = f(x[i], y[i]) for `count` numbers, mostly few.
template <class Isa, class F>
PARE_INLINE void update_run(const float* x, std::size_t count, float* y, const F& f) noexcept {
    using V = simd::ops<Isa>;
    std::size_t i = 0;
    for (; i + V::lanes <= count; i += V::lanes) {
        V::store(y + i, f(V::load(x + i), y + i, V::lanes));
    }
    if (i < count) {
        V::store_partial(y + i, f(V::load_partial(x + i, count - i), y + i, count - i), count - i);
    }
}

/// How many output pixels have their patches in memory at a time.
constexpr std::size_t patch_rows(const convolution& s) noexcept {
    const std::size_t rows = (std::size_t{1} << 15) / (s.kernel_size() + 1);
    const std::size_t some = rows < 64 ? 64 : rows > 256 ? 256 : rows;
    return some < s.output_pixels() ? some : s.output_pixels();
}

/// patches [pixels, kernel size] = what output pixels [first, first + pixels) see of a group of the image x [height, width,
/// channels], of floats or bytes, in a border of `outside`.
template <class Isa, class T>
PARE_FLATTEN void copy_patches(const convolution& s, const T* x, std::size_t group, std::size_t first, std::size_t pixels,
                               T* patches, T outside = T{0}) noexcept {
    for (std::size_t p = 0; p < pixels; ++p, patches += s.kernel_size()) {
        for_each_run(
            s, first + p, group,
            [&](std::size_t column, std::size_t offset, std::size_t count) {
                if constexpr (std::is_same_v<T, float>) {
                    update_run<Isa>(x + offset, count, patches + column, [](auto v, const float*, std::size_t) { return v; });
                } else {
                    std::copy_n(x + offset, count, patches + column);
                }
            },
            [&](std::size_t column, std::size_t count) {
                for (std::size_t i = 0; i < count; ++i) {
                    patches[column + i] = outside;
                }
            });
    }
}

/// Adds patches to the numbers of the image that they see.
template <class Isa>
PARE_FLATTEN void add_patches(const convolution& s, const float* patches, std::size_t group, std::size_t first, std::size_t pixels,
                              float* x) noexcept {
    using V = simd::ops<Isa>;
    for (std::size_t p = 0; p < pixels; ++p, patches += s.kernel_size()) {
        for_each_run(
            s, first + p, group,
            [&](std::size_t column, std::size_t offset, std::size_t count) {
                update_run<Isa>(patches + column, count, x + offset, [](auto v, const float* old, std::size_t n) {
                    return (n == V::lanes ? V::load(old) : V::load_partial(old, n)) + v;
                });
            },
            [](std::size_t, std::size_t) {});
    }
}

/// dx [height, width, channels] of one image out of dy [output pixels, outputs].
template <class Isa>
struct conv2d_input_gradient {
    using kernel = gemm_f32_kernel<Isa>;

    static constexpr std::size_t group_size(const convolution& s) noexcept {
        return kernel::packed_size(s.kernel_size(), s.group_outputs());
    }
    static constexpr std::size_t packed_size(const convolution& s) noexcept { return s.groups * group_size(s); }
    static constexpr std::size_t scratch_floats(const convolution& s) noexcept { return patch_rows(s) * s.kernel_size(); }

    /// Weights [outputs, kernel size] for it.
    static void pack(const float* w, const convolution& s, float* data) noexcept {
        for (std::size_t g = 0; g < s.groups; ++g) {
            kernel::pack({w + g * s.group_outputs() * s.kernel_size(), s.kernel_size(), 1}, s.kernel_size(), s.group_outputs(),
                         data + g * group_size(s));
        }
    }

    template <class Executor>
    static void run(Executor& executor, const convolution& s, const float* dy, const float* packed, float* scratch, float* dx) {
        std::fill_n(dx, s.height * s.width * s.channels, 0.0f);
        for (std::size_t g = 0; g < s.groups; ++g) {
            for (std::size_t first = 0; first < s.output_pixels(); first += patch_rows(s)) {
                const std::size_t pixels = (std::min)(patch_rows(s), s.output_pixels() - first);
                kernel::multiply(executor, pixels, s.kernel_size(), s.group_outputs(),
                                 {dy + first * s.outputs + g * s.group_outputs(), s.outputs, 1}, packed + g * group_size(s), 0,
                                 epilogue<float>(scratch, s.kernel_size()));
                add_patches<Isa>(s, scratch, g, first, pixels, dx);
            }
        }
    }
};

/// y = x + terms[i * stride + j].
struct add_terms {
    const float* terms;
    std::size_t stride;

    struct columns_of {
        const float* first;
        std::size_t count;
    };
    template <class Isa>
    PARE_INLINE columns_of columns(std::size_t column, std::size_t count) const noexcept {
        return {terms + column, count};
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::f32 x, const columns_of& c, std::size_t row) const noexcept {
        return x + load_first<Isa>(c.first + row * stride, c.count);
    }
    float operator()(float x, std::size_t row, std::size_t column) const noexcept { return x + terms[row * stride + column]; }
};

/// dw [outputs, kernel size] += what one image gives to it, x [height, width, channels] and dy [output pixels, outputs].
template <class Isa>
struct conv2d_weight_gradient {
    using kernel = gemm_f32_kernel<Isa>;

    static constexpr std::size_t scratch_floats(const convolution& s) noexcept {
        return round_up(patch_rows(s) * s.kernel_size(), alignment / sizeof(float)) +
               kernel::packed_size(s.kernel_size(), patch_rows(s));
    }

    template <class Executor>
    static void run(Executor& executor, const convolution& s, const float* x, const float* dy, float* scratch, float* dw) {
        const std::size_t k = s.kernel_size();
        float* const packed = scratch + round_up(patch_rows(s) * k, alignment / sizeof(float));
        for (std::size_t g = 0; g < s.groups; ++g) {
            for (std::size_t first = 0; first < s.output_pixels(); first += patch_rows(s)) {
                const std::size_t pixels = (std::min)(patch_rows(s), s.output_pixels() - first);
                copy_patches<Isa>(s, x, g, first, pixels, scratch);
                kernel::pack({scratch, k, 1}, k, pixels, packed);
                float* const group = dw + g * s.group_outputs() * k;
                kernel::multiply(executor, s.group_outputs(), k, pixels,
                                 {dy + first * s.outputs + g * s.group_outputs(), 1, s.outputs}, packed, 0,
                                 epilogue<float, add_terms>(group, k, add_terms{group, k}));
            }
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
