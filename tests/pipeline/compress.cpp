#include <pare/pipeline/compress.hpp>
#include <pare/pipeline/stages.hpp>

#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using layer = dense<dyn, dyn>;

auto network() {
    return initialized(sequential(layer(2, 64), relu(), layer(64, 64), relu(), layer(64, 4)), he_normal{}, seed{1});
}
template <class A, class B>
bool equal(const A& a, const B& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("a pipeline does what its functions do by hand, and reports each stage") {
    const auto net = network();
    const auto data = quarters(2000), test = quarters(1000, 1);
    const auto made = compress(net, data,
                               prune(magnitude{}, unstructured{}, 0.75, only<"2">{}) | cluster<16>() |
                                   fine_tune(cross_entropy{}, adam{.learning_rate = 1e-3f}, {.epochs = 2}) | quantize(),
                               test);
    REQUIRE(made);

    const auto pruned = freeze(prune(net, magnitude{}, unstructured{}, 0.75, only<"2">{}));
    auto shared = train_codebooks(*cluster<16>(pruned));
    REQUIRE(fit(shared, data, cross_entropy{}, adam{.learning_rate = 1e-3f}, {.epochs = 2}));
    const auto by_hand = *quantize_dynamic<qint8, granularity::per_tensor>(without_codebooks(freeze(shared)));
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(made->model)>, std::remove_const_t<decltype(by_hand)>>);
    CHECK(equal(std::get<2>(made->model.layers).weights.values, std::get<2>(by_hand.layers).weights.values));
    CHECK(equal(std::get<2>(made->model.layers).weights.scales, std::get<2>(by_hand.layers).weights.scales));

    const auto& s = made->stages;
    REQUIRE(s.size() == 5);
    CHECK(s[0].stage == "model");
    CHECK(s[1].stage == "prune 0.75");
    CHECK(s[4].stage == "quantize qint8");
    CHECK(s[0].quality.errors == *count_errors(net, test));
    CHECK(s[1].quality.errors == *count_errors(pruned, test));
    CHECK(s[4].quality.errors == *count_errors(by_hand, test));
    CHECK(s[4].quality.samples == 1000);
    CHECK(s[3].quality.errors < s[2].quality.errors);  // what training is for
    CHECK(s[1].nonzero == summarize(*pruned).nonzero);
    CHECK(s[4].bytes == summarize(by_hand).bytes);
    REQUIRE(s[3].matrices.size() == 3);
    CHECK(s[1].matrices[1].path == "2.weight");
    CHECK(s[1].matrices[1].nonzero.kept() == 1024);
    CHECK(s[3].matrices[1].nonzero == s[1].matrices[1].nonzero);
    CHECK(s[0].matrices[1].bits == 32);
    CHECK(s[2].matrices[1].bits == 4);
    CHECK(s[4].matrices[1].bits == 8);
    CHECK(s[0].matrices[1].values > 4000);
    CHECK(s[2].matrices[1].values > 8);
    CHECK(s[2].matrices[1].values <= 16);
    CHECK(s[4].matrices[1].values <= 16);
    CHECK_THAT(describe(s), ContainsSubstring("\ncluster 16: ") && ContainsSubstring(" values of 4 bits"));
    stage_report exact;
    exact.quality = {5, 0, 0.0, true};
    CHECK_THAT(describe({exact}), ContainsSubstring(", loss 0 on 5 samples"));
}
