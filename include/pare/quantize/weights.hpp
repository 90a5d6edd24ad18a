#ifndef PARE_QUANTIZE_WEIGHTS_HPP
#define PARE_QUANTIZE_WEIGHTS_HPP

#include <optional>
#include <string_view>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/quantize/ggml_blocks.hpp>
#include <pare/types/dialects.hpp>
#include <pare/types/granularity.hpp>
#include <pare/types/quantization.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// The first weight that cannot be quantized, if any.
template <class Layout>
std::optional<error> unfit_weight(const weight_matrix<float, Layout>& w, std::string_view name) {
    std::optional<error> problem;
    w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        const float value = w.values[i];
        if (problem || (is_finite(value) && value <= largest_range && value >= -largest_range)) {
            return;
        }
        const auto found = [&](const char* expected, const auto& what) {
            return error{error_code::invalid_data, sentence("quantize: ", name, ": expected ", expected, ", found ", what,
                                                            " at row ", row, ", column ", column)};
        };
        problem = is_nan(value)      ? found("finite weights", "NaN")
                  : is_finite(value) ? found("weights of at most 2^62", value)
                                     : found("finite weights", "an infinity");
    });
    return problem;
}

/// range / steps, 1 where the range is empty.
inline float scale_of_range(float range, std::int32_t steps) noexcept {
    if (range < smallest_range) {
        return 1.0f;
    }
    const float scale = exact_divide(range, static_cast<float>(steps));
    return scale < smallest_scale ? smallest_scale : scale;
}

inline error scale_too_large(std::string_view name, std::size_t row) {
    return error{error_code::invalid_data,
                 sentence("quantize: ", name, ": expected weights whose scale fits 16 bits, found one too large in row ", row)};
}

}  // namespace detail

/// w as qint8 and the same layout, symmetric, by the rules of a dialect: pare's is the narrow range [-127, 127], scale = max |w| / 127
/// of each row, or of the whole matrix; q = RNE(w * (1 / scale)). `name` is what errors call the weights. Errors: a weight that
/// is NaN, infinite or larger than 2^62.
template <numeric_dialect Dialect = dialect::pare, class Layout>
result<weight_matrix<qint8, Layout>> quantize_weights(const weight_matrix<float, Layout>& w, granularity g,
                                                      std::string_view name = "weight") {
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    std::vector<float> magnitude(w.rows(), 0.0f);
    float largest = 0.0f;
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        const float size = w.values[i] < 0.0f ? -w.values[i] : w.values[i];
        magnitude[row] = size > magnitude[row] ? size : magnitude[row];
        largest = size > largest ? size : largest;
    });
    weight_matrix<qint8, Layout> quantized(w.structure);
    for (std::size_t row = 0; row < w.rows(); ++row) {
        quantized.scales[row] = Dialect::template symmetric<qint8>(g == granularity::per_tensor ? largest : magnitude[row]).scale;
    }
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        quantized.values[i] = static_cast<std::int8_t>(Dialect::quantize_weight(
            w.values[i], {quantized.scales[row], 0}, Dialect::template symmetric_smallest<qint8>, qint8::largest));
    });
    return quantized;
}

/// w as qint4. Symmetric: scale = max |w| / 7 of each group of inputs, in the narrow range [-7, 7]. Affine: scale = (max - min) /
/// 15 of the range extended to contain zero, zero_point = RNE(-min * (1 / scale)). The scale is rounded to its type first; code =
/// RNE(w * (1 / scale)) + zero_point. Errors as above, and weights too large for a scale of 16 bits.
template <class Element>
result<weight_matrix<Element, full>> quantize_weights_in_groups(const weight_matrix<float, full>& w,
                                                                std::string_view name = "weight") {
    using scale_type = typename Element::scale;
    constexpr bool affine = Element::scheme == qscheme::affine;
    constexpr std::int32_t most = Element::largest - Element::smallest;
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    weight_matrix<Element, full> quantized(w.structure);
    std::size_t group = 0;
    for (std::size_t row = 0; row < w.rows(); ++row) {
        const float* const values = w.values.data() + row * w.columns();
        std::uint8_t* const pairs = quantized.values.data() + row * ((w.columns() + 1) / 2);
        for (std::size_t first = 0; first < w.columns(); first += Element::group, ++group) {
            const std::size_t end = first + Element::group < w.columns() ? first + Element::group : w.columns();
            float min = 0.0f;
            float max = 0.0f;
            for (std::size_t i = first; i < end; ++i) {
                min = values[i] < min ? values[i] : min;
                max = values[i] > max ? values[i] : max;
            }
            const float span = affine ? max - min : max > -min ? max : -min;
            scale_type scale(detail::scale_of_range(span, affine ? most : Element::largest));
            if constexpr (std::is_same_v<scale_type, float16>) {
                if (!is_finite(scale)) {
                    return detail::scale_too_large(name, row);
                }
                scale = scale == 0.0f ? float16(0x1p-24f) : scale;  // the smallest there is
            }
            quantized.scales[group] = scale;
            const float inverse = exact_divide(1.0f, scale);
            const std::int32_t zero = affine ? quantize_value(-min, inverse, 0, 0, most) : Element::offset;
            if constexpr (affine) {
                quantized.zero_points[group] = static_cast<std::uint8_t>(zero);
            }
            const std::int32_t least = affine ? 0 : Element::narrow_smallest + Element::offset;
            for (std::size_t i = first; i < end; ++i) {
                const std::int32_t code = quantize_value(values[i], inverse, zero, least, most);
                pairs[i / 2] = static_cast<std::uint8_t>(pairs[i / 2] | code << 4 * (i % 2));
            }
        }
    }
    return quantized;
}

/// w in blocks of ggml, byte for byte as ggml itself makes them. Errors as above, rows that are not whole blocks, and weights too
/// large for a scale of 16 bits.
template <class Block>
result<weight_matrix<Block, full>> quantize_weights_to_blocks(const weight_matrix<float, full>& w,
                                                              std::string_view name = "weight") {
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    if (w.columns() % Block::size != 0) {
        return error{error_code::invalid_argument,
                     sentence("quantize: ", name, ": expected a multiple of ", Block::size, " inputs, the weights of a block of ",
                              Block::name, "; found ", w.columns())};
    }
    weight_matrix<Block, full> blocks(w.structure);
    for (std::size_t b = 0; b < blocks.values.size(); ++b) {
        blocks.values[b] = ggml::quantized<Block>(w.values.data() + b * Block::size);
        if (!blocks.values[b].is_finite()) {
            return detail::scale_too_large(name, b * Block::size / w.columns());
        }
    }
    return blocks;
}

namespace detail {

template <class Element>
inline constexpr bool is_qint4 = false;
template <std::size_t Group, class Scale, qscheme Scheme>
inline constexpr bool is_qint4<qint4<Group, Scale, Scheme>> = true;

/// w with the given element, by the function above that makes it.
template <class Element, granularity Granularity, class Layout>
auto quantize_weights_to(const weight_matrix<float, Layout>& w, std::string_view name) {
    if constexpr (is_qint4<Element> || ggml_block<Element>) {
        static_assert(std::is_same_v<Layout, full>,
                      "pare: qint4 weights and blocks of ggml are stored in full; quantize a sparse model to qint8");
        if constexpr (is_qint4<Element>) {
            return quantize_weights_in_groups<Element>(w, name);
        } else {
            return quantize_weights_to_blocks<Element>(w, name);
        }
    } else {
        static_assert(std::is_same_v<Element, qint8>, "pare: weights are quantized to qint8, qint4<group> or a block of ggml");
        return quantize_weights(w, Granularity, name);
    }
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
