#ifndef PARE_PRUNE_SPARSIFY_HPP
#define PARE_PRUNE_SPARSIFY_HPP

#include <optional>

#include <pare/nn/layer.hpp>
#include <pare/prune/layout_prediction.hpp>
#include <pare/types/mixed_weights.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// The same weights in a layout that need not store zeros.
template <class Layout, class Element>
weight_matrix<Element, Layout> to_layout(const weight_matrix<Element, full>& w) {
    const auto at = [&](std::size_t row, std::size_t column) { return w.values[row * w.columns() + column]; };
    weight_matrix<Element, Layout> sparse(typename Layout::structure(
        w.rows(), w.columns(), [&](std::size_t row, std::size_t column) { return at(row, column) != 0; }));
    sparse.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) { sparse.values[i] = at(row, column); });
    sparse.scales = w.scales;
    return sparse;
}

namespace detail {

/// Weights that are no matrices of products stay as they are, and others than full ones are a mistake.
struct keep_other_weights {
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        static_assert(std::is_same_v<Weights, void>,
                      "pare: sparsify() takes a model of full weights: one in training must be frozen first with freeze()");
        return mapped_weights<Weights, Activations>{w, a};
    }
};

template <class Layout>
struct sparsify_weights : keep_other_weights {
    std::optional<error>* problem;

    explicit sparsify_weights(std::optional<error>* p) noexcept : problem(p) {}

    using keep_other_weights::operator();
    template <class Element, class Activations>
    auto operator()(const member_path& path, const weight_matrix<Element, full>& w, Activations a) const {
        if (const auto why = misfit<Layout>(w)) {
            *problem = error{error_code::invalid_argument, sentence("sparsify: ", path.text(), ": ", *why)};
            using structure = typename Layout::structure;
            weight_matrix<Element, Layout> none(structure(w.rows(), w.columns(), [](std::size_t, std::size_t) { return false; }));
            return mapped_weights<weight_matrix<Element, Layout>, Activations>{std::move(none), a};
        }
        return mapped_weights<weight_matrix<Element, Layout>, Activations>{to_layout<Layout>(w), a};
    }
};

/// Each matrix in the layout that is predicted to take least time.
template <class Isa, class... Layouts>
struct sparsify_by_costs : keep_other_weights {
    layout_options options;

    explicit sparsify_by_costs(const layout_options& o) noexcept : options(o) {}

    using keep_other_weights::operator();
    template <class Element, class Activations, class... Structure>
    requires(measured_element<Element> && !(std::is_same_v<Structure, looked_up> || ...)) auto operator()(
        const member_path& path, const weight_matrix<Element, full>& w, Activations a, const Structure&... s) const {
        const std::size_t chosen = predict_layer<Isa, Layouts...>(path, w, options, s...).chosen;
        layout_choice<Element, Layouts...> made;
        const auto each = [&](auto index) {
            if (index == chosen) {
                using layout = typename layout_choice<Element, Layouts...>::template candidate_at<index>::layout;
                if constexpr (std::is_same_v<layout, full>) {
                    made = {std::in_place_index<index>, w};
                } else {
                    made = {std::in_place_index<index>, to_layout<layout>(w)};
                }
            }
        };
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (each(std::integral_constant<std::size_t, I>{}), ...);
        }
        (std::index_sequence_for<Layouts...>{});
        return mapped_weights<layout_choice<Element, Layouts...>, Activations>{std::move(made), a};
    }
};

}  // namespace detail

/// The model without its zero weights: every matrix in compressed sparse rows, or another sparse layout. Takes a model or a result
/// of one. Errors: more inputs than the layout can number, or more weights than it can store of a group.
template <class Layout, class Model>
requires requires {
    typename Layout::structure;
}
auto sparsify(const Model& model) {
    return and_then(model, [](const auto& m) {
        std::optional<error> problem;
        auto sparse = map_weights(m, detail::sparsify_weights<Layout>(&problem));
        return problem ? result<decltype(sparse)>(*std::move(problem)) : result<decltype(sparse)>(std::move(sparse));
    });
}

/// The model with each matrix of weights in the layout, of those in Layouts, that is predicted to be the fastest on an instruction
/// set at a batch: full where zeros are too few to be worth skipping. predict_layouts() tells why. Chosen at run time, layer by
/// layer: weights are a layout_choice, which multiplies like the layout that it has. Takes a model of full float or qint8 weights,
/// quantized or not, or a result of one; what is quantized before is chosen for its integers. Errors: a batch of 0.
///
///     auto small = sparsify(quantize_dynamic(freeze(pruned)), {.batch = 16});
template <class Isa = isa::native, class Layouts = all_layouts, class Model>
requires requires {
    Isa::compiled;
}
auto sparsify(const Model& model, const layout_options& options = {}) {
    return and_then(model, [&](const auto& m) {
        return [&]<class... L>(layouts<L...>) {
            auto sparse = map_weights(m, detail::sparsify_by_costs<Isa, L...>(options));
            return options.batch == 0 ? result<decltype(sparse)>(detail::no_batch()) : result<decltype(sparse)>(std::move(sparse));
        }(Layouts{});
    });
}

PARE_NAMESPACE_END

#endif
