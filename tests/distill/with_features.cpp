#include <pare/distill.hpp>

#include <algorithm>
#include <limits>

#include <pare/nn/relu.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../toy_data.hpp"
#include "feature_gradients.hpp"

using namespace pare;

namespace {

const auto teacher = initialized(sequential(dense<2, 48>(), relu(), dense<48, 24>(), relu(), dense<24, 4>()), he_normal{}, seed{1});
const auto untrained = initialized(sequential(dense<2, 16>(), tanh_activation(), dense<16, 4>()), glorot_normal{}, seed{2});
using student_type = std::remove_const_t<decltype(untrained)>;

const auto what = with_features(soft_targets{}, hint<"1", "3">{.weight = 0.5f}, relational_angle<"1", "1">{.weight = 2.0f});
const auto hints_alone = with_features(no_targets{}, hint<"1", "3">{});
using outputs = teacher_outputs<"3", "1">;

}  // namespace

TEST_CASE("gradients of features reach the layers before them, through regressors") {
    const auto data = quarters(16);
    check_gradient(untrained, *outputs::make(teacher, data, feature_form::float32, alone), data, what, 7);
}

TEST_CASE("a student of another width learns what its teacher knows inside") {
    const auto data = quarters(500);
    watcher hints, all;
    const fit_options options = {.epochs = 20, .batch_size = 32};
    const auto first = distill(untrained, outputs::make(teacher, data, feature_form::float32, alone), data, hints_alone, optimizer,
                               options, hints, alone);
    STATIC_REQUIRE(std::is_same_v<decltype(first), const result<student_type>>);
    REQUIRE(first);
    CHECK(hints.losses.back() < 0.2 * hints.losses.front());
    CHECK(std::ranges::equal(std::get<2>(first->layers).weights.values, std::get<2>(untrained.layers).weights.values));
    CHECK_FALSE(std::ranges::equal(std::get<0>(first->layers).weights.values, std::get<0>(untrained.layers).weights.values));
    // a quantized teacher has features, too
    REQUIRE(distill(first, quantize_dynamic(teacher), data, what, optimizer, options, all, alone));
    CHECK(all.losses.back() < 0.7 * all.losses.front());
}

TEST_CASE("features have the same bits on any executor, kept or made anew") {
    const auto data = quarters(300);
    const fit_options options = {.epochs = 2, .batch_size = 32};
    watcher unused;
    thread_pool pool(2);
    auto one = *distill(untrained, teacher, data, what, optimizer, options, unused, alone);
    const auto kept = *outputs::make(teacher, data, feature_form::float32, alone);
    auto two = *distill(untrained, kept, data, what, optimizer, options, unused, pool);
    CHECK(numbers(one) == numbers(two));
    const auto halves = *outputs::make(teacher, data, feature_form::float16, pool);
    CHECK(2 * halves.features<"3">().bytes() == kept.features<"3">().bytes());
    float exact[24], rounded[24];
    kept.features<"3">().read(7, exact);
    halves.features<"3">().read(7, rounded);
    CHECK(std::ranges::equal(exact, rounded, [](float a, float b) { return static_cast<float>(float16(a)) == b; }));
}

TEST_CASE("features may come from a callable, and must fit") {
    const auto data = quarters(64), more = quarters(65);
    const auto known = *outputs::make(teacher, data, feature_form::float32, alone);
    const auto engine = [](float factor, const feature_shape& shape) {
        return callable_features{[factor](std::span<const float> x, matrix_view<float> y) {
                                     for (std::size_t i = 0; i < y.rows; ++i) {
                                         std::fill_n(y.row(i), y.columns, factor * x[2 * i]);
                                     }
                                 },
                                 shape};
    };
    const auto run = [&](const auto& features, const auto& learned) {
        watcher unused;
        return distill(untrained, outputs(known.logits(), *features, *features), data, learned, optimizer, {.epochs = 1}, unused,
                       alone);
    };
    const auto features = teacher_features::make(engine(1.0f, {1, 3}), data);
    CHECK(run(features, hints_alone));
    CHECK(teacher_features::make(engine(std::numeric_limits<float>::infinity(), {1, 3}), data).error().message ==
          "teacher_features: expected finite features, found NaN or infinity in those of sample 0");
    CHECK_FALSE(teacher_features::make(engine(1e6f, {1, 3}), data, feature_form::float16));
    CHECK(run(teacher_features::make(engine(1.0f, {1, 3}), more), hints_alone).error().message ==
          "hint<\"1\", \"3\">: expected features of 64 samples, as the data has, found 65");
    CHECK(
        run(teacher_features::make(engine(1.0f, {2, 3}), data), hints_alone).error().message ==
        "hint<\"1\", \"3\">: expected as many positions of the student at \"1\" and the teacher at \"3\", found 1 positions of 16 "
        "channels and 2 of 3");
    auto other = hints_alone;
    std::get<0>(other.losses) = {.weight = 1.0f, .regressor = regressor::none};
    CHECK(run(features, other).error().message ==
          "hint<\"1\", \"3\">: expected as many channels, without a regressor, of the student at \"1\" and the teacher at \"3\", "
          "found 1 positions of 16 channels and 1 of 3");
    std::get<0>(other.losses).weight = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(run(features, other));
}
