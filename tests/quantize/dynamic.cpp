#include <pare/quantize.hpp>

#include <cmath>
#include <limits>

#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

weight_matrix<float, full> some_weights() {
    weight_matrix<float, full> w(3, 4);
    const float values[12] = {1.0f, -2.0f, 0.5f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 100.0f, -127.0f, 0.4f, 63.5f};
    std::copy(values, values + 12, w.values.begin());
    return w;
}

}  // namespace

TEST_CASE("weights are quantized symmetrically, each output by its own scale") {
    const auto q = quantize_weights(some_weights(), granularity::per_channel).value();
    CHECK(q.scales[0] == 2.0f / 127.0f);
    CHECK(q.scales[1] == 1.0f);
    CHECK(q.scales[2] == 1.0f);
    const std::int8_t expected[12] = {64, -127, 32, 0, 0, 0, 0, 0, 100, -127, 0, 64};
    CHECK(std::equal(expected, expected + 12, q.values.begin()));
    CHECK(q.bytes() == 12 + 12);
}

TEST_CASE("or all by one scale") {
    const auto q = quantize_weights(some_weights(), granularity::per_tensor).value();
    for (std::size_t row = 0; row < 3; ++row) {
        CHECK(q.scales[row] == 1.0f);
    }
    CHECK(int{q.values[1]} == -2);
    CHECK(int{q.values[2]} == 0);  // 0.5 rounds to even
}

TEST_CASE("a model in blocks of ggml runs, and rows that are not whole blocks are an error") {
    const auto net = initialized(sequential(dense<64, 32>(), relu(), dense<32, 3>()), he_normal{}, seed{1});
    const auto q = quantize_dynamic<ggml::q4_0>(net);
    REQUIRE(q);
    CHECK(std::get<0>(q->layers).weights.bytes() == 32 * 2 * 18);
    CHECK_THAT(describe(prepare<isa::native>(*q)),
               ContainsSubstring("q4_0 full in groups of 32: 4 bits and float16 scales, gemm_groups on "));
    CHECK(quantize_dynamic<ggml::q4_0>(sequential(dense<64, 20>(), relu(), dense<20, 3>())).error().message ==
          "quantize: 2.weight: expected a multiple of 32 inputs, the weights of a block of q4_0; found 20");
    auto huge = net;
    std::get<0>(huge.layers).weights.values[70] = 6e5f;
    CHECK(quantize_dynamic<ggml::q4_0>(huge).error().message ==
          "quantize: 0.weight: expected weights whose scale fits 16 bits, found one too large in row 1");
}

TEST_CASE("a sparse matrix stays sparse") {
    const auto sparse = to_layout<csr>(some_weights());
    const auto q = quantize_weights(sparse, granularity::per_channel).value();
    CHECK(q.values.size() == 7);
    const auto dense_q = quantize_weights(some_weights(), granularity::per_channel).value();
    q.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        CHECK(q.values[i] == dense_q.values[row * 4 + column]);
        CHECK(q.scales[row] == dense_q.scales[row]);
    });
}

TEST_CASE("weights that are no numbers are an error that names them") {
    auto net = initialized(sequential(dense<4, 3>(), relu(), dense<3, 2>()), he_normal{}, seed{1});
    std::get<2>(net.layers).weights.values[4] = std::numeric_limits<float>::quiet_NaN();
    const auto q = quantize_dynamic(net);
    REQUIRE_FALSE(q);
    CHECK(q.error().code == error_code::invalid_data);
    CHECK(q.error().message == "quantize: 2.weight: expected finite weights, found NaN at row 1, column 1");
    std::get<2>(net.layers).weights.values[4] = -std::numeric_limits<float>::infinity();
    CHECK_THAT(quantize_dynamic(net).error().message, ContainsSubstring("found an infinity at row 1, column 1"));
}

TEST_CASE("a layer whose sums do not fit 32 bits is as exact as any other") {
    auto net = sequential(dense<140000, 2>());
    auto& w = std::get<0>(net.layers).weights.values;
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = i < 140000 ? 1.0f : 0.5f;
    }
    const auto q = quantize_dynamic(net);
    REQUIRE(q);
    const auto ready = prepare<isa::native>(*q);
    auto space = workspace_for(ready, 1);
    const std::vector<float> x(140000, 1.0f);
    std::vector<float> y(2);
    run(ready, x, y, space);  // sums of 140,000 * 255 * 127, twice what 32 bits hold
    CHECK(y[0] == Approx(140000.0));
    CHECK(y[1] == Approx(70000.0));
    CHECK(quantize_dynamic<qint4<64>>(net));
}

TEST_CASE("a row of too many sparse weights for exact sums is an error") {
    auto net = sequential(dense<65794, 1>());
    for (float& w : std::get<0>(net.layers).weights.values) {
        w = 1.0f;
    }
    CHECK(quantize_dynamic(sparsify<csr32>(net)).error().message ==
          "quantize_dynamic: 0.weight: expected at most 65793 weights in a row, so that sums of products fit; found 65794");
    std::get<0>(net.layers).weights.values[7] = 0.0f;
    CHECK(quantize_dynamic(sparsify<csr32>(net)));
}

TEST_CASE("the type says how a quantized model is stored") {
    const auto net = sequential(dense<4, 3>(), relu());
    using quantized = std::remove_cvref_t<decltype(*quantize_dynamic(net))>;
    STATIC_REQUIRE(std::is_same_v<quantized, sequential<dense<4, 3, weight_matrix<qint8, full>, dynamic_range>, relu>>);
    using sparse = std::remove_cvref_t<decltype(*quantize_dynamic(sparsify<csr>(net)))>;
    STATIC_REQUIRE(std::is_same_v<sparse, sequential<dense<4, 3, weight_matrix<qint8, csr>, dynamic_range>, relu>>);
    CHECK(quantize_dynamic<granularity::per_tensor>(net));
}

TEST_CASE("tensors are quantized whole or by channel, and back") {
    tensor<float, 2, 3> x;
    const float values[6] = {-1.0f, 0.0f, 1.55f, 10.0f, 20.0f, 5.5f};
    std::copy(values, values + 6, x.begin());
    const auto whole = quantize<quint8>(tensor_view<const float, 2, 3>(x.view()));
    CHECK(whole.parameters.size() == 1);
    CHECK(whole.parameters[0] == affine_quantization<quint8>(-1.0f, 20.0f));
    const auto rows = quantize<qint8>(tensor_view<const float, 2, 3>(x.view()), granularity::per_channel);
    CHECK(rows.parameters.size() == 2);
    CHECK(rows.parameters[1] == affine_quantization<qint8>(0.0f, 20.0f));
    CHECK(int{rows.values(0, 2)} == 127);
    const auto back = dequantize(rows);
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(std::abs(back.data()[i] - values[i]) <= 0.50001f * rows.of(i).scale);
    }
    CHECK(back(0, 1) == 0.0f);
}
