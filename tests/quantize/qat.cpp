#include <pare/quantize/qat.hpp>

#include <cmath>
#include <limits>

#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"
#include "static_reference.hpp"

using namespace pare;
using namespace static_reference;

namespace {

constexpr weight_policy four_bits = {.bits = 4, .step = step_size::learned};
constexpr weight_policy four_bits_per_tensor = {.bits = 4, .scales = granularity::per_tensor};
constexpr input_policy nibbles = {.bits = 4};

/// The integers of a matrix of bytes are those that training made real: seen * c = code * scale, c of a batch norm.
template <class Fake>
void check_codes(const Fake& fake, const weight_matrix<qint8, full>& w) {
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        const std::size_t row = i / w.columns();
        const float step = fake.quantization_of(fake.one_scale ? 0 : row).q.scale;
        const float steps = fake.seen.values[i] * fake.scale_of_channel(row) / step;
        REQUIRE(std::abs(int{w.values[i]}) <= fake.policy.largest());
        REQUIRE(std::lround(steps) == w.values[i]);
        if (fake.scale_of_channel(row) == 1.0f) {
            REQUIRE(fake.seen.values[i] == static_cast<float>(w.values[i]) * w.scales[row]);
        }
    }
}

}  // namespace

TEST_CASE("what quantization-aware training has seen is what convert() gives, to the integer, weights and activations") {
    const auto data = quarters(2000);
    auto net =
        initialized(sequential(input<2>(), dense<dyn, dyn>(2, 24), relu(), dense<dyn, dyn>(24, 16), relu(), dense<dyn, dyn>(16, 4)),
                    he_normal{}, seed{1});
    auto qat = prepare_qat<four_bits, nibbles>(net);
    CHECK_THAT(convert(qat).error().message, ContainsSubstring("convert: 0.input: expected a range that training has seen"));
    REQUIRE(fit(qat, data, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 12, .batch_size = 32},
                qat_freezing{.ranges_at_step = 400}));
    const auto small = convert(qat);
    REQUIRE(small);
    CHECK(*count_errors(small, data) < 160);

    // The forward pass of training once more, with its ranges and scales, and the integers that the deployed network computes.
    auto& [input_, first, relu1, second, relu2, third] = qat.layers;
    const auto& [in_, first_byte, r1, second_byte, r2, third_byte] = small->layers;
    qat_freezing{.ranges_at_step = 0}.on_step_begin(qat, training_state{});
    const std::size_t batch = 200;
    const auto x = numbers(2 * batch, 9, -1.2f, 1.2f);
    serial_executor serial;
    workspace space(training_scratch_bytes<isa::native>(qat, batch, extents<2>()));
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    // What a layer gives, and, first in what it saves, its inputs as products saw them.
    const auto run_layer = [&](auto& layer, const std::vector<float>& in, bool behind_relu) {
        const extents<dyn> shape(layer.weights.columns());
        std::vector<float> values(in), seen(saved_floats(layer, batch, shape)), out(batch * layer.bias.size());
        for (float& value : values) {
            value = behind_relu && value < 0.0f ? 0.0f : value;
        }
        forward_training(layer, ctx, batch_of(static_cast<const float*>(values.data()), batch, shape),
                         batch_of(out.data(), batch, extents<dyn>(layer.bias.size())), std::span<float>(seen));
        return std::pair(out, seen);
    };
    const auto [y1, seen1] = run_layer(first, x, false);
    const auto [y2, seen2] = run_layer(second, y1, true);
    const auto [y, seen3] = run_layer(third, y2, true);
    const auto check_inputs = [&](const auto& layer, std::span<const float> seen, std::size_t sample, const bytes& found) {
        const static_range range = layer.activations.frozen();
        for (std::size_t i = 0; i < found.size(); ++i) {
            REQUIRE(int{found[i]} <= 15);
            REQUIRE(seen[sample * found.size() + i] == static_cast<float>(found[i] - range.input.zero_point) * range.input.scale);
        }
    };
    CHECK(first_byte.activations == first.activations.frozen());
    CHECK(first_byte.activations.largest == 15);
    check_codes(first.weights, first_byte.weights);
    check_codes(second.weights, second_byte.weights);
    check_codes(third.weights, third_byte.weights);
    const auto logits = outputs(prepare<isa::native>(small).value(), x);
    for (std::size_t i = 0; i < batch; ++i) {
        auto values = to_bytes({x[2 * i], x[2 * i + 1]}, first_byte.activations);
        check_inputs(first, seen1, i, values);
        values = requantized(sums(values, first_byte, one_pixel(2, 24)), first_byte, second_byte.activations, true);
        check_inputs(second, seen2, i, values);
        values = requantized(sums(values, second_byte, one_pixel(24, 16)), second_byte, third_byte.activations, true);
        check_inputs(third, seen3, i, values);
        const auto last = static_reference::as_floats(sums(values, third_byte, one_pixel(16, 4)), third_byte);
        for (std::size_t j = 0; j < 4; ++j) {
            REQUIRE(logits[4 * i + j] == last[j]);
            REQUIRE(static_cast<double>(y[4 * i + j]) == Approx(static_cast<double>(last[j])).epsilon(1e-5).margin(1e-4));
        }
    }
}

TEST_CASE("a batch norm behind quantized weights is folded into them in training as in what is deployed") {
    const auto data = quarters(600);
    auto net = initialized(sequential(input<2>(), dense<dyn, dyn>(2, 12), batch_norm<dyn>(12), relu(), dense<dyn, dyn>(12, 4)),
                           he_normal{}, seed{2});
    std::get<2>(net.layers).weight(3) = -0.5f;  // a channel that a norm turns around
    auto qat = prepare_qat<four_bits_per_tensor>(net);
    REQUIRE(fit(qat, data, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 4, .batch_size = 32},
                qat_freezing{.ranges_at_step = 20, .batch_norms_at_step = 20}));
    auto& [in, layer, norm, relu_, last] = qat.layers;
    CHECK(norm.frozen);
    CHECK(layer.activations.frozen_range);
    const auto small = convert(qat);
    REQUIRE(small);
    const auto& product = std::get<1>(small->layers);
    layer.weights.follow(norm);  // as the next step would
    layer.weights.refresh<isa::native>();
    for (std::size_t row = 0; row < 12; ++row) {
        const float c = norm.inference_scale(row);
        CHECK((c < 0.0f) == (row == 3));
        CHECK(product.weights.scales[row] == Approx(layer.weights.scales[0]));
        for (std::size_t i = 2 * row; i < 2 * row + 2; ++i) {
            CHECK(std::lround(layer.weights.seen.values[i] * c / layer.weights.scales[0]) == product.weights.values[i]);
        }
    }
    const std::size_t folded = *count_errors(small, data), behind = *count_errors(qat, data);  // biases are rounded elsewhere
    CHECK((std::max)(folded, behind) - (std::min)(folded, behind) <= 12);
}

TEST_CASE("a model in training whose numbers are not finite is not converted") {
    auto qat = prepare_qat<weight_policy{}, inputs_as_float>(sequential(dense<dyn, dyn>(3, 2)));
    std::get<0>(qat.layers).bias(1) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THAT(convert(qat).error().message, ContainsSubstring("convert: 0.bias: expected finite numbers"));
}
