#include <pare/pipeline/compress.hpp>
#include <pare/pipeline/stages.hpp>

#include <pare/nn/dense.hpp>
#include <pare/nn/embedding.hpp>
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
}  // namespace

TEST_CASE("gradual pruning and fine-tuning train on the data and hold zeros, and the report is of them") {
    const auto data = quarters(1000);
    const cross_entropy loss;
    const adam optimizer{.learning_rate = 3e-3f};
    const auto made = compress(network(), data,
                               prune(loss, optimizer, magnitude{}, unstructured{}, constant_sparsity{.target_sparsity = 0.75},
                                     {.epochs = 5, .batch_size = 32}, global_scope{}) |
                                   fine_tune(loss, optimizer, {.epochs = 5, .batch_size = 32}));
    REQUIRE(made);
    const auto& s = made->stages;
    CHECK(s[1].stage == "prune 0.75");
    CHECK(s[1].quality.samples == 1000);
    CHECK(s[1].quality.errors < s[0].quality.errors / 2);
    CHECK(s[2].quality.errors < s[1].quality.errors);
    std::size_t kept = 0;
    for (std::size_t m = 0; m < 3; ++m) {
        kept += s[1].matrices[m].nonzero.kept();
        CHECK(s[2].matrices[m].nonzero == s[1].matrices[m].nonzero);
    }
    CHECK(kept == (2 * 64 + 64 * 64 + 64 * 4) / 4);
}

TEST_CASE("fine-tuning holds the zeros of a table") {
    const auto pruned = *freeze(prune(initialized(embedding<9, 8>(), he_normal{}, seed{1}), magnitude{}, unstructured{}, 0.5));
    const auto training = map_weights(pruned, detail::hold_zeros_and_codes{});
    CHECK(training.weights.mask.kept() == 36);
}
