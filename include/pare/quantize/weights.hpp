#ifndef PARE_QUANTIZE_WEIGHTS_HPP
#define PARE_QUANTIZE_WEIGHTS_HPP

#include <optional>
#include <string_view>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/quantize/code_choice.hpp>
#include <pare/quantize/ggml_blocks.hpp>
#include <pare/types/dialects.hpp>
#include <pare/types/granularity.hpp>
#include <pare/types/mixed_weights.hpp>
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

template <class... Layouts>
std::optional<error> unfit_weight(const layout_choice<float, Layouts...>& w, std::string_view name) {
    std::optional<error> problem;
    w.visit([&](auto, const auto& held) { problem = unfit_weight(held, name); });
    return problem;
}

inline error scale_too_large(std::string_view name, std::size_t row) {
    return error{error_code::invalid_data,
                 sentence("quantize: ", name, ": expected weights whose scale fits 16 bits, found one too large in row ", row)};
}

/// Scale and zero point or minimum of group number `index` of a matrix, counted row by row.
template <class Element>
void set_group(weight_matrix<Element, full>& w, std::size_t index, const weight_group<Element>& group) noexcept {
    w.scales[index] = group.scale();
    if constexpr (weight_group<Element>::format::has_offset) {
        w.zero_points[index] = group.offset();
    }
}

}  // namespace detail

/// w as qint8 and the same layout, symmetric, by the rules of a dialect: pare's is the narrow range [-127, 127], scale = max |w| /
/// 127 of each row, or of the whole matrix; q = RNE(w * (1 / scale)). `name` is what errors call the weights. Errors: a weight that
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

/// The same in the layout that was chosen for w.
template <numeric_dialect Dialect = dialect::pare, class... Layouts>
result<layout_choice<qint8, Layouts...>> quantize_weights(const layout_choice<float, Layouts...>& w, granularity g,
                                                          std::string_view name = "weight") {
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    return map_layouts<qint8>(w, [&](const auto& held) { return *quantize_weights<Dialect>(held, g, name); });
}

/// w as qint<...> or nf4: each group of inputs has the scale and the zero point or minimum that `choice` gives it, see
/// quantize/code_choice.hpp and weight_group, and each weight the nearest code. Errors as above, and weights too large for scales
/// or minima of 16 bits.
template <class Element, class Choice = round_to_nearest>
result<weight_matrix<Element, full>> quantize_weights_in_groups(const weight_matrix<float, full>& w,
                                                                std::string_view name = "weight", const Choice& choice = {}) {
    using storage = detail::element_storage<Element>;
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    weight_matrix<Element, full> quantized(w.structure);
    std::size_t index = 0;
    for (std::size_t row = 0; row < w.rows(); ++row) {
        for (std::size_t first = 0; first < w.columns(); first += Element::group, ++index) {
            const std::size_t count = first + Element::group < w.columns() ? Element::group : w.columns() - first;
            const std::span<const float> weights(w.values.data() + row * w.columns() + first, count);
            const weight_group<Element> group = choice.template choose<Element>(weights);
            if (!group.fits()) {
                return detail::scale_too_large(name, row);
            }
            detail::set_group(quantized, index, group);
            for (std::size_t i = 0; i < count; ++i) {
                storage::set_code(quantized, row, first + i, group.code(weights[i]));
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

/// Whether weights are integers, with which bytes are multiplied.
template <class Element>
inline constexpr bool multiplies_bytes = [] {
    if constexpr (in_groups<Element>) {
        return element_storage<Element>::format::offset != group_offset::levels;
    } else {
        return true;
    }
}();

/// Elements whose codes quantize_weights_in_groups chooses.
template <class Element>
concept has_codes = in_groups<Element> && !ggml_block<Element>;

/// w with the given element, by the function above that makes it.
template <class Element, granularity Granularity, class Choice, class Layout>
auto quantize_weights_to(const weight_matrix<float, Layout>& w, std::string_view name, [[maybe_unused]] const Choice& choice) {
    static_assert(has_codes<Element> || std::is_same_v<Choice, round_to_nearest> ||
                      (std::is_same_v<Element, qint8> && numeric_dialect<Choice>),
                  "pare: how codes are chosen can be said for qint<bits, group> and nf4<group> weights alone");
    if constexpr (in_groups<Element>) {
        static_assert(std::is_same_v<Layout, full>,
                      "pare: qint and nf4 weights and blocks of ggml are stored in full; quantize a sparse model to qint8");
        if constexpr (has_codes<Element>) {
            return quantize_weights_in_groups<Element>(w, name, choice);
        } else {
            return quantize_weights_to_blocks<Element>(w, name);
        }
    } else {
        static_assert(std::is_same_v<Element, qint8>,
                      "pare: weights are quantized to qint8, qint<bits, group>, nf4<group> or a block of ggml");
        return quantize_weights<std::conditional_t<numeric_dialect<Choice>, Choice, dialect::pare>>(w, Granularity, name);
    }
}
template <class Element, granularity Granularity, class Choice, class... Layouts>
auto quantize_weights_to(const layout_choice<float, Layouts...>& w, std::string_view name, const Choice&) {
    static_assert(std::is_same_v<Element, qint8>,
                  "pare: qint and nf4 weights and blocks of ggml are stored in full; quantize a sparse model to qint8");
    return quantize_weights<std::conditional_t<numeric_dialect<Choice>, Choice, dialect::pare>>(w, Granularity, name);
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
