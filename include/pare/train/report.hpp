#ifndef PARE_TRAIN_REPORT_HPP
#define PARE_TRAIN_REPORT_HPP

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <pare/train/hooks.hpp>

PARE_NAMESPACE_BEGIN

/// Writes text to a file that stays its owner's.
struct write_to_file {
    std::FILE* file = stderr;

    void operator()(std::string_view text) const {
        std::fwrite(text.data(), 1, text.size(), file);
        std::fflush(file);
    }
};

namespace detail {

inline auto writer(std::FILE* file) {
    return write_to_file{file};
}
template <class Write>
auto writer(Write write) {
    return write;
}
template <class Write>
using writer_for = decltype(writer(std::declval<Write>()));

/// A number with a fixed count of digits behind the point.
inline std::string fixed(double x, int digits) {
    char text[64];
    const int length = std::snprintf(text, sizeof text, "%.*f", digits, x);
    return std::string(text, static_cast<std::size_t>(length < 0 ? 0 : length < 63 ? length : 63));
}

}  // namespace detail

/// A line that shows epoch, progress, loss, validation error, what callbacks report and the time left, rewritten in place some
/// times a second: on stderr, in another file, or wherever a function of a std::string_view takes it.
template <class Write = write_to_file>
class progress_bar {
public:
    explicit progress_bar(std::string title = "") : title_(std::move(title)) {}
    template <class Out>
    progress_bar(std::string title, Out out) : title_(std::move(title)), write_(detail::writer(std::move(out))) {}

    template <class Model>
    void on_fit_begin(Model&, const training_state& state) {
        start_ = shown_ = clock::now();
        first_step_ = state.step;
    }
    template <class Model>
    void on_step_end(Model&, const training_state& state) {
        const auto now = clock::now();
        if (state.step != first_step_ && std::chrono::duration<double>(now - shown_).count() > 0.1) {
            shown_ = now;
            print(state, state.step_in_epoch + 1, state.step + 1);
        }
    }
    template <class Model>
    void on_epoch_end(Model&, const training_state& state) {
        print(state, state.step_in_epoch, state.step);
    }
    template <class Model>
    void on_fit_end(Model&, const training_state&) {
        write_("\n");
    }

private:
    using clock = std::chrono::steady_clock;

    void print(const training_state& state, std::size_t steps, std::size_t all_steps) {
        const double left = static_cast<double>(state.epochs * state.steps_per_epoch - all_steps);
        const double elapsed = std::chrono::duration<double>(clock::now() - start_).count();
        const double done = static_cast<double>(all_steps - first_step_);  // a run that was taken up again began later
        std::string bar(20, '.');
        bar.replace(0, 20 * steps / state.steps_per_epoch, 20 * steps / state.steps_per_epoch, '=');
        std::string line = sentence("\r", title_, " epoch ", state.epoch + 1, "/", state.epochs, " [", bar, "] loss ",
                                    detail::fixed(state.mean_loss, 4));
        if (state.validation_error >= 0.0) {
            line += state.validation_is_loss ? sentence(", validation ", detail::fixed(state.validation_error, 4))
                                             : sentence(", errors ", detail::fixed(100.0 * state.validation_error, 2), "%");
        }
        for (const named_value& m : state.metrics) {
            line += sentence(", ", m.name, " ", detail::fixed(m.value, 4));
        }
        write_(sentence(line, ", ", detail::fixed(elapsed / (done > 0.0 ? done : 1.0) * left, 0), " s left \r"));
    }

    std::string title_;
    Write write_{};
    clock::time_point start_{};
    clock::time_point shown_{};
    std::size_t first_step_ = 0;
};
progress_bar()->progress_bar<>;
progress_bar(std::string)->progress_bar<>;
template <class Out>
progress_bar(std::string, Out) -> progress_bar<detail::writer_for<Out>>;

/// A line of comma-separated values for each epoch, "epoch,steps,loss,validation_error,seconds" and what callbacks report, with a
/// header before the first: in a file that is open and stays its owner's, or wherever a function of a std::string_view takes it. A
/// run that is taken up again goes on with the next line; an epoch without a validation error leaves its field empty.
template <class Write>
class csv_history {
public:
    template <class Out>
    explicit csv_history(Out out) : write_(detail::writer(std::move(out))) {}

    template <class Model>
    void on_fit_begin(Model&, const training_state& state) {
        start_ = std::chrono::steady_clock::now();
        has_header_ = state.step != 0;
    }
    template <class Model>
    void on_epoch_end(Model&, const training_state& state) {
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
        std::string header = "epoch,steps,loss,validation_error,seconds";
        std::string line = sentence(state.epoch + 1, ",", state.step, ",", state.mean_loss, ",",
                                    state.validation_error >= 0.0 ? sentence(state.validation_error) : std::string(), ",",
                                    detail::fixed(seconds, 3));
        for (const named_value& m : state.metrics) {
            header += "," + m.name;
            line += sentence(",", m.value);
        }
        write_((has_header_ ? line : header + "\n" + line) + "\n");
        has_header_ = true;
    }

private:
    Write write_;
    std::chrono::steady_clock::time_point start_{};
    bool has_header_ = false;
};
template <class Out>
csv_history(Out) -> csv_history<detail::writer_for<Out>>;

PARE_NAMESPACE_END

#endif
