#ifndef PARE_PRUNE_SHRINK_WEIGHTS_HPP
#define PARE_PRUNE_SHRINK_WEIGHTS_HPP

#include <pare/core/tensor.hpp>
#include <pare/prune/channel_graph.hpp>
#include <pare/types/weight_matrix.hpp>

// What weights that channels are multiplied by say about them, and weights without some rows and columns. Column j of a matrix
// meets channel j % channels: the pixels of a convolution's kernel, or all of a row, follow each other.

PARE_NAMESPACE_BEGIN

namespace detail {

template <class Weights>
concept float_weights = std::is_same_v<Weights, weight_matrix<float, full>>;

inline std::span<const float> row_of(const weight_matrix<float, full>& w, std::size_t row) noexcept {
    return {w.values.data() + row * w.columns(), w.columns()};
}

/// What a unit always gives, by row `row` of some weights: known where all that its weights look at is, unless, with
/// sees_everything false, a border of zeros comes between.
inline channel constant_of(std::size_t node, const weight_matrix<float, full>& w, std::size_t row, float bias,
                           const channel_list& seen, bool sees_everything) {
    const auto weights = row_of(w, row);
    double sum = static_cast<double>(bias);
    for (std::size_t j = 0; j < weights.size(); ++j) {
        const channel& c = seen[j % seen.size()];
        if (weights[j] != 0.0f) {
            if (!c.known || (!sees_everything && c.value != 0.0f)) {
                return {node, false, 0.0f};
            }
            sum += static_cast<double>(weights[j]) * static_cast<double>(c.value);
        }
    }
    return {node, true, static_cast<float>(sum)};
}

/// Weights look at channels: those whose effect on them is not constant are not without effect.
inline void trace_effects(const weight_matrix<float, full>& w, const channel_list& seen, bool sees_everything,
                          channel_graph& graph) {
    for (std::size_t row = 0; row < w.rows(); ++row) {
        const auto weights = row_of(w, row);
        for (std::size_t j = 0; j < weights.size(); ++j) {
            const channel& c = seen[j % seen.size()];
            if (weights[j] != 0.0f && (!c.known || (!sees_everything && c.value != 0.0f))) {
                graph.block(c.node);
            }
        }
    }
}

inline channel_list channels_from(std::size_t first, std::size_t count) {
    channel_list list(count);
    for (std::size_t i = 0; i < count; ++i) {
        list[i].node = first + i;
    }
    return list;
}

/// A matrix of which every row is a unit.
inline channel_list trace_product(const char* place, const char* name, const weight_matrix<float, full>& w, const float* bias,
                                  const channel_list& seen, bool sees_everything, channel_graph& graph) {
    trace_effects(w, seen, sees_everything, graph);
    channel_list given = channels_from(graph.add_units(place, name, w.rows()), w.rows());
    graph.add_weights(w.values, w.rows(), [&](std::size_t row) { return given[row].node; });
    for (std::size_t row = 0; row < w.rows(); ++row) {
        given[row] = constant_of(given[row].node, w, row, bias[row], seen, sees_everything);
    }
    return given;
}

/// Adds what removed channels always give to what is added to products anyway; whether that was anything. A removed channel whose
/// numbers are not known counts as zero.
inline bool fold_constants(const weight_matrix<float, full>& w, const channel_list& seen, bool sees_everything,
                           const channel_graph& graph, float* bias) {
    bool any = false;
    for (std::size_t row = 0; row < w.rows(); ++row) {
        const auto weights = row_of(w, row);
        double sum = static_cast<double>(bias[row]);
        bool own = false;
        for (std::size_t j = 0; j < weights.size(); ++j) {
            const channel& c = seen[j % seen.size()];
            if (c.known && c.value != 0.0f && weights[j] != 0.0f && sees_everything && !graph.keeps(c.node)) {
                sum += static_cast<double>(weights[j]) * static_cast<double>(c.value);
                own = true;
            }
        }
        bias[row] = own ? static_cast<float>(sum) : bias[row];
        any = any || own;
    }
    return any;
}

inline std::vector<std::size_t> all_places(std::size_t count) {
    std::vector<std::size_t> all(count);
    for (std::size_t i = 0; i < count; ++i) {
        all[i] = i;
    }
    return all;
}
/// Places in each of `times` pieces that lie `length` apart.
inline std::vector<std::size_t> repeated(const std::vector<std::size_t>& places, std::size_t times, std::size_t length) {
    std::vector<std::size_t> all;
    for (std::size_t t = 0; t < times; ++t) {
        for (const std::size_t place : places) {
            all.push_back(t * length + place);
        }
    }
    return all;
}

/// These rows and columns of a matrix.
inline weight_matrix<float, full> taken(const weight_matrix<float, full>& w, const std::vector<std::size_t>& rows,
                                        const std::vector<std::size_t>& columns) {
    weight_matrix<float, full> left(rows.size(), columns.size());
    std::size_t i = 0;
    for (const std::size_t row : rows) {
        for (const std::size_t column : columns) {
            left.values[i++] = w.values[row * w.columns() + column];
        }
    }
    return left;
}
/// These numbers of a vector.
template <std::size_t N, std::size_t Before>
tensor<float, N> taken(const tensor<float, Before>& numbers, const std::vector<std::size_t>& places) {
    tensor<float, N> left(extents<N>(extents<dyn>(places.size())));
    for (std::size_t i = 0; i < places.size(); ++i) {
        left(i) = numbers(places[i]);
    }
    return left;
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
