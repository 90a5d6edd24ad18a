#ifndef PARE_QUANTIZE_WEIGHTS_HPP
#define PARE_QUANTIZE_WEIGHTS_HPP

#include <optional>
#include <string_view>
#include <vector>

#include <pare/core/result.hpp>
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

}  // namespace detail

/// w as qint8 in the narrow range [-127, 127] and the same layout: scale = max |w| / 127 of each row, or of the whole matrix; q =
/// RNE(w * (1 / scale)). `name` is what errors call the weights. Errors: a weight that is NaN, infinite or larger than 2^62.
template <class Layout>
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
    std::vector<float> inverse(w.rows());
    for (std::size_t row = 0; row < w.rows(); ++row) {
        quantized.scales[row] = symmetric_quantization<qint8>(g == granularity::per_tensor ? largest : magnitude[row]).scale;
        inverse[row] = exact_divide(1.0f, quantized.scales[row]);
    }
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        quantized.values[i] =
            static_cast<std::int8_t>(quantize_value(w.values[i], inverse[row], 0, qint8::narrow_smallest, qint8::largest));
    });
    return quantized;
}

/// w as qint4 in the narrow range [-7, 7]: scale = max |w| / 7 of each group of inputs; q = RNE(w * (1 / scale)). Errors as above.
template <std::size_t Group>
result<weight_matrix<qint4<Group>, full>> quantize_weights_in_groups(const weight_matrix<float, full>& w,
                                                                     std::string_view name = "weight") {
    using element = qint4<Group>;
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    weight_matrix<element, full> quantized(w.structure);
    std::size_t next_scale = 0;
    for (std::size_t row = 0; row < w.rows(); ++row) {
        const float* const values = w.values.data() + row * w.columns();
        std::uint8_t* const pairs = quantized.values.data() + row * ((w.columns() + 1) / 2);
        for (std::size_t first = 0; first < w.columns(); first += Group) {
            const std::size_t end = first + Group < w.columns() ? first + Group : w.columns();
            float magnitude = 0.0f;
            for (std::size_t i = first; i < end; ++i) {
                const float size = values[i] < 0.0f ? -values[i] : values[i];
                magnitude = size > magnitude ? size : magnitude;
            }
            const float scale = symmetric_quantization<element>(magnitude).scale;
            quantized.scales[next_scale++] = scale;
            const float inverse = exact_divide(1.0f, scale);
            for (std::size_t i = first; i < end; ++i) {
                const int q = quantize_value(values[i], inverse, 0, element::narrow_smallest, element::largest) + element::offset;
                pairs[i / 2] = static_cast<std::uint8_t>(pairs[i / 2] | (i % 2 == 0 ? q : q << 4));
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
        blocks.values[b] = Block::quantized(w.values.data() + b * Block::size);
        if (!blocks.values[b].is_finite()) {
            return error{error_code::invalid_data,
                         sentence("quantize: ", name, ": expected weights whose scale fits 16 bits, found one too large in row ",
                                  b * Block::size / w.columns())};
        }
    }
    return blocks;
}

PARE_NAMESPACE_END

#endif
