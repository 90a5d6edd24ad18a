#ifndef PARE_PRUNE_LOTTERY_TICKET_HPP
#define PARE_PRUNE_LOTTERY_TICKET_HPP

#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <pare/core/tuple.hpp>
#include <pare/prune/masks.hpp>
#include <pare/prune/prune.hpp>
#include <pare/train/callbacks.hpp>

PARE_NAMESPACE_BEGIN

/// What a round of iterative magnitude pruning begins with.
enum class rewinding {
    weights,        // those of step rewind_step of the dense training: 0, Frankle, Carbin 2019; later, Frankle et al. 2020
    learning_rate,  // the trained ones, trained again from that step on: Renda, Frankle, Carbin 2020
};

struct ticket_options {
    std::size_t rounds = 7;  // of pruning and training, behind the dense training
    double rate = 0.2;       // what share of the weights that are left goes in a round
    rewinding rewind = rewinding::weights;
    std::size_t rewind_step = 0;       // 0 is the initialization
    std::size_t evaluate_every = 100;  // steps: then, and behind the last one, the validation loss is measured
};

struct validation_point {
    std::size_t step;  // steps of the optimizer before it
    double loss;
};

/// A training of a model with masks that stay.
template <class Model>
struct ticket_training {
    model_masks masks;
    fit_report report;
    std::vector<validation_point> curve;
    validation_point early_stop;  // where the validation loss is least, the first of equals
    Model at_early_stop;          // both with zeros for weights that are not kept
    Model trained;

    std::size_t weights() const noexcept { return total(&sparse_mask::size); }
    std::size_t kept() const noexcept { return total(&sparse_mask::kept); }
    double sparsity() const noexcept { return 1.0 - static_cast<double>(kept()) / static_cast<double>(weights()); }

private:
    std::size_t total(std::size_t (sparse_mask::*count)() const noexcept) const noexcept {
        std::size_t all = 0;
        for (const member_mask& m : masks) {
            all += (m.mask.*count)();
        }
        return all;
    }
};

template <class Model>
struct lottery_tickets {
    Model rewound;                               // the weights of step rewind_step, all of them
    std::vector<ticket_training<Model>> rounds;  // the first is the dense one
};

namespace detail {

/// Where a training of masked weights begins.
template <class Masked>
struct ticket_start {
    Masked model;
    std::size_t step = 0;
    std::vector<float> slots;  // the optimizer's, of that step; empty at step 0
};
template <class Masked>
ticket_start(Masked, std::size_t, std::vector<float>) -> ticket_start<Masked>;

/// The callback that begins where it is told, measures, and remembers the model of the least validation loss; of a dense training
/// also how it stood at a step.
template <class Masked, dataset Validation, class Loss>
class ticket_run {
public:
    ticket_run(const ticket_start<Masked>& start, const Validation& data, Loss loss, std::size_t every,
               ticket_start<Masked>* snapshot)
        : start_(&start), pass_(data), loss_(std::move(loss)), every_(every), snapshot_(snapshot) {}

    template <class Context>
    void on_fit_begin(Masked& model, training_state& state, const Context& ctx) {
        pass_.allocate(model, ctx);
        state.step = start_->step;
        state.epoch = start_->step / state.steps_per_epoch;
        state.step_in_epoch = start_->step % state.steps_per_epoch;
        std::copy(start_->slots.begin(), start_->slots.end(), state.slots.begin());
    }
    void on_step_begin(Masked& model, const training_state& state) {
        if (snapshot_ != nullptr && state.step == snapshot_->step) {
            snapshot_->model = model;
            snapshot_->slots.assign(state.slots.begin(), state.slots.end());
        }
    }
    template <class Context>
    void on_step_end(const Masked& model, training_state& state, const Context& ctx) {
        const std::size_t steps = state.step + 1;
        const bool last = state.stop || steps == state.epochs * state.steps_per_epoch;
        if (steps % every_ != 0 && !last) {
            return;
        }
        mean_loss<Loss> found(loss_);
        pass_.measure(model, ctx, found, state);
        curve.push_back({steps, found.value()});
        if (curve.back().loss < early_stop.loss) {
            early_stop = curve.back();
            best = model;
        }
    }

    std::vector<validation_point> curve;
    validation_point early_stop{0, (std::numeric_limits<double>::max)()};
    std::optional<Masked> best;

private:
    const ticket_start<Masked>* start_;
    repeated_pass<Validation, executor_of_fit> pass_;
    Loss loss_;
    std::size_t every_;
    ticket_start<Masked>* snapshot_;
};

template <class Isa, class Model, class Masked, class Data, class Validation, class Loss, class Optimizer, class... Extras>
result<ticket_training<Model>> train_ticket(const ticket_start<Masked>& start, ticket_start<Masked>* snapshot, const Data& data,
                                            const Validation& validation, const Loss& loss, const Optimizer& optimizer,
                                            std::size_t evaluate_every, const fit_options& options, Extras&... extras) {
    static_assert(
        std::is_same_v<decltype(freeze(start.model)), Model>,
        "pare: lottery tickets are found in a model of float weights: one in training must be frozen first with freeze()");
    if (evaluate_every == 0) {
        return error{error_code::invalid_argument, "lottery ticket: expected evaluate_every of at least 1 step, found 0"};
    }
    Masked model = start.model;
    ticket_run<Masked, Validation, Loss> run(start, validation, loss, evaluate_every, snapshot);
    const auto report = fit<Isa>(model, data, loss, optimizer, options, extras..., run);
    if (!report) {
        return report.error();
    }
    const Masked& best = run.best ? *run.best : model;
    return ticket_training<Model>{masks_of(model), *report, std::move(run.curve), run.early_stop, freeze(best), freeze(model)};
}

}  // namespace detail

/// Trains a model of float weights with masks that stay, from its weights as they are: a ticket, or a control of one, such as
/// another initialization with the masks of a ticket, or random_masks of the same number of weights. extras as fit. Memory: that of
/// fit and three further copies of the model. Errors: masks that do not fit the model, an evaluate_every of 0, and those of fit.
template <class Isa = isa::native, class Model, dataset Data, dataset Validation, class Loss, class Optimizer, class... Extras>
result<ticket_training<Model>> train_with_masks(const Model& model, const model_masks& masks, const Data& data,
                                                const Validation& validation, const Loss& loss, const Optimizer& optimizer,
                                                std::size_t evaluate_every, const fit_options& options = {}, Extras&&... extras) {
    return and_then(with_masks(model, masks), [&](const auto& masked) {
        using start = detail::ticket_start<std::remove_cvref_t<decltype(masked)>>;
        return detail::train_ticket<Isa, Model>(start{masked, 0, {}}, static_cast<start*>(nullptr), data, validation, loss,
                                                optimizer, evaluate_every, options, extras...);
    });
}

/// Masks that keep as many weights of each matrix as these, chosen at random.
inline model_masks random_masks(const model_masks& like, seed s) {
    model_masks masks;
    for (const auto& [path, mask] : like) {
        std::vector<std::size_t> order(mask.size());
        for (std::size_t i = 0; i < order.size(); ++i) {
            order[i] = i;
        }
        shuffle(order, random_numbers(s, (std::uint64_t{1} << 36) + masks.size()));
        sparse_mask chosen(mask.rows(), mask.columns());
        for (std::size_t i = mask.kept(); i < order.size(); ++i) {
            chosen.set(order[i], false);
        }
        masks.push_back({path, std::move(chosen)});
    }
    return masks;
}

/// Finds lottery tickets by iterative magnitude pruning: trains the model; then, in each round, prunes a share of the weights that
/// each matrix has left, those of the least magnitude at the end of the training before, gives the others back what they were
/// (rewinding::weights), and trains again. Where training is taken up at a later step, so are the schedule of the learning rate,
/// the order of the samples and the optimizer's numbers of that step. Ticket r is with_masks(tickets.rewound,
/// tickets.rounds[r].masks). `extras` are those of fit and a scope of pruning: layer_targets of rates, such as half the rate for
/// the output layer, layer_targets{{{"4", 0.1}}}, or 0 for one that is left alone; or global_scope{}.
///
/// The same seeds give the same tickets, whatever the executor; also on every instruction set that has fused multiply-adds, and
/// with isa::unfused on all, within what simd/unfused.hpp promises. Memory: that of fit, and two copies of the model for each
/// round. Errors: those of prune() for the rate and the scope, a rewind_step behind the end of the training, an evaluate_every of
/// 0, and those of fit. Frankle, Carbin 2019, section 2.
template <class Isa = isa::native, class Model, dataset Data, dataset Validation, class Loss, class Optimizer, class... Extras>
result<lottery_tickets<Model>> find_lottery_tickets(const Model& model, const Data& data, const Validation& validation,
                                                    const Loss& loss, const Optimizer& optimizer, const ticket_options& ticket = {},
                                                    const fit_options& options = {}, Extras&&... extras) {
    const auto dense = with_masks(model, {});
    detail::ticket_start start{*dense, 0, {}};
    const auto scope = detail::option_or(detail::scope_option{}, per_layer{}, extras...);
    if (auto problem =
            detail::pruning_problem(detail::prunables_of(start.model), magnitude{}, unstructured{}, scope, ticket.rate)) {
        return *std::move(problem);
    }
    const std::size_t batch = (std::min)(options.batch_size, std::size_t{data.size()});
    const std::size_t steps = batch == 0 ? 0 : (data.size() + batch - 1) / batch * options.epochs;
    if (ticket.rewind_step != 0 && ticket.rewind_step >= steps) {
        return error{error_code::invalid_argument, sentence("lottery ticket: expected a rewind_step within the ", steps,
                                                            " steps of the training, found ", ticket.rewind_step)};
    }
    detail::ticket_start rewound{*dense, ticket.rewind_step, {}};
    lottery_tickets<Model> tickets{model, {}};
    for (std::size_t round = 0; round <= ticket.rounds; ++round) {
        auto trained = detail::apply(
            [&](auto&... callbacks) {
                return detail::train_ticket<Isa, Model>(start, round == 0 ? &rewound : nullptr, data, validation, loss, optimizer,
                                                        ticket.evaluate_every, options, callbacks...);
            },
            std::tuple_cat(detail::fit_extra(extras)...));
        if (!trained) {
            return trained.error();
        }
        if (round == 0) {
            if (const std::size_t ran = trained->curve.back().step; ticket.rewind_step >= ran && ticket.rewind_step != 0) {
                return error{error_code::invalid_argument,
                             sentence("lottery ticket: expected a rewind_step within the ", ran,
                                      " steps after which the dense training stopped, found ", ticket.rewind_step)};
            }
            tickets.rewound = freeze(rewound.model);
        }
        if (round < ticket.rounds) {
            const auto pruned =
                prune(with_masks(trained->trained, trained->masks), magnitude{}, unstructured{}, ticket.rate, scope, torch_count{});
            start = rewound;
            start.model = ticket.rewind == rewinding::weights ? *with_masks(tickets.rewound, masks_of(*pruned)) : *pruned;
        }
        tickets.rounds.push_back(*std::move(trained));
    }
    return tickets;
}

PARE_NAMESPACE_END

#endif
