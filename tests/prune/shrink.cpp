#include <pare/prune/shrink.hpp>

#include <pare/nn.hpp>
#include <pare/prune.hpp>

#include "../catch.hpp"
#include "shrinking.hpp"

using namespace pare;

namespace {

auto perceptron() {
    return with_numbers(sequential(dense<dyn, dyn>(6, 40), sigmoid(), dense<dyn, dyn>(40, 20), relu(), dense<dyn, dyn>(20, 4)));
}

template <std::size_t I, class Model>
auto& layer(Model& model) {
    return std::get<I>(model.layers);
}

template <class Result>
std::string message_of(const Result& r) {
    return r ? std::string() : r.error().message;
}

}  // namespace

TEST_CASE("neurons without weights leave constants behind") {
    auto model = perceptron();
    for (std::size_t i = 0; i < 40; i += 2) {
        zero_row(layer<0>(model).weights, i);  // sigmoid(bias) is not zero
    }
    for (std::size_t i = 0; i < 15; ++i) {
        zero_row(layer<2>(model).weights, i);
    }
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<0>(*left).weights.rows() == 20);
    CHECK(layer<2>(*left).weights.columns() == 20);
    CHECK(layer<2>(*left).weights.rows() == 5);
    CHECK(layer<4>(*left).weights.columns() == 5);
    CHECK(layer<4>(*left).weights.rows() == 4);
    CHECK(close(outputs(*left), outputs(model), 1e-5f));
    CHECK(outputs(*left) != outputs(perceptron()));

    const auto rounded = shrink(model);  // to multiples of 16
    REQUIRE(rounded);
    CHECK(layer<0>(*rounded).weights.rows() == 32);
    CHECK(layer<2>(*rounded).weights.rows() == 16);
    CHECK(close(outputs(*rounded), outputs(model), 1e-5f));
    CHECK(outputs(*shrink(perceptron())) == outputs(perceptron()));
}

TEST_CASE("neurons that give zero leave the same bits") {
    auto model = perceptron();
    for (std::size_t i = 3; i < 17; ++i) {
        zero_row(layer<2>(model).weights, i);
        layer<2>(model).bias(i) = i % 2 == 0 ? 0.0f : -0.5f;
    }
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<2>(*left).weights.rows() == 6);
    CHECK(outputs(*left) == outputs(model));
}

TEST_CASE("what nobody looks at is without effect, and so is what is behind constants only") {
    auto model = perceptron();
    zero_column(layer<2>(model).weights, 11);
    for (std::size_t i = 1; i < 20; ++i) {
        zero_row(layer<2>(model).weights, i);
        layer<2>(model).weights.values[i * 40 + 5] = 1.0f;  // they see neuron 5 alone, which is constant
    }
    zero_row(layer<0>(model).weights, 5);
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<0>(*left).weights.rows() == 38);
    CHECK(layer<2>(*left).weights.rows() == 1);
    CHECK(close(outputs(*left), outputs(model), 2e-5f));
}

TEST_CASE("by request the lowest scores go, and count as zero") {
    auto model = perceptron();
    std::vector<std::size_t> lowest = {0, 7, 8, 39};
    for (const std::size_t i : lowest) {
        scale_row(layer<0>(model).weights, i, 0.01f);
    }
    const auto left = shrink(model, keep_units{{"0", 36}}, magnitude_l2{});
    REQUIRE(left);
    for (const std::size_t i : lowest) {
        zero_column(layer<2>(model).weights, i);
    }
    CHECK(layer<2>(*left).weights.columns() == 36);
    CHECK(layer<2>(*left).weights.rows() == 20);
    CHECK(outputs(*left) == outputs(model));

    const auto half = shrink(model, keep_percent{.percent = 50, .multiple_of = 8});
    REQUIRE(half);
    CHECK(layer<0>(*half).weights.rows() == 24);
    CHECK(layer<2>(*half).weights.rows() == 16);
}

TEST_CASE("equal scores and NaN") {
    auto model = perceptron();
    for (auto& w : layer<2>(model).weights.values) {
        w = 0.25f;
    }
    layer<2>(model).bias(19) = 77.0f;
    const auto left = shrink(model, keep_units{{"2", 1}});
    REQUIRE(left);
    CHECK(layer<2>(*left).bias(0) == 77.0f);  // of equal ones the last
    layer<2>(model).weights.values[3 * 40] = std::numeric_limits<float>::quiet_NaN();
    layer<2>(model).bias(3) = 33.0f;
    const auto unknown = shrink(model, keep_units{{"2", 1}});
    REQUIRE(unknown);
    CHECK(layer<2>(*unknown).bias(0) == 33.0f);
}

TEST_CASE("channels through a batch norm, a pool and flatten") {
    auto model =
        with_numbers(sequential(input<dyn, dyn, dyn>(9, 9, 2), conv2d<dyn, dyn, dyn>(2, 8, 3), batch_norm<dyn>(8), relu(),
                                max_pool2d<dyn>(2), conv2d<dyn, dyn, dyn>(8, 6, 2), relu(), flatten(), dense<dyn, dyn>(24, 5)));
    const auto whole = model;
    for (const std::size_t c : {1u, 2u, 6u}) {
        layer<2>(model).weight(c) = 0.0f;  // the shift goes on
    }
    for (const std::size_t c : {0u, 5u}) {
        zero_row(layer<5>(model).weights, c);
        layer<5>(model).bias(c) = 1.0f;
    }
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<1>(*left).weights.rows() == 5);
    CHECK(layer<2>(*left).weight.size() == 5);
    CHECK(layer<5>(*left).weights.columns() == 5 * 4);
    CHECK(layer<5>(*left).weights.rows() == 4);
    CHECK(layer<8>(*left).weights.columns() == 16);
    CHECK(close(outputs(*left), outputs(model), 1e-5f));

    for (const std::size_t c : {1u, 2u, 6u}) {
        layer<2>(model).bias(c) = 0.0f;
    }
    for (const std::size_t c : {0u, 5u}) {
        layer<5>(model).bias(c) = -1.0f;
    }
    CHECK(outputs(*shrink(model, keep_effective{.multiple_of = 1})) == outputs(model));

    // By the scale of the batch norm.
    auto other = whole;
    for (std::size_t c = 0; c < 8; ++c) {
        layer<2>(other).weight(c) = c < 3 ? -0.01f : 0.5f;
    }
    const auto scaled = shrink(other, keep_units{{"0", 5}}, batch_norm_scale{});
    REQUIRE(scaled);
    CHECK(layer<2>(*scaled).running_var(0) == layer<2>(other).running_var(3));
    CHECK(message_of(shrink(other, keep_units{{"4", 2}}, batch_norm_scale{})) ==
          "shrink: 4: expected a batch norm behind the layer, whose scales score its rows, found none");

    // A border of zeros: a constant that is not zero has an effect.
    auto pooled = sequential(input<dyn, dyn, dyn>(4, 4, 2), conv2d<dyn, dyn, dyn>(2, 3, 1), average_pool2d<dyn>(2, {.padding = 1}),
                             conv2d<dyn, dyn, dyn>(3, 2, 1));
    for (auto& w : layer<3>(pooled).weights.values) {
        w = 1.0f;
    }
    layer<1>(pooled).bias(2) = 1.0f;  // the others are zero
    const auto beside = shrink(pooled, keep_effective{.multiple_of = 1});
    REQUIRE(beside);
    CHECK(layer<1>(*beside).bias.size() == 1);
    CHECK(layer<1>(*beside).bias(0) == 1.0f);
    auto padded =
        sequential(layer<0>(whole), layer<1>(whole), layer<2>(whole), layer<3>(whole), layer<4>(whole),
                   conv2d<dyn, dyn, dyn>(8, 6, 2, {.padding = 1}), layer<6>(whole), layer<7>(whole), dense<dyn, dyn>(96, 5));
    padded = with_numbers(padded);
    layer<2>(padded).weight(1) = layer<2>(padded).weight(2) = 0.0f;
    layer<2>(padded).bias(1) = 1.0f;
    layer<2>(padded).bias(2) = -1.0f;
    layer<2>(padded).running_mean(1) = layer<2>(padded).running_mean(2) = 0.0f;
    const auto bordered = shrink(padded, keep_effective{.multiple_of = 1});
    REQUIRE(bordered);
    CHECK(layer<1>(*bordered).weights.rows() == 7);
    CHECK(outputs(*bordered) == outputs(padded));
}

TEST_CASE("channels of a residual sum, a concatenation and a depthwise convolution are kept alike") {
    using conv = conv2d<dyn, dyn, dyn>;
    auto model = with_numbers(sequential(input<dyn, dyn, dyn>(4, 4, 2), conv(2, 8, 1),
                                         residual(sequential(conv(8, 6, 1), relu(), conv(6, 8, 1))), relu(),
                                         concat(conv(8, 3, 1), conv(8, 4, 1)), conv(7, 7, 3, {.padding = 1, .groups = 7}),
                                         global_average_pool(), dense<dyn, dyn>(7, 3)));
    auto& body = layer<2>(model).body;
    for (const std::size_t c : {2u, 3u}) {
        zero_row(layer<1>(model).weights, c);
        layer<1>(model).bias(c) = 0.25f;
    }
    for (const std::size_t c : {3u, 4u}) {
        zero_row(layer<2>(body).weights, c);  // 3 is constant on both sides, 2 and 4 on one
    }
    zero_row(layer<0>(body).weights, 0);
    zero_row(std::get<0>(layer<4>(model).layers).weights, 1);
    std::get<0>(layer<4>(model).layers).bias(1) = 0.0f;  // a border of zeros comes
    zero_row(layer<5>(model).weights, 5);                // a channel that ends in the depthwise convolution
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<1>(*left).weights.rows() == 7);
    CHECK(layer<0>(layer<2>(*left).body).weights.rows() == 5);
    CHECK(layer<2>(layer<2>(*left).body).weights.rows() == 7);
    CHECK(std::get<0>(layer<4>(*left).layers).weights.rows() == 2);
    CHECK(std::get<1>(layer<4>(*left).layers).weights.rows() == 3);
    CHECK(layer<5>(*left).moves.value.groups == 5);
    CHECK(layer<7>(*left).weights.columns() == 5);
    CHECK(close(outputs(*left), outputs(model), 1e-5f));

    const auto tied = shrink(model, keep_units{{"1.body.2", 5}, {"3.1", 2}});
    REQUIRE(tied);
    CHECK(layer<1>(*tied).weights.rows() == 5);
    CHECK(layer<7>(*tied).weights.columns() == 5);
    CHECK(message_of(shrink(model, keep_units{{"0", 4}, {"1.body.2", 5}})) ==
          "shrink: 1.body.2: expected 4 filters, as many as are kept of those that they are added to, found a request for 5");
}

TEST_CASE("channels of a transposed convolution") {
    auto model =
        with_numbers(sequential(input<dyn, dyn, dyn>(3, 3, 2), conv2d<dyn, dyn, dyn>(2, 6, 1), relu(),
                                conv_transpose2d<dyn, dyn, dyn>(6, 5, 3, {.stride = 2}), flatten(), dense<dyn, dyn>(245, 3)));
    for (const std::size_t c : {0u, 4u}) {
        zero_row(layer<1>(model).weights, c);
        layer<1>(model).bias(c) = c == 0 ? 0.5f : -0.5f;  // relu() of it is 0.5, which windows that overlap make another number of
    }
    for (std::size_t tap = 0; tap < 9; ++tap) {
        zero_row(layer<3>(model).weights, tap * 5 + 3);
    }
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<1>(*left).weights.rows() == 5);
    CHECK(layer<3>(*left).weights.columns() == 5);
    CHECK(layer<3>(*left).bias.size() == 4);
    CHECK(close(outputs(*left), outputs(model), 2e-5f));
}

TEST_CASE("filters behind masks") {
    const auto pruned = freeze(prune(perceptron(), magnitude{}, by_filter{}, 0.6, except<"4">{}));
    REQUIRE(pruned);
    const auto left = shrink(pruned, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<0>(*left).weights.rows() == 16);
    CHECK(layer<2>(*left).weights.rows() == 8);
    CHECK(close(outputs(*left), outputs(*pruned), 1e-5f));
}

TEST_CASE("requests that cannot be met say what was expected") {
    const auto model = sequential(dense<dyn, dyn>(6, 40), relu(), dense<dyn, dyn>(40, 4));
    CHECK(message_of(shrink(model, keep_units{{"1", 3}})) ==
          "shrink: expected the place of a layer that has units to remove (0, 2), found 1");
    CHECK(message_of(shrink(model, keep_units{{"0", 0}})) == "shrink: 0: expected 1 to 40 outputs, found 0");
    CHECK(message_of(shrink(model, keep_units{{"0", 41}})) == "shrink: 0: expected 1 to 40 outputs, found 41");
    CHECK(message_of(shrink(model, keep_units{{"2", 3}})) ==
          "shrink: 2: expected 4 outputs, because they are the network's output, found a request for 3");
    CHECK(message_of(shrink(model, keep_percent{.percent = 0})) == "shrink: expected 1 to 100 percent, found 0");
    const auto grouped =
        sequential(input<dyn, dyn>(5, 4), conv1d<dyn, dyn, dyn>(4, 6, 1, {.groups = 2}), softmax(), conv1d<dyn, dyn, dyn>(6, 6, 1));
    CHECK(message_of(shrink(grouped, keep_units{{"0", 4}})) ==
          "shrink: 0: expected 6 filters, because the channels of a convolution in groups stay together, found a request for 4");
    CHECK(shrink(result<std::remove_const_t<decltype(model)>>(error{error_code::malformed, "before"})).error().message == "before");
}

TEST_CASE("constants of a network's type") {
    const auto model =
        with_numbers(sequential(input<8, 8, 2>(), conv2d<2, 32, 3>(), relu(), conv2d<32, 32, 3, conv_options{.groups = 32}>(),
                                flatten(), dense<512, 20>(), relu(), dense<20, 3>()));
    const auto left = shrink<keep<"0", 5>, keep_share<"4", 50, 4>>(model);
    REQUIRE(left);
    using expected = sequential<input<8, 8, 2>, conv2d<2, 5, 3>, relu, conv2d<5, 5, 3, conv_options{.groups = 5}>, flatten,
                                dense<80, 12>, relu, dense<12, 3>>;
    static_assert(std::is_same_v<std::decay_t<decltype(*left)>, expected>);
    const auto same = shrink(model, keep_units{{"0", 5}, {"4", 12}});
    REQUIRE(same);
    CHECK(std::equal(layer<5>(*left).weights.values.begin(), layer<5>(*left).weights.values.end(),
                     layer<5>(*same).weights.values.begin()));
    CHECK(layer<3>(*same).moves.value.groups == 5);
    CHECK(message_of(shrink<keep<"6", 2>>(model)) ==
          "shrink: 6: expected 3 outputs, because they are the network's output, found a request for 2");
}
