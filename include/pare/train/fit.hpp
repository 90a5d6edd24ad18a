#ifndef PARE_TRAIN_FIT_HPP
#define PARE_TRAIN_FIT_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/kernels/elementwise.hpp>
#include <pare/nn/masked.hpp>
#include <pare/nn/training.hpp>
#include <pare/train/clipping.hpp>
#include <pare/train/dataset.hpp>
#include <pare/train/hooks.hpp>
#include <pare/train/losses.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

struct fit_options {
    std::size_t epochs = 10;
    std::size_t batch_size = 64;
    seed shuffle_seed{0};
    bool shuffle = true;                 // else samples come in the order of their numbers
    float largest_gradient = 0.0f;       // gradients are clamped to +- this, where it is not 0
    float largest_gradient_norm = 0.0f;  // and scaled so that the norm of all together is at most this
};

struct fit_report {
    std::size_t epochs = 0;  // whole ones
    std::size_t steps = 0;
    double mean_loss = 0.0;  // of the last epoch
};

/// The memory of a training run, in bytes: the model and what fit() allocates for its numbers. Besides, there are the order of the
/// samples, labels or targets of one batch, the norms of clipped gradients, and what callbacks and optimizers keep.
struct training_memory {
    std::size_t parameters = 0;   // of the model
    std::size_t gradient = 0;     // as large
    std::size_t slots = 0;        // the optimizer's: as large once for each
    std::size_t activations = 0;  // inputs and outputs of all layers for one batch, and what else they keep for the backward pass
    std::size_t scratch = 0;      // gradients between two layers, packed operands: what does not fit into the gradient's own memory

    std::size_t total() const noexcept { return parameters + gradient + slots + activations + scratch; }
};

template <class Isa = isa::native, class Model, class Optimizer>
training_memory training_memory_of(const Model& model, const Optimizer&, std::size_t batch_size) {
    const auto sample = model.plan().input_shape();
    const std::size_t parameters = parameter_count(model) * sizeof(float);
    const std::size_t outputs = model.plan().output_shape(sample).size();
    return {parameters, parameters, parameters * Optimizer::slots,
            (batch_size * (sample.size() + 2 * outputs) + saved_floats(model, batch_size, sample)) * sizeof(float),
            scratch_before_gradient_bytes<Isa>(model, batch_size, sample)};
}

namespace detail {

/// One step of the optimizer for one parameter tensor; its slots lie `slot_stride` apart.
template <class Isa, class Executor, class Optimizer>
void update(Executor& exec, const Optimizer& optimizer, std::span<float> w, const float* gradient, float* slots,
            std::size_t slot_stride, std::size_t step) {
    constexpr std::size_t chunk = kernels::elementwise_task;
    exec.for_each((w.size() + chunk - 1) / chunk, [&](std::size_t task) {
        const std::size_t first = task * chunk;
        std::array<float*, Optimizer::slots> slot;
        for (std::size_t s = 0; s < slot.size(); ++s) {
            slot[s] = slots + s * slot_stride + first;
        }
        optimizer.template update<Isa>((std::min)(chunk, w.size() - first), w.data() + first, gradient + first, slot, step);
    });
}

/// What masks do not keep: parameters, and what the optimizer remembers of them.
class pruned_numbers {
public:
    pruned_numbers(std::span<float> slots, std::size_t slot_stride) : slots_(slots), slot_stride_(slot_stride) {}

    /// `first` is the place of its numbers among all parameters.
    template <class Member>
    void add(Member& member, std::size_t first) {
        if constexpr (has_mask<Member>) {
            masks_.push_back({&masked_in(member)->mask, trainable_values(member).data(), first});
        }
    }
    void set_to_zero() const noexcept {
        for (const member_mask& m : masks_) {
            m.mask->apply(m.values);
            for (std::size_t s = 0; s < slots_.size(); s += slot_stride_) {
                m.mask->apply(slots_.data() + s + m.first);
            }
        }
    }

private:
    struct member_mask {
        const sparse_mask* mask;
        float* values;
        std::size_t first;
    };
    std::vector<member_mask> masks_;
    std::span<float> slots_;
    std::size_t slot_stride_;
};

/// Of how many steps a loss is asked before the training; of others when their turn comes.
inline constexpr std::size_t steps_asked_before = std::size_t{1} << 20;

/// Whether a model can learn from a data set with this loss.
template <class Data, class Loss, class Shape>
std::optional<error> training_problem(const Data& data, const Loss& loss, const fit_options& options, const Shape& input,
                                      std::size_t outputs) {
    if (data.size() == 0 || options.batch_size == 0) {
        return error{error_code::invalid_argument,
                     sentence("fit: expected at least one sample and a batch size of at least 1, got ", std::size_t{data.size()},
                              " samples and a batch size of ", options.batch_size)};
    }
    if (auto problem = shape_problem("fit", data, input, outputs)) {
        return problem;
    }
    for (const float limit : {options.largest_gradient, options.largest_gradient_norm}) {
        if (!is_finite(limit) || limit < 0.0f) {
            return error{error_code::invalid_argument,
                         sentence("fit: expected limits of gradients that are above 0, or 0 for none; got ", limit)};
        }
    }
    auto problem = loss_problem(loss, data.size(), outputs, 0);
    if constexpr (loss_of_steps<Loss>) {
        const std::size_t batch = (std::min)(options.batch_size, std::size_t{data.size()});
        const std::size_t epoch = (data.size() - 1) / batch + 1;
        const std::size_t steps = options.epochs <= steps_asked_before / epoch ? epoch * options.epochs : steps_asked_before;
        for (std::size_t step = 1; step < steps && !problem; ++step) {
            problem = loss.problem(data.size(), outputs, step);
        }
    }
    return problem;
}

/// The training loop of fit().
template <class Isa, class Model, class Data, class Loss, class Optimizer, class... Extras>
result<fit_report> train(Model& model, const Data& data, const Loss& loss, const Optimizer& optimizer, const fit_options& options,
                         Extras&... extras) {
    serial_executor serial;
    auto& exec = first_executor(extras..., serial);
    const auto sample = model.plan().input_shape();
    const auto output = model.plan().output_shape(sample);
    if (auto problem = training_problem(data, loss, options, sample, output.size())) {
        return *std::move(problem);
    }
    const std::size_t parameter_count = pare::parameter_count(model);
    const std::size_t batch_size = (std::min)(options.batch_size, std::size_t{data.size()});
    const std::size_t scratch_floats = scratch_before_gradient_bytes<Isa>(model, batch_size, sample) / sizeof(float);
    aligned_array<float> scratch_and_gradient(scratch_floats + parameter_count);  // see scratch_before_gradient_bytes
    const std::span<float> gradient(scratch_and_gradient.data() + scratch_floats, parameter_count);
    aligned_array<float> slots(parameter_count * Optimizer::slots);
    batch_buffer<Data> buffer(data, batch_size);
    aligned_array<float> saved(saved_floats(model, batch_size, sample));
    aligned_array<float> outputs(batch_size * output.size());
    aligned_array<float> output_gradient(batch_size * output.size());
    std::vector<std::size_t> order(data.size());
    gradient_clipping<Isa> clipping(options.largest_gradient, options.largest_gradient_norm, parameter_count);
    const arena scratch(reinterpret_cast<std::byte*>(scratch_and_gradient.data()), scratch_floats * sizeof(float));
    context<Isa, std::remove_reference_t<decltype(exec)>> ctx{exec, scratch};

    training_state state;
    const auto diverged = [&](const std::string& what) {
        return error{error_code::diverged, sentence("fit: expected finite numbers, found ", what, " at step ", state.step,
                                                    " (epoch ", state.epoch, "); a smaller learning rate may help")};
    };
    state.epochs = options.epochs;
    state.steps_per_epoch = (data.size() + batch_size - 1) / batch_size;
    state.samples = data.size();
    state.batch_size = batch_size;
    state.shuffle_seed = options.shuffle_seed;
    state.slots = {slots.data(), slots.size()};
    state.gradient = gradient;
    call_on_fit_begin_from_last(model, state, ctx, extras...);
    std::vector<std::span<float>> parameters;
    pruned_numbers pruned(state.slots, parameter_count);
    for_each_member(model, [&, first = std::size_t{0}](const member_path&, auto& member) mutable {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            pruned.add(member, first);
            for_each_trained(member, [&](std::span<float> values) { parameters.push_back(values); });
            first += trained_count(member);
        }
    });
    while (state.epoch < options.epochs && !state.stop && !state.problem) {
        for (std::size_t i = 0; i < order.size(); ++i) {
            order[i] = i;
        }
        if (options.shuffle) {
            shuffle(order, random_numbers(options.shuffle_seed, (std::uint64_t{1} << 32) + state.epoch));
        }
        for (; state.step_in_epoch < state.steps_per_epoch && !state.stop && !state.problem; ++state.step_in_epoch, ++state.step) {
            const std::size_t first = state.step_in_epoch * batch_size;
            const std::size_t batch = (std::min)(batch_size, order.size() - first);
            if constexpr (loss_of_steps<Loss>) {
                if (state.step >= steps_asked_before && (state.problem = loss.problem(data.size(), output.size(), state.step))) {
                    break;
                }
            }
            (call_on_step_begin(extras, model, state, ctx), ...);
            pruned.set_to_zero();

            const std::span<const std::size_t> indices(order.data() + first, batch);
            if (auto problem = buffer.fetch(data, indices)) {
                state.problem = std::move(problem);
                break;
            }
            const random_numbers augmentation(options.shuffle_seed, (std::uint64_t{1} << 34) + state.step);
            (call_augment(extras, batch_of(buffer.inputs(), batch, data.sample_shape()), augmentation), ...);
            const auto x = batch_of(static_cast<const float*>(buffer.inputs()), batch, sample);
            ctx.random = random_numbers(options.shuffle_seed, (std::uint64_t{1} << 33) + state.step);
            ctx.scratch = scratch.with(gradient);
            pare::forward_training(model, ctx, x, batch_of(outputs.data(), batch, output), {saved.data(), saved.size()});
            const double batch_loss =
                loss(matrix_view<const float>(outputs.data(), batch, output.size()), buffer.fetched(indices, state.step),
                     matrix_view<float>(output_gradient.data(), batch, output.size()));
            if (!is_finite(static_cast<float>(batch_loss))) {
                state.problem = diverged("a loss that is NaN or infinite");
                break;
            }
            ctx.scratch = scratch;
            pare::backward(model, ctx, x, batch_of(static_cast<const float*>(outputs.data()), batch, output),
                           batch_of(static_cast<const float*>(output_gradient.data()), batch, output),
                           batch_of(static_cast<float*>(nullptr), batch, sample), gradient, {saved.data(), saved.size()});
            clipping(exec, gradient);
            (call_on_gradient(extras, model, state, ctx), ...);
            std::size_t offset = 0;
            for (const auto& w : parameters) {
                update<Isa>(exec, optimizer, w, gradient.data() + offset, slots.data() + offset, parameter_count, state.step + 1);
                offset += w.size();
            }

            state.loss_sum += batch_loss * static_cast<double>(batch);
            state.mean_loss = state.loss_sum / static_cast<double>(first + batch);
            (call_on_step_end(extras, model, state, ctx), ...);
        }
        if (const auto name = state.problem ? std::string() : parameter_not_finite(model); !name.empty()) {
            state.problem = diverged(sentence("a parameter that is NaN or infinite, in ", name, ","));
        }
        if (state.problem || state.step_in_epoch < state.steps_per_epoch) {
            break;  // an epoch that was stopped has not ended
        }
        (call_on_epoch_end(extras, model, state, ctx), ...);
        ++state.epoch;
        state.step_in_epoch = 0;
        state.loss_sum = 0.0;
    }
    pruned.set_to_zero();
    (call_on_fit_end(extras, model, state, ctx), ...);
    if (state.problem) {
        return *std::move(state.problem);
    }
    return fit_report{state.epoch, state.step, state.mean_loss};
}

}  // namespace detail

/// Trains a model: for each mini-batch of the shuffled data forward, loss, backward and a step of the optimizer. `extras` are
/// callbacks, and at most one executor, in any order; a callback has any of the functions
///
///     on_fit_begin(model, training_state&)       before the first step, that of the last callback first: a checkpoint restores
///                                                the run before the others look where it stands
///     on_step_begin(model, training_state&)      before the forward pass
///     on_gradient(model, training_state&)        before the update: state.gradient is what the optimizer is given
///     on_step_end(model, training_state&)        after the update
///     on_epoch_end(model, training_state&)       of a whole epoch
///     on_fit_end(model, training_state&)
///     augment(x, random_numbers) const           changes the inputs of a batch, [batch, ...] in the shape of the data's samples
///
/// The first six may have a third parameter, the context of the run, for its instruction set and its executor.
///
/// Masks of a model hold: before each forward pass, and at the end, weights that they do not keep are zero, and so are the
/// optimizer's numbers of these (momentum, moments). So a pruned weight is never moved by what was learned before it was pruned;
/// what a callback finds in it before the next step is one update by that step's gradient, by which a new mask may bring it back.
///
/// The result depends on the model, the data, the options and the instruction set alone, to the bit: not on the executor. Memory:
/// see training_memory_of(), allocated before the first step. Errors: an empty data set or batch, shapes that do not fit the model,
/// samples that cannot be fetched, a loss or (looked at after each epoch) parameters that are not finite.
template <class Isa = isa::native, class Model, dataset Data, class Loss, class Optimizer, class... Extras>
result<fit_report> fit(Model& model, const Data& data, const Loss& loss, const Optimizer& optimizer,
                       const fit_options& options = {}, Extras&&... extras) {
    using batch = typename detail::batch_buffer<Data>::batch;
    using images = decltype(batch_of(static_cast<float*>(nullptr), 0, data.sample_shape()));
    constexpr bool trainable = is_trainable<Model>;
    using executor_type = std::remove_reference_t<decltype(detail::first_executor(extras..., std::declval<serial_executor&>()))>;
    constexpr bool known = (detail::is_extra<std::remove_reference_t<Extras>, Model, images, context<Isa, executor_type>> && ...);
    constexpr bool optimizes = requires(const Optimizer& o, const float* gradient) {
        o.template update<Isa>(std::size_t{}, static_cast<float*>(nullptr), gradient,
                               std::declval<std::array<float*, Optimizer::slots>&>(), std::size_t{});
    };
    constexpr bool fits = requires(const batch& b) {
        loss(matrix_view<const float>(), b, matrix_view<float>());
    };
    static_assert(optimizes, "pare: fit(model, data, loss, optimizer, options, ...): the fourth argument is not an optimizer");
    static_assert(trainable, "pare: fit() trains float weights; this storage cannot be trained");
    static_assert(known,
                  "pare: fit() takes executors and callbacks; a callback has at least one of on_step_begin, on_step_end, "
                  "on_epoch_end, on_fit_end, on_fit_begin, on_gradient, augment");
    static_assert(fits || !optimizes, "pare: this loss takes labels and the data has targets, or the other way round");
    if constexpr (optimizes && trainable && known && fits) {
        return detail::train<Isa>(model, data, loss, optimizer, options, extras...);
    } else {
        return error{};
    }
}

PARE_NAMESPACE_END

#endif
