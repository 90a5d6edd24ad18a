#include <pare/nn/selection.hpp>

#include <limits>

#include <pare/nn.hpp>
#include <pare/quantize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

const auto net = sequential(dense<16, 16>(), relu(), residual(sequential(dense<16, 16>(), relu(), dense<16, 16>())),
                            concat(dense<16, 4>(), relu()), dense<20, 3>());

using bytes = weight_matrix<qint8, full>;
using quantized_dense = dense<16, 16, bytes, dynamic_range>;

/// The type of a model, or of what a result holds.
template <class Model>
auto type_of(const Model& model) {
    if constexpr (is_result<Model>) {
        return std::type_identity<std::remove_cvref_t<decltype(*model)>>();
    } else {
        return std::type_identity<Model>();
    }
}

}  // namespace

TEST_CASE("only<...> takes layers by their place, those of a container by the container's") {
    STATIC_REQUIRE(std::is_same_v<decltype(type_of(quantize_dynamic(net, only<"2.body.2", "3">{}))),
                                  decltype(type_of(sequential(
                                      dense<16, 16>(), relu(), residual(sequential(dense<16, 16>(), relu(), quantized_dense())),
                                      concat(dense<16, 4, bytes, dynamic_range>(), relu()), dense<20, 3>())))>);
}

TEST_CASE("except<...> takes all others") {
    STATIC_REQUIRE(std::is_same_v<decltype(type_of(quantize_dynamic(net, except<"0", "2.body.0", "3", "4">{}))),
                                  decltype(type_of(sequential(dense<16, 16>(), relu(),
                                                              residual(sequential(dense<16, 16>(), relu(), quantized_dense())),
                                                              concat(dense<16, 4>(), relu()), dense<20, 3>())))>);
}

TEST_CASE("layers are taken by their kind, and places and kinds together") {
    const auto mixed = sequential(input<6, 8>(), lstm<8, 8>(), last_step(), dense<8, 4>(), relu(), dense<4, 3>());
    STATIC_REQUIRE(
        std::is_same_v<decltype(type_of(quantize_dynamic(mixed, only<"lstm", "4">{}))),
                       decltype(type_of(sequential(input<6, 8>(), lstm<8, 8, recurrent_options{}, bytes, dynamic_range>(),
                                                   last_step(), dense<8, 4>(), relu(), dense<4, 3, bytes, dynamic_range>())))>);
    STATIC_REQUIRE(std::is_same_v<decltype(type_of(quantize_dynamic(mixed, except<"dense">{}))),
                                  decltype(type_of(quantize_dynamic(mixed, only<"0">{})))>);
}

TEST_CASE("a network in another has names of both, and a number of two digits is one") {
    const auto many = sequential(relu(), relu(), relu(), relu(), relu(), relu(), relu(), relu(), relu(), relu(),
                                 sequential(relu(), dense<3, 3>()), dense<3, 3>());
    const auto taken = quantize_dynamic(many, only<"10.1">{});
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<10>(taken->layers))>,
                                  sequential<activation<kernels::relu_function>, dense<3, 3, bytes, dynamic_range>>>);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<11>(taken->layers))>, dense<3, 3>>);
}

TEST_CASE("every optimization of weights takes a selection, one after the other") {
    const auto left = to_bfloat16(*quantize_dynamic(net, only<"4">{}), except<"2", "4">{});
    const auto all = quantize_weights_only<qint4<16>>(to_float16(left, only<"2.body.0">{}), only<"2.body.2">{});
    REQUIRE(all);
    CHECK(all->describe() ==
          "dense 16 -> 16: bfloat16 full + relu + residual (dense 16 -> 16: float16 full + relu + dense 16 -> 16: qint4 full) + "
          "concat (dense 16 -> 4: bfloat16 full; relu) + dense 20 -> 3: qint8 full, activations quantized per row");
    const auto ready = prepare<isa::native>(*all);
    auto space = workspace_for(ready, 1);
    std::vector<float> x(16, 1.0f), y(3);
    run(ready, x, y, space);
    CHECK(y == std::vector<float>(3, 0.0f));  // all weights are zero
}

TEST_CASE("a layer alone is taken by its kind") {
    const dense<4, 3> layer;
    STATIC_REQUIRE(
        std::is_same_v<decltype(type_of(quantize_dynamic(layer, only<"dense">{}))), decltype(type_of(quantize_dynamic(layer)))>);
    STATIC_REQUIRE(std::is_same_v<decltype(type_of(quantize_dynamic(layer, except<"dense">{}))), decltype(type_of(layer))>);
}

TEST_CASE("errors name weights as without a selection") {
    auto broken = net;
    std::get<0>(std::get<2>(broken.layers).body.layers).weights.values[17] = std::numeric_limits<float>::quiet_NaN();
    CHECK(quantize_dynamic(broken, only<"2">{}).error().message ==
          "quantize: 2.body.0.weight: expected finite weights, found NaN at row 1, column 1");
    CHECK(quantize_dynamic(broken, except<"2.body.0">{}));
}
