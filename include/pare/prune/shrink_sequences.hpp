#ifndef PARE_PRUNE_SHRINK_SEQUENCES_HPP
#define PARE_PRUNE_SHRINK_SEQUENCES_HPP

#include <pare/nn/embedding.hpp>
#include <pare/nn/recurrent.hpp>
#include <pare/nn/self_attention.hpp>
#include <pare/prune/shrink_layers.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <>
struct shrinking<last_step> : shrinking_as_it_is<last_step> {
    template <class, class Shape>
    static void trace(const last_step&, const Shape&, channel_list&, channel_graph&) {}
};

/// The numbers of a vector are units: those that are the same in all rows are constant.
template <std::size_t Rows, std::size_t Width, float_weights Weights, class Activations>
struct shrinking<embedding<Rows, Width, Weights, Activations>> {
    using layer_type = embedding<Rows, Width, Weights, Activations>;

    template <class Path, class Shape>
    static void trace(const layer_type& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        const auto& w = layer.weights;
        channels = channels_from(graph.add_units(Path::text.data(), "columns", w.columns()), w.columns());
        const auto at = [&](std::size_t row, std::size_t j) { return w.values[row * w.columns() + j]; };
        for (std::size_t j = 0; j < channels.size(); ++j) {
            channels[j].known = true;
            channels[j].value = at(0, j);
            for (std::size_t row = 1; row < w.rows(); ++row) {
                channels[j].known = channels[j].known && at(row, j) == at(0, j);
            }
        }
        graph.add_columns(w.values, w.columns(), channels[0].node);
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        trace<Path>(layer, old, channels, graph);
        return embedding<Rows, Widths::template width<Path, Width>, Weights, Activations>(
            taken(layer.weights, all_places(layer.weights.rows()), graph.kept(channels)), layer.options);
    }
};

/// Hidden units. One is constant where it is zero: where the weights and biases are that decide what enters its state.
template <class Cell, std::size_t In, std::size_t Hidden, recurrent_options Options, float_weights Weights, class Activations>
struct shrinking<recurrent<Cell, In, Hidden, Options, Weights, Activations>> {
    using layer_type = recurrent<Cell, In, Hidden, Options, Weights, Activations>;
    static constexpr std::size_t directions = layer_type::directions;
    /// Of the candidate for the state, whose function is tanh: f in PyTorch's order is (i, f, g, o), (r, z, n) or alone.
    static constexpr std::size_t candidate = Cell::gates == 1 ? 0 : 2;

    template <class Path, class Shape>
    static void trace(const layer_type& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        const std::size_t hidden = layer.hidden();
        const std::size_t first = graph.add_units(Path::text.data(), "hidden units", hidden, layer_type::cell_count);
        for (std::size_t l = 0; l < Options.layers; ++l) {
            channel_list given;
            for (std::size_t d = 0; d < directions; ++d) {
                const std::size_t cell = l * directions + d;
                const auto own = trace_cell(layer.cells[cell], first + cell * hidden, hidden, channels, graph);
                given.insert(given.end(), own.begin(), own.end());
            }
            channels = std::move(given);
        }
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        channel_list seen = channels;
        trace<Path>(layer, old, channels, graph);
        const std::size_t hidden = layer.hidden();
        const std::size_t first = channels[0].node - (Options.layers - 1) * directions * hidden;
        auto cells = layer.cells;
        for (std::size_t l = 0; l < Options.layers; ++l) {
            for (std::size_t d = 0; d < directions; ++d) {
                const std::size_t cell = l * directions + d;
                const auto units = graph.kept(channels_from(first + cell * hidden, hidden));
                const auto rows = repeated(units, Cell::gates, hidden);
                auto& c = cells[cell];
                fold_constants(c.input, seen, Options.bias, graph, c.input_bias.data());
                c.input = taken(c.input, rows, graph.kept(seen));
                c.state = taken(c.state, rows, units);
                c.input_bias = taken<dyn>(c.input_bias, rows);
                c.state_bias = taken<dyn>(c.state_bias, rows);
            }
            seen = channels_from(first + l * directions * hidden, directions * hidden);  // constant ones are zero
        }
        constexpr std::size_t own = Widths::template width<Path, Hidden>;
        return recurrent<Cell, last_extent<New>, own, Options, Weights, Activations>(std::move(cells), layer.between_layers);
    }

private:
    static channel_list trace_cell(const recurrent_weights<Weights>& c, std::size_t first, std::size_t hidden,
                                   const channel_list& seen, channel_graph& graph) {
        trace_effects(c.input, seen, Options.bias, graph);
        channel_list units = channels_from(first, hidden);
        for (const Weights* const w : {&c.input, &c.state}) {
            graph.add_weights(w->values, w->rows(), [&](std::size_t row) { return first + row % hidden; });
        }
        for (std::size_t u = 0; u < hidden; ++u) {
            const std::size_t row = candidate * hidden + u;
            const auto state = row_of(c.state, row);
            const channel enters = constant_of(first + u, c.input, row, c.input_bias(row), seen, Options.bias);
            units[u].known = enters.known && enters.value == 0.0f && c.state_bias(row) == 0.0f &&
                             std::all_of(state.begin(), state.end(), [](float w) { return w == 0.0f; });
        }
        trace_effects(c.state, units, true, graph);
        return units;
    }
};

/// Heads. One is constant where its values are. The channels of its input are those of its output.
template <std::size_t Width, std::size_t Heads, attention_mask Mask, float_weights Weights, class Activations, std::size_t Inner>
struct shrinking<self_attention<Width, Heads, Mask, Weights, Activations, Inner>> {
    using layer_type = self_attention<Width, Heads, Mask, Weights, Activations, Inner>;

    template <class Path, class Shape>
    static void trace(const layer_type& layer, const Shape&, channel_list& channels, channel_graph& graph) {
        const std::size_t heads = layer.heads[0];
        trace_effects(layer.in_weights, channels, true, graph);
        const channel_list values = head_values(layer, channels, graph.add_units(Path::text.data(), "heads", heads, 1, false));
        trace_effects(layer.out_weights, values, true, graph);
        const std::size_t inner = layer.inner_width();
        graph.add_weights(layer.in_weights.values, 3 * inner, [&](std::size_t row) { return values[row % inner].node; });
        graph.add_weights(layer.out_weights.values, channels.size(), [&](std::size_t row) { return channels[row].node; });
        for (std::size_t i = 0; i < channels.size(); ++i) {
            channels[i] = constant_of(channels[i].node, layer.out_weights, i, layer.out_bias(i), values, true);
        }
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& layer, const Old& old, const New&, channel_list& channels, channel_graph& graph) {
        const channel_list seen = channels;
        const std::size_t first = graph.next();
        trace<Path>(layer, old, channels, graph);
        const channel_list values = head_values(layer, seen, first);
        const auto width = graph.kept(seen), inner = graph.kept(values);
        const auto rows = repeated(inner, 3, values.size());
        auto in_bias = layer.in_bias, out_bias = layer.out_bias;
        fold_constants(layer.in_weights, seen, true, graph, in_bias.data());
        fold_constants(layer.out_weights, values, true, graph, out_bias.data());
        constexpr std::size_t heads = Widths::template width<Path, Heads>;
        constexpr std::size_t own = heads == dyn || Inner == dyn || Heads == dyn ? dyn : Inner / Heads * heads;
        return self_attention<last_extent<New>, heads, Mask, Weights, Activations, own>(
            taken(layer.in_weights, rows, width), taken<dyn>(in_bias, rows), taken(layer.out_weights, width, inner),
            taken<dyn>(out_bias, width), extents<heads>(extents<dyn>(inner.size() / (layer.inner_width() / layer.heads[0]))));
    }

private:
    /// What the heads, nodes from `first` on, give: values of all steps, mixed.
    static channel_list head_values(const layer_type& layer, const channel_list& seen, std::size_t first) {
        const std::size_t inner = layer.inner_width(), size = inner / layer.heads[0];
        channel_list values(inner);
        for (std::size_t i = 0; i < inner; ++i) {
            const std::size_t row = 2 * inner + i;
            values[i] = constant_of(first + i / size, layer.in_weights, row, layer.in_bias(row), seen, true);
        }
        return values;
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
