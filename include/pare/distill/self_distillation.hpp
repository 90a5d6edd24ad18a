#ifndef PARE_DISTILL_SELF_DISTILLATION_HPP
#define PARE_DISTILL_SELF_DISTILLATION_HPP

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pare/distill/logit_losses.hpp>
#include <pare/distill/teacher_logits.hpp>
#include <pare/train/fit.hpp>

PARE_NAMESPACE_BEGIN

/// The model of the epoch before as the teacher of this one: a loss, and the callback that runs the model over the data at the end
/// of each epoch. The first epoch learns from labels alone, by cross_entropy. Both are one object, which a checkpoint may save, so
/// that a run is taken up within an epoch too; without that it is from the beginning of one.
///
///     epoch_teacher teacher(data, soft_targets{.temperature = 1});
///     fit(net, data, teacher, adam{}, {.epochs = 50}, teacher, io::checkpoint("run.safetensors", {}, teacher));
///
/// Memory: the logits of all samples. Time: one inference over the data for each epoch.
template <labelled_dataset Data, class Targets = soft_targets>
class epoch_teacher {
public:
    epoch_teacher(const Data& data, const Targets& targets) : data_(&data), targets_(targets) {}

    std::optional<error> problem(std::size_t samples, std::size_t outputs) const { return problem_at(samples, outputs, 0); }
    std::optional<error> problem(std::size_t samples, std::size_t outputs, std::size_t step) const
        requires detail::targets_of_steps<Targets>
    {
        return problem_at(samples, outputs, step);
    }

    double operator()(matrix_view<const float> student, const minibatch& batch, matrix_view<float> gradient) const {
        if (!logits_) {
            return cross_entropy{}(student, batch, gradient);
        }
        std::vector<float> before(student.rows * student.columns);
        logits_->read(batch.indices, before.data());
        return targets_(student, matrix_view<const float>(before.data(), student.rows, student.columns), batch, gradient);
    }

    template <class Model, class Context>
    void on_fit_begin(const Model& model, training_state& state, const Context& ctx) {
        if (state.step_in_epoch == 0) {
            logits_.reset();
            if (state.epoch != 0) {
                look(model, state, ctx);
            }
        } else if (state.epoch != 0 && !logits_ && !state.problem) {
            state.problem =
                error{error_code::invalid_data,
                      sentence("epoch_teacher: expected a run that is taken up at the beginning of an epoch, or a checkpoint "
                               "that has saved the teacher too; found step ",
                               state.step_in_epoch, " of epoch ", state.epoch)};
        }
    }
    template <class Model, class Context>
    void on_epoch_end(const Model& model, training_state& state, const Context& ctx) {
        if (state.epoch + 1 < state.epochs) {
            look(model, state, ctx);
        }
    }
    template <class Model>
    void on_fit_end(const Model&, const training_state&) {
        logits_.reset();
    }

    /// For checkpoints: F32 [samples, classes], and U8 [1], 1 where there are such.
    template <class Archive, class Model>
    void serialize(Archive& archive, const std::string& name, const Model& model) {
        const auto plan = model.plan();
        auto kept = logits_ ? *logits_ : teacher_logits::zeros(data_->size(), plan.output_shape(plan.input_shape()).size());
        auto there = static_cast<std::uint8_t>(logits_ ? 1 : 0);
        kept.serialize(archive, name + ".logits");
        archive.array(name + ".taught", std::span(&there, 1), {1});
        if constexpr (Archive::loading) {
            logits_ = there != 0 ? std::optional(std::move(kept)) : std::nullopt;
        }
    }

private:
    std::optional<error> problem_at(std::size_t samples, std::size_t outputs, std::size_t step) const {
        if (samples == data_->size()) {
            return detail::targets_problem(targets_, samples, outputs, step);
        }
        return error{error_code::invalid_argument, sentence("epoch_teacher: expected the data set that it runs over, of ",
                                                            std::size_t{data_->size()}, " samples, found one of ", samples)};
    }
    template <class Model, class Context>
    void look(const Model& model, training_state& state, const Context& ctx) {
        auto logits = teacher_logits::make<typename Context::isa>(model, *data_, {}, ctx.executor);
        if (logits) {
            logits_ = *std::move(logits);
        } else if (!state.problem) {
            state.problem = logits.error();
        }
    }

    const Data* data_;
    Targets targets_;
    std::optional<teacher_logits> logits_;
};

/// Trains a model, or a result of one, that is taught by itself as it was at the end of the epoch before, and returns it; extras as
/// fit. With softer and softer targets it is the progressive self-knowledge distillation of Kim, Ji, Yoon, Hwang 2021, whose weight
/// of the teacher in epoch e is 0.8 e / epochs; n being the steps of an epoch, and e counting from 0 where the paper counts from 1,
/// so that each weight comes an epoch later:
///
///     self_distill(net, data, scheduled_loss(soft_targets{.temperature = 1, .hard_weight = 1},
///                                            over_steps(&soft_targets::hard_weight, by_epoch{n, linear_decay{epochs, 0.2}})), ...)
///
/// Deterministic as fit is. Errors: those of the targets and of fit.
template <class Isa = isa::native, class Model, labelled_dataset Data, class Targets, class Optimizer, class... Extras>
auto self_distill(const Model& model, const Data& data, const Targets& targets, const Optimizer& optimizer,
                  const fit_options& options = {}, Extras&&... extras) {
    return and_then(model, [&](auto trained) {
        epoch_teacher teacher(data, targets);
        const auto report = fit<Isa>(trained, data, teacher, optimizer, options, teacher, extras...);
        return report ? result<decltype(trained)>(std::move(trained)) : result<decltype(trained)>(report.error());
    });
}

PARE_NAMESPACE_END

#endif
