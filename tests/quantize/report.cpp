#include <pare/quantize/report.hpp>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/static.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using layer = dense<dyn, dyn>;

auto network() {
    return initialized(sequential(layer(2, 32), relu(), layer(32, 16), relu(), layer(16, 4)), he_normal{}, seed{1});
}

}  // namespace

TEST_CASE("what dynamic quantization did to each layer") {
    const auto net = network();
    auto quantized = *quantize_dynamic(net);
    std::get<4>(quantized.layers).bias(1) += 10.0f;  // one output of four is far off
    const auto report = *compare_models(net, quantized, quarters(100), {.batch = 3, .repetitions = 2});
    REQUIRE(report.layers.size() == 3);
    for (const auto& l : report.layers) {
        CHECK(l.timed);
        CHECK(l.clipped_share == 0.0);
        CHECK(l.before == "float full");
        CHECK(l.after == "qint8 full, activations quantized per row");
        CHECK(l.microseconds_before > 0.0);
        CHECK(l.microseconds_after > 0.0);
        CHECK(l.errors.signal > 0.0);
    }
    CHECK(report.layers[1].path == "2.weight");
    CHECK(report.layers[1].bytes_before == 4 * 32 * 16);
    CHECK(report.layers[1].bytes_after == 32 * 16 + 4 * 16);
    CHECK(report.layers[1].errors.sqnr_db() > 30.0);
    CHECK(report.layers[1].errors.sqnr_db() < 60.0);
    CHECK(report.layers[1].errors.cosine() > 0.999);
    CHECK(report.layers[2].errors.largest == Approx(10.0).margin(0.2));
    CHECK(report.layers[2].errors.sqnr_db() < 5.0);
    CHECK(report.whole.errors.noise == Approx(report.layers[2].errors.noise));
    CHECK(report.whole.bytes_before == summarize(net).bytes);
    CHECK(report.batch == 3);

    const auto same = *compare_models(net, net, quarters(10));
    CHECK(same.whole.errors.noise == 0.0);
    CHECK_THAT(describe(same), ContainsSubstring("2.weight, float full -> float full: exact, 2048 -> 2048 bytes, "));
    const auto fewer = compare_models(net, sequential(layer(2, 5)), quarters(10));
    CHECK(fewer.error().message == "compare_models: expected models of as many inputs and outputs, found 2 and 4, and 2 and 5");
}

TEST_CASE("convolutions are compared image by image, and layers that stay as they are by what flows into them") {
    const auto net =
        initialized(sequential(input<2, 1>(), conv1d<1, 6, 2>(), relu(), flatten(), dense<6, 4>()), he_normal{}, seed{2});
    const auto report = *compare_models(net, *quantize_dynamic(net, only<"conv1d">{}), quarters(100));
    REQUIRE(report.layers.size() == 2);
    CHECK(report.layers[0].errors.sqnr_db() > 30.0);
    CHECK(report.layers[0].errors.sqnr_db() < 60.0);
    CHECK(report.layers[1].after == "float full");
    CHECK(report.layers[1].errors.noise > 0.0);  // of what flows in
}

TEST_CASE("inputs beyond what calibration has seen are counted, and outputs are those of bytes") {
    const auto net = network();
    const std::vector<float> narrow = {0.1f, -0.25f, 0.25f, 0.2f};  // a fourth of what comes
    const auto quantized = *quantize_static(net, narrow);
    const auto report = *compare_models(net, quantized, quarters(400));
    CHECK(report.layers[0].clipped_share == Approx(0.75).margin(0.05));
    CHECK_FALSE(report.layers[0].timed);
    CHECK(report.whole.timed);
    CHECK(report.whole.errors.noise > 0.0);
    const auto wide = *quantize_static(net, quarters(400));
    const auto better = *compare_models(net, wide, quarters(400));
    CHECK(better.layers[0].clipped_share == 0.0);
    CHECK(better.whole.errors.sqnr_db() > report.whole.errors.sqnr_db() + 10.0);
}

TEST_CASE("what got slower is said") {
    quantization_report report;
    report.batch = 1;
    auto& l = report.layers.emplace_back();
    l.path = "0.weight";
    l.before = "float full";
    l.after = "qint8 full";
    l.errors.add(std::vector<float>{3.0f, 4.0f}, std::vector<float>{3.0f, 3.5f});
    l.clipped_share = 0.25;
    l.bytes_before = 400;
    l.bytes_after = 104;
    l.microseconds_before = 2.0;
    l.microseconds_after = 2.5;
    report.whole.path = "outputs";
    report.whole.microseconds_before = 2.0;
    report.whole.microseconds_after = 1.0;
    CHECK(describe(report) ==
          "0.weight, float full -> qint8 full: SQNR 20 dB, cosine 0.99788, largest error 0.5, 25 % of inputs clipped, 400 -> 104 "
          "bytes, 2 -> 2.5 us: slower\n"
          "outputs, batch 1: exact, 0 -> 0 bytes, 2 -> 1 us\n");
}
