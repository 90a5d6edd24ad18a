#include <pare/train/metrics.hpp>

#include <limits>

#include <pare/nn/relu.hpp>
#include <pare/train/callbacks.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

const float no_number = std::numeric_limits<float>::quiet_NaN();
const std::vector<float> outputs = {0.1f, 0.7f, 0.2f, 0.5f, 0.5f, 0.0f, no_number, 2.0f, 1.0f, 0.0f, 1.0f, 2.0f};
const std::vector<std::int32_t> labels = {1, 1, 1, 0};

struct look {
    double* to;
    void on_epoch_end(auto&, const training_state& state) const { *to = state.validation_error; }
};

/// The two numbers a + b and a - b of points: a function to learn.
target_data<float, 2> sums(std::size_t n) {
    const random_numbers random(seed{7}, 0);
    aligned_array<float> points(2 * n), targets(2 * n);
    for (std::size_t i = 0; i < n; ++i) {
        points[2 * i] = random.uniform(2 * i, -1.0f, 1.0f);
        points[2 * i + 1] = random.uniform(2 * i + 1, -1.0f, 1.0f);
        targets[2 * i] = points[2 * i] + points[2 * i + 1];
        targets[2 * i + 1] = points[2 * i] - points[2 * i + 1];
    }
    return target_data<float, 2>::make("sums", {}, 2, std::move(points), std::move(targets)).value();
}

/// A stream: it knows only the next sample, and its source runs dry.
struct stream {
    std::size_t dry = 1000000;
    mutable std::size_t next = 0;

    static std::size_t size() { return 100; }
    static std::size_t targets() { return 1; }
    static extents<2> sample_shape() { return {}; }
    std::optional<error> fetch(std::span<const std::size_t> indices, float* inputs, float* t) const {
        for (const std::size_t i : indices) {
            if (next >= dry) {
                return error{error_code::not_found, sentence("stream: expected a sample ", i, ", found the end")};
            }
            CHECK(i == next % 100);
            ++next;
            *inputs++ = static_cast<float>(i % 2);
            *inputs++ = 1.0f;
            *t++ = static_cast<float>(i % 2);
        }
        return std::nullopt;
    }
};

/// Labelled samples that are made when they are asked for: the fifth has `label`, of four classes.
struct made_labels {
    std::int32_t label;

    static std::size_t size() { return 10; }
    static std::size_t classes() { return 4; }
    static extents<2> sample_shape() { return {}; }
    void fetch(std::span<const std::size_t> indices, float* inputs, std::int32_t* l) const {
        std::fill_n(inputs, 2 * indices.size(), 1.0f);
        for (const std::size_t i : indices) {
            *l++ = i == 4 ? label : 0;
        }
    }
};

}  // namespace

TEST_CASE("top k counts labels among the greatest outputs, NaN as wrong") {
    const auto share = [](std::size_t k) {
        top_k metric{k};
        metric.add({{}, labels}, {outputs.data(), 4, 3});
        return metric.value();
    };
    CHECK(share(1) == 0.25);
    CHECK(share(2) == 0.75);  // of equals the first is greater; NaN is greater than all
    CHECK(share(3) == 1.0);
    accuracy a;
    a.add({{}, labels}, {outputs.data(), 4, 3});
    CHECK(a.value() == 0.25);
    CHECK(top_k{}.value() == 0.0);
}

TEST_CASE("a confusion matrix says what was taken for what") {
    confusion_matrix matrix(3);
    matrix.add({{}, labels}, {outputs.data(), 4, 3});
    CHECK(matrix.count(1, 1) == 1);
    CHECK(matrix.count(1, 0) == 1);
    CHECK(matrix.count(1, 3) == 1);  // NaN
    CHECK(matrix.count(0, 2) == 1);
    CHECK(matrix.recall(1) == Approx(1.0 / 3.0));
    CHECK(matrix.precision(1) == 1.0);
    CHECK(matrix.precision(2) == 0.0);
    CHECK(matrix.recall(2) == 0.0);
}

TEST_CASE("metrics of a model agree with the count of its errors") {
    const auto net = initialized(sequential(dense<2, 16>(), relu(), dense<16, 4>()), he_normal{}, seed{1});
    const auto data = quarters(1000);
    const double errors = static_cast<double>(*count_errors(net, data));
    CHECK(evaluate(net, data, accuracy{})->value() == Approx(1.0 - errors / 1000.0));
    CHECK(evaluate(net, data, top_k{4})->value() == 1.0);
    const auto loss = evaluate(net, data, mean_loss(cross_entropy{}));
    CHECK(loss->value() > 0.5);
}

TEST_CASE("a network learns numbers, and is validated by a loss") {
    auto net = initialized(sequential(dense<2, 2>()), he_normal{}, seed{1});
    const auto data = sums(200);
    double validated = -1.0;
    REQUIRE(fit(net, data, mean_squared_error{}, adam{.learning_rate = 3e-2f}, {.epochs = 40, .batch_size = 10},
                validation_loss(data, smooth_l1{}), look{&validated}));
    CHECK(evaluate(net, data, mean_loss(mean_squared_error{}))->value() < 1e-3);
    CHECK(validated >= 0.0);
    CHECK(validated < 1e-3);
    auto three = sequential(dense<2, 3>());
    CHECK(fit(three, data, mean_squared_error{}, sgd{}).error().message ==
          "fit: the model gives 3 outputs; a sample of the data has 2 targets");
    CHECK(fit(net, data, smooth_l1{-1.0f}, sgd{}).error().message == "smooth_l1: expected a beta of at least 0, found -1");
}

TEST_CASE("data may come out of a stream, and may fail to come") {
    auto net = sequential(dense<2, 1>());
    CHECK(fit(net, stream{}, mean_squared_error{}, sgd{.learning_rate = 0.1f}, {.epochs = 3, .batch_size = 16, .shuffle = false})
              ->steps == 21);
    const auto dry = fit(net, stream{150}, mean_squared_error{}, sgd{}, {.epochs = 3, .batch_size = 16, .shuffle = false});
    REQUIRE_FALSE(dry);
    CHECK(dry.error().message == "stream: expected a sample 50, found the end");
    CHECK(evaluate(net, stream{50}, mean_loss(mean_squared_error{})).error().code == error_code::not_found);
}

TEST_CASE("classes and labels that no output stands for are errors") {
    auto net = sequential(dense<2, 4>());
    const auto forty = labeled_data<float, 2>::make("forty", {}, 40, aligned_array<float>(2), {39}).value();
    CHECK(evaluate(net, forty, confusion_matrix(4)).error().message ==
          "run_over: the model gives 4 outputs; the data has 40 classes");
    CHECK(count_errors(net, forty).error().code == error_code::invalid_argument);
    CHECK(evaluate(net, sums(3), mean_loss(mean_squared_error{})).error().message ==
          "run_over: the model gives 4 outputs; a sample of the data has 2 targets");
    for (const std::int32_t label : {-1, 4}) {
        const auto expected = sentence("data set: expected labels below 4, found ", label, " at sample 4");
        CHECK(evaluate(net, made_labels{label}, accuracy{}).error().message == expected);
        CHECK(fit(net, made_labels{label}, cross_entropy{}, sgd{}, {.shuffle = false}).error().message == expected);
    }
    CHECK(evaluate(net, made_labels{3}, accuracy{}));
}

TEST_CASE("whatever counts errors takes outputs with NaN for wrong") {
    auto net = sequential(dense<2, 4>());
    auto& layer = std::get<0>(net.layers);
    std::fill(layer.weights.values.begin(), layer.weights.values.end(), 0.0f);
    for (const std::size_t where : {1u, 3u}) {  // not at the label, which is 0 and otherwise the greatest
        std::fill(layer.bias.begin(), layer.bias.end(), 0.0f);
        CHECK(*count_errors(net, made_labels{0}) == 0);
        layer.bias.data()[where] = no_number;
        CHECK(*count_errors(net, made_labels{0}) == 10);
        CHECK(evaluate(net, made_labels{0}, accuracy{})->value() == 0.0);
        CHECK(evaluate(net, made_labels{0}, confusion_matrix(4))->count(0, 4) == 10);
    }
}

TEST_CASE("targets that do not fit are errors") {
    const auto message = [](std::size_t inputs, std::size_t targets, std::size_t per_sample, float last = 0.0f) {
        aligned_array<float> t(targets);
        if (targets != 0) {
            t[targets - 1] = last;
        }
        const auto data = target_data<float, 2>::make("d", {}, per_sample, aligned_array<float>(inputs), std::move(t));
        return data ? std::string("no error") : data.error().message;
    };
    CHECK(message(4, 6, 3) == "no error");
    CHECK(message(4, 7, 3) == "d: expected samples of 2 inputs and 3 targets, at least one; found 4 inputs and 7 targets in all");
    CHECK_THAT(message(6, 6, 3), ContainsSubstring("found 6 inputs"));
    CHECK_THAT(message(0, 0, 3), ContainsSubstring("at least one"));
    CHECK_THAT(message(0, 0, 0), ContainsSubstring("at least one"));
    CHECK(message(4, 6, 3, no_number) == "d: expected finite targets, found nan at sample 1, target 2");
}

TEST_CASE("gradients are clipped by value and by the norm of all") {
    const std::size_t n = 40000;  // several tasks
    std::vector<float> g(n);
    for (std::size_t i = 0; i < n; ++i) {
        g[i] = static_cast<float>(i % 7) - 3.0f;  // the sum of 7 squares is 28
    }
    const auto original = g;
    serial_executor serial;
    detail::gradient_clipping<isa::native>(2.0f, 0.0f, n)(serial, g);
    CHECK(g[0] == -2.0f);
    CHECK(g[1] == -2.0f);
    CHECK(g[4] == 1.0f);
    CHECK(g[6] == 2.0f);
    g = original;
    const double norm = std::sqrt(28.0 * static_cast<double>(n / 7) + 9.0 + 4.0);
    detail::gradient_clipping<isa::native>(0.0f, 10.0f, n)(serial, g);
    CHECK(static_cast<double>(g[6]) == Approx(3.0 * 10.0 / norm).epsilon(1e-5));
    std::vector<float> small = {3.0f, -4.0f, 12.0f};
    detail::gradient_clipping<isa::native>(0.0f, 2.0f, 3)(serial, small);  // as PyTorch
    CHECK(small[2] == Approx(1.846153736f));
    detail::gradient_clipping<isa::native>(0.0f, 50.0f, 3)(serial, small);
    CHECK(small[2] == Approx(1.846153736f));
    auto net = sequential(dense<2, 2>());
    CHECK_THAT(fit(net, sums(10), mean_squared_error{}, sgd{}, {.largest_gradient = -1.0f}).error().message,
               ContainsSubstring("expected limits of gradients that are above 0"));
}
