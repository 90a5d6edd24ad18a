#ifndef PARE_DISTILL_BORN_AGAIN_HPP
#define PARE_DISTILL_BORN_AGAIN_HPP

#include <utility>
#include <vector>

#include <pare/distill/distill.hpp>
#include <pare/distill/self_distillation.hpp>
#include <pare/train/initialize.hpp>

PARE_NAMESPACE_BEGIN

struct born_again_options {
    std::size_t generations = 3;  // behind the first model, which learns from labels
    seed first_seed{0};           // generation g is initialized with this and shuffled with that of fit_options, both plus g
};

/// A chain of models of one shape: the first learns from labels by cross_entropy, each other one begins anew, with a seed of its
/// own, and is taught by the one before. Returns all, the first in front; the model's own weights do not matter. The paper's
/// students learn from the teacher alone, soft_targets{.temperature = 1, .hard_weight = 0}. Extras as fit, for every generation; a
/// checkpoint of one is an error in the next, whose seed is another. Furlanello, Lipton, Tschannen, Itti, Anandkumar 2018,
/// section 3.1.
///
/// Deterministic as fit is. Errors name the generation: those of distill and fit; those of the targets come before anything is
/// trained.
template <class Isa = isa::native, class Model, class Initializer, labelled_dataset Data, class Targets, class Optimizer,
          class... Extras>
result<std::vector<Model>> born_again(const Model& model, const Initializer& initializer, const Data& data, const Targets& targets,
                                      const Optimizer& optimizer, const born_again_options& chain = {},
                                      const fit_options& options = {}, Extras&&... extras) {
    std::vector<Model> generations;
    for (std::size_t g = 0; g <= chain.generations; ++g) {
        auto next = initialized(model, initializer, seed{chain.first_seed.value + g});
        fit_options own = options;
        own.shuffle_seed.value += g;
        auto trained = [&]() -> result<Model> {
            if (g != 0) {
                return distill<Isa>(next, generations.back(), data, targets, optimizer, own, extras...);
            }
            const epoch_teacher labels(data, targets);  // one that never looks: cross_entropy, but fit asks it of the targets
            const auto report = fit<Isa>(next, data, labels, optimizer, own, extras...);
            return report ? result<Model>(std::move(next)) : result<Model>(report.error());
        }();
        if (!trained) {
            return error{trained.error().code, sentence("born_again, generation ", g, ": ", trained.error().message)};
        }
        generations.push_back(*std::move(trained));
    }
    return generations;
}

/// The mean of the logits of some models, such as the generations of a chain: their ensemble, for evaluate() or as a teacher.
/// Errors: no model, and those of teacher_logits.
template <class Isa = isa::native, class Model, dataset Data, class Executor = serial_executor>
result<teacher_logits> ensemble_logits(const std::vector<Model>& models, const Data& data, Executor&& exec = {}) {
    std::vector<teacher_logits> all;
    for (const Model& model : models) {
        auto logits = teacher_logits::make<Isa>(model, data, {}, exec);
        if (!logits) {
            return logits;
        }
        all.push_back(*std::move(logits));
    }
    std::vector<const teacher_logits*> each;
    for (const teacher_logits& logits : all) {
        each.push_back(&logits);
    }
    return teacher_logits::average(each);
}

/// Gives a metric (train/metrics.hpp) the logits of a data set, and returns it. Errors: logits of another number of samples or of
/// fewer classes, those of the data set.
template <labelled_dataset Data, class Metric>
result<Metric> evaluate(const teacher_logits& logits, const Data& data, Metric metric) {
    if (logits.samples() != data.size() || logits.classes() < data.classes()) {
        return error{error_code::invalid_argument,
                     sentence("evaluate: expected logits of ", std::size_t{data.size()}, " samples and at least ",
                              std::size_t{data.classes()}, " classes, those of the data set; found ", logits.samples(), " of ",
                              logits.classes())};
    }
    detail::data_pass<Data> pass(data, logits.classes(), 0);
    std::vector<float> rows;
    auto problem = pass(
        data, [](const auto&...) {},
        [&](std::size_t, const minibatch& batch, matrix_view<const float> y) {
            rows.resize(y.rows * y.columns);
            logits.read(batch.indices, rows.data());
            metric.add(batch, matrix_view<const float>(rows.data(), y.rows, y.columns));
        });
    return problem ? result<Metric>(*std::move(problem)) : result<Metric>(std::move(metric));
}

PARE_NAMESPACE_END

#endif
