#ifndef PARE_TRAIN_SCHEDULES_HPP
#define PARE_TRAIN_SCHEDULES_HPP

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// A schedule says by what a number is multiplied at a step, which counts from 0 over all epochs: double factor_at(step) const.
/// `scheduled(adam{.learning_rate = 3e-3f}, warm_up{500, cosine_decay{.steps = 9000}})` is an optimizer whose learning rate follows
/// one; scheduled_loss (train/scheduled_loss.hpp) a loss whose parameters do.

struct constant_rate {
    static constexpr double factor_at(std::size_t) noexcept { return 1.0; }
};

/// factor^(step / every), rounded down. torch.optim.lr_scheduler.StepLR, in steps.
struct step_decay {
    std::size_t every = 1000;
    double factor = 0.1;

    double factor_at(std::size_t step) const noexcept {
        return every == 0 ? 1.0 : std::pow(factor, static_cast<double>(step / every));
    }
};

namespace detail {

/// From `from` to `to` along half a period of the cosine; p is the share of the way.
inline double along_cosine(double from, double to, double p) noexcept {
    return to + (from - to) * (1.0 + std::cos(3.14159265358979323846 * p)) / 2.0;
}
/// step / steps, at most 1.
inline double share(std::size_t step, std::size_t steps) noexcept {
    return step >= steps ? 1.0 : static_cast<double>(step) / static_cast<double>(steps);
}

}  // namespace detail

/// From 1 to final_factor in a straight line, where it stays. torch.optim.lr_scheduler.LinearLR.
struct linear_decay {
    std::size_t steps = 1000;
    double final_factor = 0.0;

    double factor_at(std::size_t step) const noexcept { return 1.0 + (final_factor - 1.0) * detail::share(step, steps); }
};

/// From 1 to final_factor along half a period of the cosine, where it stays. Loshchilov, Hutter 2017, eq. 5.
/// torch.optim.lr_scheduler.CosineAnnealingLR.
struct cosine_decay {
    std::size_t steps = 1000;
    double final_factor = 0.0;

    double factor_at(std::size_t step) const noexcept {
        return detail::along_cosine(1.0, final_factor, detail::share(step, steps));
    }
};

/// Up from initial_factor to 1 for a share of the steps, down to final_factor for the rest, both along the cosine. Smith, Topin
/// 2018. torch.optim.lr_scheduler.OneCycleLR, whose defaults these are; the learning rate is its max_lr.
struct one_cycle {
    std::size_t steps = 1000;
    double warm_up_fraction = 0.3;
    double initial_factor = 1.0 / 25.0;
    double final_factor = 1.0 / 25.0e4;

    double factor_at(std::size_t step) const noexcept {
        const double at = static_cast<double>(step);
        const double top = warm_up_fraction * static_cast<double>(steps) - 1.0;
        const double end = static_cast<double>(steps) - 1.0;
        if (at < top) {
            return detail::along_cosine(initial_factor, 1.0, at / top);
        }
        return at >= end ? final_factor : detail::along_cosine(1.0, final_factor, (at - top) / (end - top));
    }
};

/// In a straight line from initial_factor to 1 for `steps` steps, then another schedule from its step 0 on.
/// torch.optim.lr_scheduler.LinearLR, and SequentialLR to go on.
template <class Then = constant_rate>
struct warm_up {
    std::size_t steps = 100;
    Then then{};
    double initial_factor = 0.0;

    double factor_at(std::size_t step) const noexcept {
        return step >= steps ? then.factor_at(step - steps)
                             : initial_factor + (then.factor_at(0) - initial_factor) * detail::share(step, steps);
    }
};
warm_up(std::size_t)->warm_up<>;
template <class Then>
warm_up(std::size_t, Then) -> warm_up<Then>;
template <class Then>
warm_up(std::size_t, Then, double) -> warm_up<Then>;

/// The factors of a list, one for each step; the last one stays. An empty list is constant_rate. by_epoch{n, factor_list{...}} has
/// one for each epoch.
struct factor_list {
    std::vector<double> factors;

    double factor_at(std::size_t step) const noexcept {
        return factors.empty() ? 1.0 : factors[step < factors.size() ? step : factors.size() - 1];
    }
};

/// Another schedule in epochs: its step is the number of the epoch. steps_per_epoch is the number of samples by the batch size,
/// rounded up.
template <class Schedule>
struct by_epoch {
    std::size_t steps_per_epoch = 1;
    Schedule schedule{};

    double factor_at(std::size_t step) const noexcept {
        return schedule.factor_at(steps_per_epoch == 0 ? step : step / steps_per_epoch);
    }
};
template <class Schedule>
by_epoch(std::size_t, Schedule) -> by_epoch<Schedule>;

/// An optimizer whose learning rate follows a schedule.
template <class Optimizer, class Schedule>
struct scheduled {
    Optimizer optimizer;
    Schedule schedule;

    scheduled(Optimizer o, Schedule s) : optimizer(o), schedule(s) {}

    static constexpr std::size_t slots = Optimizer::slots;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t step) const noexcept {
        Optimizer now = optimizer;
        now.learning_rate = static_cast<float>(static_cast<double>(now.learning_rate) * schedule.factor_at(step - 1));
        now.template update<Isa>(n, w, g, slot, step);
    }
};

PARE_NAMESPACE_END

#endif
