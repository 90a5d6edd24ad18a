#ifndef PARE_KERNELS_CONV_HPP
#define PARE_KERNELS_CONV_HPP

#include <pare/core/tensor.hpp>
#include <pare/kernels/gemm_f32.hpp>
#include <pare/kernels/gemm_int8.hpp>
#include <pare/kernels/quantize.hpp>

PARE_NAMESPACE_BEGIN

/// Convolutions as matrix products whose left operand is never written down: a row of it, which is what one output pixel sees,
/// consists of pieces of the image, and the product reads them where they are.
namespace kernels {

/// A 2-D convolution of one image; a 1-D one has height 1. Images are [height, width, channels], weights [outputs, kernel_height,
/// kernel_width, channels / groups]: channels last. Output j sees the channels of group j / (outputs / groups). torch.nn.Conv2d.
struct convolution {
    std::size_t height = 1;
    std::size_t width = 1;
    std::size_t channels = 1;
    std::size_t outputs = 1;
    std::size_t kernel_height = 1;
    std::size_t kernel_width = 1;
    std::size_t stride_height = 1;
    std::size_t stride_width = 1;
    std::size_t padding_height = 0;
    std::size_t padding_width = 0;
    std::size_t dilation_height = 1;
    std::size_t dilation_width = 1;
    std::size_t groups = 1;
    std::size_t beyond_height = 0;  // rows and columns behind the border that windows of pools reach into
    std::size_t beyond_width = 0;

    constexpr std::size_t padded_height() const noexcept { return height + 2 * padding_height; }
    constexpr std::size_t padded_width() const noexcept { return width + 2 * padding_width; }
    constexpr std::size_t padded_row() const noexcept { return padded_width() * channels; }
    /// The size of an image with its border, in numbers.
    constexpr std::size_t padded_size() const noexcept { return padded_height() * padded_row(); }
    constexpr std::size_t output_height() const noexcept {
        return outputs_along(padded_height() + beyond_height, kernel_height, stride_height, dilation_height);
    }
    constexpr std::size_t output_width() const noexcept {
        return outputs_along(padded_width() + beyond_width, kernel_width, stride_width, dilation_width);
    }
    constexpr std::size_t output_pixels() const noexcept { return output_height() * output_width(); }

    /// None where the kernel is larger than the image with its border.
    static constexpr std::size_t outputs_along(std::size_t length, std::size_t kernel, std::size_t stride,
                                               std::size_t dilation) noexcept {
        const std::size_t seen = dilation * (kernel - 1) + 1;
        return length < seen ? 0 : (length - seen) / stride + 1;
    }

    constexpr std::size_t group_channels() const noexcept { return channels / groups; }
    constexpr std::size_t group_outputs() const noexcept { return outputs / groups; }
    /// Weights of one output.
    constexpr std::size_t kernel_size() const noexcept { return kernel_height * kernel_width * group_channels(); }

    /// What an output pixel sees of an image with its border: one piece per row of the kernel, or one per tap where taps lie apart.
    constexpr row_pieces pieces() const noexcept {
        const bool together = kernel_width == 1 || (dilation_width == 1 && groups == 1);
        return {together ? kernel_width * group_channels() : group_channels(), together ? 1 : kernel_width,
                dilation_width * channels, kernel_height, dilation_height * padded_row()};
    }
};

namespace detail {

/// Where output pixels [row, row + rows) begin to see an image with its border.
template <class T>
auto locate_pixels(const convolution& s, const T* image) noexcept {
    return [s, image](std::size_t row, std::size_t rows, const T** pointers) {
        std::size_t y = row / s.output_width();
        std::size_t x = row % s.output_width();
        for (std::size_t r = 0; r < rows; ++r) {
            pointers[r] = image + y * s.stride_height * s.padded_row() + x * s.stride_width * s.channels;
            if (++x == s.output_width()) {
                x = 0;
                ++y;
            }
        }
    };
}

/// Calls multiply(executor, group) for every group of channels: each is a product of its own, and many of them are worth more
/// threads than the parts of one.
template <class Executor, class Multiply>
PARE_INLINE void for_each_group(Executor& executor, const convolution& s, const Multiply& multiply) {
    PARE_ASSERT(s.channels % s.groups == 0 && s.outputs % s.groups == 0, "%zu channels to %zu in %zu groups", s.channels, s.outputs,
                s.groups);
    if (s.groups < executor.concurrency() || s.output_pixels() * s.outputs * s.kernel_size() < parallel_threshold) {
        for (std::size_t g = 0; g < s.groups; ++g) {
            multiply(executor, g);
        }
    } else {
        executor.for_each(s.groups, [&](std::size_t g) {
            serial_executor serial;
            multiply(serial, g);
        });
    }
}

}  // namespace detail

/// Float (or bfloat16, float16) weights of a convolution [outputs, kernel_height, kernel_width, channels / groups] as conv2d_f32 reads them:
/// a matrix for each group.
template <class Isa, class Stored = float>
struct conv2d_f32_kernel {
    using kernel = gemm_f32_kernel<Isa, Stored>;

    static constexpr std::size_t group_size(const convolution& s) noexcept {
        return kernel::packed_size(s.group_outputs(), s.kernel_size());
    }
    static constexpr std::size_t packed_size(const convolution& s) noexcept { return s.groups * group_size(s); }
    static void pack(const Stored* w, const convolution& s, Stored* data) noexcept {
        for (std::size_t g = 0; g < s.groups; ++g) {
            kernel::pack({w + g * s.group_outputs() * s.kernel_size(), 1, s.kernel_size()}, s.group_outputs(), s.kernel_size(),
                         data + g * group_size(s));
        }
    }
};

/// y [output pixels, outputs] of one image with its border [padded_height, padded_width, channels]; weights packed by
/// conv2d_f32_kernel. The epilogue stores y.
template <class Isa, class Stored, class Executor, class Epilogue>
PARE_NOINLINE void conv2d_f32(Executor& executor, const convolution& s, const float* image, const Stored* weights,
                              const Epilogue& epilogue) {
    using layout = conv2d_f32_kernel<Isa, Stored>;
    detail::for_each_group(executor, s, [&](auto& threads, std::size_t g) {
        layout::kernel::multiply_pieces(threads, s.output_pixels(), s.group_outputs(), s.pieces(), 1,
                                        detail::locate_pixels(s, image + g * s.group_channels()),
                                        weights + g * layout::group_size(s), g * s.group_outputs(), epilogue);
    });
}

/// Byte weights of a convolution [outputs, kernel_height, kernel_width, channels / groups] as conv2d_int8 reads them: a matrix for
/// each group, each piece padded with zeros to whole steps.
template <class Isa>
struct conv2d_int8_kernel {
    using kernel = gemm_int8_kernel<Isa>;

    static constexpr row_pieces pieces(const convolution& s) noexcept {
        row_pieces p = s.pieces();
        p.length = kernel::padded_depth(p.length);
        return p;
    }
    static constexpr std::size_t depth(const convolution& s) noexcept { return pieces(s).depth(); }
    static constexpr std::size_t group_size(const convolution& s) noexcept {
        return kernel::packed_size(s.group_outputs(), depth(s));
    }
    static constexpr std::size_t packed_size(const convolution& s) noexcept { return s.groups * group_size(s); }
    static constexpr std::size_t column_sums_size(const convolution& s) noexcept {
        return s.outputs - s.group_outputs() + kernel::layout::padded(s.group_outputs());
    }

    /// `data` has packed_size bytes, `column_sums` column_sums_size numbers.
    static packed_int8 pack(const std::int8_t* w, const convolution& s, std::int8_t* data, std::int32_t* column_sums) noexcept {
        const std::size_t length = s.pieces().length, padded = pieces(s).length;
        for (std::size_t g = 0; g < s.groups; ++g) {
            const std::int8_t* const group = w + g * s.group_outputs() * s.kernel_size();
            const auto weight = [&](std::size_t row, std::size_t i) {
                return i % padded < length ? group[row * s.kernel_size() + i / padded * length + i % padded] : std::int8_t{0};
            };
            kernel::pack(s.group_outputs(), depth(s), weight, data + g * group_size(s), column_sums + g * s.group_outputs());
        }
        return {data, column_sums, s.outputs, depth(s)};
    }
};

/// Bytes behind an image that conv2d_int8 may read, whatever they hold.
template <class Isa>
inline constexpr std::size_t conv2d_int8_slack = gemm_int8_kernel<Isa>::depth - 1;

/// y [output pixels, outputs] of one image of bytes with its border [padded_height, padded_width, channels], followed by
/// conv2d_int8_slack<Isa> readable elements; weights packed by conv2d_int8_kernel. The epilogue takes the exact sums and stores y.
template <class Isa, class A, class Executor, class Epilogue>
PARE_NOINLINE void conv2d_int8(Executor& executor, const convolution& s, const A* image, const packed_int8& weights,
                               const Epilogue& epilogue) {
    using layout = conv2d_int8_kernel<Isa>;
    detail::for_each_group(executor, s, [&](auto& threads, std::size_t g) {
        const std::size_t first = g * s.group_outputs();
        const packed_int8 w = {weights.data + g * layout::group_size(s), weights.column_sums + first, s.group_outputs(), weights.k};
        gemm_int8_of_pieces<Isa, A>(threads, s.output_pixels(), layout::pieces(s),
                                    detail::locate_pixels(s, image + g * s.group_channels()), w, first, epilogue);
    });
}

/// padded = the image x [height, width, channels] inside a border of `fill`; each row goes through copy(from, count, to).
template <class T, class U, class Copy>
void pad_image(const convolution& s, const T* x, U fill, U* padded, const Copy& copy) {
    const std::size_t row = s.width * s.channels;
    const std::size_t side = s.padding_width * s.channels;
    const auto border = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            *padded++ = fill;
        }
    };
    border(s.padding_height * s.padded_row());
    for (std::size_t y = 0; y < s.height; ++y, x += row) {
        border(side);
        copy(x, row, padded);
        padded += row;
        border(side);
    }
    border(s.padding_height * s.padded_row());
}

/// Quantizes one image by its own range, as quint8 (see quantize_row), into a border of zeros, which are bytes equal to the zero
/// point.
template <class Isa, class Dialect = dialect::pare, class A>
PARE_FLATTEN PARE_NOINLINE quantization quantize_image(const convolution& s, const float* x, A* padded) noexcept {
    const value_range range = range_of<Isa>(x, s.height * s.width * s.channels);
    const quantization q = quantization_of<row_quantization::affine, A, Dialect>(range);
    pad_image(s, x, static_cast<A>(q.zero_point), padded,
              [&](const float* from, std::size_t count, A* to) { quantize_values_by<Isa, Dialect>(from, count, q, range.bounded, to); });
    return q;
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
