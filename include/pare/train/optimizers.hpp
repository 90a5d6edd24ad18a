#ifndef PARE_TRAIN_OPTIMIZERS_HPP
#define PARE_TRAIN_OPTIMIZERS_HPP

#include <array>
#include <cmath>
#include <cstddef>

#include <pare/kernels/elementwise.hpp>

PARE_NAMESPACE_BEGIN

/// An optimizer holds hyper-parameters; what it remembers between steps are `slots` arrays as long as the parameters, zero before
/// the first step, which belong to the run. update<Isa>(n, w, g, slots, step) moves n parameters; step counts from 1.

/// v = momentum * v + g; w -= learning_rate * v. torch.optim.SGD.
struct sgd {
    float learning_rate = 0.01f;
    float momentum = 0.0f;

    static constexpr std::size_t slots = 1;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        const auto mu = V::set(momentum);
        const auto rate = V::set(-learning_rate);
        kernels::transform<Isa>(
            n, slot[0], [&](auto v, auto d) { return V::fma(mu, v, d); }, slot[0], g);
        kernels::transform<Isa>(
            n, w, [&](auto x, auto v) { return V::fma(rate, v, x); }, w, slot[0]);
    }
};

/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t))
/// + epsilon). Kingma, Ba 2015, algorithm 1. torch.optim.Adam.
struct adam {
    float learning_rate = 1e-3f;
    float beta1 = 0.9f;
    float beta2 = 0.999f;
    float epsilon = 1e-8f;

    static constexpr std::size_t slots = 2;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t step) const noexcept {
        using V = simd::ops<Isa>;
        const double t = static_cast<double>(step);
        const auto rate =
            V::set(static_cast<float>(-static_cast<double>(learning_rate) / (1.0 - std::pow(static_cast<double>(beta1), t))));
        const auto root = V::set(static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(static_cast<double>(beta2), t))));
        const auto eps = V::set(epsilon);
        const auto b1 = V::set(beta1);
        const auto b2 = V::set(beta2);
        const auto c1 = V::set(1.0f - beta1);
        const auto c2 = V::set(1.0f - beta2);
        kernels::transform<Isa>(
            n, slot[0], [&](auto m, auto d) { return V::fma(b1, m, V::opaque(c1 * d)); }, slot[0], g);
        kernels::transform<Isa>(
            n, slot[1], [&](auto v, auto d) { return V::fma(b2, v, V::opaque(c2 * (d * d))); }, slot[1], g);
        kernels::transform<Isa>(
            n, w, [&](auto x, auto m, auto v) { return x + rate * m / V::fma(V::sqrt(v), root, eps); }, w, slot[0], slot[1]);
    }
};

PARE_NAMESPACE_END

#endif
