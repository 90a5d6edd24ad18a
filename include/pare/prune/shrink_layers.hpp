#ifndef PARE_PRUNE_SHRINK_LAYERS_HPP
#define PARE_PRUNE_SHRINK_LAYERS_HPP

#include <pare/nn/activation.hpp>
#include <pare/nn/batch_norm.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/dropout.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/selection.hpp>
#include <pare/prune/shrink_weights.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

struct float_members {
    template <class Member>
    void operator()(const member_path&, const Member&) const noexcept {
        static_assert(
            !requires(const Member& m) { m.rows(); } || float_weights<Member>,
            "pare: shrink() takes a model of float weights: one in training must be frozen first with freeze(); shrink "
            "before you quantize");
    }
};

/// How a layer hands channels on, and what becomes of it where some are removed:
///
///     trace<Path>(layer, shape, channels, graph)      channels, those of a sample of this shape, become those of the layer's output;
///                                                     its units enter the graph
///     rebuild<Widths, Path>(layer, shape, shape now, channels, graph)
///                                                     the same trace; the layer with what is kept. Widths::width<Path, Units> is the
///                                                     extent of its units, a number or dyn
///
/// This is for layers that nothing is known of: all that flows into them and out of them stays.
template <class Layer>
struct shrinking {
    template <class Path, class Shape>
    static void trace(const Layer& layer, const Shape& in, channel_list& channels, channel_graph& graph) {
        if constexpr (has_members<Layer>) {
            for_each_member(layer, float_members{});
        }
        const std::string why = sentence("layer ", Path::text.data(), " needs all of them");
        graph.keep(channels, why);
        const auto out = layer.plan().output_shape(in);
        channels = graph.add_kept(out[decltype(out)::rank - 1], why);
    }
    template <class, class Path, class Old, class New>
    static Layer rebuild(const Layer& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        trace<Path>(layer, old, channels, graph);
        return layer;
    }
};

template <class Path, class Layer, class Shape>
void trace_channels(const Layer& layer, const Shape& in, channel_list& channels, channel_graph& graph) {
    shrinking<Layer>::template trace<Path>(layer, in, channels, graph);
}
template <class Widths, class Path, class Layer, class Old, class New>
auto rebuild_layer(const Layer& layer, const Old& old, const New& now, channel_list& channels, channel_graph& graph) {
    return shrinking<Layer>::template rebuild<Widths, Path>(layer, old, now, channels, graph);
}

template <class Shape>
inline constexpr std::size_t last_extent = Shape::static_extent(Shape::rank - 1);

/// Layers that no channel has a number in.
template <class Layer>
struct shrinking_as_it_is {
    template <class, class Path, class Old, class New>
    static Layer rebuild(const Layer& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        shrinking<Layer>::template trace<Path>(layer, old, channels, graph);
        return layer;
    }
};

template <>
struct shrinking<dropout> : shrinking_as_it_is<dropout> {
    template <class, class Shape>
    static void trace(const dropout&, const Shape&, channel_list&, channel_graph&) {}
};

template <class Function>
struct shrinking<activation<Function>> : shrinking_as_it_is<activation<Function>> {
    template <class, class Shape>
    static void trace(const activation<Function>& layer, const Shape&, channel_list& channels, channel_graph&) {
        for (channel& c : channels) {
            if (c.known) {
                using scalar = isa::scalar;
                kernels::transform<scalar>(
                    1, &c.value, [&](auto v) { return layer.function.template value<scalar>(v); }, &c.value);
            }
        }
    }
};

template <pool_kind Kind, std::size_t Rank, size2d Kernel, pool_options Options>
struct shrinking<pool_layer<Kind, Rank, Kernel, Options>> : shrinking_as_it_is<pool_layer<Kind, Rank, Kernel, Options>> {
    template <class, class Shape>
    static void trace(const pool_layer<Kind, Rank, Kernel, Options>& layer, const Shape&, channel_list& channels, channel_graph&) {
        const window& w = layer.moves.value;
        const bool sees_border = w.padding != size2d(0) && w.count_include_pad;
        for (channel& c : channels) {
            c.known = c.known && (Kind == pool_kind::max || !sees_border || c.value == 0.0f);
        }
    }
};

template <pool_kind Kind>
struct shrinking<global_pool<Kind>> : shrinking_as_it_is<global_pool<Kind>> {
    template <class, class Shape>
    static void trace(const global_pool<Kind>&, const Shape&, channel_list&, channel_graph&) {}
};

template <>
struct shrinking<flatten> : shrinking_as_it_is<flatten> {
    /// Channel after channel.
    template <class, class Shape>
    static void trace(const flatten&, const Shape& in, channel_list& channels, channel_graph&) {
        channel_list flat;
        for (const channel& c : channels) {
            flat.insert(flat.end(), in.size() / channels.size(), c);
        }
        channels = std::move(flat);
    }
};

template <std::size_t... E>
struct shrinking<input<E...>> {
    static constexpr std::size_t rank = sizeof...(E);

    /// Where it makes one row of a sample, the channels of all pixels or steps follow each other.
    template <class Path, class Shape>
    static void trace(const input<E...>& layer, const Shape& in, channel_list& channels, channel_graph& graph) {
        if (rank == 1) {
            const channel_list step = channels;
            for (std::size_t i = step.size(); i < in.size(); i += step.size()) {
                channels.insert(channels.end(), step.begin(), step.end());
            }
        } else if (layer.shape[rank - 1] != channels.size()) {
            const std::string why = "an input<> divides them in another way";
            graph.keep(channels, why);
            channels = graph.add_kept(layer.shape[rank - 1], why);
        }
    }
    template <class, class Path, class Old, class New>
    static auto rebuild(const input<E...>& layer, const Old& old, const New& now, channel_list& channels, channel_graph& graph) {
        const bool keeps_channels = layer.shape[rank - 1] == channels.size();
        trace<Path>(layer, old, channels, graph);
        if constexpr (rank == 1) {
            return of_shape<static_size(New{})>(now.size());
        } else if constexpr (Old::rank != rank) {
            return layer;
        } else {
            return [&]<std::size_t... I>(std::index_sequence<I...>) {
                constexpr std::size_t own = extents<E...>::static_extent(rank - 1);
                constexpr std::size_t last = last_extent<Old> == own ? last_extent<New> : own;
                return of_shape<extents<E...>::static_extent(I)..., last>(layer.shape[I]...,
                                                                          keeps_channels ? now[rank - 1] : layer.shape[rank - 1]);
            }
            (std::make_index_sequence<rank - 1>{});
        }
    }

private:
    template <std::size_t... N, class... Sizes>
    static input<N...> of_shape(Sizes... sizes) {
        if constexpr (extents<N...>::is_static) {
            return {};
        } else {
            return input<N...>(sizes...);
        }
    }
};

template <std::size_t C>
struct shrinking<batch_norm<C>> {
    template <class, class Shape>
    static void trace(const batch_norm<C>& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        const auto inference = layer.scale_and_shift();
        for (std::size_t i = 0; i < channels.size(); ++i) {
            channel& c = channels[i];
            const float scale = inference.scale(i);
            graph.add_norm(c.node, layer.weight(i));
            c.value = scale == 0.0f ? inference.shift(i) : c.value * scale + inference.shift(i);
            c.known = c.known || scale == 0.0f;
        }
    }
    template <class, class Path, class Old, class New>
    static auto rebuild(const batch_norm<C>& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        trace<Path>(layer, old, channels, graph);
        const auto kept = graph.kept(channels);
        batch_norm<last_extent<New>> left(kept.size());
        left.weight = taken<last_extent<New>>(layer.weight, kept);
        left.bias = taken<last_extent<New>>(layer.bias, kept);
        for (std::size_t i = 0; i < kept.size(); ++i) {
            left.running_mean(i) = layer.running_mean(kept[i]);
            left.running_var(i) = layer.running_var(kept[i]);
        }
        left.num_batches_tracked = layer.num_batches_tracked;
        left.epsilon = layer.epsilon;
        left.momentum = layer.momentum;
        left.frozen = layer.frozen;
        return left;
    }
};

/// What is left is normalized by itself, so that outputs change: no channel in front of a layer norm is without effect.
template <std::size_t N>
struct shrinking<layer_norm<N>> {
    template <class, class Shape>
    static void trace(const layer_norm<N>&, const Shape&, channel_list& channels, channel_graph& graph) {
        for (channel& c : channels) {
            graph.block(c.node);
            c.known = false;
        }
    }
    template <class, class Path, class Old, class New>
    static auto rebuild(const layer_norm<N>& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        trace<Path>(layer, old, channels, graph);
        const auto kept = graph.kept(channels);
        layer_norm<last_extent<New>> left(kept.size());
        left.weight = taken<last_extent<New>>(layer.weight, kept);
        left.bias = taken<last_extent<New>>(layer.bias, kept);
        left.epsilon = layer.epsilon;
        return left;
    }
};

template <std::size_t In, std::size_t Out, float_weights Weights, class Activations>
struct shrinking<dense<In, Out, Weights, Activations>> {
    using layer_type = dense<In, Out, Weights, Activations>;

    template <class Path, class Shape>
    static void trace(const layer_type& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        channels = trace_product(Path::text.data(), "outputs", layer.weights, layer.bias.data(), channels, true, graph);
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        const channel_list seen = channels;
        trace<Path>(layer, old, channels, graph);
        const auto outputs = graph.kept(channels);
        auto bias = layer.bias;
        const bool folded = fold_constants(layer.weights, seen, true, graph, bias.data());
        constexpr std::size_t out = Widths::template width<Path, Out>;
        return dense<last_extent<New>, out, Weights, Activations>(taken(layer.weights, outputs, graph.kept(seen)),
                                                                  taken<out>(bias, outputs), layer.has_bias || folded,
                                                                  layer.activations);
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
