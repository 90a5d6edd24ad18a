#ifndef PARE_PRUNE_SCHEDULES_HPP
#define PARE_PRUNE_SCHEDULES_HPP

#include <cmath>
#include <cstdint>
#include <optional>

#include <pare/core/result.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// A schedule says at which steps masks are chosen anew and how sparse they are then:
///
///     bool updates_at(step) const, double sparsity_at(step) const, std::optional<error> problem() const
///
/// Masks are chosen at begin_step, then every `frequency` steps up to end_step, and at end_step itself, also where the steps
/// between them are no multiple of the frequency: the final sparsity is reached. A negative end_step is no end.

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
};

inline std::optional<error> sparsity_problem(const char* schedule, const char* argument, double sparsity) {
    if (is_finite(static_cast<float>(sparsity)) && sparsity >= 0.0 && sparsity < 1.0) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument, sentence(schedule, ": expected ", argument, " in [0, 1), found ", sparsity)};
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

    bool updates_at(std::int64_t step) const noexcept { return detail::step_range{begin_step, end_step, frequency}.contains(step); }
    double sparsity_at(std::int64_t step) const noexcept {
        const std::int64_t length = end_step - begin_step;
        const double p = length == 0 ? 1.0 : static_cast<double>(step - begin_step) / static_cast<double>(length);
        const double left = p < 0.0 ? 1.0 : p > 1.0 ? 0.0 : 1.0 - p;
        return final_sparsity + (initial_sparsity - final_sparsity) * std::pow(left, power);
    }
    std::int64_t settles_at() const noexcept { return end_step; }
    std::optional<error> problem() const {
        if (end_step < 0) {
            return error{error_code::invalid_argument,
                         sentence("polynomial_decay: expected an end_step of at least 0, found ", end_step)};
        }
        if (auto initial = detail::sparsity_problem("polynomial_decay", "initial_sparsity", initial_sparsity)) {
            return initial;
        }
        if (auto last = detail::sparsity_problem("polynomial_decay", "final_sparsity", final_sparsity)) {
            return last;
        }
        if (!is_finite(static_cast<float>(power)) || power <= 0.0) {
            return error{error_code::invalid_argument, sentence("polynomial_decay: expected a power above 0, found ", power)};
        }
        return detail::step_range{begin_step, end_step, frequency}.problem("polynomial_decay");
    }
};

PARE_NAMESPACE_END

#endif
