#ifndef PARE_QUANTIZE_EMBEDDINGS_HPP
#define PARE_QUANTIZE_EMBEDDINGS_HPP

#include <optional>

#include <pare/nn/selection.hpp>
#include <pare/quantize/weights.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/row_quint.hpp>

PARE_NAMESPACE_BEGIN

/// w as row_quint: minimum = the least number of a row, scale = (greatest - minimum) / (2^bits - 1), both rounded to their type;
/// code = clamp(RNE((w - minimum) * (1 / scale))). A row of one number is that number, exactly where it fits the type. `name` is
/// what errors call the weights. Errors: a weight that is NaN, infinite or larger than 2^62, or too large for a scale of 16 bits.
template <class Element>
result<weight_matrix<Element, full>> quantize_table(const weight_matrix<float, full>& w, std::string_view name = "weight") {
    using scale_type = typename Element::scale;
    if (auto problem = detail::unfit_weight(w, name)) {
        return *std::move(problem);
    }
    weight_matrix<Element, full> quantized(w.structure);
    const std::size_t bytes = detail::element_storage<Element>::bytes_per_row(w.columns());
    for (std::size_t row = 0; row < w.rows(); ++row) {
        const float* const values = w.values.data() + row * w.columns();
        float min = w.columns() == 0 ? 0.0f : values[0];
        float max = min;
        for (std::size_t i = 0; i < w.columns(); ++i) {
            min = values[i] < min ? values[i] : min;
            max = values[i] > max ? values[i] : max;
        }
        const scale_type minimum(min);
        scale_type scale(detail::scale_of_range(opaque(max - float{minimum}), Element::largest));
        if constexpr (std::is_same_v<scale_type, float16>) {
            if (!is_finite(scale) || !is_finite(minimum)) {
                return detail::scale_too_large(name, row);
            }
            scale = scale == 0.0f ? float16(0x1p-24f) : scale;  // the smallest there is
        }
        quantized.scales[row] = scale;
        quantized.zero_points[row] = minimum;
        const float inverse = exact_divide(1.0f, scale);
        for (std::size_t i = 0; i < w.columns(); ++i) {
            const std::int32_t code = quantize_value(opaque(values[i] - float{minimum}), inverse, 0, 0, Element::largest);
            std::uint8_t& byte = quantized.values[row * bytes + i * Element::bits / 8];
            byte = static_cast<std::uint8_t>(byte | code << i * Element::bits % 8);
        }
    }
    return quantized;
}

namespace detail {

/// Tables of float rows to quantized ones, and the first that cannot be; other weights stay.
template <class Element>
struct quantize_tables {
    std::optional<error>* problem;

    auto operator()(const member_path& path, const weight_matrix<float, full>& w, as_float, looked_up) const {
        auto quantized = quantize_table<Element>(w, path.text());
        if (!quantized && !*problem) {
            *problem = quantized.error();
        }
        return mapped_weights<weight_matrix<Element, full>, as_float>{
            quantized ? *std::move(quantized) : weight_matrix<Element, full>(w.structure), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights&, Activations, looked_up) const {
        static_assert(std::is_same_v<Weights, void>,
                      "pare: quantize_embeddings() takes embeddings of float weights: those in training must be frozen first with "
                      "freeze(), those that are quantized cannot be quantized again");
        return mapped_weights<Weights, Activations>{};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
};

}  // namespace detail

/// The model with the tables of its embeddings as row_quint<8>, or row_quint<4, float16> and so on; other layers stay as they are.
/// Takes a model or a result of one, and a selection of layers. Errors as quantize_table().
template <class Element, class Model, class Selection = every_layer>
auto quantize_embeddings(const Model& model, Selection selection = {}) {
    static_assert(detail::of_rows<Element>, "pare: quantize_embeddings() makes row_quint<8> or row_quint<4>");
    return and_then(model, [&](const auto& m) {
        std::optional<error> problem;
        auto quantized = map_selected_weights(m, detail::quantize_tables<Element>{&problem}, selection);
        return problem ? result<decltype(quantized)>(*std::move(problem)) : result<decltype(quantized)>(std::move(quantized));
    });
}

PARE_NAMESPACE_END

#endif
