#include <pare/types/mixed_weights.hpp>

#include <algorithm>
#include <vector>

#include <pare/nn.hpp>
#include <pare/quantize/bfloat16.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "mixed_networks.hpp"

using namespace pare;

namespace {

template <class Model>
std::vector<float> outputs(const Model& model) {
    const auto ready = prepare<isa::native>(model);
    auto space = workspace_for(ready, 3);
    std::vector<float> x(3 * ready.input_size()), y(3 * ready.output_size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50) * 0.02f;
    }
    run(ready, x, y, space);
    return y;
}

/// A network gives the same bits whether its type or each of its layers says how weights are stored.
template <class Model>
void check(const Model& model) {
    const auto mixed = as_mixed(model);
    CHECK(outputs(mixed) == outputs(model));
    CHECK(summarize(mixed).bytes == summarize(model).bytes);
    CHECK(summarize(mixed).parameters == summarize(model).parameters);
    CHECK(describe(prepare<isa::native>(mixed)) == describe(prepare<isa::native>(model)));
}

}  // namespace

TEST_CASE("mixed weights multiply, convolve and say what they are like the candidate that they hold") {
    const auto images = initialized(
        sequential(input<7, 6, 3>(), conv2d<3, 8, 3, conv_options{.padding = 1}>(), relu(), global_average_pool(), dense<8, 5>()),
        he_normal{}, seed{5});
    check(images);
    check(*quantize_dynamic(images));
    check(*quantize_dynamic<qint4<64>>(images));
    check(*quantize_dynamic(initialized(sequential(input<4, 8>(), lstm<8, 12>()), glorot_normal{}, seed{6})));
}

TEST_CASE("layers of one type hold one candidate each, and others are not asked") {
    auto net = quantize_first_layer_of(initialized(sequential(dense<70, 30>(), relu(), dense<30, 5>()), he_normal{}, seed{1}));
    CHECK(std::get<0>(net.layers).weights.chosen() == 2);
    CHECK(std::get<2>(net.layers).weights.chosen() == 0);
    CHECK(std::get<0>(net.layers).weights.get<0>() == nullptr);
    CHECK(std::get<0>(net.layers).weights.bytes() == 70 * 30 + 30 * 4);
    const auto text = describe(prepare<isa::native>(net));
    CHECK_THAT(text, ContainsSubstring("0: dense 70 -> 30: qint8 full, gemm_int8 on ") &&
                         ContainsSubstring(", activations quantized per row + relu") &&
                         ContainsSubstring("1: dense 30 -> 5: float full, gemm_f32 on "));
    STATIC_REQUIRE(decltype(prepare<isa::native>(net))::workspace_bytes(1) > 0);
}
