#ifndef PARE_QUANTIZE_BFLOAT16_HPP
#define PARE_QUANTIZE_BFLOAT16_HPP

#include <pare/nn/layer.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

struct round_weights_to_bfloat16 {
    auto operator()(const member_path&, const weight_matrix<float, full>& w, as_float) const {
        weight_matrix<bfloat16, full> rounded(w.structure);
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            rounded.values[i] = bfloat16(w.values[i]);
        }
        return mapped_weights<weight_matrix<bfloat16, full>, as_float>{std::move(rounded), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights&, Activations) const {
        static_assert(
            std::is_same_v<Weights, void>,
            "pare: to_bfloat16() takes a model of full float weights: one in training must be frozen first with freeze()");
        return mapped_weights<Weights, Activations>{};
    }
};

}  // namespace detail

/// The model with its weights rounded to bfloat16, half of the bytes; products are computed in float. Takes a model or a result of
/// one.
template <class Model>
auto to_bfloat16(const Model& model) {
    return and_then(model, [](const auto& m) { return map_weights(m, detail::round_weights_to_bfloat16{}); });
}

PARE_NAMESPACE_END

#endif
