// What stages promise, and that it is looked for.

#include <pare/pipeline/compress.hpp>
#include <pare/pipeline/stages.hpp>

#include <pare/nn/dense.hpp>
#include <pare/nn/embedding.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using layer = dense<dyn, dyn>;

/// Weights as of a network that has learned nothing, which is enough for promises.
auto network() {
    return initialized(sequential(layer(2, 64), relu(), layer(64, 64), relu(), layer(64, 4)), he_normal{}, seed{1});
}

/// A stage of one's own: some weights become others. What it promises is the test's choice.
struct change_weights {
    static constexpr const char* name = "change";

    stage_promises says;
    void (*change)(weight_matrix<float, full>& second);
    only<"2"> selection{};

    stage_promises promises() const { return says; }
    template <class Model, class Data>
    auto operator()(const Model& model, const Data&) const {
        auto made = without_codebooks(model);
        change(std::get<2>(made.layers).weights);
        return made;
    }
};
void revive(weight_matrix<float, full>& w) {
    for (std::size_t i = 0; i < 3; ++i) {
        *std::find(w.values.begin(), w.values.end(), 0.0f) = 0.25f;
    }
}
void scatter(weight_matrix<float, full>& w) {
    for (std::size_t i = 0; i < 20; ++i) {
        w.values[i] += static_cast<float>(i);
    }
}
void leave(weight_matrix<float, full>&) {}

/// Bytes become floats again.
struct widen {
    static constexpr const char* name = "widen";
    stage_promises promises() const { return {}; }
    template <class Model, class Data>
    auto operator()(const Model& model, const Data&) const {
        return map_weights(model, [](const member_path&, const auto& w, auto) {
            weight_matrix<float, full> floats(w.structure);
            w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) { floats.values[i] = w.real(row, i); });
            return mapped_weights<weight_matrix<float, full>, as_float>{std::move(floats), {}};
        });
    }
};

struct lose_rows {
    static constexpr const char* name = "lose";
    stage_promises promises() const { return {}; }
    template <class Model, class Data>
    auto operator()(const Model&, const Data&) const {
        return sequential(layer(2, 32), relu(), layer(32, 64), relu(), layer(64, 4));
    }
};

}  // namespace

TEST_CASE("the model is frozen first, one stage is a pipeline, and results and errors pass through") {
    const auto net = network();
    const auto masked_net = prune(net, magnitude{}, unstructured{}, 0.5);
    const auto sparse = compress(masked_net, sparsify<csr>());
    REQUIRE(sparse);
    CHECK(sparse->stages[1].stage == "sparsify csr");
    CHECK(sparse->stages[1].quality.samples == 0);
    CHECK(sparse->stages[1].nonzero == sparse->stages[0].nonzero);
    CHECK(sparse->stages[1].bytes < sparse->stages[0].bytes);
    CHECK_THAT(compress(net, prune(magnitude{}, unstructured{}, 1.0) | quantize()).error().message, ContainsSubstring("[0, 1)"));
    CHECK_THAT(compress(net, cluster<256>()).error().message, ContainsSubstring("cluster: 0.weight: expected at least 256"));
    const result<layer> none = error{error_code::not_found, "no model"};
    CHECK(compress(none, quantize()).error().message == "no model");
}

TEST_CASE("a stage that breaks a promise is named, with the weights, what was expected and what was found") {
    const auto net = network();
    const auto pruned = prune(magnitude{}, unstructured{}, 0.5);
    const auto message = [&](const auto& pipeline) {
        const auto made = compress(net, pipeline);
        REQUIRE_FALSE(made);
        CHECK(made.error().code == error_code::invalid_data);
        return made.error().message;
    };
    CHECK(message(pruned | change_weights{{}, revive}) ==
          "compress: stage 2 (change): 2.weight: expected the 2048 weights to stay 0 that were so behind prune, found 3 that are "
          "not");
    CHECK(message(cluster<16>() | change_weights{{}, scatter}) ==
          "compress: stage 2 (change): 2.weight: expected at most 16 different values, as cluster promised, found 35");
    CHECK(message(quantize() | widen{}) ==
          "compress: stage 2 (widen): 0.weight: expected at most 8 bits for a weight, as quantize promised, found 32");
    CHECK(message(pruned | lose_rows{}) == "compress: stage 2 (lose): 0.weight: expected 64 x 2 weights, as before, found 32 x 2");
    // groups of 4 bits have scales of their own, so that shared values are shared no more
    CHECK_THAT(message(cluster<8>() | quantize<qint4<16>>()),
               ContainsSubstring("compress: stage 2 (quantize qint4): 0.weight: expected at most 8 different values, as cluster"));

    // what a stage says of itself is checked where it has worked, and nowhere else
    CHECK_THAT(message(change_weights{{.values = 4}, leave}),
               ContainsSubstring("stage 1 (change): 2.weight: expected at most 4 different values, as change promised, found 40"));
    CHECK_THAT(message(pruned | change_weights{{.zeros = true}, revive}), ContainsSubstring("behind prune, found 3"));
    const auto zeros_before = *freeze(prune(net, magnitude{}, unstructured{}, 0.5));
    CHECK_THAT(compress(zeros_before, change_weights{{.zeros = true}, revive}).error().message,
               ContainsSubstring("that were so behind the stage before, found 3 that are not"));
    CHECK(compress(zeros_before, change_weights{{}, revive}));
    CHECK(compress(net, pruned | change_weights{{.bits = 32}, leave} | cluster<16>()));
}

TEST_CASE("stages have the options of the functions they are named after") {
    const cluster_options density{.start = cluster_start::density, .preserve_zeros = false};
    const auto made = compress(network(), prune(magnitude{}, unstructured{}, 0.5, only<"0">{}) | cluster<8>(density, only<"2">{}));
    REQUIRE(made);
    CHECK(made->stages[1].matrices[0].nonzero.kept() == 64);
    CHECK(made->stages[1].matrices[1].nonzero.kept() == 64 * 64);
    CHECK(made->stages[2].matrices[1].values == 8);
    CHECK(made->stages[2].matrices[2].values == 256);
    const auto by_hand = *cluster<8>(network(), density, only<"2">{});
    const auto &a = std::get<2>(made->model.layers).weights, &b = std::get<2>(by_hand.layers).weights;
    CHECK(std::equal(a.scales.begin(), a.scales.end(), b.scales.begin()));
    // zeros that clustering was not told to keep are nobody's promise, those of pruning are
    const auto moved = compress(network(), prune(magnitude{}, unstructured{}, 0.1) | cluster<8>({.preserve_zeros = false}));
    REQUIRE_FALSE(moved);
    CHECK_THAT(moved.error().message,
               ContainsSubstring("compress: stage 2 (cluster 8): 0.weight: expected the 13 weights to stay 0"));
}

TEST_CASE("shared values go on being shared in a static network") {
    const auto made = compress(network(), quarters(100), cluster<8>() | quantize<qint8, static_range>(), no_data{});
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    CHECK(made->stages[2].stage == "quantize qint8");
    CHECK(made->stages[2].matrices[1].values > 4);
    CHECK(made->stages[2].matrices[1].values <= 8);
}

TEST_CASE("a static network leaves as they are what has no form for bytes and what is not selected") {
    const auto net =
        initialized(sequential(input<2>(), embedding<9, 8>(), flatten(), dense<16, 8>(), dense<8, 3>()), he_normal{}, seed{1});
    const auto data = pairs_of_rows();
    const auto made = compress(net, data, cluster<8>() | quantize<qint8, static_range>(except<"3">{}), no_data{});
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    const auto& m = made->stages[2].matrices;
    CHECK(m[0].bits == 32);
    CHECK(m[1].bits == 8);
    CHECK(m[2].bits == 3);
}

TEST_CASE("matrices that a stage adds are held to what is promised of them from then on") {
    detail::promise_keeper keeper(matrix_states(sequential(layer(2, 2))));
    auto grown = matrix_states(sequential(layer(2, 2), layer(2, 64)));
    REQUIRE_FALSE(keeper.check("grow", "grow", {}, {}, grown));
    grown[1].bits = 16;
    CHECK(keeper.check("halve", "halve", {.bits = 8}, {"1.weight"}, grown)->message ==
          "halve: 1.weight: expected at most 8 bits for a weight, as halve promised, found 16");
}
