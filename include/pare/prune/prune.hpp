#ifndef PARE_PRUNE_PRUNE_HPP
#define PARE_PRUNE_PRUNE_HPP

#include <pare/core/tuple.hpp>
#include <pare/nn/selection.hpp>
#include <pare/prune/pruning.hpp>
#include <pare/train/fit.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Float weights become masked ones; masked ones keep their masks until new ones are chosen. Remembers whose they are.
template <class Pattern>
struct mask_weights {
    std::vector<std::string>* taken;

    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a) const {
        static_assert(
            std::is_same_v<Weights, weight_matrix<float, full>>,
            "pare: prune() takes a model of float weights: prune before you quantize; one in training must be frozen first "
            "with freeze()");
        taken->push_back(path.text());
        return mapped_weights<masked<Pattern, Weights>, Activations>{masked<Pattern, Weights>(w), a};
    }
    template <class Before, class Activations>
    auto operator()(const member_path& path, const masked<Before, weight_matrix<float, full>>& w, Activations a) const {
        taken->push_back(path.text());
        using weights = masked<Pattern, weight_matrix<float, full>>;
        return mapped_weights<weights, Activations>{weights(w.inner, w.mask), a};
    }
};

/// The first of some options of which Is is true, or another.
template <class Is, class Default>
Default option_or(Is, Default other) {
    return other;
}
template <class Is, class Default, class First, class... Rest>
auto option_or(Is is, Default other, const First& first, const Rest&... rest) {
    if constexpr (Is::template of<std::remove_cvref_t<First>>) {
        return first;
    } else {
        return option_or(is, std::move(other), rest...);
    }
}
struct selection_option {
    template <class T>
    static constexpr bool of = is_selection<T>;
};
struct scope_option {
    template <class T>
    static constexpr bool of = std::is_same_v<T, per_layer> || std::is_same_v<T, global_scope> || std::is_same_v<T, layer_targets>;
};
struct count_option {
    template <class T>
    static constexpr bool of = requires(const T& rule, std::span<const float> scores, const sparse_mask& before) {
        { rule.choose(scores, before, 0.5) } -> std::convertible_to<sparse_mask>;
    };
};
template <class T>
inline constexpr bool is_pruning_option = selection_option::of<std::remove_cvref_t<T>> ||
                                          scope_option::of<std::remove_cvref_t<T>> || count_option::of<std::remove_cvref_t<T>>;

/// What is left of extras: those of fit.
template <class Extra>
auto fit_extra(Extra& extra) {
    if constexpr (is_pruning_option<Extra>) {
        return std::tuple<>();
    } else {
        return std::tuple<Extra&>(extra);
    }
}

}  // namespace detail

/// Trains a model while it is pruned and returns it with its masks: freeze() gives the model with zeros, sparsify() one that does
/// not store them. Takes a model or a result of one; one that has masks keeps them until the schedule chooses new ones. `extras`
/// are those of fit and, in any order, at most one of each of
///
///     per_layer, global_scope{}, layer_targets{...}      which units are compared (prune/scopes.hpp)
///     exact_count, tfmot_count{}, torch_count{}          how many are pruned, and which of equals (prune/count_rules.hpp)
///     every_layer, only<...>{}, except<...>{}, inner_layers{}     what is pruned: other layers stay as they are (nn/selection.hpp)
///
/// Errors: those of `pruning` and of fit.
template <class Isa = isa::native, class Model, dataset Data, class Loss, class Optimizer, class Criterion, class Pattern,
          class Schedule, class... Extras>
auto prune(const Model& model, const Data& data, const Loss& loss, const Optimizer& optimizer, Criterion criterion, Pattern pattern,
           Schedule schedule, const fit_options& options = {}, Extras&&... extras) {
    static_assert(pare::criterion<Criterion> && pruning_pattern<Pattern> && sparsity_schedule<Schedule>,
                  "pare: prune() takes a criterion, a pattern and a schedule, in this order");
    return and_then(model, [&](const auto& m) {
        std::vector<std::string> taken;
        auto pruned = map_selected_weights(m, detail::mask_weights<Pattern>{&taken},
                                           detail::option_or(detail::selection_option{}, every_layer{}, extras...));
        using outcome = result<decltype(pruned)>;
        pruning callback(criterion, pattern, schedule, detail::option_or(detail::scope_option{}, per_layer{}, extras...),
                         detail::option_or(detail::count_option{}, exact_count{}, extras...), std::move(taken));
        const auto report = detail::apply(
            [&](auto&... callbacks) { return fit<Isa>(pruned, data, loss, optimizer, options, callback, callbacks...); },
            std::tuple_cat(detail::fit_extra(extras)...));
        return report ? outcome(std::move(pruned)) : outcome(report.error());
    });
}

/// Prunes a trained model at once, without training, and returns it with its masks, and zeros where they do not keep. Takes a model
/// or a result of one, whose weights may have masks: torch_count prunes of what these keep. options as the further extras of the
/// other prune(). Errors: a sparsity outside [0, 1), and a pattern, a criterion or a name in the scope that does not fit the model.
template <class Model, class Criterion, class Pattern, class... Options>
requires(!dataset<Criterion>) auto prune(const Model& model, const Criterion& criterion, const Pattern& pattern, double sparsity,
                                         const Options&... options) {
    static_assert(pare::criterion<Criterion> && pruning_pattern<Pattern>,
                  "pare: prune(model, criterion, pattern, sparsity, ...) takes a criterion and a pattern, in this order");
    static_assert(!gathers_gradients<Criterion>,
                  "pare: this criterion scores by the gradients of training: prune(model, data, loss, "
                  "optimizer, criterion, pattern, schedule)");
    static_assert((detail::is_pruning_option<Options> && ...),
                  "pare: prune() takes scopes, count rules and selections behind the sparsity");
    return and_then(model, [&](const auto& m) {
        std::vector<std::string> taken;
        auto pruned = map_selected_weights(m, detail::mask_weights<Pattern>{&taken},
                                           detail::option_or(detail::selection_option{}, every_layer{}, options...));
        using outcome = result<decltype(pruned)>;
        const auto scope = detail::option_or(detail::scope_option{}, per_layer{}, options...);
        const auto matrices = detail::prunables_of(pruned, &taken);
        if (auto problem = detail::pruning_problem(matrices, criterion, pattern, scope, sparsity)) {
            return outcome(*std::move(problem));
        }
        detail::choose_masks(matrices, criterion, pattern, scope,
                             detail::option_or(detail::count_option{}, exact_count{}, options...), sparsity, sparsity);
        detail::apply_masks(pruned);
        return outcome(std::move(pruned));
    });
}

PARE_NAMESPACE_END

#endif
