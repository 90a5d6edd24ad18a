#ifndef PARE_KERNELS_PACKED_CONV_HPP
#define PARE_KERNELS_PACKED_CONV_HPP

#include <algorithm>

#include <pare/core/context.hpp>
#include <pare/kernels/conv_gradient.hpp>
#include <pare/kernels/depthwise.hpp>
#include <pare/kernels/packed_full.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Whether every output pixel sees one pixel, that at its place: an image is the left operand of a product as it lies in memory.
constexpr bool is_pointwise(const convolution& s) noexcept {
    return s.kernel_height * s.kernel_width * s.stride_height * s.stride_width * s.groups == 1 &&
           s.padding_height + s.padding_width == 0;
}

}  // namespace kernels

namespace detail {

/// What a convolution says about activations that it quantizes as it gets them.
struct quantizes_images {
    static constexpr const char* activations_note = ", activations quantized per image";
};
struct quantizes_rows {};

/// What another form of the same weights says.
template <class Form>
struct note_of {};
template <class Form>
requires requires {
    Form::activations_note;
}
struct note_of<Form> {
    static constexpr const char* activations_note = Form::activations_note;
};

}  // namespace detail

/// Weights of convolutions as the kernels of one instruction set read them: like packed<Weights, Isa>, but for
///
///     explicit packed_convolution(weights, convolution)           the image's height and width do not matter here
///     static std::size_t scratch_bytes(Activations, convolution)  for one image
///     void convolve(Activations, executor, arena, convolution, image, output, stages...)
///
/// The general one writes down what pixels see, some of them at a time, and multiplies these rows: any storage that multiplies rows
/// convolves, at the cost of a copy of kernel_size numbers per output pixel; a pointwise convolution is a product of its pixels and
/// copies nothing. Weights that multiply bytes take an image that was quantized by its own range, as those in full do; for others,
/// activations are quantized per row, which is per output pixel. In several groups, each multiplies by all weights and keeps its
/// own outputs, which is as much slower as there are groups.
template <class Weights, class Isa>
class packed_convolution : public std::conditional_t<multiplies<packed<Weights, Isa>, static_range>, detail::quantizes_images,
                                                     detail::quantizes_rows> {
    using matrix = packed<Weights, Isa>;

    /// Whether an image becomes bytes before its patches are copied.
    template <class Activations>
    static constexpr bool quantizes_image = dynamic_activations<Activations>&& multiplies<matrix, static_range>;
    template <class Activations>
    using row_activations = std::conditional_t<quantizes_image<Activations>, static_range, Activations>;

public:
    static constexpr const char* kernel_name = matrix::kernel_name;

    packed_convolution(const Weights& w, const kernels::convolution& s)
        : matrix_(w), groups_(s.groups), pointwise_(kernels::is_pointwise(s)) {}

    std::size_t rows() const noexcept { return matrix_.rows(); }
    std::size_t columns() const noexcept { return matrix_.columns(); }
    std::size_t bytes() const noexcept { return matrix_.bytes(); }
    std::string describe() const {
        return matrix_.describe() + (pointwise_ ? " on pixels" : " on copied patches") +
               (groups_ == 1 ? std::string() : sentence(", all outputs for each of ", groups_, " groups"));
    }

    const float* scales() const noexcept requires multiplies<matrix, static_range> { return matrix_.scales(); }
    const std::int32_t* column_sums() const noexcept requires multiplies<matrix, static_range> { return matrix_.column_sums(); }

    template <class Activations>
    static constexpr std::size_t scratch_bytes(Activations,
                                               const kernels::convolution& s) noexcept requires multiplies<matrix, Activations> {
        using taken = row_activations<Activations>;
        using element = std::conditional_t<std::is_same_v<taken, static_range>, std::uint8_t, float>;
        const std::size_t rows = rows_together(s);
        return (quantizes_image<Activations> ? scratch_bytes_of<std::uint8_t>(s.height * s.width * s.channels) : 0) +
               (kernels::is_pointwise(s) ? 0 : scratch_bytes_of<element>(rows * s.kernel_size())) +
               (s.groups == 1 ? 0 : scratch_bytes_of<float>(rows * s.outputs)) +
               matrix::scratch_bytes(taken{}, rows, s.outputs, s.kernel_size());
    }

    template <class Activations, class Executor, class X, class Y, class... Stages>
    void convolve(const Activations& a, Executor& executor, arena scratch, const kernels::convolution& s, const X* x, Y* y,
                  Stages... stages) const noexcept {
        if constexpr (quantizes_image<Activations>) {
            kernels::convolution without_border = s;
            without_border.padding_height = without_border.padding_width = 0;
            auto* const image = scratch.take<std::uint8_t>(s.height * s.width * s.channels);
            const quantization q = kernels::quantize_image<Isa, typename Activations::rules>(without_border, x, image);
            const std::int32_t zero_point = q.zero_point;
            const kernels::dequantize real{&q.scale, &zero_point, matrix_.scales(), matrix_.column_sums(), 0};
            convolve(static_range{q}, executor, scratch, s, static_cast<const std::uint8_t*>(image), y, real, stages...);
        } else {
            const std::size_t most = rows_together(s);
            X* const patches = kernels::is_pointwise(s) ? nullptr : scratch.take<X>(most * s.kernel_size());
            Y* const all = s.groups == 1 ? nullptr : scratch.take<Y>(most * s.outputs);
            const std::size_t columns = s.outputs / s.groups;
            X outside{0};
            if constexpr (std::is_same_v<X, std::uint8_t>) {
                outside = static_cast<X>(a.input.zero_point);
            }
            context<Isa, Executor> ctx{executor, scratch};
            for (std::size_t first = 0; first < s.output_pixels(); first += most) {
                const std::size_t pixels = (std::min)(most, s.output_pixels() - first);
                Y* const out = y + first * s.outputs;
                for (std::size_t g = 0; g < s.groups; ++g) {
                    if (patches != nullptr) {
                        kernels::copy_patches<Isa>(s, x, g, first, pixels, patches, outside);
                    }
                    const X* const seen = patches != nullptr ? patches : x + first * s.channels;
                    matrix_.multiply(a, ctx, matrix_view<const X>(seen, pixels, s.kernel_size()),
                                     matrix_view<Y>(s.groups == 1 ? out : all, pixels, s.outputs), stages...);
                    for (std::size_t p = 0; s.groups != 1 && p < pixels; ++p) {
                        std::copy_n(all + p * s.outputs + g * columns, columns, out + p * s.outputs + g * columns);
                    }
                }
            }
        }
    }

private:
    /// Output pixels that are one product.
    static constexpr std::size_t rows_together(const kernels::convolution& s) noexcept {
        return kernels::is_pointwise(s) ? s.output_pixels() : kernels::patch_rows(s);
    }

    matrix matrix_;
    std::size_t groups_;
    bool pointwise_;
};

namespace kernels {

constexpr std::size_t conv2d_f32_scratch_bytes(const convolution& s) noexcept {
    return s.padding_height + s.padding_width == 0 ? 0 : scratch_bytes_of<float>(s.padded_size());
}

/// y [output pixels, outputs] of one image without a border, which gets one in the scratch; weights packed by conv2d_f32_kernel.
template <class Isa, class Stored, class Executor, class... Stages>
void conv2d_f32_padded(Executor& executor, arena scratch, const convolution& s, const float* x, const Stored* weights, float* y,
                       Stages... stages) noexcept {
    const float* image = x;
    if (s.padding_height + s.padding_width != 0) {
        float* const padded = scratch.take<float>(s.padded_size());
        pad_image(s, x, 0.0f, padded, [](const float* from, std::size_t count, float* to) { std::copy_n(from, count, to); });
        image = padded;
    }
    conv2d_f32<Isa>(executor, s, image, weights, epilogue<float, Stages...>(y, s.outputs, stages...));
}

}  // namespace kernels

namespace kernels {

/// Whether each channel is convolved by itself, which has a kernel of its own.
constexpr bool is_depthwise(const convolution& s) noexcept {
    return s.groups == s.channels && s.channels > 1 && s.kernel_size() <= int8_largest_depth;
}

}  // namespace kernels

/// Float, bfloat16 or float16 weights, in groups or not.
template <class Element, class Isa>
requires detail::is_real<Element>
class packed_convolution<weight_matrix<Element, full>, Isa> {
    using layout = kernels::conv2d_f32_kernel<Isa, Element>;
    using depthwise = kernels::depthwise_kernel<Isa, float>;

public:
    static constexpr const char* kernel_name = "conv2d_f32 or depthwise_f32";

    packed_convolution(const weight_matrix<Element, full>& w, const kernels::convolution& s)
        : rows_(w.rows()),
          columns_(w.columns()),
          depthwise_(takes_depthwise(s)),
          values_(depthwise_ ? depthwise::packed_size(s) : layout::packed_size(s)) {
        if constexpr (std::is_same_v<Element, float>) {
            if (depthwise_) {
                depthwise::pack(w.values.data(), s, values_.data(), nullptr);
                return;
            }
        }
        layout::pack(w.values.data(), s, values_.data());
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept { return values_.size() * sizeof(Element); }
    std::string describe() const {
        return sentence(detail::element_storage<Element>::name, " full, ", depthwise_ ? "depthwise_f32" : "conv2d_f32", " on ",
                        Isa::name);
    }

    static constexpr std::size_t scratch_bytes(as_float, const kernels::convolution& s) noexcept {
        return takes_depthwise(s) ? 0 : kernels::conv2d_f32_scratch_bytes(s);
    }

    template <class Executor, class... Stages>
    void convolve(as_float, Executor& executor, arena scratch, const kernels::convolution& s, const float* x, float* y,
                  Stages... stages) const noexcept {
        if constexpr (std::is_same_v<Element, float>) {
            if (depthwise_) {
                kernels::depthwise_f32<Isa>(executor, s, x, {values_.data(), nullptr},
                                            kernels::epilogue<float, Stages...>(y, s.outputs, stages...));
                return;
            }
        }
        kernels::conv2d_f32_padded<Isa>(executor, scratch, s, x, values_.data(), y, stages...);
    }

private:
    static constexpr bool takes_depthwise(const kernels::convolution& s) noexcept {
        return std::is_same_v<Element, float> && kernels::is_depthwise(s);
    }

    std::size_t rows_;
    std::size_t columns_;
    bool depthwise_;
    aligned_array<Element> values_;
};

/// Byte weights, in groups or not; each image is quantized by its own range.
template <class Isa>
class packed_convolution<weight_matrix<qint8, full>, Isa> {
    using layout = kernels::conv2d_int8_kernel<Isa>;
    using depthwise = kernels::depthwise_kernel<Isa, std::int8_t>;
    using activation = typename simd::ops<Isa>::activation;

public:
    static constexpr const char* kernel_name = "conv2d_int8 or depthwise_int8";
    static constexpr const char* activations_note = ", activations quantized per image";

    packed_convolution(const weight_matrix<qint8, full>& w, const kernels::convolution& s)
        : rows_(w.rows()),
          columns_(w.columns()),
          depthwise_(kernels::is_depthwise(s)),
          values_(depthwise_ ? depthwise::packed_size(s) : layout::packed_size(s)),
          column_sums_(depthwise_ ? depthwise::column_sums_size(s) : layout::column_sums_size(s)),
          scales_(w.scales) {
        if (depthwise_) {
            depthwise::pack(w.values.data(), s, values_.data(), column_sums_.data());
        } else {
            layout::pack(w.values.data(), s, values_.data(), column_sums_.data());
        }
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept {
        return values_.size() + column_sums_.size() * sizeof(std::int32_t) + scales_.size() * sizeof(float);
    }
    std::string describe() const {
        return sentence("qint8 full, ", depthwise_ ? "depthwise_int8" : "conv2d_int8", " on ", Isa::name);
    }
    const float* scales() const noexcept { return scales_.data(); }
    const std::int32_t* column_sums() const noexcept { return column_sums_.data(); }

    template <dynamic_activations Activations>
    static constexpr std::size_t scratch_bytes(Activations, const kernels::convolution& s) noexcept {
        return scratch_bytes_of<activation>(image_size(s));
    }

    template <dynamic_activations Activations, class Executor, class... Stages>
    void convolve(Activations, Executor& executor, arena scratch, const kernels::convolution& s, const float* x, float* y,
                  Stages... stages) const noexcept {
        activation* const image = scratch.take<activation>(image_size(s));
        kernels::convolution taken = s;
        if (depthwise_) {  // which keeps to the image by itself
            taken.padding_height = taken.padding_width = 0;
        }
        const quantization q = kernels::quantize_image<Isa, typename Activations::rules>(taken, x, image);
        const std::int32_t zero_point = q.zero_point;
        const kernels::epilogue<float, kernels::dequantize, Stages...> finish(
            y, s.outputs, {&q.scale, &zero_point, scales_.data(), column_sums_.data(), 0}, stages...);
        if (depthwise_) {
            kernels::depthwise_int8<Isa>(executor, s, image, static_cast<activation>(zero_point),
                                         {values_.data(), column_sums_.data()}, finish);
        } else {
            const kernels::packed_int8 w = {values_.data(), column_sums_.data(), rows_, layout::depth(s)};
            kernels::conv2d_int8<Isa>(executor, s, image, w, finish);
        }
    }

    /// Where steps take 16-bit numbers, bytes become such once, not at every step.
    static constexpr bool widens = sizeof(activation) > 1;
    using operand = std::conditional_t<widens, activation, std::uint8_t>;

    static constexpr std::size_t scratch_bytes(static_range, const kernels::convolution& s) noexcept {
        return copies(s) ? scratch_bytes_of<operand>(image_size(s)) : 0;
    }

    /// Up to conv2d_int8_slack bytes behind an image are read.
    template <class Executor, class Output, class... Stages>
    void convolve(const static_range& a, Executor& executor, arena scratch, const kernels::convolution& s, const std::uint8_t* x,
                  Output* y, Stages... stages) const noexcept {
        const auto zero = static_cast<std::uint8_t>(a.input.zero_point);
        const kernels::epilogue<Output, Stages...> finish(y, s.outputs, stages...);
        const kernels::packed_int8 w{values_.data(), column_sums_.data(), rows_, layout::depth(s)};
        if (depthwise_) {
            kernels::depthwise_int8<Isa>(executor, s, x, zero, {values_.data(), column_sums_.data()}, finish);
        } else if (copies(s)) {
            operand* const padded = scratch.take<operand>(image_size(s));
            kernels::pad_image(
                s, x, static_cast<operand>(zero), padded,
                [](const std::uint8_t* from, std::size_t count, operand* to) { kernels::widen_bytes<Isa>(count, to, from); });
            kernels::conv2d_int8<Isa>(executor, s, static_cast<const operand*>(padded), w, finish);
        } else if constexpr (!widens) {
            kernels::conv2d_int8<Isa>(executor, s, x, w, finish);
        }
    }

private:
    static constexpr bool copies(const kernels::convolution& s) noexcept {
        return (widens || s.padding_height + s.padding_width != 0) && !kernels::is_depthwise(s);
    }
    static constexpr std::size_t image_size(const kernels::convolution& s) noexcept {
        return kernels::is_depthwise(s) ? s.height * s.width * s.channels : s.padded_size() + kernels::conv2d_int8_slack<Isa>;
    }

    std::size_t rows_;
    std::size_t columns_;
    bool depthwise_;
    aligned_array<std::int8_t> values_;
    aligned_array<std::int32_t> column_sums_;
    aligned_array<float> scales_;
};

PARE_NAMESPACE_END

#endif
