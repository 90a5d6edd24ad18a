#ifndef PARE_DISTILL_DISTILL_HPP
#define PARE_DISTILL_DISTILL_HPP

#include <pare/distill/logit_losses.hpp>
#include <pare/distill/teacher_logits.hpp>
#include <pare/train/fit.hpp>

PARE_NAMESPACE_BEGIN

/// The loss against a teacher's logits, for fit, prune and whatever else takes a loss. Those of each sample are looked up by its
/// index, so the loss belongs to the data set that the teacher has seen. Targets say what of them is learned
/// (distill/logit_losses.hpp).
template <class Targets = soft_targets>
class distillation_loss {
public:
    /// Errors: targets that make no sense at the first step, such as a temperature that is not above 0; fit asks of the others.
    static result<distillation_loss> make(teacher_logits logits, const Targets& targets) {
        if (auto problem = detail::targets_problem(targets, 0)) {
            return *std::move(problem);
        }
        return distillation_loss(std::move(logits), targets);
    }
    /// Runs the teacher over the data first; a model, a prepared one, or a callable_teacher. Errors: those of teacher_logits, too.
    template <class Isa = isa::native, class Teacher, dataset Data, class Executor = serial_executor>
    static result<distillation_loss> make(const Teacher& teacher, const Data& data, const Targets& targets, Executor&& exec = {}) {
        if (auto problem = detail::targets_problem(targets, 0)) {
            return *std::move(problem);
        }
        return and_then(teacher_logits::make<Isa>(teacher, data, {}, exec),
                        [&](teacher_logits logits) { return make(std::move(logits), targets); });
    }

    /// For fit: whether it was made for as many samples and outputs, and its targets make sense.
    std::optional<error> problem(std::size_t samples, std::size_t outputs) const { return problem_at(samples, outputs, 0); }
    std::optional<error> problem(std::size_t samples, std::size_t outputs, std::size_t step) const
        requires detail::targets_of_steps<Targets>
    {
        return problem_at(samples, outputs, step);
    }

    double operator()(matrix_view<const float> student, const minibatch& batch, matrix_view<float> gradient) const {
        std::vector<float> teacher(student.rows * student.columns);
        logits_.read(batch.indices, teacher.data());
        return targets_(student, matrix_view<const float>(teacher.data(), student.rows, student.columns), batch, gradient);
    }

private:
    distillation_loss(teacher_logits logits, const Targets& targets) : logits_(std::move(logits)), targets_(targets) {}

    std::optional<error> problem_at(std::size_t samples, std::size_t outputs, std::size_t step) const {
        if (samples == logits_.samples() && outputs == logits_.classes()) {
            return detail::targets_problem(targets_, samples, outputs, step);
        }
        return error{error_code::invalid_argument,
                     sentence("distillation_loss: expected a student of ", logits_.classes(),
                              " outputs, as many as its teacher's, and ", logits_.samples(),
                              " samples, those that the teacher has seen; found ", outputs, " outputs and ", samples, " samples")};
    }

    teacher_logits logits_;
    Targets targets_;
};

/// Trains a student to give the outputs of a teacher and returns it. Takes both as models or results of models, the teacher also as
/// a prepared one, a callable_teacher or teacher_logits of the data; extras as fit. Errors: those of distillation_loss and fit, and
/// teacher and student of different output counts.
template <class Isa = isa::native, class Student, class Teacher, dataset Data, class Targets, class Optimizer, class... Extras>
auto distill(const Student& student, const Teacher& teacher, const Data& data, const Targets& targets, const Optimizer& optimizer,
             const fit_options& options = {}, Extras&&... extras) {
    static_assert(
        requires(matrix_view<const float> y, const minibatch& b, matrix_view<float> g) {
            { targets(y, y, b, g) } -> std::convertible_to<double>;
        },
        "pare: distill(student, teacher, data, targets, optimizer, ...): the fourth argument says what is learned from logits, "
        "such as "
        "soft_targets");
    return and_then(student, [&](auto trained) {
        using outcome = result<decltype(trained)>;
        serial_executor serial;
        const auto loss = and_then(teacher, [&](const auto& t) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(t)>, teacher_logits>) {
                return distillation_loss<Targets>::make(t, targets);
            } else {
                return distillation_loss<Targets>::template make<Isa>(t, data, targets, detail::first_executor(extras..., serial));
            }
        });
        if (!loss) {
            return outcome(loss.error());
        }
        const auto report = fit<Isa>(trained, data, *loss, optimizer, options, extras...);
        return report ? outcome(std::move(trained)) : outcome(report.error());
    });
}

PARE_NAMESPACE_END

#endif
