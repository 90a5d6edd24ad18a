#ifndef PARE_PRUNE_PRUNE_HPP
#define PARE_PRUNE_PRUNE_HPP

#include <pare/nn/masked.hpp>
#include <pare/prune/criteria.hpp>
#include <pare/prune/patterns.hpp>
#include <pare/prune/schedules.hpp>
#include <pare/train/fit.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <class Pattern>
struct mask_weights {
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        static_assert(
            std::is_same_v<Weights, weight_matrix<float, full>>,
            "pare: prune() takes a model of float weights: prune before you quantize; one in training must be frozen first "
            "with freeze()");
        return mapped_weights<masked<Pattern, Weights>, Activations>{masked<Pattern, Weights>(w), a};
    }
};

}  // namespace detail

/// Chooses the masks of one weight matrix anew: the criterion scores the weights as they are, the pattern picks.
template <class Pattern, class Inner, class Criterion>
void choose_mask(masked<Pattern, Inner>& w, const Criterion& criterion, const Pattern& pattern, double sparsity) {
    std::vector<float> scores(w.inner.values.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        scores[i] = criterion(w.inner.values[i]);
    }
    w.mask = pattern.choose(scores, w.rows(), w.columns(), sparsity);
}

namespace detail {

/// The masked weights themselves, where a storage in training is around them.
template <class Weights>
auto& masked_weights(Weights& w) noexcept {
    if constexpr (requires { w.mask; }) {
        return w;
    } else {
        return masked_weights(w.inner);
    }
}

}  // namespace detail

/// The callback that prunes during fit, each weight matrix by itself: before a step, where the schedule says so, new masks from the
/// dense weights; then, at every step, weights *= mask.
template <class Criterion, class Pattern, class Schedule>
class pruning {
public:
    pruning(Criterion criterion, Pattern pattern, Schedule schedule)
        : criterion_(std::move(criterion)), pattern_(std::move(pattern)), schedule_(std::move(schedule)) {}

    template <class Model>
    void on_step_begin(Model& model, const training_state& state) const {
        const auto step = static_cast<std::int64_t>(state.step);
        for_each_member(model, [&](const member_path&, auto& member) {
            if constexpr (requires { member.apply_mask(); }) {
                if (schedule_.updates_at(step)) {
                    choose_mask(detail::masked_weights(member), criterion_, pattern_, schedule_.sparsity_at(step));
                }
                member.apply_mask();
            }
        });
    }

private:
    Criterion criterion_;
    Pattern pattern_;
    Schedule schedule_;
};

/// Trains a model while it is pruned and returns it with its masks: freeze() gives the model with zeros, sparsify() one that does
/// not store them. Takes a model or a result of one; extras as fit. Errors: a schedule with begin_step > end_step, a sparsity
/// outside [0, 1) or a last change after the end of the training, and those of fit.
template <class Isa = isa::native, class Model, dataset Data, class Loss, class Optimizer, class Criterion, class Pattern,
          class Schedule, class... Extras>
auto prune(const Model& model, const Data& data, const Loss& loss, const Optimizer& optimizer, Criterion criterion, Pattern pattern,
           Schedule schedule, const fit_options& options = {}, Extras&&... extras) {
    static_assert(
        requires(const Criterion& c, const Pattern& p, const Schedule& s, const std::vector<float>& scores) {
            { c(1.0f) } -> std::convertible_to<float>;
            { p.choose(scores, 1, 1, 0.5) } -> std::convertible_to<sparse_mask>;
            { s.sparsity_at(1) } -> std::convertible_to<double>;
            s.updates_at(1), s.settles_at(), s.problem();
        },
        "pare: prune() takes a criterion, a pattern and a schedule, in this order");
    return and_then(model, [&](const auto& m) {
        auto pruned = map_weights(m, detail::mask_weights<Pattern>{});
        using outcome = result<decltype(pruned)>;
        if (auto problem = schedule.problem()) {
            return outcome(*std::move(problem));
        }
        const std::size_t batch = (std::min)(options.batch_size, std::size_t{data.size()});
        const std::size_t steps = batch == 0 ? 0 : (data.size() + batch - 1) / batch * options.epochs;
        if (steps > 0 && schedule.settles_at() >= static_cast<std::int64_t>(steps)) {
            return outcome(error{error_code::invalid_argument,
                                 sentence("prune: expected a schedule that reaches its sparsity within the ", steps,
                                          " steps of the training, found one that does at step ", schedule.settles_at())});
        }
        const auto report = fit<Isa>(pruned, data, loss, optimizer, options, pruning(criterion, pattern, schedule), extras...);
        return report ? outcome(std::move(pruned)) : outcome(report.error());
    });
}

PARE_NAMESPACE_END

#endif
