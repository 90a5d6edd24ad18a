#ifndef PARE_TRAIN_CALLBACKS_HPP
#define PARE_TRAIN_CALLBACKS_HPP

#include <chrono>
#include <cstdio>
#include <limits>

#include <pare/train/evaluate.hpp>
#include <pare/train/fit.hpp>

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
        const double now = state.validation_error >= 0.0 ? state.validation_error : state.mean_loss;
        if (now < best_ - min_delta_) {
            best_ = now;
            epochs_without_progress_ = 0;
        } else if (++epochs_without_progress_ >= patience_) {
            state.stop = true;
        }
    }

private:
    std::size_t patience_;
    double min_delta_;
    double best_ = (std::numeric_limits<double>::max)();
    std::size_t epochs_without_progress_ = 0;
};

/// A line that shows epoch, progress, loss, validation error and the time left, rewritten in place some times a second.
class progress_bar {
public:
    explicit progress_bar(const char* title = "", std::FILE* out = stderr) : title_(title), out_(out) {}

    template <class Model>
    void on_step_end(Model&, const training_state& state) {
        const auto now = clock::now();
        if (state.step == 0) {
            start_ = now;
        } else if (std::chrono::duration<double>(now - shown_).count() > 0.1) {
            shown_ = now;
            print(state, state.step_in_epoch + 1, '\r');
        }
    }
    template <class Model>
    void on_epoch_end(Model&, const training_state& state) {
        print(state, state.step_in_epoch, '\r');
    }
    template <class Model>
    void on_fit_end(Model&, const training_state&) {
        std::fputc('\n', out_);
        std::fflush(out_);
    }

private:
    using clock = std::chrono::steady_clock;

    void print(const training_state& state, std::size_t steps, char end) {
        const double total = static_cast<double>(state.epochs * state.steps_per_epoch);
        const double done = static_cast<double>(state.epoch * state.steps_per_epoch + steps);
        const double elapsed = std::chrono::duration<double>(clock::now() - start_).count();
        char bar[21] = "....................";
        for (std::size_t i = 0; i < 20 * steps / state.steps_per_epoch; ++i) {
            bar[i] = '=';
        }
        std::fprintf(out_, "\r%s epoch %zu/%zu [%s] loss %.4f", title_, state.epoch + 1, state.epochs, bar, state.mean_loss);
        if (state.validation_error >= 0.0) {
            std::fprintf(out_, ", errors %.2f%%", 100.0 * state.validation_error);
        }
        std::fprintf(out_, ", %.0f s left %c", elapsed / done * (total - done), end);
        std::fflush(out_);
    }

    const char* title_;
    std::FILE* out_;
    clock::time_point start_ = clock::now();
    clock::time_point shown_ = start_;
};

PARE_NAMESPACE_END

#endif
