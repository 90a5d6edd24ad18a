#ifndef PARE_TRAIN_HOOKS_HPP
#define PARE_TRAIN_HOOKS_HPP

#include <cstddef>
#include <optional>

#include <pare/core/executor.hpp>
#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

/// Where a training run stands: what callbacks see. One of them may set `stop`: the step in hand is finished; or `problem`, with
/// which the run fails.
struct training_state {
    std::size_t epoch = 0;  // from 0
    std::size_t epochs = 0;
    std::size_t step = 0;  // from 0, over all epochs
    std::size_t step_in_epoch = 0;
    std::size_t steps_per_epoch = 0;
    double mean_loss = 0.0;          // of this epoch, so far
    double validation_error = -1.0;  // the fraction of errors, where a callback measures it
    bool stop = false;
    std::optional<error> problem;
};

namespace detail {

#define PARE_CALLBACK_HOOK(hook)                                                         \
    template <class Callback, class Model>                                               \
    concept has_##hook = requires(Callback & c, Model & model, training_state & state) { \
        c.hook(model, state);                                                            \
    };                                                                                   \
    template <class Callback, class Model>                                               \
    void call_##hook(Callback& callback, Model& model, training_state& state) {          \
        if constexpr (has_##hook<Callback, Model>) {                                     \
            callback.hook(model, state);                                                 \
        }                                                                                \
    }
PARE_CALLBACK_HOOK(on_step_begin)
PARE_CALLBACK_HOOK(on_step_end)
PARE_CALLBACK_HOOK(on_epoch_end)
PARE_CALLBACK_HOOK(on_fit_end)
#undef PARE_CALLBACK_HOOK

/// What may stand behind the options of fit.
template <class T, class Model>
inline constexpr bool is_extra = executor<T> || has_on_step_begin<T, Model> || has_on_step_end<T, Model> ||
                                 has_on_epoch_end<T, Model> || has_on_fit_end<T, Model>;

/// The first executor of a list that ends with one.
template <class First, class... Rest>
auto& first_executor(First& first, Rest&... rest) noexcept {
    if constexpr (executor<First> || sizeof...(Rest) == 0) {
        return first;
    } else {
        return first_executor(rest...);
    }
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
