#include <pare/prune/masks.hpp>

#include <algorithm>

#include <pare/nn.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

const auto untrained = initialized(sequential(dense<2, 16>(), relu(), dense<16, 4>()), he_normal{}, seed{1});

sparse_mask every_other(std::size_t rows, std::size_t columns) {
    sparse_mask mask(rows, columns);
    for (std::size_t i = 0; i < mask.size(); i += 2) {
        mask.set(i, false);
    }
    return mask;
}

/// What an optimizer remembers of pruned weights, and these weights, at the beginning of each step behind the masks of fit().
struct watch_pruned {
    bool moved = false;
    std::size_t steps = 0;

    void on_step_end(const auto& model, const training_state& state) {
        const auto& w = std::get<0>(model.layers).weights;
        const std::size_t parameters = state.slots.size() / 2;
        for (std::size_t i = 0; i < w.mask.size(); ++i) {
            if (!w.mask.keeps(i)) {
                // one update of moments that were zero: m = 0.1 g, v = 0.001 g^2, whatever step it is
                const float m = state.slots[i], v = state.slots[parameters + i];
                moved |= v != 0.0f && !(m * m / v > 9.99f && m * m / v < 10.01f);
            }
        }
        ++steps;
    }
};

/// One step without a mask gives the first weight momentum; from the next on the mask is there, and the gradient alone moves it.
struct prune_at_step_one {
    std::vector<float> seen;
    void on_step_begin(auto& model, const training_state& state) {
        if (state.step == 1) {
            std::get<0>(model.layers).weights.mask.set(0, false);
        }
    }
    void on_step_end(auto& model, const training_state& state) {
        seen = {std::get<0>(model.layers).weights.inner.values[0], state.slots[0]};
    }
};

}  // namespace

TEST_CASE("masks are taken from one model and put on another, and fit holds them") {
    const model_masks own = {{"0.weight", every_other(16, 2)}, {"2.weight", every_other(4, 16)}};
    auto ticket = with_masks(untrained, own);
    REQUIRE(ticket);
    CHECK(masks_of(*ticket) == own);
    CHECK(masks_of(freeze(*ticket)) == own);
    CHECK(std::get<0>(ticket->layers).weights.inner.values[0] == 0.0f);
    CHECK(std::get<0>(ticket->layers).weights.inner.values[1] == std::get<0>(untrained.layers).weights.values[1]);

    watch_pruned watch;
    REQUIRE(fit(*ticket, quarters(500), cross_entropy{}, adam{.learning_rate = 1e-2f}, {.epochs = 2, .batch_size = 32}, watch));
    CHECK(watch.steps == 32);
    CHECK_FALSE(watch.moved);
    CHECK(masks_of(*ticket) == own);
    for (std::size_t i = 0; i < 32; ++i) {  // in the model itself, frozen or not
        REQUIRE((std::get<0>(ticket->layers).weights.inner.values[i] == 0.0f) == (i % 2 == 0));
    }
    const auto again = with_masks(freeze(*ticket), masks_of(*ticket));
    CHECK(std::ranges::equal(std::get<0>(again->layers).weights.inner.values, std::get<0>(ticket->layers).weights.inner.values));
}

TEST_CASE("momentum that a weight had before it was pruned does not move it") {
    prune_at_step_one prune;
    auto net = *with_masks(sequential(dense<2, 4>()), {});
    REQUIRE(fit(net, quarters(64), cross_entropy{}, sgd{.learning_rate = 0.5f, .momentum = 0.9f}, {.epochs = 2, .batch_size = 64},
                prune));
    CHECK(prune.seen[1] != 0.0f);
    CHECK(prune.seen[0] == -0.5f * prune.seen[1]);  // not what it was before, and not its momentum
    CHECK(std::get<0>(net.layers).weights.inner.values[0] == 0.0f);
}

TEST_CASE("masks of one's own may be those of some layers, and of masked ones") {
    const auto some = with_masks(untrained, {{"2.weight", every_other(4, 16)}}, only<"2">{});
    REQUIRE(some);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<0>(some->layers))>, dense<2, 16>>);
    const auto both = with_masks(*some, {{"0.weight", every_other(16, 2)}});
    CHECK(masks_of(*both)[1] == masks_of(*some)[1]);
    CHECK(masks_of(*both)[0].mask.kept() == 16);
    CHECK(masks_of(*with_masks(untrained, {})) == masks_of(untrained));
}

TEST_CASE("a mask that fits no weights is an error that says which") {
    const auto message = [&](const model_masks& masks) { return with_masks(untrained, masks).error().message; };
    CHECK(message({{"2.weight", sparse_mask(16, 4)}}) == "with_masks: 2.weight: expected a mask of 4 x 16, found one of 16 x 4");
    CHECK(message({{"2.weight", sparse_mask(4, 16)}, {"2.weight", sparse_mask(4, 16)}}) ==
          "with_masks: 2.weight: expected one mask, found a second one");
    CHECK(message({{"2.bias", sparse_mask(1, 4)}}) ==
          "with_masks: expected masks of weights that the model has, found one of \"2.bias\"");
    CHECK(with_masks(with_masks(untrained, {{"1", sparse_mask()}}), {}).error().message ==
          "with_masks: expected masks of weights that the model has, found one of \"1\"");
}
