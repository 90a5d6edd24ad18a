#ifndef PARE_COMPRESS_LOW_RANK_REPORT_HPP
#define PARE_COMPRESS_LOW_RANK_REPORT_HPP

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <pare/compress/low_rank_factors.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/residual.hpp>
#include <pare/nn/sequential.hpp>

PARE_NAMESPACE_BEGIN

/// What factorize() made of a layer.
struct layer_low_rank {
    std::string path;                   // "0"
    std::string kept;                   // why it stays as it is; empty where it is factorized
    factor_ranks ranks;                 // also where the factors would not be smaller
    double relative_error = 0.0;        // of the weights, root sums of squares; 0 where it stays
    std::size_t parameters_before = 0;  // weights and biases
    std::size_t parameters_after = 0;
    std::size_t multiply_adds_before = 0;  // for one sample; 0 where the shape of a sample is not known
    std::size_t multiply_adds_after = 0;
};

struct low_rank_report {
    std::vector<layer_low_rank> layers;

    /// The sums over all layers.
    layer_low_rank whole() const {
        layer_low_rank all{"all", "", {}, 0.0, 0, 0, 0, 0};
        for (const layer_low_rank& l : layers) {
            all.parameters_before += l.parameters_before;
            all.parameters_after += l.parameters_after;
            all.multiply_adds_before += l.multiply_adds_before;
            all.multiply_adds_after += l.multiply_adds_after;
        }
        return all;
    }
};

/// A line per layer and one for all:
///
///     0: rank 93, relative error 0.3145, 235500 -> 101112 parameters, 235200 -> 100812 multiply-adds
///     2: rank 76, kept: its factors would have 30400 weights instead of 30000, 30100 -> 30100 parameters, ...
inline std::string describe(const low_rank_report& report) {
    std::string text;
    const auto line = [&](const layer_low_rank& l, const std::string& what) {
        text += sentence(l.path, ": ", what, l.parameters_before, " -> ", l.parameters_after, " parameters");
        if (l.multiply_adds_before != 0) {
            text += sentence(", ", l.multiply_adds_before, " -> ", l.multiply_adds_after, " multiply-adds");
        }
        text += "\n";
    };
    for (const layer_low_rank& l : report.layers) {
        std::string what;
        if (l.ranks.outputs != 0) {
            what = l.ranks.inputs == 0 ? sentence("rank ", l.ranks.outputs, ", ")
                                       : sentence("ranks ", l.ranks.inputs, " and ", l.ranks.outputs, ", ");
        }
        if (l.kept.empty()) {
            char error[32];
            std::snprintf(error, sizeof error, "%.4f", l.relative_error);
            what += sentence("relative error ", static_cast<const char*>(error), ", ");
        } else {
            what += sentence("kept: ", l.kept, ", ");
        }
        line(l, what);
    }
    line(report.whole(), "");
    return text;
}

namespace detail {

/// How many rows of numbers (pixels, steps) of a sample a layer takes and gives.
struct sample_rows {
    std::size_t in = 0;
    std::size_t out = 0;
};
using rows_by_path = std::map<std::string, sample_rows>;

template <class Shape>
std::size_t rows_of(const Shape& shape) noexcept {
    const std::size_t last = shape[Shape::rank - 1];
    return last == 0 ? 0 : shape.size() / last;
}
template <class Container>
std::vector<std::string> paths_in(const std::string& path, const Container& container) {
    std::vector<std::string> paths;
    Container::parts(container).for_each([&]<auto Name>(const auto&) {
        const std::string name = member_path(path_in<Name>(member_path(""))).text();
        paths.push_back(path + (path.empty() ? "" : ".") + name.substr(0, name.size() - 1));
    });
    return paths;
}

template <class Layer, class Shape>
void find_rows(const std::string& path, const Layer& layer, const Shape& in, rows_by_path& rows) {
    rows[path] = {rows_of(in), rows_of(layer.plan().output_shape(in))};
}
template <class... Layers, class Shape>
void find_rows(const std::string& path, const sequential<Layers...>& network, const Shape& in, rows_by_path& rows);
template <branch_join Join, class... Layers, class Shape>
void find_rows(const std::string& path, const branches<Join, Layers...>& container, const Shape& in, rows_by_path& rows);
template <class Body, class Shape>
void find_rows(const std::string& path, const residual<Body>& block, const Shape& in, rows_by_path& rows) {
    find_rows(paths_in(path, block)[0], block.body, in, rows);
}
template <class... Layers, class Shape>
void find_rows(const std::string& path, const sequential<Layers...>& network, const Shape& in, rows_by_path& rows) {
    const std::vector<std::string> paths = paths_in(path, network);
    network.plan().walk(in, [&](auto index, const auto&, const auto& shape, const auto&) {
        find_rows(paths[index], std::get<index>(network.layers), shape, rows);
    });
}
template <branch_join Join, class... Layers, class Shape>
void find_rows(const std::string& path, const branches<Join, Layers...>& container, const Shape& in, rows_by_path& rows) {
    const std::vector<std::string> paths = paths_in(path, container);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (find_rows(paths[I], std::get<I>(container.layers), in, rows), ...);
    }(std::index_sequence_for<Layers...>{});
}

/// Of the layers of a model that is given its only shape; none where there is none, and not of those in other containers.
template <class Model>
rows_by_path rows_of_layers(const Model& model) {
    rows_by_path rows;
    if constexpr (has_input_shape<decltype(model.plan())>) {
        find_rows("", model, model.plan().input_shape(), rows);
    }
    return rows;
}

/// The multiply-adds of a layer, or of its factors, for one sample.
inline std::size_t multiply_adds(const weights_shape& s, const factor_ranks& ranks, const sample_rows& rows) noexcept {
    if (ranks.outputs == 0) {
        return rows.out * s.size();
    }
    const std::size_t between = ranks.inputs == 0 ? s.inputs : ranks.inputs;
    return rows.in * ranks.inputs * s.inputs + rows.out * ranks.outputs * (s.taps * between + s.outputs);
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
