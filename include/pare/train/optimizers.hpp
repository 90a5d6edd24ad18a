#ifndef PARE_TRAIN_OPTIMIZERS_HPP
#define PARE_TRAIN_OPTIMIZERS_HPP

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include <pare/kernels/elementwise.hpp>

PARE_NAMESPACE_BEGIN

/// An optimizer holds hyper-parameters; what it remembers between steps are `slots` arrays as long as the parameters, zero before
/// the first step, which belong to the run. update<Isa>(n, w, g, slots, step) moves n parameters; step counts from 1.

namespace detail {

/// Calls f(w, g, slots...) on vectors of parameters, gradients and slots; f changes parameters and slots.
template <class Isa, std::size_t Slots, class F>
PARE_FLATTEN void update_parameters(std::size_t n, float* w, const float* g, const std::array<float*, Slots>& slot,
                                    const F& f) noexcept {
    using V = simd::ops<Isa>;
    [&]<std::size_t... S>(std::index_sequence<S...>) {
        typename V::f32 s[Slots];
        std::size_t i = 0;
        for (; i + V::lanes <= n; i += V::lanes) {
            auto x = V::load(w + i);
            ((s[S] = V::load(slot[S] + i)), ...);
            f(x, V::load(g + i), s[S]...);
            V::store(w + i, x);
            (V::store(slot[S] + i, s[S]), ...);
        }
        if (i < n) {
            auto x = V::load_partial(w + i, n - i);
            ((s[S] = V::load_partial(slot[S] + i, n - i)), ...);
            f(x, V::load_partial(g + i, n - i), s[S]...);
            V::store_partial(w + i, x, n - i);
            (V::store_partial(slot[S] + i, s[S], n - i), ...);
        }
    }
    (std::make_index_sequence<Slots>{});
}

}  // namespace detail

/// g += weight_decay * w; v = momentum * v + g; w -= learning_rate * v, or, where nesterov, * (g + momentum * v). torch.optim.SGD.
struct sgd {
    float learning_rate = 0.01f;
    float momentum = 0.0f;
    float weight_decay = 0.0f;
    bool nesterov = false;

    static constexpr std::size_t slots = 1;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        const auto mu = V::set(momentum);
        const auto decay = V::set(weight_decay);
        const auto rate = V::set(-learning_rate);
        const auto ahead = V::set(nesterov ? momentum : 1.0f);
        const auto direct = V::set(nesterov ? 1.0f : 0.0f);
        detail::update_parameters<Isa>(n, w, g, slot, [&](auto& x, auto d, auto& v) {
            d = V::fma(decay, x, d);
            v = V::fma(mu, v, d);
            x = V::fma(rate, V::fma(ahead, v, V::opaque(direct * d)), x);
        });
    }
};

/// g += weight_decay * w; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= learning_rate * (m / (1 - beta1^t)) /
/// (sqrt(v / (1 - beta2^t)) + epsilon). Kingma, Ba 2015, algorithm 1. torch.optim.Adam.
struct adam {
    float learning_rate = 1e-3f;
    float beta1 = 0.9f;
    float beta2 = 0.999f;
    float epsilon = 1e-8f;
    float weight_decay = 0.0f;

    static constexpr std::size_t slots = 2;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t step) const noexcept {
        move<Isa>(n, w, g, slot, step, weight_decay, 1.0f);
    }

    /// The same with the decay in two forms: added to the gradient, or the factor that parameters are multiplied by before.
    template <class Isa>
    void move(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t step,
              float gradient_decay, float factor) const noexcept {
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
        const auto decay = V::set(gradient_decay);
        const auto kept = V::set(factor);
        detail::update_parameters<Isa>(n, w, g, slot, [&](auto& x, auto d, auto& m, auto& v) {
            d = V::fma(decay, x, d);
            m = V::fma(b1, m, V::opaque(c1 * d));
            v = V::fma(b2, v, V::opaque(c2 * (d * d)));
            x = V::opaque(x * kept) + V::divide(rate * m, V::fma(V::sqrt(v), root, eps));
        });
    }
};

/// adam with w *= 1 - learning_rate * weight_decay before each step, and nothing added to the gradient. Loshchilov, Hutter 2019,
/// algorithm 2. torch.optim.AdamW.
struct adamw {
    float learning_rate = 1e-3f;
    float beta1 = 0.9f;
    float beta2 = 0.999f;
    float epsilon = 1e-8f;
    float weight_decay = 0.01f;

    static constexpr std::size_t slots = adam::slots;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t step) const noexcept {
        adam{learning_rate, beta1, beta2, epsilon}.move<Isa>(n, w, g, slot, step, 0.0f,
                                                             1.0f - opaque(learning_rate * weight_decay));
    }
};

/// g += weight_decay * w; v = alpha v + (1 - alpha) g^2; b = momentum * b + g / (sqrt(v) + epsilon); w -= learning_rate * b.
/// Tieleman, Hinton 2012. torch.optim.RMSprop.
struct rmsprop {
    float learning_rate = 0.01f;
    float alpha = 0.99f;
    float epsilon = 1e-8f;
    float weight_decay = 0.0f;
    float momentum = 0.0f;

    static constexpr std::size_t slots = 2;

    template <class Isa>
    void update(std::size_t n, float* w, const float* g, const std::array<float*, slots>& slot, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        const auto rate = V::set(-learning_rate);
        const auto a = V::set(alpha);
        const auto c = V::set(1.0f - alpha);
        const auto eps = V::set(epsilon);
        const auto decay = V::set(weight_decay);
        const auto mu = V::set(momentum);
        detail::update_parameters<Isa>(n, w, g, slot, [&](auto& x, auto d, auto& v, auto& b) {
            d = V::fma(decay, x, d);
            v = V::fma(a, v, V::opaque(c * (d * d)));
            b = V::fma(mu, b, V::divide(d, V::sqrt(v) + eps));
            x = V::fma(rate, b, x);
        });
    }
};

PARE_NAMESPACE_END

#endif
