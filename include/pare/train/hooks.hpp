#ifndef PARE_TRAIN_HOOKS_HPP
#define PARE_TRAIN_HOOKS_HPP

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pare/core/executor.hpp>
#include <pare/core/random.hpp>
#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

/// A figure that a callback measures, for those that report it.
struct named_value {
    std::string name;
    double value = 0.0;
};

/// Where a training run stands: what callbacks see. One of them may set `stop`: the step in hand is finished; or `problem`, with
/// which the run fails.
struct training_state {
    std::size_t epoch = 0;  // from 0
    std::size_t epochs = 0;
    std::size_t step = 0;  // from 0, over all epochs
    std::size_t step_in_epoch = 0;
    std::size_t steps_per_epoch = 0;
    double loss_sum = 0.0;           // over the samples of this epoch, so far
    double mean_loss = 0.0;          // of this epoch, so far
    double validation_error = -1.0;  // the fraction of errors, or a loss, where a callback measures it
    bool validation_is_loss = false;
    bool stop = false;
    bool finished = false;  // with stop: the training is complete, and is not taken up again
    std::optional<error> problem;
    std::vector<named_value> metrics;  // further ones, each as last reported

    void report(std::string_view name, double value) {
        for (named_value& m : metrics) {
            if (m.name == name) {
                m.value = value;
                return;
            }
        }
        metrics.push_back({std::string(name), value});
    }

    // What, besides the model, decides how the run goes on: for whoever saves and restores it.
    std::size_t samples = 0;
    std::size_t batch_size = 0;
    seed shuffle_seed{};
    std::span<float> slots;  // the optimizer's

    std::span<const float> gradient;  // of the parameters, in the order of members: after on_gradient it is of that step
};

namespace detail {

/// A hook may have a third parameter, the context of the run: its instruction set and its executor.
#define PARE_CALLBACK_HOOK(hook)                                                                    \
    template <class Callback, class Model, class Context>                                           \
    concept has_##hook = requires(Callback & c, Model & model, training_state & state) {            \
        c.hook(model, state);                                                                       \
    }                                                                                               \
    || requires(Callback & c, Model & model, training_state & state, const Context& ctx) {          \
        c.hook(model, state, ctx);                                                                  \
    };                                                                                              \
    template <class Callback, class Model, class Context>                                           \
    void call_##hook(Callback& callback, Model& model, training_state& state, const Context& ctx) { \
        if constexpr (requires { callback.hook(model, state, ctx); }) {                             \
            callback.hook(model, state, ctx);                                                       \
        } else if constexpr (has_##hook<Callback, Model, Context>) {                                \
            callback.hook(model, state);                                                            \
        }                                                                                           \
    }
PARE_CALLBACK_HOOK(on_fit_begin)
PARE_CALLBACK_HOOK(on_step_begin)
PARE_CALLBACK_HOOK(on_gradient)
PARE_CALLBACK_HOOK(on_step_end)
PARE_CALLBACK_HOOK(on_epoch_end)
PARE_CALLBACK_HOOK(on_fit_end)
#undef PARE_CALLBACK_HOOK

template <class Model, class Context, class... Callbacks>
void call_on_fit_begin_from_last(Model& model, training_state& state, const Context& ctx, Callbacks&... callbacks) {
    if constexpr (sizeof...(Callbacks) != 0) {
        const auto call = [&](auto& first, auto&... rest) {
            call_on_fit_begin_from_last(model, state, ctx, rest...);
            call_on_fit_begin(first, model, state, ctx);
        };
        call(callbacks...);
    }
}

/// Something that changes the inputs of a batch before the step: augment(x [batch, ...], random numbers of this step).
template <class T, class X>
concept augments = requires(const T& t, const X& x, const random_numbers& random) {
    t.augment(x, random);
};
template <class T, class X>
void call_augment(const T& t, const X& x, const random_numbers& random) {
    if constexpr (augments<T, X>) {
        t.augment(x, random);
    }
}

/// What may stand behind the options of fit.
template <class T, class Model, class X, class Context>
inline constexpr bool is_extra = executor<T> || has_on_fit_begin<T, Model, Context> || has_on_step_begin<T, Model, Context> ||
                                 has_on_gradient<T, Model, Context> || has_on_step_end<T, Model, Context> ||
                                 has_on_epoch_end<T, Model, Context> || has_on_fit_end<T, Model, Context> || augments<T, X>;

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
