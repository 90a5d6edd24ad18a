#ifndef PARE_NN_FOLD_HPP
#define PARE_NN_FOLD_HPP

#include <pare/core/tuple.hpp>
#include <pare/nn/batch_norm.hpp>
#include <pare/nn/sequential.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <class Layer>
auto fold_inside(const Layer& layer);

/// The layers of a network and of the networks in it, in order, without those that do nothing in inference; what containers of
/// another kind hold is folded.
template <class Layer>
auto layers_of(Layer layer) {
    if constexpr (passes_through<Layer> && !has_input_shape<decltype(layer.plan())>) {
        return std::tuple<>();
    } else if constexpr (maps_layers<Layer>) {
        auto folded = map_layers(layer, [](const auto& inner) { return fold_inside(inner); });
        return std::tuple<decltype(folded)>(std::move(folded));
    } else {
        return std::tuple<Layer>(std::move(layer));
    }
}
template <class... Layers>
auto layers_of(sequential<Layers...> network) {
    return detail::apply([](auto&&... l) { return std::tuple_cat(layers_of(std::move(l))...); }, std::move(network.layers));
}

template <class Layer>
inline constexpr bool is_batch_norm = false;
template <std::size_t C>
inline constexpr bool is_batch_norm<batch_norm<C>> = true;

/// The layers that are done, then the others folded. What is made here lives until the innermost call has moved it into the result.
template <class... Done>
auto fold(std::tuple<Done&...> done) {
    return tied_layers(done);
}
template <class... Done, class Layer>
auto fold(std::tuple<Done&...> done, Layer& layer) {
    if constexpr (is_batch_norm<Layer>) {
        auto inference = layer.scale_and_shift();
        return fold(tie_more(done, inference));
    } else {
        return fold(tie_more(done, layer));
    }
}
template <class... Done, class Layer, class Next, class... Rest>
auto fold(std::tuple<Done&...> done, Layer& layer, Next& next, Rest&... rest) {
    if constexpr (is_batch_norm<Layer>) {
        auto inference = layer.scale_and_shift();
        return fold(done, inference, next, rest...);
    } else if constexpr (is_batch_norm<Next> && requires(const float* p) { layer.scaled(p, p); }) {
        const auto inference = next.scale_and_shift();
        auto scaled = layer.scaled(inference.scale.data(), inference.shift.data());
        return fold(done, scaled, rest...);
    } else {
        return fold(tie_more(done, layer), next, rest...);
    }
}

template <class Layer>
auto fold_inside(const Layer& layer) {
    auto layers = layers_of(layer);
    return detail::apply([](auto&... l) { return fold(std::tuple<>(), l...); }, layers);
}

}  // namespace detail

/// The network as it is in inference: without dropout, and with every batch norm in the float weights and the bias of the dense
/// layer or convolution before it: w' = w * s, b' = b * s + t, each product and sum rounded once, so that outputs differ from those
/// of the layers one after the other by some roundings. Where there are no such weights, it becomes a scale and a shift per
/// channel, which prepare() fuses into the product before it. prepare() folds by itself; do it before quantizing, so that the
/// weights that run are the ones that are quantized. Nested networks are unrolled: members get other numbers in their names.
template <class... Layers>
auto fold_batch_norm(const sequential<Layers...>& model) {
    return detail::fold_inside(model);
}
template <class Model>
auto fold_batch_norm(const result<Model>& model) {
    return and_then(model, [](const auto& m) { return fold_batch_norm(m); });
}

PARE_NAMESPACE_END

#endif
