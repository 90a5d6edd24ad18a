#ifndef PARE_NN_STATIC_NETWORK_HPP
#define PARE_NN_STATIC_NETWORK_HPP

#include <pare/core/tuple.hpp>
#include <pare/nn/quantized_values.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/static_layers.hpp>

PARE_NAMESPACE_BEGIN

/// The part of prepare() that makes networks of bytes. A layer with static_range says as which bytes it takes its input, and so
/// does quantized_values; every layer in front learns it and gives these bytes, if it has a form that does. Of the layer protocol:
///
///     static constexpr bool keeps_bytes = true      forward takes bytes, too, and gives bytes of the same quantization
///     auto on_bytes(x, y, lower) const              the layer that takes bytes of static_range x and gives bytes of static_range
///                                                   y; lower(layer, x, y) is the same for a layer inside
///     static constexpr bool has_byte_form = true    quantize_static() puts quantized_values in front of it, for on_bytes
///
/// Layers without any of them run as floats, between layers that convert. At its ends a network takes and gives floats.
template <class Layer, class... Fused>
struct fused;

namespace detail {

/// What flows at some place: floats, or bytes of a quantization, which is what the layers behind want of the one that makes them,
/// or what it happens to be.
struct as_floats {};
struct as_wanted : static_range {};
template <class Values>
inline constexpr bool are_bytes = !std::is_same_v<std::remove_cvref_t<Values>, as_floats>;

template <class Layer>
concept keeps_bytes = requires {
    requires Layer::keeps_bytes;
};
/// What bytes stand for stays.
template <class Layer>
concept keeps_quantization = keeps_bytes<Layer> || clamps<Layer>;

/// The dense layer or convolution that takes bytes, if it is one, without the functions behind it.
template <class Layer>
concept takes_bytes = requires(const Layer& l) {
    requires std::is_same_v<std::remove_cvref_t<decltype(l.activations)>, static_range>;
    l.weights.column_sums();
};
template <class Layer>
const Layer& product_of(const Layer& layer) noexcept {
    return layer;
}
template <class Layer, class... Fused>
const Layer& product_of(const fused<Layer, Fused...>& f) noexcept {
    return f.layer;
}
template <class Layer>
std::tuple<> functions_behind(const Layer&) noexcept {
    return {};
}
template <class Layer, class... Fused>
const std::tuple<Fused...>& functions_behind(const fused<Layer, Fused...>& f) noexcept {
    return f.stages;
}
template <class Layer>
using product_type = std::remove_cvref_t<decltype(product_of(std::declval<const Layer&>()))>;

/// What layers want to be given, where `end` is wanted of the last.
template <class End>
auto wanted(const End& end) noexcept {
    return end;
}
template <class End, class Layer, class... Rest>
auto wanted(const End& end, const Layer& layer, const Rest&... rest) noexcept {
    if constexpr (std::is_same_v<Layer, quantized_values>) {
        return as_wanted{layer.activations};
    } else if constexpr (takes_bytes<product_type<Layer>>) {
        return as_wanted{product_of(layer).activations};
    } else if constexpr (keeps_quantization<Layer>) {
        return wanted(end, rest...);
    } else {
        return as_floats{};
    }
}

template <class In, class End, class Layer>
auto lower_layer(const In& in, const End& end, const Layer& layer);
template <class In, class End, class... Layers>
auto lower_layer(const In& in, const End& end, const sequential<Layers...>& network);

/// What containers call for the layers that they hold: floats to floats, or bytes to bytes.
struct lower_inside {
    template <class Layer>
    auto operator()(const Layer& layer) const {
        return lower_layer(as_floats{}, as_floats{}, layer);
    }
    template <class Layer>
    auto operator()(const Layer& layer, const static_range& x, const static_range& y) const {
        return lower_layer(x, as_wanted{y}, layer);
    }
};

/// The layers as a network that takes `in` and gives `end`, behind those that are done. What is made here lives until the innermost
/// call has moved it into the result.
template <class... Done, class In, class End>
auto lower(std::tuple<Done&...> done, [[maybe_unused]] const In& in, [[maybe_unused]] const End& end) {
    const auto ending_with = [&](auto layer) { return tied_layers(tie_more(done, layer)); };
    if constexpr (are_bytes<In> && are_bytes<End> && !std::is_same_v<In, as_wanted>) {
        return ending_with(requantized(in, end));
    } else if constexpr (are_bytes<In> && !are_bytes<End>) {
        return ending_with(bytes_to_floats{in.input});
    } else if constexpr (!are_bytes<In> && are_bytes<End>) {
        return ending_with(floats_to_bytes{end});
    } else {
        return tied_layers(done);
    }
}
template <class... Done, class In, class End, class Layer, class... Rest>
auto lower(std::tuple<Done&...> done, const In& in, const End& end, Layer& layer, Rest&... rest) {
    const auto next = wanted(end, rest...);
    const auto append = [&](auto made, const auto& state) { return lower(tie_more(done, made), state, end, rest...); };
    if constexpr (std::is_same_v<Layer, quantized_values>) {
        if constexpr (are_bytes<In>) {
            return lower(done, in, end, rest...);
        } else {
            return append(floats_to_bytes{layer.activations}, layer.activations);
        }
    } else if constexpr (takes_bytes<product_type<Layer>>) {
        if constexpr (!are_bytes<In>) {
            const static_range input = product_of(layer).activations;
            floats_to_bytes convert{input};
            return lower(tie_more(done, convert), input, end, layer, rest...);
        } else {
            const auto make = [&]<class... F>(const std::tuple<F...>& functions) {
                using product = product_type<Layer>;
                if constexpr (are_bytes<decltype(next)>) {
                    return static_product<product, std::uint8_t, F...>(product_of(layer), functions, in, next);
                } else {
                    return static_product<product, float, F...>(product_of(layer), functions, in);
                }
            };
            return append(make(functions_behind(layer)), next);
        }
    } else if constexpr (!are_bytes<In>) {
        if constexpr (maps_layers<Layer>) {
            return append(map_layers(layer, lower_inside{}), in);
        } else {
            return append(std::move(layer), in);
        }
    } else if constexpr (keeps_bytes<Layer>) {
        return append(std::move(layer), in);
    } else if constexpr (clamps<Layer>) {
        return append(layer.on_bytes(in, in, lower_inside{}), in);
    } else if constexpr (are_bytes<decltype(next)> && requires { layer.on_bytes(in, next, lower_inside{}); }) {
        return append(layer.on_bytes(in, next, lower_inside{}), next);
    } else {
        bytes_to_floats convert{in.input};
        return lower(tie_more(done, convert), as_floats{}, end, layer, rest...);
    }
}

template <class In, class End, class Layer>
auto lower_layer(const In& in, const End& end, const Layer& layer) {
    Layer made = layer;
    return lower(std::tuple<>(), in, end, made);
}
template <class In, class End, class... Layers>
auto lower_layer(const In& in, const End& end, const sequential<Layers...>& network) {
    auto layers = network.layers;
    return detail::apply([&](auto&... l) { return lower(std::tuple<>(), in, end, l...); }, layers);
}

/// Whether there may be something to do.
template <class Layer>
inline constexpr bool may_take_bytes = takes_bytes<product_type<Layer>> || std::is_same_v<Layer, quantized_values> ||
                                       maps_layers<Layer>;

/// The network as prepare() leaves it, from floats to floats.
template <class... Layers>
auto lower_network(sequential<Layers...> network) {
    if constexpr ((may_take_bytes<Layers> || ...)) {
        return lower_layer(as_floats{}, as_floats{}, network);
    } else {
        return network;
    }
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
