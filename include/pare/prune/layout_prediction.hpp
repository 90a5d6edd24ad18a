#ifndef PARE_PRUNE_LAYOUT_PREDICTION_HPP
#define PARE_PRUNE_LAYOUT_PREDICTION_HPP

#include <optional>
#include <string>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/kernels/packed_conv.hpp>
#include <pare/nn/layer.hpp>
#include <pare/prune/layout_costs.hpp>
#include <pare/types/bsr.hpp>
#include <pare/types/csr.hpp>
#include <pare/types/n_of_m.hpp>
#include <pare/types/qint.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// Layouts to choose from. The first is full: what a model has, and keeps where nothing is faster.
template <class... Layouts>
struct layouts {};
using all_layouts = layouts<full, csr, bsr<16, 4>, n_of_m<2, 4>>;

struct layout_options {
    std::size_t batch = 1;  // samples per run; a convolution multiplies 64 pixels of each
};

/// What a layout would be for the weights of a layer.
struct predicted_layout {
    std::string weights;    // "float csr"
    bool possible = false;  // e.g. csr numbers up to 65,535 inputs
    std::size_t bytes = 0;
    double microseconds = 0.0;
};

/// What the layouts would be for the weights of a layer, and which takes least time.
struct layer_layouts {
    std::string path;  // "0.weight"
    std::size_t rows = 0;
    std::size_t columns = 0;
    double sparsity = 0.0;  // the fraction of zeros
    std::size_t chosen = 0;
    std::vector<predicted_layout> layouts;  // the first is full
};

/// Why sparsify() stores each layer as it does.
struct layout_prediction {
    std::string instruction_set;
    std::string measured;  // the instruction set whose costs were used
    std::size_t batch = 1;
    std::vector<layer_layouts> layers;
};

namespace detail {

/// Elements whose products have measured costs.
template <class Element>
concept measured_element = std::is_same_v<Element, float> || std::is_same_v<Element, qint8>;

inline error no_batch() {
    return {error_code::invalid_argument, "sparsify: expected a batch of at least 1, found 0"};
}

/// Of the time of dense weights, what sparse ones may take at most: a prediction is not more exact than a tenth.
inline constexpr double least_gain = 0.9;

/// How often and by how many rows a matrix is multiplied.
struct layer_use {
    std::size_t rows = 1;
    std::size_t times = 1;        // of sparse layouts, for each group of channels
    std::size_t copied = 0;       // numbers that sparse layouts copy for each row
    bool has_own_kernel = false;  // full weights have one that is no product

    explicit layer_use(const layout_options& o) noexcept : rows(o.batch) {}
    layer_use(const layout_options& o, const kernels::convolution& s) noexcept
        : rows(o.batch * layout_cost::rows[2]),
          times(s.groups),
          copied(kernels::is_pointwise(s) ? 0 : s.groups * s.kernel_size()),
          has_own_kernel(kernels::is_depthwise(s)) {}
};

/// Which weights a sparse layout is asked to store.
template <class Element>
auto not_zero(const weight_matrix<Element, full>& w) {
    return [&w](std::size_t row, std::size_t column) { return w.values[row * w.columns() + column] != 0; };
}

/// What keeps weights from being stored in a layout, if anything.
template <class Layout, class Element>
std::optional<std::string> misfit(const weight_matrix<Element, full>& w) {
    if constexpr (requires { Layout::block_rows; }) {
        if (w.columns() > Layout::most_columns) {
            return sentence("expected at most ", Layout::most_columns, " inputs in this layout, found ", w.columns(), "; ",
                            Layout::block_rows * Layout::block_columns == 1 ? "csr32" : "bsr32", " takes more");
        }
    }
    if constexpr (requires { Layout::misfit(0, 0, not_zero(w)); }) {
        return Layout::misfit(w.rows(), w.columns(), not_zero(w));
    } else {
        return std::nullopt;
    }
}

template <class Layout, class Element>
predicted_layout predict_layout(std::string_view measured, const weight_matrix<Element, full>& w, const layer_use& use) {
    predicted_layout p;
    p.weights = sentence(element_storage<Element>::name, " ", Layout::name);
    const layout_cost* const cost = find_layout_cost(measured, p.weights);
    if (cost == nullptr || misfit<Layout>(w)) {
        return p;
    }
    const typename Layout::structure structure(w.rows(), w.columns(), not_zero(w));
    if (structure.stored() > w.values.size()) {  // blocks that reach beyond a small matrix
        return p;
    }
    p.possible = true;
    p.bytes = structure.stored() * sizeof(typename weight_matrix<Element, Layout>::storage) + structure.bytes() +
              w.scales.size() * sizeof(float);
    double ns = predicted_ns(*cost, use.rows, w.rows(), w.columns(), structure.stored(), p.bytes);
    if constexpr (!std::is_same_v<Layout, full>) {
        const layout_cost* const copies = find_layout_cost(measured, sentence(element_storage<Element>::name, " patches"));
        ns = ns * static_cast<double>(use.times) + (copies == nullptr ? 0.0 : predicted_ns(*copies, use.rows, 0, use.copied, 0, 0));
    }
    p.microseconds = 1e-3 * ns;
    return p;
}

template <class Isa, class... Layouts, class Element, class... Structure>
layer_layouts predict_layer(const member_path& path, const weight_matrix<Element, full>& w, const layout_options& options,
                            const Structure&... structure) {
    static_assert(std::is_same_v<std::tuple_element_t<0, std::tuple<Layouts...>>, full>,
                  "pare: the first of the layouts that sparsify() chooses from must be full, which is what the model has");
    const layer_use use(options, structure...);
    std::size_t zeros = 0;
    for (const auto value : w.values) {
        zeros += value == 0 ? 1 : 0;
    }
    layer_layouts layer{path.text(), w.rows(),
                        w.columns(), w.values.empty() ? 0.0 : static_cast<double>(zeros) / static_cast<double>(w.values.size()),
                        0,           {}};
    (layer.layouts.push_back(predict_layout<Layouts>(measured_isa(Isa::name), w, use)), ...);
    for (std::size_t i = 1; i < layer.layouts.size() && !use.has_own_kernel; ++i) {
        const double least = layer.layouts[layer.chosen].microseconds * (layer.chosen == 0 ? least_gain : 1.0);
        if (layer.layouts[i].possible && layer.layouts[i].microseconds < least) {
            layer.chosen = i;
        }
    }
    return layer;
}

/// Leaves weights as they are, and remembers what is predicted of them.
template <class Isa, class... Layouts>
struct predict_weights {
    std::vector<layer_layouts>* layers;
    layout_options options;

    template <class Weights, class Activations, class... Structure>
    auto operator()(const member_path& path, const Weights& w, Activations a, const Structure&... structure) const {
        constexpr bool rows_alone = (std::is_same_v<Structure, looked_up> || ...);  // no product
        if constexpr (!rows_alone && requires { predict_layer<Isa, Layouts...>(path, w, options, structure...); }) {
            layers->push_back(predict_layer<Isa, Layouts...>(path, w, options, structure...));
        }
        return mapped_weights<Weights, Activations>{w, a};
    }
};

}  // namespace detail

/// What sparsify<Isa, Layouts>(model, options) makes of each layer of full weights, and why.
template <class Isa = isa::native, class Layouts = all_layouts, class Model>
layout_prediction predict_layouts(const Model& model, const layout_options& options = {}) {
    layout_prediction p{Isa::name, std::string(detail::measured_isa(Isa::name)), options.batch, {}};
    [&]<class... L>(layouts<L...>) { map_weights(model, detail::predict_weights<Isa, L...>{&p.layers, options}); }(Layouts{});
    return p;
}

/// A line per matrix of weights: "0.weight, 300 x 784, 90% zeros: float csr, predicted 5.1 us; dense 12.0 us".
inline std::string describe(const layout_prediction& p) {
    std::string text = sentence(
        "layouts predicted for a batch of ", p.batch, " on ", p.instruction_set,
        p.measured == p.instruction_set ? std::string() : sentence(", by the costs of ", p.measured, ": its own are unknown"),
        "\n");
    const auto rounded = [](double x) { return static_cast<double>(static_cast<long long>(x * 100.0 + 0.5)) / 100.0; };
    for (const layer_layouts& l : p.layers) {
        text += sentence(l.path, ", ", l.rows, " x ", l.columns, ", ", static_cast<int>(l.sparsity * 100.0 + 0.5), "% zeros: ");
        const predicted_layout& dense = l.layouts[0];
        std::size_t next = 0;  // the best sparse one
        for (std::size_t i = 1; i < l.layouts.size(); ++i) {
            if (l.layouts[i].possible && (next == 0 || l.layouts[i].microseconds < l.layouts[next].microseconds)) {
                next = i;
            }
        }
        if (next == 0) {
            text += sentence("kept dense: no sparse layout holds it\n");
        } else if (l.chosen == 0 && l.layouts[next].microseconds < dense.microseconds) {
            text += sentence("kept dense: ", l.layouts[next].weights, " is predicted to save less than a tenth of ",
                             rounded(dense.microseconds), " us\n");
        } else if (l.chosen == 0) {
            text += sentence("kept dense: dense is predicted ", rounded(l.layouts[next].microseconds / dense.microseconds),
                             " times as fast as ", l.layouts[next].weights, " (", rounded(dense.microseconds), " us)\n");
        } else {
            const predicted_layout& chosen = l.layouts[l.chosen];
            text += sentence(chosen.weights, ", predicted ", rounded(dense.microseconds / chosen.microseconds),
                             " times as fast as dense (", rounded(chosen.microseconds), " us), in ", chosen.bytes,
                             " bytes instead of ", dense.bytes, "\n");
        }
    }
    return text;
}

PARE_NAMESPACE_END

#endif
