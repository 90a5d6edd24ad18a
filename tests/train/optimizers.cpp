#include <pare/train/optimizers.hpp>

#include <cmath>
#include <vector>

#include "../catch.hpp"
#include "../guarded.hpp"

using namespace pare;

namespace {

/// Five steps on `n` parameters with made-up gradients, and what the formula in double gives.
template <class Optimizer, class Formula>
void check(const Optimizer& optimizer, std::size_t n, const Formula& formula) {
    guarded<float> w(n), g(n), slots(n * Optimizer::slots);
    std::vector<double> expected(n), first(n), second(n);
    for (std::size_t i = 0; i < n; ++i) {
        w[i] = 0.1f * static_cast<float>(i % 17) - 0.5f;
        expected[i] = static_cast<double>(w[i]);
    }
    std::array<float*, Optimizer::slots> slot;
    for (std::size_t s = 0; s < slot.size(); ++s) {
        slot[s] = slots.data() + s * n;
        for (std::size_t i = 0; i < n; ++i) {
            slot[s][i] = 0.0f;
        }
    }
    for (std::size_t step = 1; step <= 5; ++step) {
        for (std::size_t i = 0; i < n; ++i) {
            g[i] = std::sin(static_cast<float>(i * step));
            formula(expected[i], static_cast<double>(g[i]), first[i], second[i], static_cast<double>(step));
        }
        optimizer.template update<isa::native>(n, w.data(), g.data(), slot, step);
    }
    for (std::size_t i = 0; i < n; ++i) {
        REQUIRE(static_cast<double>(w[i]) == Approx(expected[i]).margin(1e-5));
    }
}

}  // namespace

TEST_CASE("optimizers follow their formulas") {
    for (const std::size_t n : {1u, 15u, 16u, 33u, 100u}) {
        check(sgd{.learning_rate = 0.1f, .momentum = 0.9f}, n, [](double& w, double g, double& v, double&, double) {
            v = 0.9 * v + g;
            w -= 0.1 * v;
        });
        check(sgd{.learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f, .nesterov = true}, n,
              [](double& w, double g, double& v, double&, double) {
                  g += 0.01 * w;
                  v = 0.9 * v + g;
                  w -= 0.1 * (g + 0.9 * v);
              });
        check(adamw{.learning_rate = 0.01f, .weight_decay = 0.1f}, n, [](double& w, double g, double& m, double& v, double t) {
            w *= 1.0 - 0.01 * 0.1;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            w -= 0.01 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
        });
        check(rmsprop{.learning_rate = 0.01f, .weight_decay = 0.1f, .momentum = 0.9f}, n,
              [](double& w, double g, double& v, double& b, double) {
                  g += 0.1 * w;
                  v = 0.99 * v + 0.01 * g * g;
                  b = 0.9 * b + g / (std::sqrt(v) + 1e-8);
                  w -= 0.01 * b;
              });
        check(adam{.learning_rate = 0.01f}, n, [](double& w, double g, double& m, double& v, double t) {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            w -= 0.01 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
        });
    }
}
