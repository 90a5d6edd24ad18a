#ifndef PARE_PRUNE_SCHEDULES_HPP
#define PARE_PRUNE_SCHEDULES_HPP

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// A schedule says at which steps masks are chosen anew and how sparse they are then:
///
///     bool updates_at(step) const, double sparsity_at(step) const
///     std::int64_t settles_at() const                                the step of the last change
///     std::optional<error> problem() const
///
/// Masks are chosen at begin_step, then every `frequency` steps up to end_step, and at end_step itself, also where the steps
/// between them are no multiple of the frequency: the final sparsity is reached. A negative end_step is no end. tfmot_steps leaves
/// that last one out. Between begin and end, p is the share of the way: p = clamp((step - begin_step) / (end_step - begin_step), 0,
/// 1).
template <class Schedule>
concept sparsity_schedule = requires(const Schedule& s, std::int64_t step) {
    { s.updates_at(step) } -> std::convertible_to<bool>;
    { s.sparsity_at(step) } -> std::convertible_to<double>;
    { s.settles_at() } -> std::convertible_to<std::int64_t>;
    { s.problem() } -> std::convertible_to<std::optional<error>>;
};

namespace detail {

struct step_range {
    std::int64_t begin;
    std::int64_t end;
    std::int64_t frequency;

    bool contains(std::int64_t step) const noexcept {
        return step >= begin && (end < 0 || step <= end) && ((step - begin) % frequency == 0 || step == end);
    }
    std::optional<error> problem(const char* schedule) const {
        if (begin < 0 || (end >= 0 && begin > end)) {
            return error{
                error_code::invalid_argument,
                sentence(schedule, ": expected 0 <= begin_step <= end_step, found begin_step ", begin, " and end_step ", end)};
        }
        if (frequency < 1) {
            return error{error_code::invalid_argument,
                         sentence(schedule, ": expected a frequency of at least 1, found ", frequency)};
        }
        return std::nullopt;
    }
    double share(std::int64_t step) const noexcept {
        const double p = end == begin ? 1.0 : static_cast<double>(step - begin) / static_cast<double>(end - begin);
        return p < 0.0 || step < begin ? 0.0 : p > 1.0 ? 1.0 : p;
    }
};

inline std::optional<error> sparsity_problem(const char* schedule, const char* argument, double sparsity) {
    if (is_finite(static_cast<float>(sparsity)) && sparsity >= 0.0 && sparsity < 1.0) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument, sentence(schedule, ": expected ", argument, " in [0, 1), found ", sparsity)};
}

/// What is wrong with a schedule that goes from one sparsity to another.
inline std::optional<error> ramp_problem(const char* schedule, double initial, double final, const step_range& steps) {
    if (steps.end < 0) {
        return error{error_code::invalid_argument, sentence(schedule, ": expected an end_step of at least 0, found ", steps.end)};
    }
    if (auto problem = sparsity_problem(schedule, "initial_sparsity", initial)) {
        return problem;
    }
    if (auto problem = sparsity_problem(schedule, "final_sparsity", final)) {
        return problem;
    }
    return steps.problem(schedule);
}
inline std::optional<error> above_zero_problem(const char* schedule, const char* argument, double value) {
    if (is_finite(static_cast<float>(value)) && value > 0.0) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument, sentence(schedule, ": expected a ", argument, " above 0, found ", value)};
}

}  // namespace detail

/// The same sparsity from begin_step on.
struct constant_sparsity {
    double target_sparsity = 0.5;
    std::int64_t begin_step = 0;
    std::int64_t end_step = -1;
    std::int64_t frequency = 100;

    bool updates_at(std::int64_t step) const noexcept { return detail::step_range{begin_step, end_step, frequency}.contains(step); }
    double sparsity_at(std::int64_t) const noexcept { return target_sparsity; }
    std::int64_t settles_at() const noexcept { return begin_step; }
    std::optional<error> problem() const {
        const auto sparsity = detail::sparsity_problem("constant_sparsity", "target_sparsity", target_sparsity);
        return sparsity ? sparsity : detail::step_range{begin_step, end_step, frequency}.problem("constant_sparsity");
    }
};

/// s = s_final + (s_initial - s_final) * (1 - p)^power, p the share of the way from begin_step to end_step. Zhu, Gupta 2017, eq. 1,
/// with power 3.
struct polynomial_decay {
    double initial_sparsity = 0.0;
    double final_sparsity = 0.5;
    std::int64_t begin_step = 0;
    std::int64_t end_step = 1000;
    double power = 3.0;
    std::int64_t frequency = 100;

    bool updates_at(std::int64_t step) const noexcept { return steps().contains(step); }
    double sparsity_at(std::int64_t step) const noexcept {
        return final_sparsity + (initial_sparsity - final_sparsity) * std::pow(1.0 - steps().share(step), power);
    }
    std::int64_t settles_at() const noexcept { return end_step; }
    std::optional<error> problem() const {
        const auto ramp = detail::ramp_problem("polynomial_decay", initial_sparsity, final_sparsity, steps());
        return ramp ? ramp : detail::above_zero_problem("polynomial_decay", "power", power);
    }

private:
    detail::step_range steps() const noexcept { return {begin_step, end_step, frequency}; }
};

/// s = s_final + (s_initial - s_final) * Shape::left(p).
template <class Shape>
struct sparsity_ramp {
    double initial_sparsity = 0.0;
    double final_sparsity = 0.5;
    std::int64_t begin_step = 0;
    std::int64_t end_step = 1000;
    std::int64_t frequency = 100;

    bool updates_at(std::int64_t step) const noexcept { return steps().contains(step); }
    double sparsity_at(std::int64_t step) const noexcept {
        return final_sparsity + (initial_sparsity - final_sparsity) * Shape::left(steps().share(step));
    }
    std::int64_t settles_at() const noexcept { return end_step; }
    std::optional<error> problem() const { return detail::ramp_problem(Shape::name, initial_sparsity, final_sparsity, steps()); }

private:
    detail::step_range steps() const noexcept { return {begin_step, end_step, frequency}; }
};

namespace detail {

struct linear_ramp {
    static constexpr const char* name = "linear_sparsity";
    static double left(double p) noexcept { return 1.0 - p; }
};
struct cosine_ramp {
    static constexpr const char* name = "cosine_sparsity";
    static double left(double p) noexcept { return 0.5 + 0.5 * std::cos(3.14159265358979323846 * p); }
};
struct one_cycle_ramp {
    static constexpr const char* name = "one_cycle_sparsity";
    static constexpr double alpha = 14.0, beta = 6.0;
    static double left(double p) noexcept { return 1.0 - (1.0 + std::exp(beta - alpha)) / (1.0 + std::exp(beta - alpha * p)); }
};

}  // namespace detail

/// left(p) = 1 - p.
using linear_sparsity = sparsity_ramp<detail::linear_ramp>;
/// left(p) = (1 + cos(pi p)) / 2.
using cosine_sparsity = sparsity_ramp<detail::cosine_ramp>;
/// left(p) = 1 - (1 + exp(6 - 14)) / (1 + exp(6 - 14 p)): slow, steep in the middle, slow; 0.0025 of the way at p = 0. Hubens,
/// Mancas, Gosselin, Preda, Zaharia 2021, One-cycle pruning; the constants of its authors' fasterai.
using one_cycle_sparsity = sparsity_ramp<detail::one_cycle_ramp>;

/// A sparsity that holds from a step on.
struct sparsity_step {
    std::int64_t step;
    double sparsity;
};

/// New masks at these steps, which ascend: sparsity_list{{{100, 0.5}, {200, 0.75}}}.
struct sparsity_list {
    std::vector<sparsity_step> steps;

    bool updates_at(std::int64_t step) const noexcept {
        return std::any_of(steps.begin(), steps.end(), [&](const sparsity_step& s) { return s.step == step; });
    }
    double sparsity_at(std::int64_t step) const noexcept {
        double sparsity = 0.0;
        for (const sparsity_step& s : steps) {
            sparsity = s.step <= step ? s.sparsity : sparsity;
        }
        return sparsity;
    }
    std::int64_t settles_at() const noexcept { return steps.empty() ? 0 : steps.back().step; }
    std::optional<error> problem() const {
        std::int64_t last = -1;
        for (const sparsity_step& s : steps) {
            if (s.step <= last) {
                return error{error_code::invalid_argument,
                             sentence("sparsity_list: expected steps that ascend from 0 on, found ", s.step, " after ", last)};
            }
            if (auto sparsity = detail::sparsity_problem("sparsity_list", "sparsities", s.sparsity)) {
                return sparsity;
            }
            last = s.step;
        }
        if (steps.empty()) {
            return error{error_code::invalid_argument, "sparsity_list: expected at least one step, found none"};
        }
        return std::nullopt;
    }
};

/// 1 - (1 - fraction)^rounds: the sparsity after rounds that prune this fraction of what is left.
inline double sparsity_after(std::int64_t rounds, double fraction) noexcept {
    return 1.0 - std::pow(1.0 - fraction, static_cast<double>(rounds));
}

enum class round_spacing {
    geometric,  // each round prunes the same fraction of what is left: 1 - (1 - s_final)^(k / rounds) after k of them
    equal       // each round prunes the same number of weights: s_final * k / rounds
};

/// Rounds of pruning, the first at begin_step, with steps_per_round steps of training behind each. Han, Pool, Tran, Dally 2015.
///
///     iterative_sparsity{.final_sparsity = sparsity_after(10, 0.2), .rounds = 10, .steps_per_round = 500}     20% per round
struct iterative_sparsity {
    double final_sparsity = 0.5;
    std::int64_t rounds = 10;
    std::int64_t begin_step = 0;
    std::int64_t steps_per_round = 1000;
    round_spacing spacing = round_spacing::geometric;

    bool updates_at(std::int64_t step) const noexcept {
        return step >= begin_step && step <= settles_at() && (step - begin_step) % steps_per_round == 0;
    }
    double sparsity_at(std::int64_t step) const noexcept {
        if (step >= settles_at() || step < begin_step) {
            return step < begin_step ? 0.0 : final_sparsity;
        }
        const double share = static_cast<double>((step - begin_step) / steps_per_round + 1) / static_cast<double>(rounds);
        return spacing == round_spacing::equal ? final_sparsity * share : 1.0 - std::pow(1.0 - final_sparsity, share);
    }
    std::int64_t settles_at() const noexcept { return begin_step + (rounds - 1) * steps_per_round; }
    std::optional<error> problem() const {
        if (rounds < 1 || steps_per_round < 1 || begin_step < 0) {
            return error{error_code::invalid_argument,
                         sentence("iterative_sparsity: expected rounds and steps_per_round of at least 1 and a begin_step of at "
                                  "least 0, found ",
                                  rounds, ", ", steps_per_round, " and ", begin_step)};
        }
        return detail::sparsity_problem("iterative_sparsity", "final_sparsity", final_sparsity);
    }
};

/// Another schedule by TensorFlow's rule, (step - begin_step) % frequency == 0 and begin_step <= step, and step <= end_step where
/// that is not negative: there is no further update at an end_step that this misses, and what it would have pruned stays.
/// _should_prune_in_step in TensorFlow Model Optimization's pruning_schedule.py.
template <class Schedule>
struct tfmot_steps {
    Schedule schedule;

    bool updates_at(std::int64_t step) const noexcept {
        return schedule.updates_at(step) && (step - schedule.begin_step) % schedule.frequency == 0;
    }
    double sparsity_at(std::int64_t step) const noexcept { return schedule.sparsity_at(step); }
    std::int64_t settles_at() const noexcept {
        const std::int64_t last = schedule.settles_at();
        return last - (last - schedule.begin_step) % schedule.frequency;
    }
    std::optional<error> problem() const { return schedule.problem(); }
};
template <class Schedule>
tfmot_steps(Schedule) -> tfmot_steps<Schedule>;

PARE_NAMESPACE_END

#endif
