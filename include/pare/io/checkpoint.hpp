#ifndef PARE_IO_CHECKPOINT_HPP
#define PARE_IO_CHECKPOINT_HPP

#include <array>
#include <tuple>

#include <pare/core/tuple.hpp>
#include <pare/io/model.hpp>
#include <pare/nn/training.hpp>
#include <pare/train/hooks.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

struct checkpoint_options {
    std::size_t every_epochs = 1;  // 0 for never
    std::size_t every_steps = 0;   // 0 for never
};

/// The callback of fit() that saves a run so that it can be taken up again: the same call, in this or a later process, goes on
/// where the file was written and ends with the same bits as a run without interruption.
///
///     early_stopping patience(5);
///     fit(net, data, cross_entropy{}, adam{}, {.epochs = 50}, patience, io::checkpoint("run.safetensors", {}, patience));
///
/// It comes last in the list. Callbacks that remember something between epochs, early_stopping and best_weights, or any that can be
/// copied and has serialize(archive, name) or serialize(archive, name, model), are given to it too, in any order that stays the
/// same. A run that is stopped is saved on the way out; one that has finished is not run again. The file is replaced as a whole or
/// not at all; it is a safetensors file of the model, as save() makes it, with training.* beside, and load() takes the model from
/// it.
///
/// Errors, with which fit fails: a file that cannot be read or written or is damaged, one of another model, optimizer, data set
/// size, batch size or seed, with which model, callbacks and the state of the run stay as they were; parameters that are not
/// finite, with which the file stays as it was.
template <class... Callbacks>
class checkpoint {
    static_assert((std::is_copy_constructible_v<Callbacks> && ...) && (std::is_move_assignable_v<Callbacks> && ...),
                  "pare: a checkpoint restores copies of callbacks, which then take their place: they must be copyable");

public:
    explicit checkpoint(std::string path, checkpoint_options options = {}, Callbacks&... callbacks)
        : path_(std::move(path)), options_(options), callbacks_(callbacks...) {}

    template <class Model>
    void on_fit_begin(Model& model, training_state& state) {
        if (is_missing(path_)) {
            return;
        }
        const auto file = safetensors::read(path_);
        if (!file) {
            state.problem = file.error();
            return;
        }
        Model restored = model;
        training_state position = state;
        std::vector<float> slots(state.slots.size());
        position.slots = slots;
        std::tuple<Callbacks...> callbacks =
            pare::detail::apply([](auto&... c) { return std::tuple<Callbacks...>(c...); }, callbacks_);
        state_reader reader(*file);
        serialize(reader, restored, position, callbacks);
        if (auto problem = reader.problem([](const std::string&) { return false; })) {
            state.problem = std::move(problem);
            return;
        }
        model = std::move(restored);
        callbacks_ = std::move(callbacks);
        std::copy(slots.begin(), slots.end(), state.slots.begin());
        position.slots = state.slots;
        state = std::move(position);
        state.stop = state.stop || state.finished;
    }
    template <class Model>
    void on_step_end(Model& model, training_state& state) {
        const bool due = state.stop || (options_.every_steps != 0 && (state.step + 1) % options_.every_steps == 0);
        if (due && state.step_in_epoch + 1 < state.steps_per_epoch) {  // else the end of the epoch follows
            save(model, state, state.epoch, state.step + 1, state.step_in_epoch + 1);
        }
    }
    template <class Model>
    void on_epoch_end(Model& model, training_state& state) {
        const bool due = options_.every_epochs != 0 && (state.epoch + 1) % options_.every_epochs == 0;
        if (due || state.stop || state.epoch + 1 == state.epochs ||
            (options_.every_steps != 0 && state.step % options_.every_steps == 0)) {
            save(model, state, state.epoch + 1, state.step, 0);
        }
    }

private:
    template <class Model>
    void save(Model& model, training_state& state, std::size_t epoch, std::size_t step, std::size_t step_in_epoch) {
        if (const auto name = parameter_not_finite(model); !name.empty()) {
            state.problem =
                error{error_code::diverged,
                      sentence(path_, ": expected finite numbers to save, found a parameter that is NaN or infinite, in ", name,
                               ", after step ", step, "; the file stays as it was")};
            return;
        }
        state_writer writer;
        training_state position = state;
        position.epoch = epoch;
        position.step = step;
        position.step_in_epoch = step_in_epoch;
        position.loss_sum = step_in_epoch == 0 ? 0.0 : state.loss_sum;
        serialize(writer, model, position, callbacks_);
        if (auto problem = writer.problem() ? writer.problem() : write_file(path_, writer.content())) {
            state.problem = std::move(problem);
        }
    }

    template <class Archive, class Model, class Tuple>
    void serialize(Archive& archive, Model& model, training_state& state, Tuple& callbacks) const {
        serialize_members(archive, model, state_names{});
        archive.array("training.slots", state.slots, {state.slots.size()});
        const std::array<std::uint64_t, 3> expected = {state.samples, state.batch_size, state.shuffle_seed.value};
        auto run = expected;
        archive.array("training.run", std::span(run), {run.size()});
        std::array<std::uint64_t, 4> position = {state.epoch, state.step, state.step_in_epoch, state.finished};
        archive.array("training.position", std::span(position), {position.size()});
        std::array<double, 4> loss = {state.loss_sum, state.mean_loss, state.validation_error,
                                      state.validation_is_loss ? 1.0 : 0.0};
        archive.array("training.loss", std::span(loss), {loss.size()});
        std::size_t index = 0;
        const auto serialize_callback = [&](auto& callback) {
            const std::string name = sentence("training.callbacks.", index++);
            if constexpr (requires { callback.serialize(archive, name, model); }) {
                callback.serialize(archive, name, model);
            } else {
                callback.serialize(archive, name);
            }
        };
        pare::detail::apply([&](auto&... c) { (serialize_callback(c), ...); }, callbacks);
        if constexpr (Archive::loading) {
            const auto text = [](const std::array<std::uint64_t, 3>& r) {
                return sentence(r[0], " samples in batches of ", r[1], " and seed ", r[2]);
            };
            if (!archive.failed() && run != expected) {
                archive.fail("training.run", text(expected), text(run));
            }
            if (!archive.failed() && (position[2] >= state.steps_per_epoch || position[1] < position[2] ||
                                      (position[1] - position[2]) / state.steps_per_epoch != position[0] ||
                                      (position[1] - position[2]) % state.steps_per_epoch != 0)) {
                archive.fail("training.position", sentence("an epoch and its steps, ", state.steps_per_epoch, " each"),
                             sentence("epoch ", position[0], ", step ", position[1], ", of it ", position[2], " in the epoch"));
            }
            state.epoch = static_cast<std::size_t>(position[0]);
            state.step = static_cast<std::size_t>(position[1]);
            state.step_in_epoch = static_cast<std::size_t>(position[2]);
            state.finished = position[3] != 0;
            state.loss_sum = loss[0];
            state.mean_loss = loss[1];
            state.validation_error = loss[2];
            state.validation_is_loss = loss[3] != 0.0;
        }
    }

    std::string path_;
    checkpoint_options options_;
    std::tuple<Callbacks&...> callbacks_;
};

}  // namespace io

PARE_NAMESPACE_END

#endif
