#ifndef PARE_TRAIN_CALLBACKS_HPP
#define PARE_TRAIN_CALLBACKS_HPP

#include <concepts>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <pare/nn/training.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/metrics.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

struct executor_of_fit {};

/// Runs a model over other data again and again, in memory that is allocated before the first step. A model with storages that
/// exist only for training is frozen and prepared for each pass instead, which allocates.
template <dataset Data, class Executor>
class repeated_pass {
public:
    explicit repeated_pass(const Data& data, Executor* exec = nullptr) : data_(&data), executor_(exec) {}

    template <class Model, class Context>
    void allocate(const Model& model, const Context&) {
        if constexpr (runs_as_it_is<Model>) {
            const auto input = model.plan().input_shape();
            pass_.emplace(*data_, model.plan().output_shape(input).size(),
                          training_scratch_bytes<typename Context::isa>(model, data_pass<Data>::batch_size, input));
        }
    }

    /// Gives the metric what the model makes of the data. The run fails where samples, classes or targets do not fit the model, and
    /// with errors of the data set.
    template <class Model, class Context, class Metric>
    void measure(const Model& model, const Context& ctx, Metric& metric, training_state& state) {
        auto problem = [&] {
            if constexpr (std::same_as<Executor, executor_of_fit>) {
                return measure_on(ctx.executor, model, ctx, metric);
            } else {
                return measure_on(*executor_, model, ctx, metric);
            }
        }();
        if (problem) {
            state.problem = std::move(problem);
        }
    }

    std::size_t samples() const noexcept { return data_->size(); }

private:
    template <class Model>
    static constexpr bool runs_as_it_is = std::same_as<decltype(freeze(std::declval<const Model&>())), Model>;

    template <class Model, class Context, class Metric, class Exec>
    std::optional<error> measure_on(Exec& exec, const Model& model, const Context& ctx, Metric& metric) {
        using isa = typename Context::isa;
        const auto add = [&](std::size_t, const auto& batch, const matrix_view<const float>& y) { metric.add(batch, y); };
        if constexpr (runs_as_it_is<Model>) {
            const auto input = model.plan().input_shape();
            const auto output = model.plan().output_shape(input);
            if (auto problem = shape_problem("validation", *data_, input, output.size())) {
                return problem;
            }
            return (*pass_)(
                *data_,
                [&](const float* x, const matrix_view<float>& y, workspace& space) {
                    context<isa, Exec> own{.executor = exec, .scratch = space.scratch(), .instruction_set = ctx.instruction_set};
                    forward_layer(model, own, batch_of(x, y.rows, input), batch_of(y.data, y.rows, output));
                },
                add);
        } else {
            return run_over(prepare<isa>(freeze(model)), *data_, exec, add);
        }
    }

    const Data* data_;
    Executor* executor_;
    std::optional<data_pass<Data>> pass_;
};

}  // namespace detail

/// Measures the fraction of errors on other data after each epoch, for callbacks behind it in the list: on the executor of the run,
/// or another.
template <labelled_dataset Data, class Executor = detail::executor_of_fit>
class validation {
public:
    explicit validation(const Data& data) : pass_(data) {}
    validation(const Data& data, Executor& exec) : pass_(data, &exec) {}

    template <class Model, class Context>
    void on_fit_begin(Model& model, const training_state&, const Context& ctx) {
        pass_.allocate(model, ctx);
    }
    template <class Model, class Context>
    void on_epoch_end(Model& model, training_state& state, const Context& ctx) {
        accuracy found;
        pass_.measure(model, ctx, found, state);
        state.validation_error = static_cast<double>(found.samples - found.correct) / static_cast<double>(pass_.samples());
    }

private:
    detail::repeated_pass<Data, Executor> pass_;
};

/// The same with the mean of a loss in place of the fraction of errors.
template <dataset Data, class Loss>
class validation_loss {
public:
    validation_loss(const Data& data, Loss loss) : pass_(data), untouched_(std::move(loss)), mean_(untouched_) {}

    template <class Model, class Context>
    void on_fit_begin(Model& model, const training_state&, const Context& ctx) {
        pass_.allocate(model, ctx);
    }
    template <class Model, class Context>
    void on_epoch_end(Model& model, training_state& state, const Context& ctx) {
        mean_ = untouched_;
        pass_.measure(model, ctx, mean_, state);
        state.validation_error = mean_.value();
        state.validation_is_loss = true;
    }

private:
    detail::repeated_pass<Data, detail::executor_of_fit> pass_;
    mean_loss<Loss> untouched_;
    mean_loss<Loss> mean_;
};

/// Reports a metric (train/metrics.hpp, or one's own with add(batch, outputs) and value()) of other data after each epoch under a
/// name, for a progress bar or a history behind it: validation_metric("top 5", data, top_k{5}). Other figures of one's own are
/// reported by state.report(name, value) in any callback.
template <dataset Data, class Metric>
class validation_metric {
public:
    validation_metric(std::string name, const Data& data, Metric metric)
        : name_(std::move(name)), pass_(data), untouched_(std::move(metric)), found_(untouched_) {}

    template <class Model, class Context>
    void on_fit_begin(Model& model, training_state&, const Context& ctx) {
        pass_.allocate(model, ctx);
    }
    template <class Model, class Context>
    void on_epoch_end(Model& model, training_state& state, const Context& ctx) {
        found_ = untouched_;
        pass_.measure(model, ctx, found_, state);
        state.report(name_, static_cast<double>(found_.value()));
    }

private:
    std::string name_;
    detail::repeated_pass<Data, detail::executor_of_fit> pass_;
    Metric untouched_;
    Metric found_;
};

namespace detail {

/// What callbacks compare epochs by: the validation error, or the training loss where nothing measures one.
inline double figure_of_merit(const training_state& state) noexcept {
    return state.validation_error >= 0.0 ? state.validation_error : state.mean_loss;
}

}  // namespace detail

/// Stops when the validation error (the mean training loss, where nothing measures one) has not fallen by more than min_delta for
/// `patience` epochs.
class early_stopping {
public:
    explicit early_stopping(std::size_t patience = 3, double min_delta = 0.0) : patience_(patience), min_delta_(min_delta) {}

    template <class Model>
    void on_epoch_end(Model&, training_state& state) {
        if (state.epoch == 0) {
            *this = early_stopping(patience_, min_delta_);
        }
        const double now = detail::figure_of_merit(state);
        if (now < best_ - min_delta_) {
            best_ = now;
            epochs_without_progress_ = 0;
        } else if (++epochs_without_progress_ >= patience_) {
            state.stop = true;
            state.finished = true;
        }
    }

    template <class Archive>
    void serialize(Archive& archive, const std::string& name) {
        archive.array(name + ".best", std::span(&best_, 1), {1});
        archive.array(name + ".epochs_without_progress", std::span(&epochs_without_progress_, 1), {1});
    }

private:
    std::size_t patience_;
    double min_delta_;
    double best_ = (std::numeric_limits<double>::max)();
    std::uint64_t epochs_without_progress_ = 0;
};

/// Remembers the model after the epoch with the lowest validation error (mean training loss, where nothing measures one) and leaves
/// that in place of the last one at the end. Masks of a model that is pruned on the way are not part of it. One more copy of the
/// parameters and buffers.
class best_weights {
public:
    template <class Model>
    void on_fit_begin(Model& model, const training_state& state) {
        const std::size_t count = float_count(model);
        if (state.step == 0 || numbers_.size() != count) {
            best_ = (std::numeric_limits<double>::max)();
        }
        numbers_.resize(count);
    }
    template <class Model>
    void on_epoch_end(Model& model, const training_state& state) {
        if (detail::figure_of_merit(state) < best_) {
            best_ = detail::figure_of_merit(state);
            auto next = numbers_.begin();
            for_each_float(model, [&](std::span<float> values) { next = std::copy(values.begin(), values.end(), next); });
        }
    }
    template <class Model>
    void on_fit_end(Model& model, const training_state& state) {
        if (best_ < (std::numeric_limits<double>::max)() && !state.problem) {
            const float* next = numbers_.data();
            for_each_float(model, [&](std::span<float> values) {
                std::copy(next, next + values.size(), values.begin());
                next += values.size();
            });
        }
    }

    double best() const noexcept { return best_; }

    template <class Archive, class Model>
    void serialize(Archive& archive, const std::string& name, Model& model) {
        numbers_.resize(float_count(model));
        archive.array(name + ".numbers", std::span(numbers_), {numbers_.size()});
        archive.array(name + ".best", std::span(&best_, 1), {1});
    }

private:
    template <class Model, class F>
    static void for_each_float(Model& model, const F& f) {
        for_each_member(model, [&](const member_path&, auto& member) {
            if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
                for_each_trained(member, f);
            } else if constexpr (requires { f(std::span<float>(member.values())); }) {
                f(std::span<float>(member.values()));
            }
        });
    }

    template <class Model>
    static std::size_t float_count(Model& model) {
        std::size_t count = 0;
        for_each_float(model, [&](std::span<float> values) { count += values.size(); });
        return count;
    }

    double best_ = (std::numeric_limits<double>::max)();
    std::vector<float> numbers_;
};

/// Stops after the step in hand when somebody else asks for it, from any thread: a std::stop_token, or a std::atomic<bool>. Keeps a
/// reference to a flag.
template <class Flag>
class cancellation {
public:
    explicit cancellation(const Flag& flag) : flag_(&flag) {}

    template <class Model>
    void on_step_end(Model&, training_state& state) const {
        if constexpr (requires { flag_->stop_requested(); }) {
            state.stop = state.stop || flag_->stop_requested();
        } else {
            state.stop = state.stop || flag_->load();
        }
    }

private:
    const Flag* flag_;
};

PARE_NAMESPACE_END

#endif
