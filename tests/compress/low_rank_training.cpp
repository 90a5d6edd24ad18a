#include <pare/compress/low_rank.hpp>
#include <pare/nn/relu.hpp>
#include <pare/quantize/static.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

TEST_CASE("factorized networks are trained, quantized and factorized again as others are") {
    const auto data = quarters(500);
    const auto net = initialized(sequential(dense<2, 24>(), relu(), dense<24, 16>(), relu(), dense<16, 4>()), he_normal{}, seed{1});
    auto small = *factorize(net, rank_of{3}, only<"2">{});
    REQUIRE(std::get<2>(small.layers).is_factorized());
    const auto before = small;
    REQUIRE(fit(small, data, cross_entropy{}, adam{.learning_rate = 1e-2f}, {.epochs = 15, .batch_size = 25}));
    const auto& factors = std::get<2>(small.layers).factors()->layers;
    const auto& untrained = std::get<2>(before.layers).factors()->layers;
    const auto moved = [](const auto& a, const auto& b) { return !std::equal(a.begin(), a.end(), b.begin(), b.end()); };
    CHECK(moved(std::get<0>(factors).weights.values, std::get<0>(untrained).weights.values));
    CHECK(moved(std::get<1>(factors).weights.values, std::get<1>(untrained).weights.values));
    CHECK(*count_errors(before, data) > 200);
    CHECK(*count_errors(small, data) < 40);

    using bytes = std::remove_cvref_t<decltype(*std::get<2>(quantize_dynamic(small)->layers).factors())>;
    using qint8_dense = dense<24, dyn, weight_matrix<qint8, full>, dynamic_range>;
    CHECK(std::is_same_v<std::remove_cvref_t<decltype(std::get<0>(std::declval<bytes>().layers))>, qint8_dense>);
    const auto static_bytes = *quantize_static(small, data);  // calibration sees the factors that there are
    const auto& first = std::get<0>(std::get<2>(static_bytes.layers).factors()->layers);
    CHECK(first.activations.input.scale > 0.0f);
    CHECK(*count_errors(static_bytes, data) < 50);
    const auto again = factorize(small, rank_of{1}, only<"2.factors.0">{});
    REQUIRE(again);
    CHECK(std::get<0>(std::get<2>(again->layers).factors()->layers).is_factorized());
}
