#ifndef PARE_TRAIN_SCHEDULED_LOSS_HPP
#define PARE_TRAIN_SCHEDULED_LOSS_HPP

#include <optional>
#include <tuple>
#include <utility>

#include <pare/core/tuple.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/schedules.hpp>

PARE_NAMESPACE_BEGIN

/// A number of a loss, and the schedule that it follows: it is multiplied by schedule.factor_at(step).
template <class Loss, class Schedule>
struct over_steps {
    float Loss::* number;
    Schedule schedule;

    over_steps(float Loss::* n, Schedule s) : number(n), schedule(std::move(s)) {}
};

/// A loss, or targets of distillation (distill/logit_losses.hpp), whose numbers follow schedules while it is trained: any float
/// member by any schedule of train/schedules.hpp. It depends on the step alone and remembers nothing, so a run that is taken up
/// again goes on to the same bits.
///
///     scheduled_loss(soft_targets{.temperature = 8, .hard_weight = 1},
///                    over_steps(&soft_targets::temperature, cosine_decay{.steps = 9000, .final_factor = 0.25}),    8 to 2
///                    over_steps(&soft_targets::hard_weight, warm_up{9000}))                                        0 to 1
///     scheduled_loss(cross_entropy{0.1f}, over_steps(&cross_entropy::label_smoothing, by_epoch{469, factor_list{{1, 1, 0}}}))
///
/// A hard weight that rises from 0 to 1 in a line is the teacher annealing of Clark, Luong, Khandelwal, Manning, Le 2019.
/// Errors: those of the loss for the numbers of any step of the training, such as a temperature that falls to 0; when fit asks for
/// them is said in train/losses.hpp.
template <class Loss, class... Rules>
class scheduled_loss {
public:
    explicit scheduled_loss(Loss loss, Rules... rules) : loss_(std::move(loss)), rules_(std::move(rules)...) {}

    /// The loss of a step.
    Loss at(std::size_t step) const {
        Loss now = loss_;
        detail::apply(
            [&](const auto&... rule) {
                ((now.*rule.number = static_cast<float>(static_cast<double>(now.*rule.number) * rule.schedule.factor_at(step))),
                 ...);
            },
            rules_);
        return now;
    }

    std::optional<error> problem(std::size_t step = 0) const
        requires(
            requires(const Loss& l) { l.problem(); } || requires(const Loss& l) { l.problem(step); })
    {
        if constexpr (requires(const Loss& l) { l.problem(step); }) {
            return of_step(at(step).problem(step), step);
        } else {
            return of_step(at(step).problem(), step);
        }
    }
    std::optional<error> problem(std::size_t samples, std::size_t outputs, std::size_t step = 0) const
        requires(detail::loss_of_steps<Loss> || requires(const Loss& l) { l.problem(samples, outputs); })
    {
        return of_step(detail::loss_problem(at(step), samples, outputs, step), step);
    }

    template <class Batch>
    double operator()(matrix_view<const float> y, const Batch& batch, matrix_view<float> gradient) const
        requires requires(const Loss& l) { l(y, batch, gradient); }
    {
        return at(batch.step)(y, batch, gradient);
    }
    double operator()(matrix_view<const float> student, matrix_view<const float> teacher, const minibatch& batch,
                      matrix_view<float> gradient) const
        requires requires(const Loss& l) { l(student, teacher, batch, gradient); }
    {
        return at(batch.step)(student, teacher, batch, gradient);
    }

private:
    static std::optional<error> of_step(std::optional<error> problem, std::size_t step) {
        if (problem) {
            const auto where = sentence(", at step ", step);
            problem->message += problem->message.ends_with(where) ? "" : where;  // a loss in this one may have said so
        }
        return problem;
    }

    Loss loss_;
    std::tuple<Rules...> rules_;
};

PARE_NAMESPACE_END

#endif
