#ifndef PARE_TESTS_MIXED_NETWORKS_HPP
#define PARE_TESTS_MIXED_NETWORKS_HPP

#include <pare/nn/layer.hpp>
#include <pare/quantize/weights.hpp>
#include <pare/types/mixed_weights.hpp>

using mixed_candidates =
    pare::mixed_weights<pare::candidate<float, pare::as_float>, pare::candidate<pare::bfloat16, pare::as_float>,
                        pare::candidate<pare::qint8, pare::dynamic_range>, pare::candidate<pare::qint4<64>, pare::dynamic_range>>;

/// The model with its weights as they are, but as mixed ones.
template <class Model>
auto as_mixed(const Model& model) {
    return pare::map_weights(model, []<class Element, class Activations>(
                                        const pare::member_path&, const pare::weight_matrix<Element, pare::full>& w, Activations) {
        constexpr std::size_t index = std::is_same_v<Element, float>            ? 0
                                      : std::is_same_v<Element, pare::bfloat16> ? 1
                                      : std::is_same_v<Element, pare::qint8>    ? 2
                                                                                : 3;
        return pare::mapped_weights<mixed_candidates, pare::as_chosen>{mixed_candidates(std::in_place_index<index>, w), {}};
    });
}

/// The same with the first layer as qint8.
template <class Model>
auto quantize_first_layer_of(const Model& model) {
    auto mixed = as_mixed(model);
    auto& weights = std::get<0>(mixed.layers).weights;
    weights = mixed_candidates(std::in_place_index<2>,
                               *pare::quantize_weights(*weights.template get<0>(), pare::granularity::per_channel));
    return mixed;
}

#endif
