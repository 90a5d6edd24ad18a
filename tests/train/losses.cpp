#include <pare/train/losses.hpp>

#include <cmath>
#include <vector>

#include <pare/distill/distill.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

const std::vector<float> logits = {1.0f, 2.0f, -1.0f, 0.5f, 0.0f, 3.0f};
const std::vector<float> target_logits = {0.0f, 3.0f, 0.5f, 1.5f, -1.0f, 2.0f};
const std::vector<std::int32_t> labels = {1, 0};

/// The derivative of f by each number, by central differences in double.
template <class F>
std::vector<double> numeric_gradient(const std::vector<float>& x, const F& f) {
    std::vector<double> at(x.begin(), x.end()), gradient;
    for (double& v : at) {
        const double kept = v;
        v = kept + 1e-5;
        const double above = f(at);
        v = kept - 1e-5;
        const double below = f(at);
        v = kept;
        gradient.push_back((above - below) / 2e-5);
    }
    return gradient;
}

double log_softmax(const double* x, std::size_t n, std::size_t j, double temperature) {
    double sum = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
        sum += std::exp(x[k] / temperature);
    }
    return x[j] / temperature - std::log(sum);
}

double cross_entropy_of(const std::vector<double>& x) {
    return -(log_softmax(x.data(), 3, 1, 1.0) + log_softmax(x.data() + 3, 3, 0, 1.0)) / 2.0;
}

}  // namespace

TEST_CASE("cross entropy and its gradient are those of the formula") {
    std::vector<float> gradient(6);
    const double loss = cross_entropy{}(matrix_view<const float>(logits.data(), 2, 3), minibatch{{}, labels},
                                        matrix_view<float>(gradient.data(), 2, 3));
    CHECK(loss == Approx(cross_entropy_of({logits.begin(), logits.end()})).epsilon(1e-6));
    const auto expected = numeric_gradient(logits, cross_entropy_of);
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(static_cast<double>(gradient[i]) == Approx(expected[i]).margin(1e-6));
    }
}

TEST_CASE("cross entropy of far apart logits is finite") {
    const std::vector<float> far = {500.0f, -500.0f, 0.0f};
    const std::vector<std::int32_t> label = {1};
    std::vector<float> gradient(3);
    const double loss = cross_entropy{}(matrix_view<const float>(far.data(), 1, 3), minibatch{{}, label},
                                        matrix_view<float>(gradient.data(), 1, 3));
    CHECK(loss == Approx(1000.0));
    CHECK(gradient[0] == Approx(1.0f));
    CHECK(gradient[1] == Approx(-1.0f));
}

TEST_CASE("the distillation loss and its gradient are those of the formula") {
    for (const float temperature : {1.0f, 4.0f, 20.0f}) {
        for (const float hard : {0.0f, 0.3f, 1.0f}) {
            const auto loss_of = [&](const std::vector<double>& x) {
                const std::vector<double> t(target_logits.begin(), target_logits.end());
                const auto T = static_cast<double>(temperature);
                double divergence = 0.0;
                for (std::size_t row = 0; row < 2; ++row) {
                    for (std::size_t j = 0; j < 3; ++j) {
                        const double log_q = log_softmax(t.data() + 3 * row, 3, j, T);
                        divergence += std::exp(log_q) * (log_q - log_softmax(x.data() + 3 * row, 3, j, T)) / 2.0;
                    }
                }
                return static_cast<double>(hard) * cross_entropy_of(x) + (1.0 - static_cast<double>(hard)) * T * T * divergence;
            };
            std::vector<float> gradient(6);
            const double loss = soft_targets{temperature, hard}({logits.data(), 2, 3}, {target_logits.data(), 2, 3}, minibatch{{}, labels},
                                                                {gradient.data(), 2, 3});
            CHECK(loss == Approx(loss_of({logits.begin(), logits.end()})).epsilon(1e-5).margin(1e-6));
            const auto expected = numeric_gradient(logits, loss_of);
            for (std::size_t i = 0; i < 6; ++i) {
                CHECK(static_cast<double>(gradient[i]) == Approx(expected[i]).margin(3e-6));
            }
        }
    }
}

namespace {

/// A loss on targets, and its gradient against central differences of its own values.
template <class Loss>
void check_target_loss(const Loss& loss, double expected, const std::vector<float>& targets = target_logits) {
    const auto value = [&](const std::vector<float>& y, std::vector<float>& gradient) {
        return loss(matrix_view<const float>(y.data(), 2, 3), target_batch{{}, {targets.data(), 2, 3}},
                    matrix_view<float>(gradient.data(), 2, 3));
    };
    std::vector<float> gradient(6), unused(6);
    CHECK(value(logits, gradient) == Approx(expected).epsilon(1e-5));
    for (std::size_t i = 0; i < 6; ++i) {
        auto above = logits, below = logits;
        above[i] += 1e-3f;
        below[i] -= 1e-3f;
        const double slope = (value(above, unused) - value(below, unused)) / static_cast<double>(above[i] - below[i]);
        CHECK(static_cast<double>(gradient[i]) == Approx(slope).margin(2e-3));
    }
}

}  // namespace

TEST_CASE("losses on targets follow their formulas") {
    // differences of logits and target_logits: 1, -1, -1.5, -1, 1, 1
    check_target_loss(mean_squared_error{}, (5.0 + 2.25) / 6.0);
    check_target_loss(smooth_l1{2.0f}, (5.0 + 2.25) / 4.0 / 6.0);
    check_target_loss(smooth_l1{0.5f}, (5 * 0.75 + 1.25) / 6.0);
    check_target_loss(smooth_l1{0.0f}, 6.5 / 6.0);
    check_target_loss(cosine_embedding{}, 1.0 - (5.5 / std::sqrt(6.0 * 9.25) + 6.75 / std::sqrt(9.25 * 7.25)) / 2.0);
    const auto bce = [](double x, double t) { return std::log1p(std::exp(x)) - x * t; };
    check_target_loss(binary_cross_entropy{}, (bce(1, 0) + bce(2, 1) + bce(-1, 0.5) + bce(0.5, 0.25) + bce(0, 0) + bce(3, 1)) / 6.0,
                      {0.0f, 1.0f, 0.5f, 0.25f, 0.0f, 1.0f});
    double divergence = 0.0;
    const std::vector<double> x(logits.begin(), logits.end()), t(target_logits.begin(), target_logits.end());
    for (std::size_t i = 0; i < 6; ++i) {
        const double log_q = log_softmax(t.data() + i / 3 * 3, 3, i % 3, 4.0);
        divergence += std::exp(log_q) * (log_q - log_softmax(x.data() + i / 3 * 3, 3, i % 3, 2.0));
    }
    check_target_loss(kl_divergence{.temperature = 2.0f, .target_temperature = 4.0f}, 4.0 * divergence / 2.0);
    check_target_loss(kl_divergence{.temperature = 2.0f, .target_temperature = 4.0f, .mean = kl_divergence::mean_over::numbers},
                      4.0 * divergence / 6.0);
}

TEST_CASE("losses of far apart numbers are finite, and wrong parameters are errors") {
    const std::vector<float> far = {500.0f, -500.0f}, targets = {0.0f, 1.0f};
    std::vector<float> gradient(2);
    CHECK(binary_cross_entropy{}(matrix_view<const float>(far.data(), 1, 2), {{}, {targets.data(), 1, 2}},
                                 matrix_view<float>(gradient.data(), 1, 2)) == Approx(500.0));
    CHECK(gradient[0] == 0.5f);
    CHECK(gradient[1] == -0.5f);
    CHECK_FALSE(cross_entropy{0.1f}.problem(1, 1));
    CHECK(cross_entropy{1.5f}.problem(1, 1)->message == "cross_entropy: expected a label_smoothing in [0, 1], found 1.5");
    CHECK(smooth_l1{-1.0f}.problem(1, 1));
    CHECK(kl_divergence{.temperature = 0.0f}.problem(1, 1));
    CHECK(kl_divergence{.target_temperature = -1.0f}.problem(1, 1));
}
