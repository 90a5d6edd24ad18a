#include <pare/distill/mutual_learning.hpp>

#include <algorithm>
#include <limits>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"
#include "small_network.hpp"

using namespace pare;

TEST_CASE("students that learn from each other") {
    const auto data = quarters(200);
    // On labels alone they are what each becomes alone.
    const sgd plain{.learning_rate = 0.1f};
    thread_pool one(1), two(2);
    const auto apart =
        mutual_learning(std::tuple(fresh(1), fresh(2, 5)), data, soft_targets{.hard_weight = 1.0f}, plain, two_epochs, one);
    REQUIRE(apart);
    auto first = fresh(1), second = fresh(2, 5);
    REQUIRE(fit(first, data, cross_entropy{}, plain, two_epochs, one));
    REQUIRE(fit(second, data, cross_entropy{}, plain, two_epochs, one));
    CHECK(numbers(std::get<0>(*apart)) == numbers(first));
    CHECK(numbers(std::get<1>(*apart)) == numbers(second));
    // Students of different types, the same bits on every executor.
    const auto learn = [&](thread_pool& pool) {
        const auto small = initialized(sequential(dense<2, 8>(), relu(), dense<8, 4>()), he_normal{}, seed{3});
        return mutual_learning(std::tuple(fresh(1), small, fresh(2)), data, soft_targets{.temperature = 1.0f, .hard_weight = 0.5f},
                               plain, {.epochs = 15, .batch_size = 25}, pool);
    };
    const auto together = learn(one);
    REQUIRE(together);
    CHECK(*count_errors(std::get<0>(*together), data) < 30);
    CHECK(*count_errors(std::get<1>(*together), data) < 30);
    CHECK(numbers(std::get<1>(*learn(two))) == numbers(std::get<1>(*together)));
}

TEST_CASE("a student's loss is the mean over the others, which it does not move") {
    constexpr std::size_t rows = 3, classes = 4, students = 3;
    const random_numbers random(seed{4}, 0);
    std::vector<float> y(rows * classes * students), gradient(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] = random.normal(i);
    }
    const std::vector<std::int32_t> labels = {3, 0, 1};
    const soft_targets targets{.temperature = 2.0f, .hard_weight = 0.5f};
    std::size_t not_finite = detail::mutual_loss<soft_targets>::nobody;
    const detail::mutual_loss loss(students, targets, not_finite);
    const double value = loss({y.data(), rows, classes * students}, {{}, labels}, {gradient.data(), rows, classes * students});
    CHECK(not_finite == loss.nobody);
    const auto of = [&](std::size_t s) {
        std::vector<float> own(rows * classes);
        detail::copy_columns(rows, classes, y.data() + s * classes, classes * students, own.data(), classes);
        return own;
    };
    double expected = 0.0;
    for (std::size_t s = 0; s < students; ++s) {
        std::vector<float> sum(rows * classes, 0.0f), g(rows * classes);
        for (std::size_t other = 0; other < students; ++other) {
            if (other != s) {
                expected += 0.5 * targets({of(s).data(), rows, classes}, {of(other).data(), rows, classes}, {{}, labels},
                                          {g.data(), rows, classes});
                std::transform(sum.begin(), sum.end(), g.begin(), sum.begin(), [](float a, float b) { return a + 0.5f * b; });
            }
        }
        for (std::size_t i = 0; i < rows * classes; ++i) {
            CHECK(gradient[i / classes * classes * students + s * classes + i % classes] == Approx(sum[i]).margin(1e-7));
        }
    }
    CHECK(value == Approx(expected));
}

TEST_CASE("students that cannot learn from each other are named") {
    const auto data = quarters(50);
    thread_pool one(1);
    const auto message = [&](const auto&... student) {
        return mutual_learning(std::tuple(student...), data, soft_targets{}, sgd{}, two_epochs, one).error().message;
    };
    CHECK(message(fresh(1), fresh(2, 8, 5)) == "mutual_learning, student 1: expected 4 outputs, as many as student 0 has, found 5");
    CHECK(message(fresh(1), fresh(2), fresh(3, 8, 4, 3)) ==
          "mutual_learning, student 2: fit: the model takes 3 inputs; a sample of the data has 2 numbers");
    CHECK(message(fresh(1, 8, 3), fresh(2, 8, 3)) ==
          "mutual_learning, student 0: fit: the model gives 3 outputs; the data has 4 classes");
    auto broken = fresh(2);
    std::get<2>(broken.layers).bias.data()[0] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THAT(message(fresh(1), broken, fresh(3)), ContainsSubstring("mutual_learning, student 1: fit: expected finite numbers"));
    CHECK(mutual_learning(std::tuple(fresh(1), fresh(2)), data, soft_targets{.temperature = 0.0f}, sgd{}, two_epochs, one)
              .error()
              .message == "soft_targets: expected a temperature above 0, found 0");
}
