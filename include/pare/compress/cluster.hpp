#ifndef PARE_COMPRESS_CLUSTER_HPP
#define PARE_COMPRESS_CLUSTER_HPP

#include <optional>

#include <pare/compress/clusters.hpp>
#include <pare/kernels/packed_groups.hpp>
#include <pare/nn/clustered.hpp>
#include <pare/nn/selection.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <std::size_t K>
struct cluster_weights {
    const cluster_options* options;
    std::optional<error>* problem;

    template <class Layout>
    auto operator()(const member_path& path, const weight_matrix<float, Layout>& w, as_float) const {
        weight_matrix<codebook<K>, Layout> shared(w.structure);
        const auto fail = [&](const std::string& expected, const std::string& found) {
            if (!*problem) {
                *problem = error{error_code::invalid_argument,
                                 sentence("cluster: ", path.text(), ": expected ", expected, ", found ", found)};
            }
        };
        if (w.values.size() < K) {
            fail(sentence("at least ", K, " stored weights for as many clusters"), sentence(w.values.size()));
        } else if (!std::all_of(w.values.begin(), w.values.end(), [](float x) { return is_finite(x); })) {
            fail("finite weights", "NaN or infinity");
        } else {
            const clustering c = cluster_numbers(w.values, K, *options);
            std::copy(c.codes.begin(), c.codes.end(), shared.values.begin());
            std::copy(c.centroids.begin(), c.centroids.end(), shared.scales.begin());
        }
        return mapped_weights<weight_matrix<codebook<K>, Layout>, as_float>{std::move(shared), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights&, Activations) const {
        static_assert(std::is_same_v<Weights, void>,
                      "pare: cluster() takes a model of float weights: one in training must be frozen first with freeze(); cluster "
                      "before you quantize");
        return mapped_weights<Weights, Activations>{};
    }
};

struct share_in_training {
    template <std::size_t K>
    auto operator()(const member_path&, const weight_matrix<codebook<K>, full>& w, as_float) const {
        return mapped_weights<clustered<K>, as_float>{clustered<K>(w), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
};

struct decode_weights {
    template <std::size_t K, class Layout>
    auto operator()(const member_path&, const weight_matrix<codebook<K>, Layout>& w, as_float) const {
        return mapped_weights<weight_matrix<float, Layout>, as_float>{decoded(w), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
};

}  // namespace detail

/// The model with K values for the weights of each matrix, those of Lloyd's algorithm: codebook<K>. Sparse layouts stay, and so do
/// zeros, unless the options say otherwise. Takes a model or a result of one, and a selection of layers. Prepared, products of
/// matrices in full with up to 16 values read codes of 4 bits; others, and convolutions, read floats. The numbers are the same.
/// Errors, which name the layer: fewer weights than clusters, weights that are not finite.
template <std::size_t K, class Model, class Selection = every_layer>
auto cluster(const Model& model, const cluster_options& options = {}, Selection selection = {}) {
    return and_then(model, [&](const auto& m) {
        std::optional<error> problem;
        auto shared = map_selected_weights(m, detail::cluster_weights<K>{&options, &problem}, selection);
        return problem ? result<decltype(shared)>(*std::move(problem)) : result<decltype(shared)>(std::move(shared));
    });
}

/// The model in a form of which fit() trains the shared values; freeze() makes codebooks of them again.
template <class Model>
auto train_codebooks(const Model& model) {
    return and_then(model, [](const auto& m) { return map_weights(m, detail::share_in_training{}); });
}

/// The model with float weights in the place of codes, such as to quantize them. Nothing is rounded.
template <class Model>
auto without_codebooks(const Model& model) {
    return and_then(model, [](const auto& m) { return map_weights(m, detail::decode_weights{}); });
}

PARE_NAMESPACE_END

#endif
