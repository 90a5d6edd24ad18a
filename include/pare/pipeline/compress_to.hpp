#ifndef PARE_PIPELINE_COMPRESS_TO_HPP
#define PARE_PIPELINE_COMPRESS_TO_HPP

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <pare/core/tuple.hpp>
#include <pare/pipeline/compress.hpp>
#include <pare/pipeline/encode.hpp>
#include <pare/pipeline/pareto.hpp>
#include <pare/pipeline/stages.hpp>
#include <pare/quantize/quantize_to.hpp>

PARE_NAMESPACE_BEGIN

/// The pipelines that compress_to() tries: first(strength) for each strength, in front of each of the others, in front of encode().
template <class First, stages... Others>
struct pipeline_choices {
    std::vector<double> strengths;
    First first;
    std::tuple<Others...> others;
};

namespace detail {

template <class First, class Others>
inline constexpr bool makes_pipeline = decltype(std::declval<First>() | std::declval<Others>() | encode())::in_order;

}  // namespace detail

/// Choices of one's own: `first` makes a stage, or several, of a number; the others are stages, or several, without encode().
///
///     choices({0.8, 0.9}, [](double s) { return prune(magnitude{}, unstructured{}, s); }, cluster<16>(), quantize() | sparsify<csr>())
template <class First, stages... Others>
auto choices(std::vector<double> strengths, First first, Others... others) {
    static_assert(stages<std::invoke_result_t<const First&, double>>,
                  "pare: the first stages of choices() are made by a function of a number, such as a sparsity");
    static_assert(
        (detail::makes_pipeline<std::invoke_result_t<const First&, double>, Others> && ...),
        "pare: first, any of the others and the encode() that compress_to() adds are a pipeline: see the order of stages");
    return pipeline_choices<First, Others...>{std::move(strengths), std::move(first), {std::move(others)...}};
}

/// The choices that compress_to() has where it is given none: pruned by magnitude over all layers to some sparsities, at once, then
/// 16 or 64 shared values, bytes, or 4 bits.
inline auto default_choices() {
    return choices(
        {0.0, 0.5, 0.7, 0.8, 0.9, 0.95}, [](double s) { return prune(magnitude{}, unstructured{}, s, global_scope{}); },
        cluster<16>(), cluster<64>(), quantize(), quantize<qint4<64>>());
}
/// The same trained, with fit() and what is given here: behind pruning, and shared values once more. Extras that are lvalues, such
/// as callbacks, carry what they know from one choice to the next; others begin anew with each.
template <class Isa = isa::native, class Loss, class Optimizer, class... Extras>
auto fine_tuned_choices(const Loss& loss, const Optimizer& optimizer, const fit_options& options, Extras&&... extras) {
    const auto training = fine_tune<Isa>(loss, optimizer, options, std::forward<Extras>(extras)...);
    return choices(
        {0.0, 0.5, 0.7, 0.8, 0.9, 0.95},
        [training](double s) { return prune(magnitude{}, unstructured{}, s, global_scope{}) | training; }, cluster<16>() | training,
        cluster<64>() | training, quantize(), quantize<qint4<64>>());
}

/// What compress_to() has found. Models are those that the choices end in, one type for each of the others.
template <class... Models>
struct compressed_choice {
    std::variant<Models...> model;     // the best within the budget
    io::packed_archive archive;        // its file: archive.content
    std::vector<stage_report> stages;  // how it came about
    pareto_point best;                 // what it costs
    std::vector<pareto_point> front;   // the best of all that was seen
    std::vector<pareto_point> seen;    // in the order in which it was tried
    std::vector<std::string> refused;  // pipelines that cannot be, and why: more clusters than weights, NaN
};

namespace detail {

struct not_measured {
    template <class Prepared>
    double operator()(const Prepared&) const noexcept {
        return 0.0;
    }
};

/// How a budget judges a model that costs this, beside what is measured anyway: the amount of which there may be `limit`.
inline double judged(const byte_budget&, const pareto_point& p, double) noexcept {
    return static_cast<double>(p.bytes);
}
template <class Measure>
double judged(const latency_budget<Measure>&, const pareto_point& p, double) noexcept {
    return p.latency;
}
template <class Evaluate>
double judged(const accuracy_budget<Evaluate>&, const pareto_point&, double loss) noexcept {
    return loss;
}

template <class Budget>
struct budget_rules;
template <>
struct budget_rules<byte_budget> {
    static double limit(const byte_budget& b) noexcept { return static_cast<double>(b.bytes); }
    static constexpr const char* what = "a budget of at least ";
    static constexpr const char* least = " bytes, the smallest file";
    static constexpr bool by_bytes = false;
};
template <class Measure>
struct budget_rules<latency_budget<Measure>> {
    static double limit(const latency_budget<Measure>& b) noexcept { return b.limit; }
    static constexpr const char* what = "a limit of at least ";
    static constexpr const char* least = ", the least latency";
    static constexpr bool by_bytes = false;
};
template <class Evaluate>
struct budget_rules<accuracy_budget<Evaluate>> {
    static double limit(const accuracy_budget<Evaluate>& b) noexcept { return b.largest_loss; }
    static constexpr const char* what = "a loss of at least ";
    static constexpr const char* least = ", the least";
    static constexpr bool by_bytes = true;
};

/// Whether a is to be preferred to b where both are within the budget.
inline bool is_better(const pareto_point& a, const pareto_point& b, bool by_bytes) noexcept {
    const auto quality = [](const pareto_point& p) { return std::pair(p.errors, p.loss); };
    return by_bytes ? std::tuple(a.bytes, quality(a), a.latency) < std::tuple(b.bytes, quality(b), b.latency)
                    : std::tuple(quality(a), a.bytes, a.latency) < std::tuple(quality(b), b.bytes, b.latency);
}

/// Runs choices one by one and keeps the best.
template <class Isa, class Runner, class Budget, class Measure, class Found>
class choice_search {
    using rules = budget_rules<Budget>;

public:
    choice_search(const Runner& runner, const Budget& budget, const Measure& measure) noexcept
        : runner_(&runner), budget_(&budget), measure_(&measure) {}

    /// What the budget compares with. Errors: budgets that are none.
    template <class Model>
    std::optional<error> begin(const Model& model) {
        if constexpr (rules::by_bytes) {
            if (is_unknown(budget_->largest_loss) || !(budget_->largest_loss >= 0.0)) {
                return error{error_code::invalid_argument,
                             sentence("compress_to: expected a loss of at least 0, found ", budget_->largest_loss)};
            }
            before_ = static_cast<double>(budget_->evaluate(model));
            if (is_unknown(before_)) {
                return error{error_code::invalid_data, "compress_to: expected evaluate(model) of the model given, found NaN"};
            }
        }
        return std::nullopt;
    }

    /// Errors: those that are not of the choice itself.
    template <class State, stages Others, std::size_t I>
    std::optional<error> add(const State& pruned, const std::string& first, const Others& others,
                             std::integral_constant<std::size_t, I>) {
        const auto list = make_stage_list(detail::append(stages_in(others), encode()));
        const std::string name = sentence(first, " | ", list.describe());
        auto state = runner_->run_list(pruned, list);
        if (!state) {
            return refuse(name, state.error());
        }
        auto& made = state->made;
        const stage_report& last = made.stages.back();
        pareto_point point{name, last.bytes, last.quality.samples, last.quality.errors, last.quality.loss, latency(made.model)};
        double after = 0.0;
        if constexpr (rules::by_bytes) {
            after = static_cast<double>(budget_->evaluate(made.model));
        }
        if (is_unknown(point.loss) || is_unknown(point.latency) || is_unknown(after)) {
            return refuse(name, {error_code::diverged, sentence("expected numbers, found a ",
                                                                is_unknown(point.loss)      ? "loss"
                                                                : is_unknown(point.latency) ? "latency"
                                                                                            : "value of evaluate(model)",
                                                                " that is NaN")});
        }
        const double amount = judged(*budget_, point, before_ - after);
        point.within_budget = rules::by_bytes ? after >= before_ - rules::limit(*budget_) : amount <= rules::limit(*budget_);
        if (seen_.empty() || amount < least_) {
            least_ = amount;
            who_ = name;
        }
        if (point.within_budget && (!model_ || is_better(point, best_, rules::by_bytes))) {
            best_ = point;
            model_.emplace(std::in_place_index<I>, std::move(made.model));
            archive_ = std::move(made.archive);
            stages_ = std::move(made.stages);
        }
        seen_.push_back(std::move(point));
        return std::nullopt;
    }
    std::optional<error> refuse(const std::string& name, const error& why) {
        if (why.code != error_code::invalid_argument && why.code != error_code::diverged) {
            return why;
        }
        refused_.push_back(sentence(name, ": ", why.message));
        return std::nullopt;
    }

    result<Found> finish() && {
        if (seen_.empty()) {
            return error{error_code::invalid_argument,
                         refused_.empty()
                             ? std::string("compress_to: expected at least one strength and one stage, found none")
                             : sentence("compress_to: expected a pipeline that can be, found none: ", refused_.front())};
        }
        if (!model_) {
            return error{error_code::invalid_argument, sentence("compress_to: expected ", rules::what, least_, rules::least,
                                                                " that was seen (", who_, "); found ", rules::limit(*budget_))};
        }
        std::vector<pareto_point> front = pareto_front(seen_);
        return Found{*std::move(model_), std::move(archive_), std::move(stages_), std::move(best_),
                     std::move(front),   std::move(seen_),    std::move(refused_)};
    }

private:
    template <class Model>
    double latency(const Model& model) const {
        if constexpr (requires { budget_->measure; }) {
            return static_cast<double>(budget_->measure(prepare<Isa>(model)));
        } else if constexpr (!std::is_same_v<Measure, not_measured>) {
            return static_cast<double>((*measure_)(prepare<Isa>(model)));
        } else {
            return 0.0;
        }
    }

    const Runner* runner_;
    const Budget* budget_;
    const Measure* measure_;
    std::optional<decltype(Found::model)> model_;
    io::packed_archive archive_;
    std::vector<stage_report> stages_;
    pareto_point best_;
    std::vector<pareto_point> seen_;
    std::vector<std::string> refused_;
    double before_ = 0.0;  // what an accuracy budget begins with
    double least_ = 0.0;   // of what the budget limits
    std::string who_;
};

}  // namespace detail

/// The best model that a budget leaves, of those that the choices make, and all that was seen on the way:
///
///     byte_budget{bytes}                 the fewest errors, in a file of at most so many bytes
///     latency_budget{limit, measure}     the fewest errors, where measure(prepared model) is at most the limit
///     accuracy_budget{loss, evaluate}    the smallest file, where evaluate(model) is at most so much below that of the model given
///
/// Every choice is tried, in order: each strength once, all others from there. Errors (with targets, the mean squared difference)
/// are counted on `test`, without one on the data that stages train on. measure(prepared model) gives every point a latency, under
/// a latency_budget that one's own does. Deterministic as far as these functions are. Takes a model or a result of one. Errors: a
/// budget that nothing meets, with the least that was seen; those of stages, a promise that is not kept among them, which end the
/// search. Choices with an argument that a stage does not take, those that diverge, and those of which NaN is measured are
/// `refused`, each with a sentence to read: options that no fit() takes, such as batches of 0, end up there too.
///
///     auto found = compress_to(net, train, byte_budget{20'000}, fine_tuned_choices(cross_entropy{}, adam{}, {.epochs = 2}), test);
///     std::visit([&](const auto& model) { ... }, found->model);
template <class Isa = isa::native, class Model, dataset Data, class Budget, class First, class... Others, dataset Test,
          class Measure = detail::not_measured, executor Executor = serial_executor>
auto compress_to(const Model& model, const Data& data, const Budget& budget, const pipeline_choices<First, Others...>& choices,
                 const Test& test, const Measure& measure = {}, Executor&& exec = {}) {
    return and_then(freeze(model), [&](const auto& m) {
        using runner_type = detail::stage_runner<Isa, Data, Test, std::remove_reference_t<Executor>>;
        const runner_type runner(data, test, exec);
        const auto pruned_by = [&](const auto& begun, double strength) {
            return runner.run_list(begun, detail::make_stage_list(detail::stages_in(choices.first(strength))));
        };
        auto begun = runner.begin(m);
        using pruned_state = std::remove_cvref_t<decltype(*pruned_by(*begun, 0.0))>;
        using found = compressed_choice<std::remove_cvref_t<
            decltype(runner
                         .run_list(std::declval<pruned_state>(), detail::make_stage_list(detail::stages_in(std::declval<Others>())))
                         ->made.model)>...>;
        if (!begun) {
            return result<found>(begun.error());
        }
        detail::choice_search<Isa, runner_type, Budget, Measure, found> search(runner, budget, measure);
        if (auto problem = search.begin(m)) {
            return result<found>(*std::move(problem));
        }
        for (const double strength : choices.strengths) {
            const std::string first = detail::make_stage_list(detail::stages_in(choices.first(strength))).describe();
            const auto pruned = pruned_by(*begun, strength);
            std::optional<error> problem;
            if (!pruned) {
                problem = search.refuse(first, pruned.error());
            } else {
                [&]<std::size_t... I>(std::index_sequence<I...>) {
                    ((problem = problem ? problem
                                        : search.add(*pruned, first, std::get<I>(choices.others),
                                                     std::integral_constant<std::size_t, I>{})),
                     ...);
                }(std::index_sequence_for<Others...>{});
            }
            if (problem) {
                return result<found>(*std::move(problem));
            }
        }
        return std::move(search).finish();
    });
}
template <class Isa = isa::native, class Model, dataset Data, class Budget, class First, class... Others>
auto compress_to(const Model& model, const Data& data, const Budget& budget, const pipeline_choices<First, Others...>& choices) {
    return compress_to<Isa>(model, data, budget, choices, data);
}
template <class Isa = isa::native, class Model, dataset Data, class Budget>
auto compress_to(const Model& model, const Data& data, const Budget& budget) {
    return compress_to<Isa>(model, data, budget, default_choices(), data);
}

PARE_NAMESPACE_END

#endif
