#ifndef PARE_QUANTIZE_BFLOAT16_HPP
#define PARE_QUANTIZE_BFLOAT16_HPP

#include <pare/nn/selection.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Float weights to those of a shorter float.
template <class Half>
struct round_weights {
    auto operator()(const member_path&, const weight_matrix<float, full>& w, as_float) const {
        weight_matrix<Half, full> rounded(w.structure);
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            rounded.values[i] = Half(w.values[i]);
        }
        return mapped_weights<weight_matrix<Half, full>, as_float>{std::move(rounded), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights&, Activations) const {
        static_assert(std::is_same_v<Weights, void>,
                      "pare: to_bfloat16() and to_float16() take a model of full float weights: one in training must be frozen "
                      "first with freeze()");
        return mapped_weights<Weights, Activations>{};
    }
};

}  // namespace detail

/// The model with its weights rounded to bfloat16, half of the bytes: each is off by at most 2^-9 of itself. Products are computed
/// in float. Takes a model or a result of one, and a selection of layers.
template <class Model, class Selection = every_layer>
auto to_bfloat16(const Model& model, Selection selection = {}) {
    return and_then(model, [&](const auto& m) { return map_selected_weights(m, detail::round_weights<bfloat16>{}, selection); });
}

PARE_NAMESPACE_END

#endif
