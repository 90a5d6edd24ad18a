#ifndef PARE_PIPELINE_STAGES_HPP
#define PARE_PIPELINE_STAGES_HPP

#include <pare/compress/cluster.hpp>
#include <pare/core/tuple.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/pipeline/stage.hpp>
#include <pare/prune/prune.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/static.hpp>
#include <pare/quantize/weights_only.hpp>
#include <pare/train/fit.hpp>

PARE_NAMESPACE_BEGIN

// The stages of compress(): prune(), cluster(), quantize() and the like without a model. What each does is what the function of its
// name does with a model.

namespace detail {

template <class Criterion, class Pattern, class... Options>
struct prune_stage {
    static constexpr const char* name = "prune";
    static constexpr stage_order order = stage_order::prune;

    Criterion by;
    Pattern in;
    double sparsity;
    std::tuple<Options...> options;

    stage_promises promises() const noexcept { return {.zeros = true}; }
    std::string describe() const { return sentence("prune ", sparsity); }

    template <class Model, class Data>
    auto operator()(const Model& model, const Data&) const {
        return freeze(detail::apply([&](const auto&... o) { return pare::prune(model, by, in, sparsity, o...); }, options));
    }
};

template <class Isa, class Loss, class Optimizer, class Criterion, class Pattern, class Schedule, class... Extras>
struct gradual_prune_stage {
    static constexpr const char* name = "prune";
    static constexpr stage_order order = stage_order::prune;

    Loss loss;
    Optimizer optimizer;
    Criterion by;
    Pattern in;
    Schedule schedule;
    fit_options options;
    std::tuple<Extras...> extras;

    stage_promises promises() const noexcept { return {.zeros = true}; }
    std::string describe() const { return sentence("prune ", schedule.sparsity_at(schedule.settles_at())); }

    template <class Model, class Data>
    auto operator()(const Model& model, const Data& data) const {
        if constexpr (dataset<Data>) {
            auto own = extras;  // callbacks begin anew with each run
            return freeze(detail::apply(
                [&](auto&... e) { return pare::prune<Isa>(model, data, loss, optimizer, by, in, schedule, options, e...); }, own));
        } else {
            static_assert(dataset<Data>, "pare: prune(loss, optimizer, ...) trains: give compress() the data to train on");
            return model;
        }
    }
};

template <std::size_t K, class Selection>
struct cluster_stage {
    static constexpr const char* name = "cluster";
    static constexpr stage_order order = stage_order::cluster;

    cluster_options options;
    Selection selection;

    stage_promises promises() const noexcept { return {.zeros = options.preserve_zeros, .values = K}; }
    std::string describe() const { return sentence("cluster ", K); }

    template <class Model, class Data>
    auto operator()(const Model& model, const Data&) const {
        return pare::cluster<K>(model, options, selection);
    }
};

/// As quantize_float_weights, shared values too: with one scale for all of them, so that they go on being shared.
template <class Element, class Activations>
struct quantize_shared_weights : quantize_float_weights<Element, granularity::per_channel, Activations, round_to_nearest> {
    using base = quantize_float_weights<Element, granularity::per_channel, Activations, round_to_nearest>;
    using shared = quantize_float_weights<Element, granularity::per_tensor, Activations, round_to_nearest>;
    using base::operator();

    template <std::size_t K, class Layout>
    auto operator()(const member_path& path, const weight_matrix<codebook<K>, Layout>& w, as_float a) const {
        const shared with_one_scale{this->problem, round_to_nearest{}};
        return with_one_scale(path, decoded(w), a);
    }
};

/// Whether fold_batch_norm() would leave a model as it is.
template <class Model>
inline constexpr bool is_folded = std::is_same_v<Model, decltype(fold_inside(std::declval<const Model&>()))>;

template <class Element, class Activations, class Selection>
struct quantize_stage {
    static constexpr const char* name = "quantize";
    static constexpr stage_order order = stage_order::quantize;
    static constexpr bool keeps_zeros = [] {
        if constexpr (in_groups<Element>) {
            return element_storage<Element>::format::offset != group_offset::minimum;
        } else {
            return true;
        }
    }();

    Selection selection;

    /// Static networks keep floats where there is no form for bytes.
    stage_promises promises() const noexcept {
        return {.zeros = keeps_zeros, .bits = std::is_same_v<Activations, static_range> ? 0 : bits_of<Element>};
    }
    std::string describe() const { return sentence("quantize ", element_storage<Element>::name); }

    template <class Model, class Data>
    auto operator()(const Model& model, const Data& data) const {
        if constexpr (std::is_same_v<Activations, static_range> && !dataset<Data>) {
            static_assert(dataset<Data>, "pare: quantize<qint8, static_range>() calibrates: give compress() the data for it");
            return model;
        } else if constexpr (std::is_same_v<Activations, static_range> && !is_folded<Model>) {
            static_assert(is_folded<Model>,
                          "pare: quantize<qint8, static_range>() works on the network as it is in inference, where layers have "
                          "other names: give compress() fold_batch_norm(model), a sequential without batch norms, dropout and "
                          "sequentials in it");
            return model;
        } else if constexpr (std::is_same_v<Activations, static_range>) {
            const auto floats = map_selected_weights(model, decode_weights{}, selection);
            constexpr bool shares = !std::is_same_v<Model, std::remove_const_t<decltype(floats)>>;
            return quantize_static<shares ? granularity::per_tensor : granularity::per_channel>(floats, data, minmax_observer{},
                                                                                                no_progress{}, selection);
        } else {
            std::optional<error> problem = member_not_finite("quantize", model);
            auto made = map_selected_weights(model, quantize_shared_weights<Element, Activations>{{&problem, round_to_nearest{}}},
                                             selection);
            return problem ? result<decltype(made)>(*std::move(problem)) : result<decltype(made)>(std::move(made));
        }
    }
};

template <class Layout>
struct layout_stage {
    static constexpr const char* name = "sparsify";
    static constexpr stage_order order = stage_order::layout;

    stage_promises promises() const noexcept { return {.zeros = true}; }
    std::string describe() const { return sentence("sparsify ", Layout::name); }

    template <class Model, class Data>
    auto operator()(const Model& model, const Data&) const {
        return pare::sparsify<Layout>(model);
    }
};

/// Weights in the form of which fit() leaves zeros and shared values what they are.
struct hold_zeros_and_codes : share_in_training {
    using share_in_training::operator();
    template <class Activations>
    auto operator()(const member_path&, const weight_matrix<float, full>& w, Activations a) const {
        using weights = masked<unstructured, weight_matrix<float, full>>;
        return mapped_weights<weights, Activations>{weights(w, mask_of(w)), a};
    }
    template <std::size_t K, class Activations>
    auto operator()(const member_path&, const weight_matrix<codebook<K>, full>& w, Activations a, looked_up) const {
        static_assert(K == 0,
                      "pare: fine_tune() does not train shared values of embeddings: leave them out of the clusters, as by "
                      "cluster<16>({}, except<\"embedding\">{})");
        return mapped_weights<weight_matrix<codebook<K>, full>, Activations>{w, a};
    }
};

template <class Isa, class Loss, class Optimizer, class... Extras>
struct fine_tune_stage {
    static constexpr const char* name = "fine_tune";

    Loss loss;
    Optimizer optimizer;
    fit_options options;
    std::tuple<Extras...> extras;

    stage_promises promises() const noexcept { return {.zeros = true}; }

    template <class Model, class Data>
    auto operator()(const Model& model, const Data& data) const {
        if constexpr (dataset<Data>) {
            auto training = map_weights(model, hold_zeros_and_codes{});
            auto own = extras;  // callbacks begin anew with each run
            const auto report =
                detail::apply([&](auto&... e) { return fit<Isa>(training, data, loss, optimizer, options, e...); }, own);
            using outcome = result<decltype(freeze(training))>;
            return report ? outcome(freeze(training)) : outcome(report.error());
        } else {
            static_assert(dataset<Data>, "pare: fine_tune() trains: give compress() the data to train on");
            return model;
        }
    }
};

}  // namespace detail

/// Stage: the weights with the lowest scores become 0, at once. Arguments as those of prune(model, ...). It promises that they stay
/// 0, and all others that are.
template <criterion Criterion, pruning_pattern Pattern, class... Options>
auto prune(const Criterion& by, const Pattern& in, double sparsity, const Options&... options) {
    return detail::prune_stage<Criterion, Pattern, Options...>{by, in, sparsity, {options...}};
}

/// Stage: the same in training on the data of compress(). Arguments as those of prune(model, data, ...); what is given as an
/// lvalue, such as a thread pool, must outlive the stage.
template <class Isa = isa::native, class Loss, class Optimizer, criterion Criterion, pruning_pattern Pattern,
          sparsity_schedule Schedule, class... Extras>
auto prune(const Loss& loss, const Optimizer& optimizer, const Criterion& by, const Pattern& in, const Schedule& schedule,
           const fit_options& options = {}, Extras&&... extras) {
    return detail::gradual_prune_stage<Isa, Loss, Optimizer, Criterion, Pattern, Schedule, Extras...>{
        loss, optimizer, by, in, schedule, options, {std::forward<Extras>(extras)...}};
}

/// Stage: the weights of each matrix share K values. It promises that there are no more, and that zeros stay unless the options
/// say otherwise.
template <std::size_t K>
auto cluster() {
    return detail::cluster_stage<K, every_layer>{};
}
template <std::size_t K, class Selection = every_layer>
auto cluster(const cluster_options& options, Selection selection = {}) {
    return detail::cluster_stage<K, Selection>{options, selection};
}

/// Stage: trains with fit() on the data of compress(), with what is given here; lvalues among the extras must outlive the stage.
/// Weights that are 0 stay so, and those that share a value go on sharing it, which is what is trained. For models of float
/// weights and codebooks, in full; tables of embeddings are floats. Extras that are lvalues carry what they know from one run to
/// the next, others begin anew.
template <class Isa = isa::native, class Loss, class Optimizer, class... Extras>
auto fine_tune(const Loss& loss, const Optimizer& optimizer, const fit_options& options = {}, Extras&&... extras) {
    return detail::fine_tune_stage<Isa, Loss, Optimizer, Extras...>{loss, optimizer, options, {std::forward<Extras>(extras)...}};
}

/// Stage: weights as Element, and what they are multiplied by as Activations say:
///
///     quantize()                         qint8, quantize_dynamic(model)
///     quantize<qint4<64>>()              quantize_dynamic<qint4<64>>(model)
///     quantize<qint4<64>, as_float>()    quantize_weights_only<qint4<64>>(model)
///     quantize<qint8, static_range>()    quantize_static(model, data)
///
/// Shared values become integers with one scale for all, and so go on being shared; of elements in groups, which have no such
/// scale, they do not. It promises the bits of the element, and zeros, but of groups with a minimum. Static networks have one
/// scale for each matrix as soon as one that the selection takes shares values, promise no bits, since layers without a form for
/// bytes stay floats, and are made of models whose batch norms are folded, as fold_batch_norm(model) gives.
template <class Element = qint8, class Activations = dynamic_range, class Selection = every_layer>
    requires is_selection<Selection>
auto quantize(Selection selection = {}) {
    static_assert(!std::is_same_v<Activations, dynamic_range> || detail::multiplies_bytes<Element>,
                  "pare: bytes cannot be multiplied by the levels of nf4: quantize<nf4<64>, as_float>()");
    static_assert(!std::is_same_v<Activations, static_range> || std::is_same_v<Element, qint8>,
                  "pare: static networks have qint8 weights: quantize<qint8, static_range>()");
    return detail::quantize_stage<Element, Activations, Selection>{selection};
}

/// Stage: matrices in a layout that need not store zeros, sparsify<csr>(model). It promises that zeros stay.
template <class Layout>
    requires requires { typename Layout::structure; }
auto sparsify() {
    return detail::layout_stage<Layout>{};
}

PARE_NAMESPACE_END

#endif
