#ifndef PARE_PRUNE_SPARSIFY_HPP
#define PARE_PRUNE_SPARSIFY_HPP

#include <optional>

#include <pare/nn/layer.hpp>
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

template <class Layout>
struct sparsify_weights {
    std::optional<error>* problem;

    template <class Element, class Activations>
    auto operator()(const member_path& path, const weight_matrix<Element, full>& w, Activations a) const {
        if (w.columns() > Layout::most_columns) {
            *problem =
                error{error_code::invalid_argument, sentence("sparsify: ", path.text(), ": expected at most ", Layout::most_columns,
                                                             " inputs in this layout, found ", w.columns(), "; csr32 takes more")};
            using structure = typename Layout::structure;
            weight_matrix<Element, Layout> none(structure(w.rows(), w.columns(), [](std::size_t, std::size_t) { return false; }));
            return mapped_weights<weight_matrix<Element, Layout>, Activations>{std::move(none), a};
        }
        return mapped_weights<weight_matrix<Element, Layout>, Activations>{to_layout<Layout>(w), a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        static_assert(std::is_same_v<Weights, void>,
                      "pare: sparsify() takes a model of full weights: one in training must be frozen first with freeze()");
        return mapped_weights<Weights, Activations>{w, a};
    }
};

}  // namespace detail

/// The model without its zero weights: every matrix in compressed sparse rows, or another sparse layout. Takes a model or a result
/// of one. Errors: more inputs than the layout can number.
template <class Layout = csr, class Model>
auto sparsify(const Model& model) {
    return and_then(model, [](const auto& m) {
        std::optional<error> problem;
        auto sparse = map_weights(m, detail::sparsify_weights<Layout>{&problem});
        return problem ? result<decltype(sparse)>(*std::move(problem)) : result<decltype(sparse)>(std::move(sparse));
    });
}

PARE_NAMESPACE_END

#endif
