#include <pare/train/fit.hpp>

#include <cstdio>
#include <limits>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/relu.hpp>
#include <pare/train/callbacks.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>
#include <pare/train/report.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

auto small_network() {
    return initialized(sequential(dense<2, 64>(), relu(), dense<64, 4>()), he_normal{}, seed{1});
}

template <class Model>
std::vector<float> numbers_of(Model& model) {
    std::vector<float> all;
    for_each_member(model, [&](const member_path&, auto& member) {
        const auto values = trainable_values(member);
        all.insert(all.end(), values.begin(), values.end());
    });
    return all;
}

struct counter {
    std::size_t begun = 0, ended = 0, epochs = 0, fits = 0;
    void on_step_begin(auto&, training_state& state) {
        CHECK(state.step == begun);
        ++begun;
    }
    void on_step_end(auto&, training_state& state) {
        ++ended;
        state.stop = state.step == 24;
    }
    void on_epoch_end(auto&, training_state& state) {
        CHECK(state.epoch == epochs);
        ++epochs;
    }
    void on_fit_end(auto&, training_state&) { ++fits; }
};

}  // namespace

TEST_CASE("a network learns") {
    auto net = small_network();
    const auto train = quarters(2000);
    const auto test = quarters(1000, 1);
    const std::size_t before = *count_errors(net, test);
    const auto report = fit(net, train, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 10, .batch_size = 32});
    REQUIRE(report);
    CHECK(report->epochs == 10);
    CHECK(report->steps == 10 * 63);
    CHECK(report->mean_loss < 0.1);
    CHECK(before > 300);
    CHECK(*count_errors(net, test) < 30);
}

TEST_CASE("the same seed gives the same bits on every run and any number of threads") {
    // large enough that the work is really split
    const auto train = [] {
        const random_numbers random(seed{5}, 0);
        aligned_array<float> inputs(500 * 200);
        std::vector<std::int32_t> labels(500);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            inputs[i] = random.uniform(i, -1.0f, 1.0f);
        }
        for (std::size_t i = 0; i < labels.size(); ++i) {
            labels[i] = static_cast<std::int32_t>(random.below(1000000 + i, 10));
        }
        return labeled_data<float, 200>::make("noise", {}, 10, std::move(inputs), std::move(labels)).value();
    }();
    const auto trained = [&](auto& executor, std::uint64_t shuffle) {
        auto net = initialized(sequential(dense<200, 300>(), relu(), dense<300, 10>()), he_normal{}, seed{1});
        REQUIRE(fit(net, train, cross_entropy{}, adam{}, {.epochs = 2, .batch_size = 96, .shuffle_seed = {shuffle}}, executor));
        return numbers_of(net);
    };
    serial_executor serial;
    const auto expected = trained(serial, 3);
    CHECK(trained(serial, 3) == expected);
    for (const std::size_t threads : {2u, 3u, 5u}) {
        thread_pool pool(threads);
        CHECK(trained(pool, 3) == expected);
    }
    CHECK(trained(serial, 4) != expected);
}

TEST_CASE("callbacks hear of steps and epochs, and may stop") {
    counter count;
    auto net = small_network();
    const auto report = fit(net, quarters(640), cross_entropy{}, sgd{}, {.epochs = 10, .batch_size = 64}, count);
    REQUIRE(report);
    CHECK(report->steps == 25);
    CHECK(count.begun == 25);
    CHECK(count.ended == 25);
    CHECK(count.epochs == 2);  // whole ones
    CHECK(report->epochs == 2);
    CHECK(count.fits == 1);
}

TEST_CASE("early stopping ends a run that makes no progress") {
    auto net = small_network();
    const auto train = quarters(200);
    const auto stuck = fit(net, train, cross_entropy{}, sgd{.learning_rate = 0.0f}, {.epochs = 50}, early_stopping(3, 1e-6));
    REQUIRE(stuck);
    CHECK(stuck->epochs == 4);
    const auto test = quarters(500, 1);
    const auto learning =
        fit(net, train, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 40}, validation(test), early_stopping(5));
    REQUIRE(learning);
    CHECK(learning->epochs > 5);
    CHECK(learning->epochs < 40);

    early_stopping again(3, 1e-6);  // a callback may serve several runs
    for (int run = 0; run < 2; ++run) {
        CHECK(fit(net, train, cross_entropy{}, sgd{.learning_rate = 0.0f}, {.epochs = 50}, again)->epochs == 4);
    }
}

TEST_CASE("the progress bar shows epoch, loss, errors and the time left") {
    std::FILE* const out = std::tmpfile();
    REQUIRE(out != nullptr);
    auto net = small_network();
    const auto train = quarters(500);
    REQUIRE(fit(net, train, cross_entropy{}, adam{}, {.epochs = 2}, validation(train), progress_bar("toy", out)));
    std::rewind(out);
    std::string text(1000, ' ');
    text.resize(std::fread(text.data(), 1, text.size(), out));
    std::fclose(out);
    CHECK_THAT(text, ContainsSubstring("toy epoch 2/2 [====================] loss "));
    CHECK_THAT(text, ContainsSubstring("errors "));
    CHECK_THAT(text, ContainsSubstring(", 0 s left"));
    CHECK(text.back() == '\n');
}

TEST_CASE("bad input is an error that says what was expected and found") {
    auto net = small_network();
    const auto train = quarters(100);
    CHECK_THAT(fit(net, train, cross_entropy{}, sgd{}, {.epochs = 1, .batch_size = 0}).error().message,
               ContainsSubstring("batch size of at least 1"));

    auto three = initialized(sequential(dense<dyn, dyn>(3, 4)), he_normal{}, seed{1});
    CHECK_THAT(fit(three, train, cross_entropy{}, sgd{}, {}).error().message,
               ContainsSubstring("fit: the model takes 3 inputs; a sample of the data has 2 numbers"));
    CHECK(count_errors(three, train).error().message == "run_over: the model takes 3 inputs; a sample of the data has 2 numbers");
    auto two = initialized(sequential(dense<2, 3>()), he_normal{}, seed{1});
    CHECK_FALSE(fit(two, train, cross_entropy{}, sgd{}, {}));

    const auto exploded = fit(net, train, cross_entropy{}, sgd{.learning_rate = 1e30f}, {.epochs = 5});
    REQUIRE_FALSE(exploded);
    CHECK(exploded.error().code == error_code::diverged);
    CHECK_THAT(exploded.error().message, ContainsSubstring("at step "));

    auto nan = small_network();
    std::get<0>(nan.layers).weights.values[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(fit(nan, train, cross_entropy{}, sgd{}, {.epochs = 1}).error().code == error_code::diverged);
    auto infinite = small_network();
    CHECK(fit(infinite, train, cross_entropy{}, sgd{.learning_rate = std::numeric_limits<float>::infinity()}, {.epochs = 1})
              .error()
              .message ==
          "fit: expected finite numbers, found a loss that is NaN or infinite at step 1 (epoch 0); a smaller learning "
          "rate may help");
}

TEST_CASE("outputs that are no numbers are errors") {
    auto net = small_network();
    for (float& b : std::get<2>(net.layers).bias) {
        b = std::numeric_limits<float>::quiet_NaN();
    }
    CHECK(*count_errors(net, quarters(100)) == 100);
}

TEST_CASE("a run whose callback meets a problem fails with it") {
    auto net = small_network();
    const auto train = quarters(100);
    const auto other = labeled_data<float, dyn>::make("other", extents<dyn>(3), 4, aligned_array<float>(3), {0}).value();
    const auto report = fit(net, train, cross_entropy{}, sgd{}, {.epochs = 3}, validation(other));
    REQUIRE_FALSE(report);
    CHECK(report.error().message == "validation: the model takes 2 inputs; a sample of the data has 3 numbers");
}

TEST_CASE("a last batch of any size fits into the memory made for whole ones") {
    for (const std::size_t n : {10u, 300u, 784u, 1024u, 3072u}) {
        for (std::size_t k = 1, most = 0; k < 1200; ++k) {
            const std::size_t bytes = kernels::gemm_f32_scratch_bytes<isa::native>(n, k);
            REQUIRE(bytes >= most);
            REQUIRE(bytes >= scratch_bytes_of<float>(kernels::gemm_f32_chunk_columns<isa::native>(n, k) * k));
            most = bytes;
        }
    }
    const auto wide = [](std::size_t samples) {
        aligned_array<float> inputs(samples * 784);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            inputs[i] = static_cast<float>(i % 7) * 0.1f;
        }
        return labeled_data<float, 784>::make("wide", {}, 10, std::move(inputs), std::vector<std::int32_t>(samples, 1)).value();
    };
    auto net = initialized(sequential(dense<784, 10>()), he_normal{}, seed{1});
    CHECK(fit(net, wide(848), cross_entropy{}, sgd{}, {.epochs = 1, .batch_size = 512}));
}

TEST_CASE("a network in a network trains and runs like a flat one") {
    auto flat = initialized(sequential(dense<2, 16>(), relu(), dense<16, 8>(), relu(), dense<8, 4>()), he_normal{}, seed{3});
    auto nested = sequential(sequential(dense<2, 16>(), relu()), sequential(dense<16, 8>(), sequential(relu())), dense<8, 4>());
    initialize(nested, he_normal{}, seed{3});
    const auto train = quarters(300);
    REQUIRE(fit(flat, train, cross_entropy{}, adam{}, {.epochs = 2}));
    REQUIRE(fit(nested, train, cross_entropy{}, adam{}, {.epochs = 2}));
    CHECK(numbers_of(nested) == numbers_of(flat));
    CHECK(describe(prepare<isa::native>(nested)) == describe(prepare<isa::native>(flat)));
    CHECK(*count_errors(nested, train) == *count_errors(flat, train));
}

TEST_CASE("data sets check what they are made of") {
    using data = labeled_data<float, 2>;
    CHECK_THAT(data::make("points", {}, 4, aligned_array<float>(), {}).error().message,
               ContainsSubstring("points: expected at least one sample, found none"));
    CHECK_THAT(data::make("points", {}, 4, aligned_array<float>(3), {0}).error().message,
               ContainsSubstring("points: expected 1 samples of 2 numbers"));
    CHECK_THAT(data::make("points", {}, 4, aligned_array<float>(4), {0, 4}).error().message,
               ContainsSubstring("points: expected labels from 0 to 3, found 4 at sample 1"));
    CHECK_THAT(data::make("points", {}, 4, aligned_array<float>(4), {-1, 0}).error().message,
               ContainsSubstring("found -1 at sample 0"));
    CHECK(data::make("points", {}, 0, aligned_array<float>(2), {0}).error().message ==
          "points: expected at least one class, found none");
    aligned_array<float> inputs(4);
    inputs[3] = std::numeric_limits<float>::infinity();
    CHECK(data::make("points", {}, 4, std::move(inputs), {0, 1}).error().message ==
          "points: expected finite inputs, found inf at sample 1, input 1");
}

TEST_CASE("initializers give the variance of their formula") {
    auto net = initialized(sequential(dense<400, 500>()), he_normal{}, seed{9});
    const auto variance = [&] {
        double sum = 0.0;
        const auto& values = std::get<0>(net.layers).weights.values;
        for (const float w : values) {
            sum += static_cast<double>(w) * static_cast<double>(w);
        }
        return sum / static_cast<double>(values.size());
    };
    CHECK(variance() == Approx(2.0 / 400).epsilon(0.02));
    initialize(net, glorot_normal{}, seed{9});
    CHECK(variance() == Approx(2.0 / 900).epsilon(0.02));
}
