#include <pare/nn/dense.hpp>

#include <pare/nn/input.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/softmax.hpp>
#include <pare/nn/summary.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("shapes flow through layers as types") {
    const dense<784, 300> d;
    STATIC_REQUIRE(std::is_same_v<decltype(d.plan().output_shape(extents<784>())), extents<300>>);
    STATIC_REQUIRE(std::is_same_v<decltype(d.plan().output_shape(extents<5, 784>())), extents<5, 300>>);
    const auto dynamic_rows = d.plan().output_shape(extents<dyn, 784>(7));
    CHECK(dynamic_rows[0] == 7);
    CHECK(dynamic_rows[1] == 300);
    STATIC_REQUIRE(std::is_same_v<decltype(relu().plan().output_shape(extents<3, 4>())), extents<3, 4>>);

    const auto net = sequential(dense<4, 8>(), relu(), dense<8, 3>(), softmax());
    STATIC_REQUIRE(std::is_same_v<decltype(net.plan().output_shape(net.plan().input_shape())), extents<3>>);
}

TEST_CASE("members have the names of a state dict") {
    auto net = sequential(dense<4, 8>(), relu(), sequential(dense<8, 8>(), relu()), dense<8, 3>());
    std::string names;
    for_each_member(net, [&](const member_path& path, auto&) { names += path.text() + " "; });
    CHECK(names == "0.weight 0.bias 2.0.weight 2.0.bias 3.weight 3.bias ");
}

TEST_CASE("an input layer says what the samples are and has neither cost nor number") {
    auto net = sequential(input<2, 2>(), input<4>(), dense<dyn, 8>(4, 8), input<dyn, dyn>(2, 4), relu(), dense<4, 3>());
    std::string names;
    for_each_member(net, [&](const member_path& path, auto&) { names += path.text() + " "; });
    CHECK(names == "0.weight 0.bias 2.weight 2.bias ");
    initialize(net, he_normal{}, seed{3});
    const auto shape = net.plan().output_shape(net.plan().input_shape());
    CHECK(shape == extents<2, 3>());
    const auto ready = prepare<isa::native>(net);
    CHECK(describe_layer(std::get<0>(ready.model().layers)) == "input 2 x 2");
    auto space = workspace_for(ready, 2);
    const std::vector<float> x = {1, -2, 3, 0.5f, 0.25f, -1, 0.75f, -0.5f};
    std::vector<float> y(12), hidden(16), expected(12);
    run(ready, x, y, space);
    const auto first = prepare<isa::native>(sequential(std::get<2>(net.layers), relu()));
    const auto second = prepare<isa::native>(sequential(std::get<5>(net.layers)));
    auto enough = workspace_for(first, 4);
    run(first, x, hidden, enough);
    run(second, hidden, expected, enough);
    CHECK(y == expected);

    // In training too: nothing of it is saved, and gradients go past it. The rectifier works in place.
    CHECK(saved_floats(net, 2, net.plan().input_shape()) == 16);
}

TEST_CASE("a member may lie in a file with its axes in another order") {
    const file_axes axes{4, {2, 3, 4, 5}, {0, 2, 3, 1}};  // [outputs, inputs, height, width] there
    std::size_t here = 0;
    for (std::size_t o = 0; o < 2; ++o) {
        for (std::size_t h = 0; h < 4; ++h) {
            for (std::size_t w = 0; w < 5; ++w) {
                for (std::size_t i = 0; i < 3; ++i) {
                    REQUIRE(axes.index_in_file(here++) == ((o * 3 + i) * 4 + h) * 5 + w);
                }
            }
        }
    }
}

TEST_CASE("a summary counts parameters, non-zeros and bytes") {
    auto net = sequential(dense<4, 8>(), relu(), dense<8, 3>());
    std::get<0>(net.layers).weights.values[5] = 1.0f;
    std::get<2>(net.layers).bias(1) = -1.0f;
    const model_summary s = summarize(net);
    CHECK(s.parameters == 4 * 8 + 8 + 8 * 3 + 3);
    CHECK(s.nonzero == 2);
    CHECK(s.bytes == 4 * s.parameters);
}

TEST_CASE("a network computes what its formula says") {
    auto net = initialized(sequential(dense<3, 5>(), relu(), dense<5, 2>()), he_normal{}, seed{1});
    auto& first = std::get<0>(net.layers);
    auto& second = std::get<2>(net.layers);
    first.bias(2) = 0.5f;
    second.bias(0) = -0.25f;
    const auto ready = prepare<isa::native>(net);
    auto space = workspace_for(ready, 2);
    const float x[6] = {1, -2, 3, 0.5f, 0.25f, -1};
    float y[4];
    run(ready, x, y, space);
    for (std::size_t sample = 0; sample < 2; ++sample) {
        double hidden[5];
        for (std::size_t j = 0; j < 5; ++j) {
            double sum = static_cast<double>(first.bias(j));
            for (std::size_t k = 0; k < 3; ++k) {
                sum += static_cast<double>(first.weights.values[j * 3 + k]) * static_cast<double>(x[sample * 3 + k]);
            }
            hidden[j] = sum > 0.0 ? sum : 0.0;
        }
        for (std::size_t j = 0; j < 2; ++j) {
            double sum = static_cast<double>(second.bias(j));
            for (std::size_t k = 0; k < 5; ++k) {
                sum += static_cast<double>(second.weights.values[j * 5 + k]) * hidden[k];
            }
            CHECK(static_cast<double>(y[sample * 2 + j]) == Approx(sum).margin(1e-5));
        }
    }
}

TEST_CASE("layers with run-time extents compute the same as static ones") {
    const auto fixed = initialized(sequential(dense<20, 30>(), relu(), dense<30, 4>()), he_normal{}, seed{2});
    const auto dynamic = initialized(sequential(dense<dyn, dyn>(20, 30), relu(), dense<dyn, dyn>(30, 4)), he_normal{}, seed{2});
    const auto fixed_ready = prepare<isa::native>(fixed);
    const auto dynamic_ready = prepare<isa::native>(dynamic);
    CHECK(dynamic_ready.input_size() == 20);
    CHECK(dynamic_ready.output_size() == 4);
    CHECK(fixed_ready.workspace_bytes(3) == dynamic_ready.workspace_bytes(3));
    auto space = workspace_for(dynamic_ready, 3);
    std::vector<float> x(60, 0.5f), a(12), b(12);
    run(fixed_ready, x, a, space);
    run(dynamic_ready, x, b, space);
    CHECK(a == b);
}
