#include <pare/distill/logit_losses.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/train/scheduled_loss.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

constexpr std::size_t rows = 4, classes = 5;
const std::vector<std::int32_t> labels = {2, 0, 4, 2};

std::vector<float> normal(std::uint64_t stream) {
    const random_numbers random(seed{7}, stream);
    std::vector<float> x(rows * classes);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = 2.0f * random.normal(i);
    }
    return x;
}
const std::vector<float> student = normal(0), teacher = normal(1);

template <class Targets>
double loss_of(const Targets& targets, const std::vector<float>& x, std::vector<float>& gradient,
               const std::vector<float>& t = teacher) {
    return targets({x.data(), rows, classes}, {t.data(), rows, classes}, minibatch{{}, labels}, {gradient.data(), rows, classes});
}

/// The gradient against central differences of the loss itself.
template <class Targets>
void check_gradient(const Targets& targets) {
    std::vector<float> gradient(student.size()), unused(student.size());
    loss_of(targets, student, gradient);
    for (std::size_t i = 0; i < student.size(); ++i) {
        auto above = student, below = student;
        above[i] += 0.01f;
        below[i] -= 0.01f;
        const double step = static_cast<double>(above[i]) - static_cast<double>(below[i]);
        const double slope = (loss_of(targets, above, unused) - loss_of(targets, below, unused)) / step;
        CAPTURE(i);
        CHECK(static_cast<double>(gradient[i]) == Approx(slope).epsilon(2e-3).margin(2e-4));
    }
}

std::vector<double> softmax(const float* x, double t) {
    std::vector<double> p(classes);
    double sum = 0.0;
    for (std::size_t j = 0; j < classes; ++j) {
        sum += p[j] = std::exp(static_cast<double>(x[j]) / t);
    }
    for (double& value : p) {
        value /= sum;
    }
    return p;
}

}  // namespace

TEST_CASE("any loss on targets can be mixed with one on labels") {
    std::vector<float> soft(student.size()), hard(student.size()), mixed(student.size());
    const double a =
        mean_squared_error{}({student.data(), rows, classes}, {{}, {teacher.data(), rows, classes}}, {soft.data(), rows, classes});
    const double b = cross_entropy{0.1f}({student.data(), rows, classes}, {{}, labels}, {hard.data(), rows, classes});
    const double loss = loss_of(with_labels{mean_squared_error{}, cross_entropy{0.1f}, 0.25f}, student, mixed);
    CHECK(loss == Approx(0.75 * a + 0.25 * b));
    for (std::size_t i = 0; i < mixed.size(); ++i) {
        CHECK(mixed[i] == Approx(0.75f * soft[i] + 0.25f * hard[i]).margin(1e-7));
    }
    CHECK(loss_of(with_labels{mean_squared_error{}}, student, mixed) == Approx(a));
    CHECK(mixed == soft);
    check_gradient(with_labels{kl_divergence{.temperature = 3.0f}, cross_entropy{.label_smoothing = 0.1f}, 0.3f});
}

TEST_CASE("the decoupled divergence is that of the label and that of the others") {
    for (const float temperature : {1.0f, 4.0f}) {
        const auto t = static_cast<double>(temperature);
        double expected = 0.0;
        for (std::size_t i = 0; i < rows; ++i) {
            const auto p = softmax(student.data() + i * classes, t), q = softmax(teacher.data() + i * classes, t);
            const auto label = static_cast<std::size_t>(labels[i]);
            expected +=
                0.5 * (q[label] * std::log(q[label] / p[label]) + (1 - q[label]) * std::log((1 - q[label]) / (1 - p[label])));
            for (std::size_t j = 0; j < classes; ++j) {
                const double o = p[j] / (1 - p[label]), r = q[j] / (1 - q[label]);
                expected += j == label ? 0.0 : 3.0 * r * std::log(r / o);
            }
        }
        std::vector<float> gradient(student.size());
        CHECK(loss_of(decoupled_targets{temperature, 0.5f, 3.0f}, student, gradient) ==
              Approx(t * t * expected / rows).epsilon(1e-6));
        check_gradient(decoupled_targets{temperature, 0.5f, 3.0f});
    }
    // A sure teacher and a sure student, also of the wrong class: finite.
    std::vector<float> sure(student.size(), 0.0f), gradient(student.size());
    sure[2] = 900.0f;
    CHECK(std::isfinite(loss_of(decoupled_targets{1.0f}, sure, gradient, teacher)));
    CHECK(std::isfinite(loss_of(decoupled_targets{1.0f}, student, gradient, sure)));
    CHECK(loss_of(decoupled_targets{}, teacher, gradient) == Approx(0.0).margin(1e-9));
}

TEST_CASE("correlated targets are Pearson's correlations of rows and of columns") {
    std::vector<float> gradient(student.size());
    CHECK(loss_of(correlated_targets{2.0f, 1.0f, 1.0f, 0.0f}, teacher, gradient) == Approx(0.0).margin(1e-6));
    check_gradient(correlated_targets{1.0f, 2.0f, 0.0f, 0.0f});
    check_gradient(correlated_targets{1.0f, 0.0f, 2.0f, 0.0f});
    check_gradient(correlated_targets{4.0f, 1.0f, 2.0f, 0.5f});
    // Any other increasing line through the teacher's probabilities is as good as they are: here all rows correlate fully.
    double expected = 0.0;
    for (std::size_t i = 0; i < rows; ++i) {
        const auto p = softmax(student.data() + i * classes, 1.0), q = softmax(teacher.data() + i * classes, 1.0);
        double pq = 0.0, pp = 0.0, qq = 0.0;
        for (std::size_t j = 0; j < classes; ++j) {
            pq += (p[j] - 0.2) * (q[j] - 0.2);
            pp += (p[j] - 0.2) * (p[j] - 0.2);
            qq += (q[j] - 0.2) * (q[j] - 0.2);
        }
        expected += 1.0 - pq / std::sqrt(pp * qq);
    }
    CHECK(loss_of(correlated_targets{1.0f, 1.0f, 0.0f, 0.0f}, student, gradient) == Approx(expected / rows).epsilon(1e-5));
    const std::vector<float> constant(student.size(), 1.0f);  // correlates with nothing
    CHECK(loss_of(correlated_targets{1.0f, 1.0f, 1.0f, 0.0f}, constant, gradient) == Approx(2.0));
}

TEST_CASE("targets whose numbers follow schedules are those of the step") {
    std::vector<float> gradient(student.size()), expected(student.size());
    const auto loss_at = [&](const auto& targets, std::size_t step, std::vector<float>& g) {
        return targets({student.data(), rows, classes}, {teacher.data(), rows, classes}, minibatch{{}, labels, step},
                       {g.data(), rows, classes});
    };
    const scheduled_loss soft(soft_targets{.temperature = 8.0f, .hard_weight = 0.5f},
                              over_steps(&soft_targets::temperature, linear_decay{.steps = 4, .final_factor = 0.25}),
                              over_steps(&soft_targets::hard_weight, warm_up{8}));
    CHECK(loss_at(soft, 2, gradient) == loss_of(soft_targets{5.0f, 0.125f}, student, expected));
    CHECK(gradient == expected);
    CHECK(loss_at(soft, 100, gradient) == loss_of(soft_targets{2.0f, 0.5f}, student, expected));
    CHECK(gradient == expected);
    const scheduled_loss decoupled(decoupled_targets{.other_weight = 8.0f},
                                   over_steps(&decoupled_targets::other_weight, cosine_decay{.steps = 2}));
    CHECK(loss_at(decoupled, 1, gradient) == loss_of(decoupled_targets{.other_weight = 4.0f}, student, expected));
    // A loss in targets follows its own.
    with_labels mixed{
        scheduled_loss(kl_divergence{.temperature = 1.0f}, over_steps(&kl_divergence::temperature, factor_list{{4.0, 2.0, 0.0}})),
        cross_entropy{}, 0.25f};
    CHECK(loss_at(mixed, 1, gradient) == loss_of(soft_targets{2.0f, 0.25f}, student, expected));
    CHECK(gradient == expected);
    CHECK_FALSE(mixed.problem(1));
    CHECK(mixed.problem(2)->message == "kl_divergence: expected temperatures above 0, found 0, at step 2");
    CHECK_FALSE(soft.problem(1000));
    const scheduled_loss nested(mixed, over_steps(&decltype(mixed)::hard_weight, factor_list{{1.0, 8.0, 1.0}}));
    CHECK_FALSE(nested.problem());
    CHECK(nested.problem(1)->message == "with_labels: expected a hard_weight in [0, 1], found 2, at step 1");
    CHECK(nested.problem(2)->message == mixed.problem(2)->message);
    // Only such targets are asked of every step.
    static_assert(detail::targets_of_steps<decltype(nested)> && !detail::targets_of_steps<soft_targets>);
    static_assert(!detail::targets_of_steps<decltype(with_labels{kl_divergence{}})>);
}

TEST_CASE("targets that make no sense say so") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(decoupled_targets{.temperature = -1.0f}.problem()->message ==
          "decoupled_targets: expected a temperature above 0, found -1");
    CHECK(correlated_targets{.temperature = nan}.problem());
    CHECK(correlated_targets{.row_weight = -1.0f}.problem()->message ==
          "correlated_targets: expected a row_weight of at least 0, found -1");
    CHECK(with_labels{kl_divergence{.temperature = 0.0f}}.problem()->message ==
          "kl_divergence: expected temperatures above 0, found 0");
    CHECK(with_labels{mean_squared_error{}, cross_entropy{}, 2.0f}.problem()->message ==
          "with_labels: expected a hard_weight in [0, 1], found 2");
    CHECK(soft_targets{.hard_weight = nan}.problem()->message == "soft_targets: expected a hard_weight in [0, 1], found nan");
    CHECK(decoupled_targets{.other_weight = nan}.problem());
    CHECK(with_labels{kl_divergence{.temperature = 1.0f, .target_temperature = -2.0f}}.problem()->message ==
          "kl_divergence: expected temperatures above 0, found -2");
    CHECK_FALSE(decoupled_targets{}.problem());
    CHECK_FALSE(decoupled_targets{}.problem(9, 2));
    CHECK_FALSE(correlated_targets{}.problem());
}
