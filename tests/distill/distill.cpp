#include <pare/distill.hpp>

#include <algorithm>
#include <limits>

#include <pare/nn.hpp>
#include <pare/prune.hpp>
#include <pare/quantize.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

auto teacher_on(const labeled_data<float, 2>& data) {
    auto net = initialized(sequential(dense<2, 128>(), relu(), dense<128, 4>()), he_normal{}, seed{1});
    REQUIRE(fit(net, data, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 10, .batch_size = 32}));
    return net;
}

const auto untrained = initialized(sequential(dense<2, 32>(), relu(), dense<32, 4>()), he_normal{}, seed{2});

}  // namespace

TEST_CASE("a student learns from a teacher's outputs alone") {
    const auto train = quarters(2000);
    const auto teacher = teacher_on(train);
    // labels that are all wrong: with hard_weight 0 they must not matter
    aligned_array<float> points(4000);
    for (std::size_t i = 0; i < 2000; ++i) {
        points[2 * i] = train.sample(i)[0];
        points[2 * i + 1] = train.sample(i)[1];
    }
    const auto unlabeled =
        labeled_data<float, 2>::make("unlabeled", {}, 4, std::move(points), std::vector<std::int32_t>(2000, 0)).value();
    const auto student = distill(untrained, teacher, unlabeled, soft_targets{.temperature = 2.0f, .hard_weight = 0.0f},
                                 adam{.learning_rate = 3e-3f}, {.epochs = 20, .batch_size = 32});
    REQUIRE(student);
    CHECK(*count_errors(*student, train) < 100);
}

TEST_CASE("distilled, then pruned, then quantized is one expression") {
    const auto train = quarters(2000);
    const auto teacher = teacher_on(train);
    const fit_options options = {.epochs = 10, .batch_size = 32};
    const auto small = quantize_dynamic(sparsify<csr>(
        freeze(prune(distill(untrained, teacher, train, soft_targets{.temperature = 2.0f}, adam{.learning_rate = 3e-3f}, options),
                     train, cross_entropy{}, adam{.learning_rate = 3e-3f}, magnitude{}, unstructured{},
                     polynomial_decay{.final_sparsity = 0.5, .end_step = 300}, options))));
    REQUIRE(small);
    CHECK(*count_errors(*small, train) < 150);
    CHECK(summarize(*small).bytes < summarize(untrained).bytes);
}

TEST_CASE("a quantized model can be the teacher") {
    const auto train = quarters(500);
    const auto teacher = *quantize_dynamic(teacher_on(train));
    const auto student = distill(untrained, teacher, train, soft_targets{}, adam{}, {.epochs = 1});
    REQUIRE(student);
    const auto again = distill(untrained, quantize_dynamic(teacher_on(train)), train, soft_targets{}, adam{}, {.epochs = 1});
    CHECK(std::ranges::equal(std::get<0>(student->layers).weights.values, std::get<0>(again->layers).weights.values));
}

TEST_CASE("impossible distillations say what is wrong") {
    const auto train = quarters(100);
    const auto with = [&](soft_targets targets) { return distill(untrained, untrained, train, targets, adam{}, {.epochs = 1}); };
    CHECK(with({.temperature = 0.0f}).error().message == "soft_targets: expected a temperature above 0, found 0");
    CHECK_FALSE(with({.temperature = std::numeric_limits<float>::quiet_NaN()}));
    CHECK(with({.hard_weight = 1.5f}).error().message == "soft_targets: expected a hard_weight in [0, 1], found 1.5");
    const auto other = sequential(dense<2, 5>());
    CHECK(
        distill(untrained, other, train, soft_targets{}, adam{}, {}).error().message ==
        "distillation_loss: expected a student of 5 outputs, as many as its teacher's, and 100 samples, those that the teacher has "
        "seen; found 4 outputs and 100 samples");
    const auto wide = sequential(dense<dyn, dyn>(3, 4));
    CHECK(distill(untrained, wide, train, soft_targets{}, adam{}, {}).error().message ==
          "run_over: the model takes 3 inputs; a sample of the data has 2 numbers");
    const auto loss = distillation_loss<>::make(untrained, train, soft_targets{});
    auto student = untrained;
    CHECK_FALSE(fit(student, quarters(50), *loss, adam{}));
}
