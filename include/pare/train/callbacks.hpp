#ifndef PARE_TRAIN_CALLBACKS_HPP
#define PARE_TRAIN_CALLBACKS_HPP

#include <limits>
#include <span>
#include <string>
#include <vector>

#include <pare/nn/training.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/metrics.hpp>

PARE_NAMESPACE_BEGIN

/// Measures the fraction of errors on other data after each epoch, for callbacks behind it in the list.
template <class Data, class Executor = serial_executor>
class validation {
public:
    explicit validation(const Data& data) : data_(&data) {}
    validation(const Data& data, Executor& exec) : data_(&data), executor_(&exec) {}

    template <class Model>
    void on_epoch_end(Model& model, training_state& state) const {
        serial_executor serial;
        const auto errors = executor_ != nullptr ? count_errors(model, *data_, *executor_) : count_errors(model, *data_, serial);
        if (errors) {
            state.validation_error = static_cast<double>(*errors) / static_cast<double>(data_->size());
        } else {
            state.problem = errors.error();
        }
    }

private:
    const Data* data_;
    Executor* executor_ = nullptr;
};

/// The same with the mean of a loss in place of the fraction of errors.
template <class Data, class Loss>
class validation_loss {
public:
    validation_loss(const Data& data, Loss loss) : data_(&data), loss_(std::move(loss)) {}

    template <class Model>
    void on_epoch_end(Model& model, training_state& state) const {
        const auto mean = evaluate(model, *data_, mean_loss(loss_));
        if (mean) {
            state.validation_error = mean->value();
            state.validation_is_loss = true;
        } else {
            state.problem = mean.error();
        }
    }

private:
    const Data* data_;
    Loss loss_;
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
