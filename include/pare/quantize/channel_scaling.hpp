#ifndef PARE_QUANTIZE_CHANNEL_SCALING_HPP
#define PARE_QUANTIZE_CHANNEL_SCALING_HPP

#include <algorithm>
#include <optional>
#include <vector>

#include <pare/core/tuple.hpp>
#include <pare/nn/batch_norm.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/conv.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/self_attention.hpp>
#include <pare/quantize/dynamic.hpp>

PARE_NAMESPACE_BEGIN

/// Factors of channels that move from one layer to the next and leave what both compute as it is, but for roundings: between two
/// layers of which the first gives channel c times 1 / s[c], and the second has the weights of its input c times s[c].
namespace detail {

/// f(s x) = s f(x) for s > 0, channel by channel.
template <class Layer>
inline constexpr bool carries_factors = passes_through<Layer>;
template <>
inline constexpr bool carries_factors<relu> = true;
template <>
inline constexpr bool carries_factors<leaky_relu> = true;
template <>
inline constexpr bool carries_factors<flatten> = true;
template <pool_kind Kind, std::size_t Rank, size2d Kernel, pool_options Options>
inline constexpr bool carries_factors<pool_layer<Kind, Rank, Kernel, Options>> = true;
template <pool_kind Kind>
inline constexpr bool carries_factors<global_pool<Kind>> = true;

/// A dense layer or a convolution of full float weights.
template <class Layer>
concept float_product = takes_stages<Layer> && requires(Layer& l) {
    requires std::is_same_v<std::remove_reference_t<decltype(l.weights)>, weight_matrix<float, full>>;
    l.bias;
};
template <class Layer>
inline constexpr bool is_norm = false;
template <std::size_t N>
inline constexpr bool is_norm<layer_norm<N>> = true;
template <std::size_t C>
inline constexpr bool is_norm<batch_norm<C>> = true;

template <float_product Layer>
weight_matrix<float, full>& input_weights(Layer& layer) noexcept {
    return layer.weights;
}
template <std::size_t Width, std::size_t Heads, attention_mask Mask>
weight_matrix<float, full>& input_weights(self_attention<Width, Heads, Mask>& layer) noexcept {
    return layer.in_weights;
}
template <class Layer>
concept takes_factors = requires(Layer& l) {
    input_weights(l);
};
template <class Layer>
inline constexpr bool gives_factors = float_product<Layer> || is_norm<Layer>;

/// How many channels a layer gives, and those times factors.
template <class Layer>
std::size_t channels_of(const Layer& layer) noexcept {
    return layer.bias.size();
}
template <class Layer>
void scale_outputs(Layer& layer, const std::vector<float>& factor) noexcept {
    if constexpr (float_product<Layer>) {
        scale_rows(layer.weights, factor.data());
    } else {
        for (std::size_t c = 0; c < factor.size(); ++c) {
            layer.weight.data()[c] *= factor[c];
        }
    }
    for (std::size_t c = 0; c < factor.size(); ++c) {
        layer.bias.data()[c] *= factor[c];
    }
}

/// Which channel of the layer before each weight of a matrix meets.
struct met_channels {
    std::size_t channels;
    std::size_t rows;
    std::size_t columns;
    std::size_t groups = 1;           // of a convolution
    bool channel_by_channel = false;  // flattened: all columns of a channel follow each other

    std::size_t operator()(std::size_t row, std::size_t column) const noexcept {
        const std::size_t own = channels / groups;
        return row / (rows / groups) * own + (channel_by_channel ? column / (columns / own) : column % own);
    }
    bool fits() const noexcept { return channels != 0 && channels % groups == 0 && columns % (channels / groups) == 0; }

    /// w times the factor of the channel that it meets.
    void scale(weight_matrix<float, full>& w, const std::vector<float>& factor) const noexcept {
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t c = 0; c < columns; ++c) {
                w.values[row * columns + c] *= factor[(*this)(row, c)];
            }
        }
    }
    /// The largest magnitude that each channel meets.
    std::vector<float> magnitudes(const weight_matrix<float, full>& w) const {
        std::vector<float> largest(channels, 0.0f);
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t c = 0; c < columns; ++c) {
                const float value = w.values[row * columns + c], size = value < 0.0f ? -value : value;
                float& most = largest[(*this)(row, c)];
                most = size > most ? size : most;
            }
        }
        return largest;
    }
};

inline constexpr std::size_t no_layer = static_cast<std::size_t>(-1);

/// The layer before layer I whose channels it gets, if factors move that far.
template <std::size_t I, class... Layers>
constexpr std::size_t giver_before() noexcept {
    constexpr bool gives[] = {gives_factors<Layers>...}, carries[] = {carries_factors<Layers>...};
    std::size_t j = I;
    while (j-- > 0) {
        if (gives[j]) {
            return j;
        }
        if (!carries[j]) {
            break;
        }
    }
    return no_layer;
}
template <std::size_t First, std::size_t End, class... Layers>
constexpr bool flattened_between() noexcept {
    constexpr bool flattens[] = {std::is_same_v<Layers, flatten>...};
    return std::find(flattens + First, flattens + End, true) != flattens + End;
}

/// Calls f(layer, next, channels) for each pair of layers of a network between which factors can move, also inside of blocks; in
/// order.
template <class F, class Layer>
void for_each_factor_pair(Layer&, const F&) {}
template <class F, class Body>
void for_each_factor_pair(residual<Body>& layer, const F& f);
template <class F, branch_join Join, class... Layers>
void for_each_factor_pair(branches<Join, Layers...>& layer, const F& f);
template <class F, class... Layers>
void for_each_factor_pair(sequential<Layers...>& network, const F& f) {
    const auto visit = [&](auto index) {
        constexpr std::size_t i = index, giver = giver_before<i, Layers...>();
        auto& layer = std::get<i>(network.layers);
        for_each_factor_pair(layer, f);
        if constexpr (giver != no_layer && takes_factors<std::remove_reference_t<decltype(layer)>>) {
            auto& before = std::get<giver>(network.layers);
            const auto& w = input_weights(layer);
            met_channels met{channels_of(before), w.rows(), w.columns()};
            if constexpr (requires { layer.moves.value.groups; }) {
                met.groups = layer.moves.value.groups;
            }
            met.channel_by_channel = flattened_between<giver, i, Layers...>();
            if (met.fits()) {
                f(before, layer, met);
            }
        }
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (visit(std::integral_constant<std::size_t, I>{}), ...);
    }
    (std::index_sequence_for<Layers...>{});
}
template <class F, class Body>
void for_each_factor_pair(residual<Body>& layer, const F& f) {
    for_each_factor_pair(layer.body, f);
}
template <class F, branch_join Join, class... Layers>
void for_each_factor_pair(branches<Join, Layers...>& layer, const F& f) {
    detail::apply([&](auto&... l) { (for_each_factor_pair(l, f), ...); }, layer.layers);
}

/// Moves factors from one layer to the next.
template <class Layer, class Next>
void move_factors(Layer& layer, Next& next, const met_channels& met, const std::vector<float>& factor) {
    std::vector<float> inverse(factor.size());
    std::transform(factor.begin(), factor.end(), inverse.begin(), [](float s) { return 1.0f / s; });
    scale_outputs(layer, inverse);
    met.scale(input_weights(next), factor);
}

/// The first full float weights, or other parameters, that are not finite; `who` begins the sentence.
template <class Model>
std::optional<error> unfit_member(const char* who, const Model& model) {
    std::optional<error> problem = member_not_finite(who, model);
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if constexpr (requires { unfit_weight(member, path.text()); }) {
            if (!problem) {
                problem = unfit_weight(member, path.text());
            }
        }
    });
    return problem;
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
