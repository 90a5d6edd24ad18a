#include <pare/quantize/quantize_to.hpp>

#include <limits>
#include <vector>

#include <pare/nn.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using layer = dense<dyn, dyn>;

/// A network that has learned its points, of three layers of 64, 4096 and 256 weights. The weights of the second have been
/// scattered: inputs by powers of two, which the first layer's outputs undo, so the function is the same, but a group of 4-bit
/// weights loses most of its own.
auto trained_network() {
    auto net = initialized(sequential(layer(2, 64), relu(), layer(64, 64), relu(), layer(64, 4)), he_normal{}, seed{1});
    const auto report = fit(net, quarters(2000), cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 5, .batch_size = 32});
    REQUIRE(report);
    auto& first = std::get<0>(net.layers);
    auto& second = std::get<2>(net.layers).weights;
    for (std::size_t i = 0; i < 64; ++i) {
        const float factor = i % 4 == 0 ? 64.0f : 1.0f;
        for (std::size_t j = 0; j < 64; ++j) {
            second.values[j * 64 + i] *= factor;
        }
        first.weights.values[2 * i] /= factor;
        first.weights.values[2 * i + 1] /= factor;
        first.bias(i) /= factor;
    }
    return net;
}

template <class Model>
std::vector<std::string> stored(const Model& model) {
    std::vector<std::string> names;
    for_each_member(model, [&](const member_path&, const auto& member) {
        if constexpr (requires { member.chosen(); }) {
            names.push_back(member.describe());
        }
    });
    return names;
}

template <class Model>
std::vector<float> outputs(const Model& model, const std::vector<float>& x) {
    const auto ready = prepare<isa::native>(model);
    auto space = workspace_for(ready, x.size() / ready.input_size());
    std::vector<float> y(x.size() / ready.input_size() * ready.output_size());
    run(ready, x, y, space);
    return y;
}

constexpr std::size_t float_bytes = 4 * (2 * 64 + 64 + 64 * 64 + 64 + 64 * 4 + 4);
constexpr std::size_t bias_bytes = 4 * (64 + 64 + 4);
/// Half a byte for each weight, and a scale for each row; bfloat16 where rows have only two weights, which takes less.
constexpr std::size_t least_bytes = 2 * 64 * 2 + 64 * (32 + 4) + 4 * (32 + 4) + bias_bytes;

}  // namespace

TEST_CASE("each layer's sensitivity is known for each way to store it, and budgets are kept") {
    const auto net = trained_network();
    const auto calibration = quarters(300, 2), test = quarters(2000, 1);
    const std::size_t errors = *count_errors(net, test);
    REQUIRE(errors < 60);

    const auto layers = *sensitivity_of(net, calibration);
    REQUIRE(layers.size() == 3);
    CHECK(layers[1].path == "2.weight");
    for (const auto& l : layers) {
        REQUIRE(l.candidates.size() == 4);
        CHECK(l.candidates[0].divergence == 0.0);
        CHECK(l.candidates[1].divergence > 0.0);
        CHECK(l.candidates[3].divergence > l.candidates[2].divergence);
        CHECK(l.candidates[3].bytes < l.candidates[2].bytes);
    }
    CHECK(layers[1].candidates[2].weights == "qint8 full, activations quantized per row");
    CHECK(layers[1].candidates[2].bytes == 64 * 64 + 64 * 4);
    CHECK(layers[1].candidates[3].divergence > 10 * layers[2].candidates[3].divergence);
    CHECK_THAT(describe(layers),
               ContainsSubstring("4.weight as qint4 full, activations quantized per row: 144 bytes, divergence "));

    const std::vector<float> x = {0.5f, -0.25f, 0.75f, 0.5f};
    const auto all = *quantize_to(net, calibration, byte_budget{float_bytes});
    CHECK(stored(all) == std::vector<std::string>(3, "float full"));
    CHECK(outputs(all, x) == outputs(net, x));

    // Bytes enough for one byte per weight: the scattered layer gets it, and the last what is left.
    const std::size_t some = least_bytes + 64 * 32 + 100;
    const auto mixed = *quantize_to(net, calibration, byte_budget{some});
    CHECK(summarize(mixed).bytes <= some);
    CHECK(summarize(mixed).parameters == summarize(net).parameters);
    CHECK(stored(mixed)[1] == "qint8 full, activations quantized per row");
    CHECK(*count_errors(mixed, test) <= errors + 10);
    CHECK_THAT(describe(prepare<isa::native>(mixed)), ContainsSubstring("dense 64 -> 64: qint8 full, gemm_int8 on "));

    const auto smallest = *quantize_to(net, calibration, byte_budget{least_bytes});
    CHECK(summarize(smallest).bytes == least_bytes);
    const std::string four_bits = "qint4 full, activations quantized per row";
    CHECK(stored(smallest) == std::vector<std::string>{"bfloat16 full", four_bits, four_bits});
    CHECK(*count_errors(smallest, test) > errors + 10);
    const auto impossible = quantize_to(net, calibration, byte_budget{least_bytes - 1});
    CHECK(impossible.error().code == error_code::invalid_argument);
    CHECK(impossible.error().message == sentence("quantize_to: expected a budget of at least ", least_bytes,
                                                 " bytes, the smallest that these candidates make; found ", least_bytes - 1));
}

TEST_CASE("the smallest model within a loss, and one as fast as is measured") {
    const auto net = trained_network();
    const auto calibration = quarters(300, 2), test = quarters(2000, 1);
    const auto correct = [&](const auto& model) { return 1.0 - static_cast<double>(*count_errors(model, test)) / 2000.0; };
    const auto good = *quantize_to(net, calibration, accuracy_budget{0.002, correct});
    CHECK(correct(good) >= correct(net) - 0.002);
    CHECK(summarize(good).bytes < float_bytes / 3);
    CHECK(summarize(good).bytes > least_bytes);
    const auto none = quantize_to(net, calibration, accuracy_budget{-0.1, correct});
    CHECK_THAT(none.error().message, ContainsSubstring("quantize_to: expected a loss of at least 0"));

    // A clock that counts the bytes that a run reads.
    std::size_t measured = 0;
    const auto clock = [&](const auto& ready) {
        ++measured;
        std::size_t bytes = 0;
        for_each_member(ready.model(), [&](const member_path&, const auto& member) {
            if constexpr (requires { member.bytes(); }) {
                bytes += member.bytes();
            }
        });
        return static_cast<double>(bytes);
    };
    const double before = clock(prepare<isa::native>(net));
    const auto fast = *quantize_to(net, calibration, latency_budget{0.4 * before, clock});
    CHECK(clock(prepare<isa::native>(fast)) <= 0.4 * before);
    CHECK(stored(fast)[1] == "qint8 full, activations quantized per row");
    CHECK(measured >= 11);
    CHECK_THAT(quantize_to(net, calibration, latency_budget{1.0, clock}).error().message,
               ContainsSubstring("quantize_to: expected a limit of at least ") &&
                   ContainsSubstring("the least that was measured with these candidates; found 1"));
}

TEST_CASE("other candidates, some layers, and data that do not do") {
    const auto net = trained_network();
    const auto calibration = quarters(50, 2);
    using blocks = mixed_weights<candidate<float, as_float>, candidate<ggml::q4_0, as_float>>;
    const auto layers = *sensitivity_of<blocks>(net, calibration);
    CHECK_FALSE(layers[0].candidates[1].possible);  // rows of 2 weights are no blocks of 32
    CHECK(layers[1].candidates[1].bytes == 64 * 2 * 18);
    const auto mixed = *quantize_to<blocks>(net, calibration, byte_budget{8000});
    CHECK(stored(mixed) == std::vector<std::string>{"float full", "q4_0 full", "float full"});
    const auto some = *quantize_to<blocks>(net, calibration, byte_budget{8000}, only<"2">{});
    CHECK(stored(some) == std::vector<std::string>{"q4_0 full"});
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<0>(some.layers))>, layer>);

    auto broken = net;
    std::get<2>(broken.layers).weights.values[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THAT(sensitivity_of(broken, calibration).error().message,
               ContainsSubstring("2.weight: expected finite weights, found NaN"));
}
