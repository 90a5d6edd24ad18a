#ifndef PARE_KERNELS_CONV_HPP
#define PARE_KERNELS_CONV_HPP

#include <cstring>
#include <vector>

#include <pare/core/tensor.hpp>
#include <pare/kernels/gemm_f32.hpp>
#include <pare/kernels/gemm_int8.hpp>
#include <pare/kernels/quantize.hpp>

PARE_NAMESPACE_BEGIN

/// Convolutions as matrix products whose left operand is never written down: a row of it, which is what one output pixel sees,
/// consists of pieces of the image, and the product reads them where they are.
namespace kernels {

/// A 2-D convolution of one image; a 1-D one has height 1. Images are [height, width, channels], weights [outputs, kernel_height,
/// kernel_width, channels]: channels last. torch.nn.Conv2d with groups = 1.
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

    constexpr std::size_t padded_height() const noexcept { return height + 2 * padding_height; }
    constexpr std::size_t padded_width() const noexcept { return width + 2 * padding_width; }
    constexpr std::size_t padded_row() const noexcept { return padded_width() * channels; }
    /// The size of an image with its border, in numbers.
    constexpr std::size_t padded_size() const noexcept { return padded_height() * padded_row(); }
    constexpr std::size_t output_height() const noexcept {
        return outputs_along(padded_height(), kernel_height, stride_height, dilation_height);
    }
    constexpr std::size_t output_width() const noexcept {
        return outputs_along(padded_width(), kernel_width, stride_width, dilation_width);
    }
    constexpr std::size_t output_pixels() const noexcept { return output_height() * output_width(); }

    /// None where the kernel is larger than the image with its border.
    static constexpr std::size_t outputs_along(std::size_t length, std::size_t kernel, std::size_t stride,
                                               std::size_t dilation) noexcept {
        const std::size_t seen = dilation * (kernel - 1) + 1;
        return length < seen ? 0 : (length - seen) / stride + 1;
    }

    // What an output pixel sees is contiguous along a row of the kernel, or along its channels where the row is dilated.
    constexpr bool rows_are_contiguous() const noexcept { return dilation_width == 1 || kernel_width == 1; }
    constexpr std::size_t segments() const noexcept { return rows_are_contiguous() ? kernel_height : kernel_height * kernel_width; }
    constexpr std::size_t segment_length() const noexcept { return rows_are_contiguous() ? kernel_width * channels : channels; }
    constexpr std::size_t segment_offset(std::size_t s) const noexcept {
        return rows_are_contiguous()
                   ? s * dilation_height * padded_row()
                   : s / kernel_width * dilation_height * padded_row() + s % kernel_width * dilation_width * channels;
    }
};

/// Kernels of more rows, or of more taps where they are dilated, are not supported.
inline constexpr std::size_t most_segments = 64;

namespace detail {

/// Where the pieces of output pixels [row, row + rows) lie in an image with its border.
template <class T>
auto locate_pixels(const convolution& s, const T* image) noexcept {
    return [s, image](std::size_t row, std::size_t rows, const T** pointers) {
        std::size_t y = row / s.output_width();
        std::size_t x = row % s.output_width();
        for (std::size_t r = 0; r < rows; ++r) {
            const T* const corner = image + y * s.stride_height * s.padded_row() + x * s.stride_width * s.channels;
            for (std::size_t segment = 0; segment < s.segments(); ++segment) {
                pointers[segment * rows + r] = corner + s.segment_offset(segment);
            }
            if (++x == s.output_width()) {
                x = 0;
                ++y;
            }
        }
    };
}

}  // namespace detail

/// y [output pixels, outputs] of one image with its border [padded_height, padded_width, channels]; weights packed by
/// gemm_f32_kernel<Isa, Stored>::pack as the matrix [outputs, kernel_height * kernel_width * channels]. The epilogue stores y.
template <class Isa, class Stored, class Executor, class Epilogue>
PARE_NOINLINE void conv2d_f32(Executor& executor, const convolution& s, const float* image, const Stored* weights,
                              const Epilogue& epilogue) {
    PARE_ASSERT(s.segments() <= most_segments, "a kernel of %zu pieces; at most %zu", s.segments(), most_segments);
    gemm_f32_kernel<Isa, Stored>::template multiply_segments<most_segments>(executor, s.output_pixels(), s.outputs, s.segments(),
                                                                            s.segment_length(), 1, detail::locate_pixels(s, image),
                                                                            weights, 0, epilogue);
}

/// Byte weights of a convolution in the order in which conv2d_int8 reads them: each piece padded with zeros to whole steps, then
/// packed as a matrix.
template <class Isa>
struct conv2d_int8_weights {
    using kernel = gemm_int8_kernel<Isa>;

    static constexpr std::size_t padded_length(const convolution& s) noexcept { return kernel::padded_depth(s.segment_length()); }
    static constexpr std::size_t depth(const convolution& s) noexcept { return s.segments() * padded_length(s); }

    aligned_array<std::int8_t> data;
    aligned_array<std::int32_t> column_sums;
    packed_int8 view;

    conv2d_int8_weights(const std::int8_t* w, const convolution& s)
        : data(kernel::packed_size(s.outputs, depth(s))), column_sums(kernel::layout::padded(s.outputs)) {
        std::vector<std::int8_t> padded(s.outputs * depth(s));
        for (std::size_t row = 0; row < s.outputs * s.segments(); ++row) {
            std::memcpy(padded.data() + row * padded_length(s), w + row * s.segment_length(), s.segment_length());
        }
        view = kernel::pack(padded.data(), s.outputs, depth(s), data.data(), column_sums.data());
    }
};

/// Bytes behind an image that conv2d_int8 may read, whatever they hold.
template <class Isa>
inline constexpr std::size_t conv2d_int8_slack = simd::ops<Isa>::dot_depth - 1;

/// y [output pixels, outputs] of one image of bytes with its border [padded_height, padded_width, channels], followed by
/// conv2d_int8_slack<Isa> readable elements. The epilogue takes the exact sums and stores y.
template <class Isa, class A, class Executor, class Epilogue>
PARE_NOINLINE void conv2d_int8(Executor& executor, const convolution& s, const A* image, const packed_int8& weights,
                               const Epilogue& epilogue) {
    PARE_ASSERT(s.segments() <= most_segments, "a kernel of %zu pieces; at most %zu", s.segments(), most_segments);
    gemm_int8_of_segments<Isa, A, most_segments>(executor, s.output_pixels(), s.segments(),
                                                 conv2d_int8_weights<Isa>::padded_length(s), detail::locate_pixels(s, image),
                                                 weights, epilogue);
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
template <class Isa, class A>
PARE_FLATTEN PARE_NOINLINE quantization quantize_image(const convolution& s, const float* x, A* padded) noexcept {
    const value_range range = range_of<Isa>(x, s.height * s.width * s.channels);
    quantization q = affine_quantization<quint8>(range.min, range.max);
    q.zero_point += std::is_same_v<A, std::int8_t> ? -128 : 0;
    pad_image(s, x, static_cast<A>(q.zero_point), padded,
              [&](const float* from, std::size_t count, A* to) { quantize_values<Isa>(from, count, q, range.bounded, to); });
    return q;
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
