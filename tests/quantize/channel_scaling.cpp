#include <pare/quantize/awq.hpp>
#include <pare/quantize/equalization.hpp>
#include <pare/quantize/smooth_quant.hpp>

#include <limits>

#include <pare/quantize/weights_only.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "calibration_samples.hpp"

using namespace pare;

namespace {

/// Hidden channel 3 is 100 times as large as it was, and the weights behind it as much smaller: the same function.
auto network_with_outlier() {
    auto net = initialized(sequential(dense<dyn, dyn>(30, 40), relu(), dense<dyn, dyn>(40, 8)), he_normal{}, seed{1});
    auto& first = std::get<0>(net.layers);
    auto& last = std::get<2>(net.layers);
    for (std::size_t c = 0; c < 30; ++c) {
        first.weights.values[3 * 30 + c] *= 100.0f;
    }
    for (std::size_t j = 0; j < 8; ++j) {
        last.weights.values[j * 40 + 3] *= 0.01f;
    }
    return net;
}
const auto net = network_with_outlier();
const calibration_samples seen{300, 30, 8}, unseen{300, 30, 8, 1};

template <class Model>
double error_in_bytes(const Model& model) {
    return mean_squared_difference(run_outputs_of(*quantize_dynamic<granularity::per_tensor>(model), unseen),
                                   run_outputs_of(net, unseen));
}
template <class Model>
double error_in_four_bits(const Model& model) {
    return output_error(*quantize_weights_only<qint4<32>>(model), net, unseen);
}

}  // namespace

TEST_CASE("an outlier channel between layers: each repair takes away most of what it costs, and changes no output") {
    const auto smooth = *smooth_quant(net, seen);
    const auto equal = *equalize_layers(net);
    const auto aware = *awq<qint4<32>>(net, seen);
    CHECK(output_error(smooth, net, unseen) < 1e-10);
    CHECK(output_error(equal, net, unseen) < 1e-10);
    CHECK(output_error(aware, net, unseen) < 1e-10);
    CHECK(error_in_bytes(smooth) * 200.0 < error_in_bytes(net));
    CHECK(error_in_bytes(equal) * 200.0 < error_in_bytes(net));
    CHECK(error_in_four_bits(aware) * 2.0 < error_in_four_bits(net));
}

TEST_CASE("equalized channels have the same range on both sides") {
    const auto equal = *equalize_layers(net, {.passes = 1});
    const auto& first = std::get<0>(equal.layers).weights;
    const auto& last = std::get<2>(equal.layers).weights;
    for (std::size_t c = 0; c < 40; ++c) {
        float r1 = 0.0f, r2 = 0.0f;
        for (std::size_t i = 0; i < 30; ++i) {
            r1 = (std::max)(r1, std::fabs(first.values[c * 30 + i]));
        }
        for (std::size_t j = 0; j < 8; ++j) {
            r2 = (std::max)(r2, std::fabs(last.values[j * 40 + c]));
        }
        CHECK(std::fabs(r1 / r2 - 1.0f) < 1e-5f);
    }
}

TEST_CASE("factors move through convolutions, pools, norms, flattening and blocks, and change no output") {
    auto blocks =
        initialized(sequential(input<dyn, dyn, dyn>(6, 6, 4), conv2d<dyn, dyn, dyn>(4, 6, 3, {.padding = 1}), relu(),
                               conv2d<dyn, dyn, dyn>(6, 6, 3, {.padding = 1, .groups = 3}), leaky_relu(0.1f), max_pool2d<2>(),
                               flatten(), dense<dyn, dyn>(54, 10),
                               residual(sequential(layer_norm<dyn>(10), dense<dyn, dyn>(10, 12), relu(), dense<dyn, dyn>(12, 10))),
                               dense<dyn, dyn>(10, 3)),
                    he_normal{}, seed{4});
    const calibration_samples images{60, 144, 3};
    std::size_t pairs = 0;
    detail::for_each_factor_pair(blocks, [&](auto& layer, auto& next, const detail::met_channels& met) {
        ++pairs;
        std::vector<float> factor(met.channels);
        for (std::size_t c = 0; c < factor.size(); ++c) {
            factor[c] = 0.5f + static_cast<float>(c);
        }
        const auto before = run_outputs_of(blocks, images);
        detail::move_factors(layer, next, met, factor);
        CHECK(mean_squared_difference(run_outputs_of(blocks, images), before) < 1e-9);
    });
    CHECK(pairs == 4);  // conv to conv, conv to dense; in the block norm to dense, dense to dense
}

TEST_CASE("channels without anything stay, and what cannot be repaired is an error that says so") {
    auto broken = net;
    auto& first = std::get<0>(broken.layers);
    std::fill_n(first.weights.values.data() + 5 * 30, 30, 0.0f);
    CHECK(output_error(*equalize_layers(broken), broken, unseen) < 1e-10);
    CHECK(output_error(*smooth_quant(broken, seen), broken, unseen) < 1e-10);
    CHECK(output_error(*awq<qint4<32>>(broken, seen, 3), broken, unseen) < 1e-10);
    CHECK(smooth_quant(net, calibration_samples{0, 30, 8}).error().message ==
          "smooth_quant: expected samples to calibrate with, found none");
    CHECK(smooth_quant(net, seen, 1.5f).error().message == "smooth_quant: expected a strength in [0, 1], found 1.5");
    CHECK(awq<qint4<32>>(net, seen, 0).error().message == "awq: expected at least 1 step, found 0");
    first.weights.values[31] = std::numeric_limits<float>::quiet_NaN();
    CHECK(equalize_layers(broken).error().message == "quantize: 0.weight: expected finite weights, found NaN at row 1, column 1");
    first.weights.values[31] = 0.0f;
    first.bias(2) = std::numeric_limits<float>::infinity();
    CHECK(equalize_layers(broken).error().message == "equalize_layers: 0.bias: expected finite numbers, found an infinity");
    CHECK(awq<qint4<32>>(broken, seen).error().message == "awq: 0.bias: expected finite numbers, found an infinity");
}
