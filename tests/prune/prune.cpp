#include <pare/prune.hpp>

#include <limits>
#include <vector>

#include <pare/nn.hpp>
#include <pare/quantize.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

/// Counts the zero weights before each step.
struct zero_counter {
    std::vector<std::size_t> zeros;
    void on_step_begin(auto& model, training_state&) {
        std::size_t count = 0;
        for (const float w : std::get<0>(model.layers).weights.inner.values) {
            count += w == 0.0f;
        }
        zeros.push_back(count);
    }
};

TEST_CASE("a constant schedule updates between its steps") {
    const constant_sparsity s = {.target_sparsity = 0.8, .begin_step = 10, .end_step = 35, .frequency = 10};
    std::vector<int> updates;
    for (int step = 0; step < 60; ++step) {
        if (s.updates_at(step)) {
            updates.push_back(step);
            CHECK(s.sparsity_at(step) == 0.8);
        }
    }
    CHECK(updates == std::vector<int>{10, 20, 30, 35});
    CHECK(constant_sparsity{.begin_step = 5, .end_step = -1, .frequency = 7}.updates_at(5 + 7000));
}

TEST_CASE("a polynomial schedule begins, ends and bends as its formula says") {
    const polynomial_decay s = {
        .initial_sparsity = 0.2, .final_sparsity = 0.9, .begin_step = 100, .end_step = 350, .frequency = 100};
    CHECK(s.sparsity_at(0) == Approx(0.2));
    CHECK(s.sparsity_at(100) == Approx(0.2));
    CHECK(s.sparsity_at(225) == Approx(0.9 - 0.7 * 0.125));
    CHECK(s.sparsity_at(350) == Approx(0.9));
    CHECK(s.sparsity_at(1000) == Approx(0.9));
    CHECK_FALSE(s.updates_at(99));
    CHECK(s.updates_at(300));
    CHECK(s.updates_at(350));
    CHECK_FALSE(s.updates_at(400));
    CHECK(polynomial_decay{.final_sparsity = 0.5, .begin_step = 3, .end_step = 3}.sparsity_at(3) == 0.5);
}

TEST_CASE("impossible schedules say what is wrong") {
    CHECK(constant_sparsity{.begin_step = 5, .end_step = 4}.problem()->message ==
          "constant_sparsity: expected 0 <= begin_step <= end_step, found begin_step 5 and end_step 4");
    CHECK(constant_sparsity{.target_sparsity = 1.0}.problem()->message ==
          "constant_sparsity: expected target_sparsity in [0, 1), found 1");
    CHECK(constant_sparsity{.target_sparsity = -0.1}.problem());
    CHECK(constant_sparsity{.target_sparsity = std::numeric_limits<double>::quiet_NaN()}.problem());
    CHECK(constant_sparsity{.frequency = 0}.problem());
    CHECK(polynomial_decay{.begin_step = 10, .end_step = 5}.problem());
    CHECK(polynomial_decay{.end_step = -1}.problem());
    CHECK(polynomial_decay{.power = 0.0}.problem());
    CHECK(polynomial_decay{.initial_sparsity = 2.0}.problem());
    CHECK_FALSE(polynomial_decay{}.problem());
    CHECK_FALSE(constant_sparsity{.target_sparsity = 0.0}.problem());
}

TEST_CASE("exactly the wanted number of weights is pruned, the smallest first, of equals the first") {
    const std::vector<float> scores = {3, 1, 2, 1, 1, 5};
    const auto kept = [&](double sparsity) {
        const auto mask = unstructured{}.choose(scores, 2, 3, sparsity);
        std::vector<int> k;
        for (std::size_t i = 0; i < 6; ++i) {
            k.push_back(mask.keeps(i) ? 1 : 0);
        }
        return k;
    };
    CHECK(kept(0.0) == std::vector<int>{1, 1, 1, 1, 1, 1});
    CHECK(kept(1.0 / 3.0) == std::vector<int>{1, 0, 1, 0, 1, 1});
    CHECK(kept(0.5) == std::vector<int>{1, 0, 1, 0, 0, 1});
    CHECK(kept(0.75) == std::vector<int>{1, 0, 0, 0, 0, 1});  // 4.5 rounds to even: 4
    CHECK(kept(0.99) == std::vector<int>{0, 0, 0, 0, 0, 0});

    CHECK(unstructured{}.choose(std::vector<float>(5, 1.0f), 1, 5, 0.7).kept() == 1);  // 3.5 rounds to even: 4

    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto mask = unstructured{}.choose(std::vector<float>{nan, -1.0f, 0.0f, -2.0f}, 2, 2, 0.5);
    CHECK(mask.keeps(0));
    CHECK_FALSE(mask.keeps(1));
    CHECK(mask.keeps(2));
    CHECK_FALSE(mask.keeps(3));
}

TEST_CASE("pruning during training ends at the wanted sparsity, and the model that remains works") {
    auto net = initialized(sequential(dense<2, 64>(), relu(), dense<64, 4>()), he_normal{}, seed{1});
    const auto train = quarters(2000);
    REQUIRE(fit(net, train, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 10, .batch_size = 32}));
    const auto pruned = prune(net, train, cross_entropy{}, adam{.learning_rate = 3e-3f}, magnitude{}, unstructured{},
                              polynomial_decay{.final_sparsity = 0.75, .begin_step = 0, .end_step = 333, .frequency = 50},
                              {.epochs = 10, .batch_size = 32});
    REQUIRE(pruned);
    const auto frozen = freeze(*pruned);
    const auto sparse = sparsify<csr>(frozen);
    REQUIRE(sparse);
    CHECK(std::get<0>(sparse->layers).weights.values.size() == 32);
    CHECK(std::get<2>(sparse->layers).weights.values.size() == 64);
    CHECK(*count_errors(frozen, train) == *count_errors(sparse, train));
    CHECK(*count_errors(sparse, train) < 100);
    CHECK(summarize(*pruned).nonzero == summarize(*sparse).nonzero);
    STATIC_REQUIRE(std::is_same_v<std::remove_const_t<decltype(frozen)>, decltype(net)>);
}

TEST_CASE("masks hold during training: a step starts from weights times mask") {
    auto net = sequential(dense<2, 4>());
    const auto train = quarters(64);
    zero_counter seen;
    initialize(net, he_normal{}, seed{1});
    const auto pruned = prune(net, train, cross_entropy{}, sgd{.learning_rate = 0.1f}, magnitude{}, unstructured{},
                              constant_sparsity{.target_sparsity = 0.5, .begin_step = 2, .end_step = -1, .frequency = 100},
                              {.epochs = 5, .batch_size = 64}, seen);
    REQUIRE(pruned);
    CHECK(seen.zeros == std::vector<std::size_t>{0, 0, 4, 4, 4});
    CHECK(std::get<0>(pruned->layers).weights.mask.kept() == 4);
}

TEST_CASE("prune passes errors on") {
    const auto net = sequential(dense<2, 4>());
    const auto train = quarters(64);
    const auto wrong =
        prune(net, train, cross_entropy{}, sgd{}, magnitude{}, unstructured{}, constant_sparsity{.target_sparsity = 1.5}, {});
    REQUIRE_FALSE(wrong);
    CHECK_THAT(wrong.error().message, ContainsSubstring("expected target_sparsity in [0, 1), found 1.5"));
    const auto diverged =
        prune(initialized(net, he_normal{}, seed{1}), train, cross_entropy{},
              sgd{.learning_rate = std::numeric_limits<float>::infinity()}, magnitude{}, unstructured{}, constant_sparsity{});
    REQUIRE_FALSE(diverged);
    CHECK(diverged.error().code == error_code::diverged);
    CHECK_FALSE(quantize_dynamic(sparsify<csr>(freeze(wrong))));
    CHECK(prune(initialized(net, he_normal{}, seed{1}), train, cross_entropy{}, sgd{}, magnitude{}, unstructured{},
                polynomial_decay{})
              .error()
              .message ==
          "prune: expected a schedule that reaches its sparsity within the 10 steps of the training, found one that "
          "does at step 1000");
}

TEST_CASE("more inputs than a layout can number are an error that says which layout takes them") {
    auto net = sequential(dense<70000, 2>());
    std::get<0>(net.layers).weights.values[69999] = 2.0f;
    CHECK(sparsify<csr>(net).error().message ==
          "sparsify: 0.weight: expected at most 65535 inputs in this layout, found 70000; csr32 takes more");
    const auto sparse = sparsify<csr32>(net);
    REQUIRE(sparse);
    CHECK(std::get<0>(sparse->layers).weights.structure.column()[0] == 69999);
}

TEST_CASE("a group with more weights than a layout keeps is an error that names layer, row and group") {
    auto net = sequential(dense<8, 2>(), relu(), dense<2, 3>());
    for (const std::size_t i : {0u, 3u, 5u, 6u, 10u, 12u, 13u, 15u}) {
        std::get<0>(net.layers).weights.values[i] = 1.0f;
    }
    CHECK(sparsify<n_of_m<2, 4>>(net).error().message ==
          "sparsify: 0.weight: expected at most 2 of 4 weights that are not zero, found 3 in row 1, group 1 (inputs 4 to 7)");
    std::get<0>(net.layers).weights.values[13] = 0.0f;
    const auto sparse = sparsify<n_of_m<2, 4>>(net);
    REQUIRE(sparse);
    CHECK(std::get<0>(sparse->layers).weights.values.size() == 8);
    CHECK(std::get<2>(sparse->layers).weights.values.size() == 6);
}
