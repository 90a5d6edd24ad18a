#include <pare/quantize/weights_only.hpp>

#include <cmath>

#include <pare/nn.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// The outputs of a network of two layers with quantized weights, and those of the same network with the numbers that its weights
/// stand for, as floats.
template <class Element>
void check(const char* kernel) {
    const auto net = initialized(sequential(dense<256, 64>(), relu(), dense<64, 5>()), he_normal{}, seed{1});
    const auto quantized = *quantize_weights_only<Element>(sequential(std::get<0>(net.layers)));
    const auto ready = prepare<isa::native>(quantized);
    CHECK_THAT(describe(ready),
               ContainsSubstring(kernel) && ContainsSubstring(", gemm_groups on ") && !ContainsSubstring("activations quantized"));
    auto same = sequential(std::get<0>(net.layers));
    const auto& weights = std::get<0>(quantized.layers).weights;
    for (std::size_t i = 0; i < 256 * 64; ++i) {
        std::get<0>(same.layers).weights.values[i] = weights.real(i / 256, i);
    }
    const auto floats = prepare<isa::native>(same);
    std::vector<float> x(3 * 256), y(3 * 64), expected(3 * 64);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = std::sin(static_cast<float>(i));
    }
    auto space = workspace_for(ready, 3);
    auto float_space = workspace_for(floats, 3);
    run(ready, x, y, space);
    run(floats, x, expected, float_space);
    CHECK(y == expected);
    // and with activations quantized too, close to it
    if constexpr (detail::multiplies_bytes<Element> && !std::is_same_v<Element, qint8>) {
        const auto dynamic = prepare<isa::native>(*quantize_dynamic<Element>(sequential(std::get<0>(net.layers))));
        CHECK_THAT(describe(dynamic), ContainsSubstring(kernel) && ContainsSubstring("activations quantized per row"));
        auto dynamic_space = workspace_for(dynamic, 3);
        run(dynamic, x, y, dynamic_space);
        for (std::size_t i = 0; i < y.size(); ++i) {
            CHECK(std::abs(y[i] - expected[i]) < 0.03f);
        }
    }
}

}  // namespace

TEST_CASE("weights alone are quantized: the product is that of the floats they stand for") {
    check<qint4<64>>("qint4 full in groups of 64: 4 bits and float scales");
    check<qint4<48, float16, qscheme::affine>>("affine qint4 full in groups of 48: 4 bits and float16 scales and zero points");
    check<qint2<32, float, qscheme::minimum>>("qint2 and minima full in groups of 32: 2 bits and float scales and minima");
    check<qint3<128, float, qscheme::affine>>("affine qint3 full in groups of 128: 4 bits and float scales and zero points");
    check<nf4<64>>("nf4 full in groups of 64: 4 bits and float scales");
    check<qint8>("qint8 full in groups of 256: 8 bits and float scales");
    check<ggml::q8_0>("q8_0 full in groups of 32: 8 bits and float16 scales");
    check<ggml::q5_1>("q5_1 full in groups of 32: 8 bits and float16 scales and minima");
    check<ggml::q4_K>("q4_K full in groups of 32: 4 bits and float scales and minima");
    check<ggml::q6_K>("q6_K full in groups of 16: 8 bits and float scales");
}
