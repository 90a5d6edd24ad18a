#ifndef PARE_TRAIN_EVALUATE_HPP
#define PARE_TRAIN_EVALUATE_HPP

#include <algorithm>
#include <optional>
#include <vector>

#include <pare/nn/freeze.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/train/metrics.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// What a pass over a data set needs besides a model: allocated once, for any number of passes.
template <dataset Data>
class data_pass {
public:
    static constexpr std::size_t batch_size = 256;

    data_pass(const Data& data, std::size_t outputs, std::size_t workspace_bytes)
        : buffer_(data, batch_size), y_(batch_size * outputs), outputs_(outputs), indices_(batch_size), space_(workspace_bytes) {}

    /// For each batch, in order, forward(inputs, outputs [batch, outputs], workspace) and use(first index, batch, outputs). Errors:
    /// those of the data set.
    template <class Forward, class Use>
    std::optional<error> operator()(const Data& data, const Forward& forward, const Use& use) {
        for (std::size_t first = 0; first < data.size(); first += batch_size) {
            const std::size_t batch = (std::min)(batch_size, data.size() - first);
            for (std::size_t i = 0; i < batch; ++i) {
                indices_[i] = first + i;
            }
            const std::span<const std::size_t> these(indices_.data(), batch);
            if (auto problem = buffer_.fetch(data, these)) {
                return problem;
            }
            const matrix_view<float> y(y_.data(), batch, outputs_);
            forward(static_cast<const float*>(buffer_.inputs()), y, space_);
            use(first, buffer_.fetched(these), matrix_view<const float>(y));
        }
        return std::nullopt;
    }

private:
    batch_buffer<Data> buffer_;
    aligned_array<float> y_;
    std::size_t outputs_;
    std::vector<std::size_t> indices_;
    workspace space_;
};

}  // namespace detail

/// Runs a prepared model over a data set and calls use(first index, batch, outputs [batch, outputs]) for each batch, in order; a
/// batch is what losses are told: a minibatch or a target_batch. Errors: samples, classes or targets that do not fit
/// the model, those of the data set.
template <class Isa, class Model, dataset Data, executor Executor, class Use>
std::optional<error> run_over(const prepared<Isa, Model>& model, const Data& data, Executor& exec, const Use& use) {
    if (auto problem = detail::shape_problem("run_over", data, model.model().plan().input_shape(), model.output_size())) {
        return problem;
    }
    detail::data_pass<Data> pass(data, model.output_size(), model.workspace_bytes(detail::data_pass<Data>::batch_size));
    return pass(
        data,
        [&](const float* x, const matrix_view<float>& y, workspace& space) {
            run(model, {x, y.rows * model.input_size()}, {y.data, y.rows * y.columns}, space, exec);
        },
        use);
}

/// Gives a metric (train/metrics.hpp) what a prepared model makes of a data set, and returns it. Errors: those of run_over.
template <class Isa, class Model, dataset Data, class Metric, executor Executor = serial_executor>
result<Metric> evaluate(const prepared<Isa, Model>& model, const Data& data, Metric metric, Executor&& exec = {}) {
    auto problem =
        run_over(model, data, exec, [&](std::size_t, const auto& batch, matrix_view<const float> y) { metric.add(batch, y); });
    return problem ? result<Metric>(*std::move(problem)) : result<Metric>(std::move(metric));
}

/// The same for a model, or a result of one, prepared on the way; one in training is frozen first.
template <class Isa = isa::native, class Model, dataset Data, class Metric, executor Executor = serial_executor>
result<Metric> evaluate(const Model& model, const Data& data, Metric metric, Executor&& exec = {}) {
    return and_then(prepare<Isa>(freeze(model)), [&](const auto& ready) { return evaluate(ready, data, std::move(metric), exec); });
}

/// How many samples a prepared model puts into the wrong class: the greatest output, the first of equals, is not at the label, or
/// one is NaN. Errors: samples that do not fit the model.
template <class Isa, class Model, labelled_dataset Data, executor Executor = serial_executor>
result<std::size_t> count_errors(const prepared<Isa, Model>& model, const Data& data, Executor&& exec = {}) {
    std::size_t errors = 0;
    auto problem = run_over(model, data, exec, [&](std::size_t, const minibatch& batch, auto y) {
        for (std::size_t i = 0; i < y.rows; ++i) {
            errors += detail::rank_of_label(y.row(i), y.columns, static_cast<std::size_t>(batch.labels[i])) != 0 ? 1u : 0u;
        }
    });
    return problem ? result<std::size_t>(*std::move(problem)) : result<std::size_t>(errors);
}

/// The same for a model, or a result of one, prepared on the way; one in training is frozen first.
template <class Isa = isa::native, class Model, labelled_dataset Data, executor Executor = serial_executor>
result<std::size_t> count_errors(const Model& model, const Data& data, Executor&& exec = {}) {
    return and_then(prepare<Isa>(freeze(model)), [&](const auto& ready) { return count_errors(ready, data, exec); });
}

PARE_NAMESPACE_END

#endif
