#include <pare/quantize/float16.hpp>

#include <cmath>
#include <limits>

#include <pare/nn.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("float16 weights are as near as 11 bits allow, and products are those of the floats they stand for") {
    const auto net = initialized(sequential(dense<37, 70>(), relu(), dense<70, 9>()), he_normal{}, seed{5});
    const auto half = to_float16(net);
    REQUIRE(half);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<0>(half->layers))>,
                                  dense<37, 70, weight_matrix<float16, full>, as_float>>);
    auto rounded = net;
    const auto compare = [](const auto& w, const auto& h, auto& r) {
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            const float error = std::fabs(h.values[i] - w.values[i]);
            CHECK(error <= (std::fabs(w.values[i]) < 0x1p-14f ? 0x1p-25f : std::fabs(w.values[i]) * 0x1p-11f));
            r.values[i] = h.values[i];
        }
        CHECK(h.bytes() == w.values.size() * 2);
    };
    compare(std::get<0>(net.layers).weights, std::get<0>(half->layers).weights, std::get<0>(rounded.layers).weights);
    compare(std::get<2>(net.layers).weights, std::get<2>(half->layers).weights, std::get<2>(rounded.layers).weights);
    const auto outputs = [](const auto& model, std::size_t batch) {
        const auto ready = prepare<isa::native>(model);
        const random_numbers random(seed{6}, 0);
        std::vector<float> x(batch * 37), y(batch * 9);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.uniform(i, -1.0f, 1.0f);
        }
        auto space = workspace_for(ready, batch);
        run(ready, x, y, space);
        return y;
    };
    for (const std::size_t batch : {1u, 2u, 19u}) {
        CHECK(outputs(*half, batch) == outputs(rounded, batch));
    }
    CHECK_THAT(describe(prepare<isa::native>(*half)), ContainsSubstring("float16 full, gemm_f32 on "));
}

TEST_CASE("weights that float16 does not hold are an error that names them") {
    auto net = sequential(dense<4, 3>(), relu(), dense<3, 2>());
    auto& w = std::get<2>(net.layers).weights.values;
    w[4] = 65519.0f;
    CHECK(std::get<2>(to_float16(net)->layers).weights.values[4] == 65504.0f);
    w[4] = 65520.0f;
    CHECK(to_float16(net).error().message ==
          "to_float16: 2.weight: expected weights of at most 65504, found 65520 at row 1, column 1");
    w[4] = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(to_float16(net));
    w[4] = 1e-30f;  // becomes zero
    CHECK(std::get<2>(to_float16(net)->layers).weights.values[4] == 0.0f);
}
