#include <pare/quantize/clipped_weights.hpp>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/embeddings.hpp>
#include <pare/quantize/report.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

TEST_CASE("weights beyond what codes reach are clipped, those within half a step are not") {
    weight_matrix<float, full> w(2, 2);
    const float values[4] = {127.0f, -63.9f, 63.9f, -12.7f};
    std::copy(values, values + 4, w.values.begin());
    auto q = *quantize_weights(w, granularity::per_channel);
    CHECK(clipped_share(w, q) == 0.0);
    q.scales[0] = 0.5f;  // reaches 63.5
    CHECK(clipped_share(w, q) == 0.5);
    q.scales[0] = 1.0f;
    q.scales[1] = 0.503f;  // reaches 63.88
    CHECK(clipped_share(w, q) == 0.0);
    CHECK(clipped_share(w, w) == 0.0);
}

TEST_CASE("codes of groups, of tables and of blocks reach as far as they do") {
    const auto net = initialized(sequential(dense<64, 8>()), he_normal{}, seed{3});
    const auto& w = std::get<0>(net.layers).weights;
    auto grouped = *quantize_weights_in_groups<qint4<32>>(w);
    CHECK(clipped_share(w, grouped) == 0.0);
    for (auto& scale : grouped.scales) {
        scale *= 0.5f;
    }
    const double share = clipped_share(w, grouped);
    CHECK(share > 0.05);
    CHECK(share < 0.5);
    CHECK(clipped_share(w, *quantize_table<row_quint<4>>(w)) == 0.0);
    CHECK(clipped_share(w, *quantize_weights_to_blocks<ggml::q4_1>(w)) == 0.0);
}

TEST_CASE("a report has the share of each layer") {
    const auto net = initialized(sequential(dense<dyn, dyn>(2, 8), relu(), dense<dyn, dyn>(8, 4)), he_normal{}, seed{4});
    auto small = *quantize_dynamic(net);
    auto& scales = std::get<2>(small.layers).weights.scales;
    for (std::size_t row = 0; row < 4; ++row) {
        scales[row] *= row < 2 ? 1e-3f : 1.0f;  // two of four rows
    }
    const auto report = *compare_models(net, small, quarters(10), {.repetitions = 1});
    CHECK(report.layers[0].clipped_weights_share == 0.0);
    CHECK(report.layers[1].clipped_weights_share == 0.5);
    CHECK_THAT(describe(report), ContainsSubstring(", 50 % of weights clipped, "));
}
