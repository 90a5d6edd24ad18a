#include <pare/distill.hpp>

#include <algorithm>
#include <limits>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/optimizers.hpp>
#include <pare/train/scheduled_loss.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"
#include "small_network.hpp"

using namespace pare;

namespace {

/// Targets that are never a number.
struct unusable {
    static std::optional<error> problem() { return std::nullopt; }
    double operator()(matrix_view<const float>, matrix_view<const float>, const minibatch&, matrix_view<float>) const {
        return std::numeric_limits<double>::quiet_NaN();
    }
};

/// Targets that must be told of the step.
struct at_step {
    static std::optional<error> problem(std::size_t step) {
        return step == 0 ? std::nullopt : std::optional(error{error_code::invalid_argument, sentence("not at step ", step)});
    }
    double operator()(matrix_view<const float>, matrix_view<const float>, const minibatch&, matrix_view<float>) const {
        return 0.0;
    }
};

}  // namespace

TEST_CASE("a model that teaches itself learns from what it was an epoch ago") {
    const auto data = quarters(200);
    const sgd plain{.learning_rate = 0.1f, .momentum = 0.0f};
    const soft_targets targets{.temperature = 2.0f, .hard_weight = 0.25f};
    thread_pool one(1);
    auto expected = fresh(1);
    const fit_options once{.epochs = 1, .batch_size = 25, .shuffle = false};
    REQUIRE(fit(expected, data, cross_entropy{}, plain, once, one));
    for (int epoch = 0; epoch < 2; ++epoch) {
        expected = *distill(expected, expected, data, targets, plain, once, one);
    }
    const fit_options thrice{.epochs = 3, .batch_size = 25, .shuffle = false};
    const auto taught = self_distill(fresh(1), data, targets, plain, thrice, one);
    REQUIRE(taught);
    CHECK(numbers(*taught) == numbers(expected));
    thread_pool two(2);
    CHECK(numbers(*self_distill(fresh(1), data, targets, plain, thrice, two)) == numbers(expected));
    // As the paper has it, with more and more of the teacher.
    const scheduled_loss softer(soft_targets{.temperature = 1.0f, .hard_weight = 1.0f},
                                over_steps(&soft_targets::hard_weight, by_epoch{8, linear_decay{20, 0.2}}));
    const auto student = self_distill(fresh(1), data, softer, sgd{.learning_rate = 0.1f}, {.epochs = 20, .batch_size = 25}, one);
    CHECK(*count_errors(student, data) < 20);
    CHECK(self_distill(fresh(1), data, soft_targets{.temperature = -1.0f}, plain, two_epochs, one).error().message ==
          "soft_targets: expected a temperature above 0, found -1");
    const auto other = quarters(100);
    const epoch_teacher teacher(other, targets);
    auto net = fresh(1);
    CHECK(fit(net, data, teacher, plain, {}, one).error().message ==
          "epoch_teacher: expected the data set that it runs over, of 100 samples, found one of 200");
}

TEST_CASE("generations are born again, each taught by the one before") {
    const auto data = quarters(200);
    const sgd optimizer{.learning_rate = 0.1f};
    thread_pool one(1), two(2);
    const soft_targets targets{.temperature = 1.0f, .hard_weight = 0.0f};
    const fit_options shuffled{.epochs = 8, .batch_size = 25, .shuffle_seed = seed{40}};
    const auto chain = born_again(fresh(99), he_normal{}, data, targets, optimizer, {2, seed{7}}, shuffled, one);
    REQUIRE(chain);
    REQUIRE(chain->size() == 3);
    auto own = shuffled;
    auto expected = fresh(7);
    REQUIRE(fit(expected, data, cross_entropy{}, optimizer, own, one));
    for (std::size_t g = 0; g < 3; ++g) {
        CAPTURE(g);
        CHECK(numbers((*chain)[g]) == numbers(expected));
        ++own.shuffle_seed.value;
        expected = *distill(fresh(8 + g), expected, data, targets, optimizer, own, one);
    }
    const auto again = born_again(fresh(3), he_normal{}, data, targets, optimizer, {2, seed{7}}, shuffled, two);
    CHECK(numbers(again->back()) == numbers(chain->back()));

    const auto ensemble = ensemble_logits(*chain, data);
    REQUIRE(ensemble);
    std::vector<float> mean(4), row(4);
    ensemble->read(17, mean.data());
    for (const auto& model : *chain) {
        teacher_logits::make(model, data)->read(17, row.data());
        std::transform(mean.begin(), mean.end(), row.begin(), mean.begin(), [](float a, float b) { return a - b / 3.0f; });
    }
    CHECK(std::all_of(mean.begin(), mean.end(), [](float x) { return std::fabs(x) < 1e-5f; }));
    const auto correct = evaluate(*ensemble, data, accuracy{});
    REQUIRE(correct);
    CHECK(correct->samples == 200);
    CHECK(correct->correct > 170);
    const auto alone = *evaluate(*teacher_logits::make((*chain)[1], data), data, accuracy{});
    CHECK(alone.samples - alone.correct == *count_errors((*chain)[1], data));
    CHECK(evaluate(*ensemble, quarters(10), accuracy{}).error().message ==
          "evaluate: expected logits of 10 samples and at least 4 classes, those of the data set; found 200 of 4");

    CHECK(born_again(fresh(1), he_normal{}, data, unusable{}, optimizer, {}, two_epochs, one).error().message ==
          "born_again, generation 1: fit: expected finite numbers, found a loss that is NaN or infinite at step 0 (epoch 0); a "
          "smaller "
          "learning rate may help");
    CHECK(born_again(fresh(1), he_normal{}, data, soft_targets{.temperature = 0.0f}, optimizer, {}, two_epochs, one)
              .error()
              .message == "born_again, generation 0: soft_targets: expected a temperature above 0, found 0");
    const scheduled_loss falling(soft_targets{}, over_steps(&soft_targets::temperature, linear_decay{15, 0.0}));
    CHECK(born_again(fresh(1), he_normal{}, data, falling, optimizer, {1}, two_epochs, one).error().message ==
          "born_again, generation 0: soft_targets: expected a temperature above 0, found 0, at step 15");
    const auto alone_in_class = teacher_logits::zeros(9, 1);
    CHECK(distillation_loss<decoupled_targets>::make(alone_in_class, {})->problem(9, 1)->message ==
          "decoupled_targets: expected at least 2 classes, found 1");
    CHECK(distillation_loss<at_step>::make(alone_in_class, {})->problem(9, 1, 3)->message == "not at step 3");
}
