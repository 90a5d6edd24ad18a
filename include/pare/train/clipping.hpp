#ifndef PARE_TRAIN_CLIPPING_HPP
#define PARE_TRAIN_CLIPPING_HPP

#include <cmath>
#include <span>
#include <vector>

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/reduce.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Keeps gradients small: each to [-largest, largest], then all together times min(1, largest_norm / norm). 0 is no limit.
/// torch.nn.utils.clip_grad_value_, clip_grad_norm_. Sums in one order, whatever the executor and the instruction set.
template <class Isa>
class gradient_clipping {
public:
    gradient_clipping(float largest, float largest_norm, std::size_t count)
        : largest_(largest), largest_norm_(largest_norm), sums_(largest_norm > 0.0f ? tasks(count) : 0) {}

    template <class Executor>
    void operator()(Executor& exec, std::span<float> g) {
        using V = simd::ops<Isa>;
        if (largest_ > 0.0f) {
            const auto most = V::set(largest_);
            const auto least = V::set(-largest_);
            kernels::transform<Isa>(
                exec, g.size(), g.data(), [&](auto v) { return V::maximum(least, V::minimum(most, v)); }, g.data());
        }
        if (largest_norm_ > 0.0f) {
            exec.for_each(sums_.size(), [&](std::size_t task) {
                const std::size_t first = task * kernels::elementwise_task;
                const std::size_t count = (std::min)(kernels::elementwise_task, g.size() - first);
                sums_[task] = static_cast<double>(kernels::sum_of<Isa>(count, [](auto v) { return v * v; }, g.data() + first));
            });
            double sum = 0.0;
            for (const double s : sums_) {
                sum += s;
            }
            const double norm = std::sqrt(sum) + 1e-6;  // as PyTorch adds
            if (!(norm <= static_cast<double>(largest_norm_))) {
                const auto factor = V::set(static_cast<float>(static_cast<double>(largest_norm_) / norm));
                kernels::transform<Isa>(
                    exec, g.size(), g.data(), [&](auto v) { return v * factor; }, g.data());
            }
        }
    }

private:
    static std::size_t tasks(std::size_t count) noexcept {
        return (count + kernels::elementwise_task - 1) / kernels::elementwise_task;
    }

    float largest_;
    float largest_norm_;
    std::vector<double> sums_;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
