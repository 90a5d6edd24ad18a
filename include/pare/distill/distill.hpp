#ifndef PARE_DISTILL_DISTILL_HPP
#define PARE_DISTILL_DISTILL_HPP

#include <optional>
#include <vector>

#include <pare/train/evaluate.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/losses.hpp>

PARE_NAMESPACE_BEGIN

/// loss = hard_weight * CE(student, label) + (1 - hard_weight) * T^2 * KL(softmax(teacher / T) || softmax(student / T)), batch
/// mean. Hinton, Vinyals, Dean 2015, section 2. The factor T^2 keeps the gradient of the soft part, T * (softmax(student / T) -
/// softmax(teacher / T)), as large as the hard one's.
struct soft_targets {
    float temperature = 4.0f;
    float hard_weight = 0.1f;

    std::optional<error> problem() const {
        if (!is_finite(temperature) || temperature <= 0.0f) {
            return error{error_code::invalid_argument,
                         sentence("soft_targets: expected a temperature above 0, found ", temperature)};
        }
        if (!is_finite(hard_weight) || hard_weight < 0.0f || hard_weight > 1.0f) {
            return error{error_code::invalid_argument,
                         sentence("soft_targets: expected a hard_weight in [0, 1], found ", hard_weight)};
        }
        return std::nullopt;
    }

    /// teacher(i) points to the teacher's logits of sample i of the batch; loss and gradient as other losses.
    template <class Teacher>
    double operator()(matrix_view<const float> student, const minibatch& batch, matrix_view<float> gradient,
                      const Teacher& teacher) const {
        std::vector<float> soft(2 * student.columns);
        const auto scale = 1.0f / static_cast<float>(student.rows);
        double loss = 0.0;
        for (std::size_t i = 0; i < student.rows; ++i) {
            loss += row(student.row(i), teacher(i), static_cast<std::size_t>(batch.labels[i]), student.columns, gradient.row(i),
                        soft.data());
            for (std::size_t j = 0; j < student.columns; ++j) {
                gradient(i, j) *= scale;
            }
        }
        return loss / static_cast<double>(student.rows);
    }

private:
    double row(const float* student, const float* teacher, std::size_t label, std::size_t n, float* gradient,
               float* soft) const noexcept {
        float* const p = soft;      // softmax(student / T)
        float* const q = soft + n;  // softmax(teacher / T)
        const float inverse = 1.0f / temperature;
        const double log_sum = detail::softmax_with_temperature(student, n, 1.0f, gradient);
        const double log_sum_p = detail::softmax_with_temperature(student, n, inverse, p);
        const double log_sum_q = detail::softmax_with_temperature(teacher, n, inverse, q);
        double divergence = 0.0;
        for (std::size_t j = 0; j < n; ++j) {
            const double log_q = static_cast<double>(teacher[j] * inverse) - log_sum_q;
            const double log_p = static_cast<double>(student[j] * inverse) - log_sum_p;
            divergence += static_cast<double>(q[j]) * (log_q - log_p);
        }
        gradient[label] -= 1.0f;
        for (std::size_t j = 0; j < n; ++j) {
            gradient[j] = hard_weight * gradient[j] + (1.0f - hard_weight) * temperature * (p[j] - q[j]);
        }
        const auto h = static_cast<double>(hard_weight);
        const auto t = static_cast<double>(temperature);
        return h * (log_sum - static_cast<double>(student[label])) + (1.0 - h) * t * t * divergence;
    }
};

/// The loss against a teacher's outputs, for fit, prune and whatever else takes a loss. The teacher has run once over the data set,
/// before the first step; the logits of each sample are looked up by its index, so the loss belongs to that data set.
class distillation_loss {
public:
    /// Runs the teacher over the data, as fast as its own storage allows: it may be quantized or sparse. Allocates its logits.
    /// Errors: a temperature that is not above 0, a share outside [0, 1], samples that do not fit the teacher.
    template <class Isa = isa::native, class Teacher, dataset Data, class Executor = serial_executor>
    static result<distillation_loss> make(const Teacher& teacher, const Data& data, const soft_targets& targets,
                                          Executor&& exec = {}) {
        if (auto problem = targets.problem()) {
            return *std::move(problem);
        }
        const auto ready = prepare<Isa>(freeze(teacher));
        distillation_loss loss;
        loss.targets_ = targets;
        loss.classes_ = ready.output_size();
        loss.logits_ = aligned_array<float>(data.size() * loss.classes_);
        loss.samples_ = data.size();
        auto problem = run_over(ready, data, exec, [&](std::size_t first, auto, matrix_view<const float> y) {
            std::copy(y.data, y.data + y.rows * y.columns, loss.logits_.data() + first * y.columns);
        });
        return problem ? result<distillation_loss>(*std::move(problem)) : result<distillation_loss>(std::move(loss));
    }

    /// For fit: whether it was made for as many samples and outputs.
    std::optional<error> problem(std::size_t samples, std::size_t outputs) const {
        if (samples == samples_ && outputs == classes_) {
            return std::nullopt;
        }
        return error{
            error_code::invalid_argument,
            sentence("distillation_loss: expected a student of ", classes_, " outputs, as many as its teacher's, and ", samples_,
                     " samples, those that the teacher has seen; found ", outputs, " outputs and ", samples, " samples")};
    }

    double operator()(matrix_view<const float> student, const minibatch& batch, matrix_view<float> gradient) const {
        return targets_(student, batch, gradient, [&](std::size_t i) { return logits_.data() + batch.indices[i] * classes_; });
    }

private:
    distillation_loss() = default;

    soft_targets targets_;
    std::size_t samples_ = 0;
    std::size_t classes_ = 0;
    aligned_array<float> logits_;  // [samples, classes]
};

/// Trains a student to give the outputs of a teacher and returns it. Takes both as models or results of models; extras as fit.
/// Errors: those of distillation_loss and fit, and teacher and student of different output counts.
template <class Isa = isa::native, class Student, class Teacher, dataset Data, class Optimizer, class... Extras>
auto distill(const Student& student, const Teacher& teacher, const Data& data, const soft_targets& targets,
             const Optimizer& optimizer, const fit_options& options = {}, Extras&&... extras) {
    return and_then(student, [&](auto trained) {
        using outcome = result<decltype(trained)>;
        serial_executor serial;
        const auto loss = and_then(teacher, [&](const auto& t) {
            return distillation_loss::make<Isa>(t, data, targets, detail::first_executor(extras..., serial));
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
