#include <pare/compress/low_rank.hpp>

#include <limits>
#include <vector>

#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/summary.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// Numbers W(o, t, i) = sum over p, q of last(o, p) core(p, t, q) first(q, i), p and q below 2: ranks are 2.
template <class Layer>
void set_ranks_of_two(Layer& layer, std::uint64_t at) {
    const weights_shape s = detail::factorization<Layer>::shape_of(layer);
    const auto number = [&](std::size_t i) { return 0.5f * random_numbers(seed{13}, at).normal(i); };
    for (std::size_t i = 0; i < s.size(); ++i) {
        const std::size_t o = i / (s.taps * s.inputs), t = i / s.inputs % s.taps, in = i % s.inputs;
        float sum = 0.0f;
        for (std::size_t pq = 0; pq < 4; ++pq) {
            const std::size_t p = pq / 2, q = pq % 2;
            sum += number(1000 + 2 * o + p) * number(2000 + 4 * t + pq) * number(3000 + 2 * in + q);
        }
        layer.weights.values[i] = sum;
    }
    for (std::size_t j = 0; j < layer.bias.size(); ++j) {
        layer.bias(j) = number(j);
    }
}

constexpr conv_options moved{.stride = 2, .padding = 1};
constexpr conv_options wide{.stride = 2, .padding = 2, .dilation = 2};

auto images() {
    auto net = sequential(input<9, 9, 6>(), residual(conv2d<6, 6, 3, conv_options{.padding = 1}>()), relu(),
                          concat(conv2d<6, 8, 3, moved>(), conv2d<6, 5, 3, wide>()), flatten(), dense<325, 4>());
    set_ranks_of_two(std::get<1>(net.layers).body, 1);
    set_ranks_of_two(std::get<0>(std::get<3>(net.layers).layers), 2);
    set_ranks_of_two(std::get<1>(std::get<3>(net.layers).layers), 3);
    set_ranks_of_two(std::get<5>(net.layers), 4);
    return net;
}

template <class Model>
std::vector<float> outputs(const Model& model) {
    const auto shape = model.plan().input_shape();
    workspace space(training_scratch_bytes<isa::scalar>(model, 2, shape));
    serial_executor serial;
    context<isa::scalar, serial_executor> ctx{serial, space.scratch()};
    std::vector<float> x(2 * shape.size()), y(2 * model.plan().output_shape(shape).size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random_numbers(seed{11}, 0).normal(i);
    }
    model.forward(ctx, batch_of(static_cast<const float*>(x.data()), 2, shape),
                  batch_of(y.data(), 2, model.plan().output_shape(shape)));
    return y;
}
void check_close(const std::vector<float>& found, const std::vector<float>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i] == Approx(expected[i]).epsilon(1e-4).margin(1e-3));
    }
}

const auto points = initialized(sequential(dense<2, 24>(), relu(), dense<24, 16>(), relu(), dense<16, 4>()), he_normal{}, seed{1});

}  // namespace

TEST_CASE("a network of low rank gives the same in fewer parameters, in residual blocks and branches, by either form") {
    const auto net = images();
    const auto expected = outputs(net);
    low_rank_report report;

    const auto by_rule = *factorize<tucker_form>(net, rank_of{2}, except<"dense">{}, &report);
    const auto& body = std::get<1>(by_rule.layers).body;
    REQUIRE(body.is_factorized());
    CHECK(std::get<1>(body.factors()->layers).weights.rows() == 2);
    CHECK(std::get<1>(body.factors()->layers).weights.columns() == 18);
    CHECK(std::is_same_v<std::remove_cvref_t<decltype(std::get<5>(by_rule.layers))>, dense<325, 4>>);
    check_close(outputs(by_rule), expected);
    REQUIRE(report.layers.size() == 3);
    CHECK(report.layers[0].path == "0.body");
    CHECK(report.layers[1].path == "2.0");
    CHECK(report.layers[1].ranks == factor_ranks{2, 2});
    CHECK(report.layers[1].relative_error < 1e-6);
    CHECK(report.layers[1].parameters_before == 6 * 9 * 8 + 8);
    CHECK(report.layers[1].parameters_after == 2 * 6 + 2 * 9 * 2 + 8 * 2 + 8);
    CHECK(report.layers[1].multiply_adds_before == 25 * 6 * 9 * 8);
    CHECK(report.layers[1].multiply_adds_after == 81 * 2 * 6 + 25 * (2 * 9 * 2 + 8 * 2));

    const auto fixed = *factorize<tucker<"0.body", 2, 3>, low_rank<"2.0", 2>, tucker<"2.1", 3, 2>, low_rank<"4", 2>>(net, &report);
    using kernel = conv2d<6, 2, 3, conv_options{.stride = 2, .padding = 1, .bias = false}>;
    using layers = std::remove_cvref_t<decltype(std::get<0>(std::get<3>(fixed.layers).layers))>;
    CHECK(std::is_same_v<layers, sequential<kernel, conv2d<2, 8, 1>>>);
    CHECK(std::is_same_v<std::remove_cvref_t<decltype(std::get<5>(fixed.layers))>, sequential<dense<325, 2>, dense<2, 4>>>);
    CHECK(decltype(fixed.plan())::is_static);
    check_close(outputs(fixed), expected);
    CHECK(summarize(fixed).parameters == report.whole().parameters_after);
    CHECK(summarize(net).parameters == report.whole().parameters_before);
}

TEST_CASE("layers that would not be smaller stay") {
    low_rank_report report;
    const auto same = *factorize<low_rank<"0", 2>, low_rank<"2", 10>>(points, &report);
    CHECK(std::is_same_v<decltype(same), decltype(points)>);
    CHECK(describe(report) ==
          "0: rank 2, kept: its factors would have 52 weights instead of 48, 72 -> 72 parameters, 48 -> 48 multiply-adds\n"
          "2: rank 10, kept: its factors would have 400 weights instead of 384, 400 -> 400 parameters, 384 -> 384 multiply-adds\n"
          "all: 472 -> 472 parameters, 432 -> 432 multiply-adds\n");
    const auto some = *factorize(points, rank_of{2}, every_layer{}, &report);
    CHECK_FALSE(std::get<0>(some.layers).is_factorized());
    CHECK(std::get<2>(some.layers).factors() != nullptr);
    CHECK(summarize(some).parameters == report.whole().parameters_after);

    const auto groups = *factorize(sequential(conv2d<4, 4, 3, conv_options{.groups = 2}>()), rank_of{1}, every_layer{}, &report);
    CHECK_FALSE(std::get<0>(groups.layers).is_factorized());
    CHECK(report.layers[0].kept == "its channels are in 2 groups");
}

TEST_CASE("what cannot be factorized names the layer") {
    CHECK(factorize(points, rank_of{3}).error().message == "factorize: 0: expected a rank from 1 to 2, found 3");
    CHECK(factorize(points, rank_of{0}, only<"2">{}).error().message == "factorize: 2: expected a rank from 1 to 16, found 0");
    CHECK(factorize(points, energy_share{std::numeric_limits<double>::quiet_NaN()}).error().message ==
          "factorize: 0: expected a share of the energy above 0 and at most 1, found nan");
    auto broken = points;
    std::get<2>(broken.layers).weights.values[7] = std::numeric_limits<float>::infinity();
    CHECK(factorize(broken, rank_of{1}).error().message == "factorize: 2: expected finite weights, found NaN or infinity");
    CHECK(factorize<low_rank<"2", 1>>(broken).error().message == "factorize: 2: expected finite weights, found NaN or infinity");
    const sequential run_time(dense<dyn, dyn>(6, 4));
    CHECK(factorize<low_rank<"0", 5>>(run_time).error().message == "factorize: 0: expected a rank from 1 to 4, found 5");
    CHECK(std::get<0>(factorize<low_rank<"0", 1>>(run_time)->layers).is_factorized());
    CHECK_FALSE(std::get<0>(factorize<low_rank<"0", 3>>(run_time)->layers).is_factorized());
}
