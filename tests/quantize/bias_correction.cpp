#include <pare/quantize/bias_correction.hpp>

#include <pare/quantize/weights_only.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "calibration_samples.hpp"

using namespace pare;

namespace {

/// Weights rounded down: off by half a step on average, all in one direction.
struct rounded_down {
    auto operator()(const member_path&, const weight_matrix<float, full>& w, as_float) const {
        auto down = w;
        for (float& value : down.values) {
            value = std::floor(value * 20.0f) / 20.0f;
        }
        return mapped_weights<weight_matrix<float, full>, as_float>{std::move(down), {}};
    }
};

}  // namespace

TEST_CASE("corrected biases take away what weights are off on average") {
    const auto net = initialized(sequential(dense<dyn, dyn>(30, 40), relu(), dense<dyn, dyn>(40, 8)), he_normal{}, seed{1});
    const calibration_samples seen{600, 30, 8}, unseen{600, 30, 8, 1};
    const auto biased = map_weights(net, rounded_down{});
    CHECK(output_error(*correct_biases(biased, net, seen), net, unseen) * 4.0 < output_error(biased, net, unseen));
    const auto two_bits = quantize_weights_only<qint2<32>>(net);
    CHECK(output_error(*correct_biases(two_bits, net, seen), net, unseen) * 1.1 < output_error(*two_bits, net, unseen));
    CHECK(correct_biases(two_bits, net, calibration_samples{0, 30, 8}).error().message ==
          "correct_biases: expected samples to calibrate with, found none");
}

TEST_CASE("biases of convolutions and recurrent layers are corrected too; without one there is nothing to correct") {
    const auto net =
        initialized(sequential(input<dyn, dyn, dyn>(6, 6, 2), conv2d<dyn, dyn, dyn>(2, 6, 3), relu(), input<dyn, dyn>(16, 6),
                               gru<dyn, dyn>(6, 8), last_step(), dense<dyn, dyn>(8, 4, without_bias{})),
                    he_normal{}, seed{3});
    const calibration_samples seen{300, 72, 4}, unseen{300, 72, 4, 1};
    const auto biased = map_weights(net, rounded_down{});
    const auto corrected = *correct_biases(biased, net, seen);
    CHECK(output_error(corrected, net, unseen) * 1.15 < output_error(biased, net, unseen));
    CHECK_FALSE(std::get<6>(corrected.layers).has_bias);
}
