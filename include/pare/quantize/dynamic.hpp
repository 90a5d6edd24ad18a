#ifndef PARE_QUANTIZE_DYNAMIC_HPP
#define PARE_QUANTIZE_DYNAMIC_HPP

#include <algorithm>
#include <optional>
#include <vector>

#include <pare/kernels/gemm_int8.hpp>
#include <pare/nn/selection.hpp>
#include <pare/quantize/weights.hpp>
#include <pare/types/activations.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Of how many products the sums consist, at most, and may consist: those of sparse weights are not split.
template <class Structure>
std::size_t deepest_sum(const Structure& structure) {
    if (structure.columns() <= kernels::int8_largest_depth) {
        return structure.columns();
    }
    std::vector<std::size_t> stored(structure.rows(), 0);
    structure.for_each([&](std::size_t row, std::size_t, std::size_t) { ++stored[row]; });
    return stored.empty() ? 0 : *std::max_element(stored.begin(), stored.end());
}
template <class Layout>
inline constexpr std::size_t largest_depth =
    std::is_same_v<Layout, full> ? kernels::int8_largest_split_depth : kernels::int8_largest_depth;

/// Maps float weights to quantized ones and remembers the first that cannot be mapped (which keep their shape).
template <class Element, granularity Granularity, class Activations, class Choice>
struct quantize_float_weights {
    std::optional<error>* problem;
    Choice choice;

    template <class Layout>
    auto operator()(const member_path& path, const weight_matrix<float, Layout>& w, as_float) const {
        if constexpr (std::is_same_v<Element, qint8>) {
            check_depth(path, w);
        }
        return mapped(quantize_weights_to<Element, Granularity>(w, path.text(), choice),
                      [&] { return weight_matrix<Element, Layout>(w.structure); });
    }
    /// Each layer in the layout that was chosen for it.
    template <class... Layouts>
    auto operator()(const member_path& path, const layout_choice<float, Layouts...>& w, as_float) const {
        w.visit([&](auto, const auto& held) { check_depth(path, held); });
        return mapped(quantize_weights_to<Element, Granularity>(w, path.text(), choice),
                      [&] { return layout_choice<Element, Layouts...>(w.rows(), w.columns()); });
    }
    template <class Weights, class Any>
    auto operator()(const member_path&, const Weights&, Any) const {
        static_assert(
            std::is_same_v<Weights, void>,
            "pare: quantize_dynamic() takes a model of float weights: one in training must be frozen first with freeze(), one that "
            "is quantized cannot be quantized again");
        return mapped_weights<Weights, Any>{};
    }

private:
    template <class Layout>
    void check_depth(const member_path& path, const weight_matrix<float, Layout>& w) const {
        if (const std::size_t deepest = deepest_sum(w.structure); !*problem && deepest > largest_depth<Layout>) {
            *problem = error{error_code::invalid_argument,
                             sentence("quantize_dynamic: ", path.text(), ": expected at most ", largest_depth<Layout>,
                                      " weights in a row, so that sums of products fit; found ", deepest)};
        }
    }
    /// What was made; or other() of the same type and shape, with the first error.
    template <class Weights, class Other>
    mapped_weights<Weights, Activations> mapped(result<Weights> quantized, const Other& other) const {
        if (quantized) {
            return {*std::move(quantized), {}};
        }
        if (!*problem) {
            *problem = quantized.error();
        }
        return {other(), {}};
    }
};

/// The first parameter beside weights that is not finite; `who` begins the sentence.
template <class Model>
std::optional<error> member_not_finite(const char* who, const Model& model) {
    std::optional<error> problem;
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if constexpr (requires { static_cast<const float*>(member.data()); }) {
            for (const float value : member) {
                if (!is_finite(value) && !problem) {
                    problem = error{error_code::invalid_data, sentence(who, ": ", path.text(), ": expected finite numbers, found ",
                                                                       is_nan(value) ? "NaN" : "an infinity")};
                }
            }
        }
    });
    return problem;
}

/// The model, or a result of one, with its weights quantized for activations of the given kind.
template <class Element, granularity Granularity, class Activations, class Model, class Selection, class Choice = round_to_nearest>
auto quantize_model(const Model& model, Selection selection, const Choice& choice = {}) {
    return and_then(model, [&](const auto& m) {
        std::optional<error> problem = member_not_finite("quantize_dynamic", m);
        auto quantized =
            map_selected_weights(m, quantize_float_weights<Element, Granularity, Activations, Choice>{&problem, choice}, selection);
        return problem ? result<decltype(quantized)>(*std::move(problem)) : result<decltype(quantized)>(std::move(quantized));
    });
}

}  // namespace detail

/// The model with its weights as qint8, symmetric, one scale per output channel (or per tensor), and with activations that are
/// quantized row by row as they come, with the range that they have at that moment. torch.quantization.quantize_dynamic(model,
/// dtype=qint8) with finer granularity; or with 4-bit weights, quantize_dynamic<qint4<64>>(model), or blocks of ggml. A sparse
/// model stays sparse. Takes a model or a result of one; layers that the selection does not take (only<...>, except<...>) stay as
/// they are. Errors: weights or biases that are NaN or infinite.
template <class Element, granularity Granularity = granularity::per_channel, class Model, class Selection = every_layer>
requires(!numeric_dialect<Element>) auto quantize_dynamic(const Model& model, Selection selection = {}) {
    static_assert(detail::multiplies_bytes<Element>,
                  "pare: quantize_dynamic() makes weights that bytes are multiplied by, which the levels of nf4 are not: use "
                  "quantize_weights_only()");
    return detail::quantize_model<Element, Granularity, dynamic_range>(model, selection);
}

template <granularity Granularity = granularity::per_channel, class Model, class Selection = every_layer>
auto quantize_dynamic(const Model& model, Selection selection = {}) {
    return quantize_dynamic<qint8, Granularity>(model, selection);
}

/// The same by the rules of a dialect, with one scale for all weights of a layer (or one per channel) and one range for all
/// activations on their way into a layer: quantize_dynamic<dialect::torch>(model) has the numbers of
/// torch.ops.quantized.linear_dynamic, and dialect::torch_reduced those of torch.ao.nn.quantized.dynamic.Linear, which leaves out
/// half of the activations' integers.
template <numeric_dialect Dialect, granularity Granularity = granularity::per_tensor, class Model, class Selection = every_layer>
auto quantize_dynamic(const Model& model, Selection selection = {}) {
    return detail::quantize_model<qint8, Granularity, dynamic_tensor_range<Dialect>>(model, selection,
                                                                                     dialect_of_weights<Dialect>{});
}

PARE_NAMESPACE_END

#endif
