#ifndef PARE_PRUNE_SHRINK_CONVOLUTIONS_HPP
#define PARE_PRUNE_SHRINK_CONVOLUTIONS_HPP

#include <pare/nn/conv.hpp>
#include <pare/nn/conv_transpose.hpp>
#include <pare/prune/shrink_layers.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// The channels in front of and behind a convolution in groups.
inline void keep_groups(const char* place, std::size_t outputs, channel_list& channels, channel_graph& graph) {
    const std::string why = "the channels of a convolution in groups stay together";
    graph.keep(channels, why);
    channels = channels_from(graph.add_units(place, "filters", outputs), outputs);
    graph.keep(channels, why);
}

/// A depthwise convolution hands on the channels that it gets; the channels of other groups stay.
template <std::size_t Rank, std::size_t In, std::size_t Out, size2d Kernel, conv_options Options, float_weights Weights,
          class Activations>
struct shrinking<convolution_layer<Rank, In, Out, Kernel, Options, Weights, Activations>> {
    using layer_type = convolution_layer<Rank, In, Out, Kernel, Options, Weights, Activations>;

    template <class Path, class Shape>
    static void trace(const layer_type& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        const bool pads = layer.moves.value.padding != size2d(0);
        if (groups(layer) == 1) {
            channels = trace_product(Path::text.data(), "filters", layer.weights, layer.bias.data(), channels, !pads, graph);
        } else if (is_depthwise(layer)) {
            graph.add_weights(layer.weights.values, channels.size(), [&](std::size_t row) { return channels[row].node; });
            for (std::size_t i = 0; i < channels.size(); ++i) {
                channels[i] = constant_of(channels[i].node, layer.weights, i, layer.bias(i), {channels[i]}, !pads);
            }
        } else {
            keep_groups(Path::text.data(), layer.bias.size(), channels, graph);
        }
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        const channel_list seen = channels;
        trace<Path>(layer, old, channels, graph);
        constexpr std::size_t in = last_extent<New>, out = Widths::template width<Path, Out>;
        if constexpr (Kernel.width == dyn) {
            auto moves = layer.moves;
            moves.value.groups = is_depthwise(layer) ? graph.kept(seen).size() : moves.value.groups;
            return left < in, in == In ? out : dyn, Kernel, Options > (layer, moves, seen, channels, graph);
        } else if constexpr (Options.groups == 1) {
            return left<in, out, Kernel, Options>(layer, layer.moves, seen, channels, graph);
        } else if constexpr (In != Options.groups || Out != Options.groups) {
            return layer;
        } else if constexpr (in == dyn) {
            window w = layer.moves.value;
            w.groups = graph.kept(seen).size();
            return left<dyn, dyn, size2d(dyn), Options>(layer, run_time_window{w}, seen, channels, graph);
        } else {
            constexpr conv_options fewer = {Options.stride, Options.padding, Options.dilation, in, Options.bias};
            return left<in, in, Kernel, fewer>(layer, fixed_window<layer_type::window_of(Kernel, fewer)>{}, seen, channels, graph);
        }
    }

private:
    static std::size_t groups(const layer_type& layer) noexcept { return layer.moves.value.groups; }
    static bool is_depthwise(const layer_type& layer) noexcept {
        return groups(layer) != 1 && groups(layer) == layer.bias.size() && groups(layer) == layer.plan().inputs[0];
    }

    /// With the inputs and outputs that are kept.
    template <std::size_t NewIn, std::size_t NewOut, size2d NewKernel, conv_options NewOptions, class Window>
    static auto left(const layer_type& layer, const Window& moves, const channel_list& seen, const channel_list& given,
                     const channel_graph& graph) {
        const bool pads = layer.moves.value.padding != size2d(0);
        const auto outputs = graph.kept(given);
        auto columns = all_places(layer.weights.columns());
        auto bias = layer.bias;
        bool folded = false;
        if (groups(layer) == 1) {
            folded = fold_constants(layer.weights, seen, !pads, graph, bias.data());
            columns = repeated(graph.kept(seen), layer.weights.columns() / seen.size(), seen.size());
        }
        return convolution_layer<Rank, NewIn, NewOut, NewKernel, NewOptions, Weights, Activations>(
            taken(layer.weights, outputs, columns), taken<NewOut>(bias, outputs), layer.has_bias || folded, moves,
            layer.activations);
    }
};

/// An output has a row for each place in the window. How many places add to a pixel differs, so that constants are not alike.
template <std::size_t In, std::size_t Out, size2d Kernel, conv_transpose_options Options, float_weights Weights, class Activations>
struct shrinking<conv_transpose2d<In, Out, Kernel, Options, Weights, Activations>> {
    using layer_type = conv_transpose2d<In, Out, Kernel, Options, Weights, Activations>;

    template <class Path, class Shape>
    static void trace(const layer_type& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        const std::size_t outputs = layer.bias.size();
        if (layer.moves.value.groups != 1) {
            keep_groups(Path::text.data(), outputs, channels, graph);
            return;
        }
        trace_effects(layer.weights, channels, false, graph);
        const channel_list seen = std::move(channels);
        channels = channels_from(graph.add_units(Path::text.data(), "filters", outputs), outputs);
        graph.add_weights(layer.weights.values, layer.weights.rows(),
                          [&](std::size_t row) { return channels[row % outputs].node; });
        for (std::size_t i = 0; i < outputs; ++i) {
            channels[i] = {channels[i].node, true, layer.bias(i)};
            for (std::size_t row = i; row < layer.weights.rows(); row += outputs) {
                channels[i].known = channels[i].known && constant_of(0, layer.weights, row, 0.0f, seen, false).known;
            }
        }
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        const channel_list seen = channels;
        trace<Path>(layer, old, channels, graph);
        const std::size_t outputs = layer.bias.size();
        const auto kept = graph.kept(channels);
        const auto columns = layer.moves.value.groups == 1 ? graph.kept(seen) : all_places(layer.weights.columns());
        constexpr std::size_t out = Widths::template width<Path, Out>;
        return conv_transpose2d<last_extent<New>, out, Kernel, Options, Weights, Activations>(
            taken(layer.weights, repeated(kept, layer.weights.rows() / outputs, outputs), columns), taken<out>(layer.bias, kept),
            layer.has_bias, layer.moves);
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
