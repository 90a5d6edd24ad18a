#ifndef PARE_QUANTIZE_WATCHED_INPUT_HPP
#define PARE_QUANTIZE_WATCHED_INPUT_HPP

#include <algorithm>
#include <memory>
#include <vector>

#include <pare/core/tuple.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/static_network.hpp>
#include <pare/types/mixed_weights.hpp>

PARE_NAMESPACE_BEGIN

/// Which places of a float network need a range before it can be one of bytes, and how they are looked at: see quantize_static().
namespace detail {

/// A place in a network whose numbers an observer sees: an identity, in front of the layer whose input it watches.
template <class Observer>
struct watched_input {
    static constexpr bool has_number = false;

    Observer* watching;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        watching->observe(x.values());
        std::copy(x.begin(), x.end(), y.begin());
    }
    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("input", *self.watching);
    }
};

template <class Weights>
inline constexpr bool are_float_weights = false;
template <class Layout>
inline constexpr bool are_float_weights<weight_matrix<float, Layout>> = true;
template <class... Layouts>
inline constexpr bool are_float_weights<layout_choice<float, Layouts...>> = true;

/// A dense layer or a convolution of float weights, sparse ones or not: its input can be bytes.
template <class Layer>
concept takes_static_range =
    takes_stages<Layer> && std::is_same_v<decltype(Layer::activations), as_float> && are_float_weights<decltype(Layer::weights)>;

/// Containers whose parts are added up.
template <class Layer>
inline constexpr bool adds_up = false;
template <class Body>
inline constexpr bool adds_up<residual<Body>> = true;
template <class... Layers>
inline constexpr bool adds_up<branches<branch_join::add, Layers...>> = true;

template <class Layer>
concept has_byte_form = requires {
    requires Layer::has_byte_form;
};

/// Whether these layers can make use of bytes, where End says it of what is behind them.
template <bool End, class... Layers>
inline constexpr bool want_bytes = End;
template <bool End, class Layer, class... Rest>
inline constexpr bool want_bytes<End, Layer, Rest...> = takes_static_range<Layer> ||
                                                        ((has_byte_form<Layer> || keeps_bytes<Layer>)&&want_bytes<End, Rest...>);

/// Where a network is watched: in front of products, of other layers that have a form for bytes, if they are wanted behind them,
/// and at the end of what is added up. ReLUs are a part of whatever they are behind; so are other functions of a product that
/// floats follow.
template <class Observer, bool End>
class watch_inputs {
public:
    explicit watch_inputs(std::vector<std::unique_ptr<Observer>>& observers, const Observer& prototype) noexcept
        : observers_(&observers), prototype_(&prototype) {}

    template <class... Layers>
    auto operator()(const sequential<Layers...>& network) const {
        return detail::apply([&](const auto&... l) { return watched<false>(std::tuple<>(), l...); }, network.layers);
    }
    template <class Layer>
    auto operator()(const Layer& layer) const {
        return watched<false>(std::tuple<>(), layer);
    }

private:
    watched_input<Observer> watch() const { return {observers_->emplace_back(std::make_unique<Observer>(*prototype_)).get()}; }

    template <bool BehindProduct, class... Done>
    auto watched(std::tuple<Done&...> done) const {
        return tied_layers(done);
    }
    template <bool BehindProduct, class... Done, class Layer, class... Rest>
    auto watched(std::tuple<Done&...> done, const Layer& layer, const Rest&... rest) const {
        constexpr bool is_product = takes_static_range<Layer>;
        constexpr bool is_part = BehindProduct && has_stage<Layer>;
        if constexpr (is_product || (has_byte_form<Layer> && !keeps_quantization<Layer> && want_bytes<End, Rest...>)) {
            auto input = watch();
            auto inside = inner<true>(layer);
            return watched<is_product>(tie_more(done, input, inside), rest...);
        } else {
            auto inside = inner<false>(layer);
            return watched<is_part>(tie_more(done, inside), rest...);
        }
    }

    template <bool Bytes, class Layer>
    auto inner(const Layer& layer) const {
        if constexpr (!maps_layers<Layer>) {
            return layer;
        } else if constexpr (Bytes && adds_up<Layer>) {
            return map_layers(layer, [&](const auto& body) {
                auto watched_body = watch_inputs<Observer, true>(*observers_, *prototype_)(body);
                return detail::apply([&](auto&... l) { return pare::sequential(std::move(l)..., watch()); }, watched_body.layers);
            });
        } else {
            return map_layers(layer, watch_inputs<Observer, Bytes>(*observers_, *prototype_));
        }
    }

    std::vector<std::unique_ptr<Observer>>* observers_;
    const Observer* prototype_;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
