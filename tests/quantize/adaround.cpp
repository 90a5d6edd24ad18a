#include <pare/quantize/adaround.hpp>

#include <limits>

#include <pare/quantize/weights_only.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "calibration_samples.hpp"

using namespace pare;

namespace {

const auto net = initialized(sequential(dense<dyn, dyn>(30, 40), relu(), dense<dyn, dyn>(40, 8)), he_normal{}, seed{1});
const calibration_samples seen{600, 30, 8}, unseen{600, 30, 8, 1};

}  // namespace

TEST_CASE("adaround keeps the outputs of a network better than rounding to nearest, each weight with one of two codes") {
    const auto rounded = *quantize_weights_only<qint4<32>>(net);
    const auto learned = *adaround<qint4<32>>(net, seen);
    CHECK(output_error(learned, net, unseen) * 3.0 < output_error(rounded, net, unseen));
    const auto& w = std::get<0>(net.layers).weights;
    const auto& q = std::get<0>(learned.layers).weights;
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        CHECK(std::fabs(q.real(i / 30, i) - w.values[i]) < 1.0001f * q.scales[i / 30]);
        CHECK(q.scales[i / 30] == std::get<0>(rounded.layers).weights.scales[i / 30]);
    }
    using minima = qint2<32, float, qscheme::minimum>;
    CHECK(output_error(*adaround<minima>(net, seen, {.iterations = 300}, mse_clipped{}), net, unseen) * 1.5 <
          output_error(*quantize_weights_only<minima>(net, mse_clipped{}), net, unseen));
}

TEST_CASE("adaround of convolutions in groups, and of what leaves nothing to learn") {
    auto conv = initialized(sequential(input<dyn, dyn, dyn>(5, 5, 4), conv2d<dyn, dyn, dyn>(4, 6, 3, {.groups = 2}), flatten()),
                            he_normal{}, seed{2});
    const calibration_samples images{200, 100, 54};
    CHECK(output_error(*adaround<qint3<16>>(conv, images, {.iterations = 300}), conv, images) * 1.2 <
          output_error(*quantize_weights_only<qint3<16>>(conv), conv, images));
    auto& weights = std::get<1>(conv.layers).weights;
    std::fill(weights.values.begin(), weights.values.end(), 0.0f);
    std::fill_n(weights.values.begin(), 18, -2.0f);
    const auto made = adaround<qint3<16>>(conv, images, {.iterations = 10});
    REQUIRE(made);
    for (std::size_t i = 0; i < weights.values.size(); ++i) {
        CHECK(std::fabs(std::get<1>(made->layers).weights.real(i / 18, i) - weights.values[i]) < 1e-6f);
    }
}

TEST_CASE("adaround says what it cannot work with") {
    const auto message = [&](const auto& data, const adaround_options& options = {.iterations = 1}) {
        const auto made = adaround<qint4<32>>(net, data, options);
        return made ? std::string() : made.error().message;
    };
    CHECK(message(seen).empty());
    CHECK(message(calibration_samples{0, 30, 8}) == "adaround: expected samples to calibrate with, found none");
    CHECK(
        message(calibration_samples{5, 30, 8, 0, std::numeric_limits<float>::quiet_NaN()}) ==
        "adaround: 0.weight: expected finite inputs while calibrating, found NaN, an infinity, or numbers whose squares overflow");
    CHECK(message(seen, {.iterations = 0}) ==
          "adaround: expected iterations, a learning_rate and powers above 0, a warm_up in [0, 1) and a regularization of at least "
          "0, "
          "found 0, 0.01, 20 and 2, 0.2 and 10");
}
