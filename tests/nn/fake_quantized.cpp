// Weights and inputs that are quantized in training.

#include <pare/nn/fake_quantized.hpp>

#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/conv.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/fake_range.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/nn/recurrent.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

using float_weights = weight_matrix<float, full>;

constexpr weight_policy bytes_per_channel = {};
constexpr weight_policy four_bits_per_tensor = {.bits = 4, .scales = granularity::per_tensor};
constexpr weight_policy three_bits_in_groups = {.bits = 3, .group = 16};
constexpr weight_policy affine_in_groups = {.bits = 4, .group = 16, .scheme = qscheme::affine};
constexpr weight_policy two_bits_learned = {.bits = 2, .step = step_size::learned};
constexpr weight_policy learned_per_tensor = {.bits = 4, .scales = granularity::per_tensor, .step = step_size::learned};

float_weights some_weights(std::size_t rows, std::size_t columns) {
    const random_numbers random(seed{3}, rows);
    float_weights w(rows, columns);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        w.values[i] = random.uniform(i, -1.0f, 1.0f) * static_cast<float>(1 + i / columns);
    }
    return w;
}

/// The integers that a group, a row or a matrix becomes are those of quantize_value, by the range of its numbers.
template <weight_policy Policy>
void check_storage() {
    const float_weights w = some_weights(5, 37);
    fake_quantized<Policy, float_weights> fake(w);
    fake.template refresh<isa::native>();
    const auto frozen = fake.frozen();
    constexpr std::size_t group = Policy.group != 0 ? Policy.group : 37;
    for (std::size_t row = 0; row < 5; ++row) {
        for (std::size_t column = 0; column < 37; ++column) {
            float min = 0.0f, max = 0.0f;
            double sum = 0.0;
            std::size_t sharing = 0;
            for (std::size_t i = 0; i < w.values.size(); ++i) {
                if (fake.one_scale || (i / 37 == row && i % 37 / group == column / group)) {
                    min = (std::min)(min, w.values[i]);
                    max = (std::max)(max, w.values[i]);
                    sum += static_cast<double>(std::fabs(w.values[i]));
                    ++sharing;
                }
            }
            const std::size_t i = row * 37 + column;
            const std::size_t s = fake.one_scale ? 0 : row * ((37 + group - 1) / group) + column / group;
            quantization q = Policy.scheme == qscheme::affine ? affine_quantization(min, max, 0, 15)
                                                              : symmetric_quantization((std::max)(max, -min), Policy.largest());
            if (fake.learned) {
                q.scale = fake.scales[s];
                REQUIRE(q.scale == Approx(2.0 * sum / static_cast<double>(sharing) / std::sqrt(double{Policy.largest()})));
            }
            const std::int32_t code =
                quantize_value(w.values[i], 1.0f / q.scale, q.zero_point, Policy.smallest(), Policy.largest());
            CAPTURE(row, column);
            REQUIRE(fake.seen.values[i] == static_cast<float>(code - q.zero_point) * q.scale);
            REQUIRE(frozen.real(row, i) == fake.seen.values[i]);
        }
    }
}

/// What a layer gives in training, and its gradients: [y, dx, gradient].
template <class Layer, class Shape>
std::vector<std::vector<float>> training_step(Layer& layer, const Shape& shape, const std::vector<float>& x, bool wants_dx = true) {
    const std::size_t batch = x.size() / shape.size();
    const auto out = layer.plan().output_shape(shape);
    std::vector<float> y(batch * out.size()), dy(y.size()), dx(x.size()), gradient(parameter_count(layer), 9.0f),
        saved(saved_floats(layer, batch, shape));
    const random_numbers random(seed{4}, 0);
    for (std::size_t i = 0; i < dy.size(); ++i) {
        dy[i] = random.uniform(i, -1.0f, 1.0f);
    }
    serial_executor serial;
    workspace space(training_scratch_bytes<isa::native>(layer, batch, shape));
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    const auto xs = batch_of(x.data(), batch, shape);
    forward_training(layer, ctx, xs, batch_of(y.data(), batch, out), std::span<float>(saved));
    backward(layer, ctx, xs, batch_of(static_cast<const float*>(y.data()), batch, out),
             batch_of(static_cast<const float*>(dy.data()), batch, out), batch_of(wants_dx ? dx.data() : nullptr, batch, shape),
             gradient, saved);
    return {y, dx, gradient};
}

struct wrap {
    template <class Weights>
    auto operator()(const member_path&, const Weights& w, as_float) const {
        if constexpr (requires { w.seen; }) {
            return mapped_weights<float_weights, as_float>{w.seen, {}};
        } else {
            return mapped_weights<fake_quantized<two_bits_learned, Weights>, as_float>{fake_quantized<two_bits_learned, Weights>(w),
                                                                                       {}};
        }
    }
};

/// A layer with such weights is in training the float layer of what products see; gradients of weights that were clamped are zero.
template <class Layer, class Shape>
void check_layer(Layer layer, const Shape& shape) {
    const random_numbers random(seed{6}, 0);
    std::uint64_t next = 0;
    for_each_member(layer, [&](const member_path&, auto& member) {
        for (float& value : trainable_values(member)) {
            value = random.uniform(next++, -0.5f, 0.5f);
        }
    });
    std::vector<float> x(3 * shape.size());
    for (float& value : x) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }
    auto fake = map_weights(layer, wrap{});
    for_each_member(fake, [&](const member_path&, auto& member) {
        if constexpr (requires { member.seen; }) {
            member.template refresh<isa::native>();
            for (float& scale : trainable_scales(member)) {
                scale *= 0.6f;  // so that some are clamped
            }
        }
    });
    const auto found = training_step(fake, shape, x);
    auto plain = map_weights(fake, wrap{});
    const auto expected = training_step(plain, shape, x);
    CHECK(found[0] == expected[0]);
    CHECK(found[1] == expected[1]);
    std::size_t at = 0, of_plain = 0, clamped = 0;
    for_each_member(fake, [&](const member_path&, auto& member) {
        if constexpr (requires { member.seen; }) {
            const std::size_t columns = member.columns();
            std::vector<double> of_scales(member.rows());
            for (std::size_t i = 0; i < member.seen.values.size(); ++i) {
                const float s = member.scales[i / columns], g = expected[2][of_plain++];
                const float q = std::nearbyint(member.inner.values[i] / s);
                const bool inside = std::fabs(q) <= 1.0f;
                REQUIRE(found[2][at++] == (inside ? g : 0.0f));
                clamped += inside ? 0 : 1;
                of_scales[i / columns] +=
                    static_cast<double>(g * (inside ? q - member.inner.values[i] / s : std::copysign(1.0f, q)));
            }
            for (const double sum : of_scales) {
                REQUIRE(static_cast<double>(found[2][at++]) ==
                        Approx(sum / std::sqrt(static_cast<double>(columns))).epsilon(1e-4).margin(1e-5));
            }
        } else {
            for (std::size_t i = 0; i < member.size(); ++i) {
                REQUIRE(found[2][at++] == expected[2][of_plain++]);
            }
        }
    });
    CHECK(at == found[2].size());
    CHECK(clamped != 0);
}

}  // namespace

TEST_CASE("products see weights that are quantized, by tensor, by channel, in groups, and frozen ones are these") {
    check_storage<bytes_per_channel>();
    check_storage<four_bits_per_tensor>();
    check_storage<three_bits_in_groups>();
    check_storage<affine_in_groups>();
    check_storage<two_bits_learned>();
    check_storage<learned_per_tensor>();
}

TEST_CASE("a factor of a row goes into its scales, its sign into the integers") {
    const std::vector<float> factor = {2.0f, -0.5f, 1.0f, -1.0f, 3.0f};
    const auto check = [&](const auto& fake) {
        const auto plain = fake.frozen(), scaled = fake.frozen(factor.data());
        for (std::size_t i = 0; i < 5 * 37; ++i) {
            REQUIRE(scaled.real(i / 37, i) == Approx(plain.real(i / 37, i) * factor[i / 37]));
        }
    };
    const float_weights w = some_weights(5, 37);
    check(fake_quantized<four_bits_per_tensor, float_weights>(w));
    check(fake_quantized<bytes_per_channel, float_weights>(w));
    check(fake_quantized<three_bits_in_groups, float_weights>(w));
    check(fake_quantized<affine_in_groups, float_weights>(w));
}

TEST_CASE("layers train with quantized weights and learned scales") {
    check_layer(dense<7, 5>(), extents<7>());
    check_layer(conv2d<2, 3, 3, conv_options{.padding = 1}>(), extents<5, 4, 2>());
    check_layer(lstm<3, 4>(), extents<6, 3>());
}

TEST_CASE("weights of nothing but zeros, or with one that is huge, have scales that are numbers") {
    float_weights w(2, 40);
    w.values[41] = 1e30f;
    for (const float value : fake_quantized<bytes_per_channel, float_weights>(w).seen.values) {
        CHECK(is_finite(value));
    }
    fake_quantized<two_bits_learned, float_weights> learned(w);
    learned.refresh<isa::native>();
    CHECK(learned.scales[0] == 1.0f);
    learned.scales[0] = -1.0f;  // as an optimizer may leave it
    CHECK(learned.frozen().scales[0] == smallest_scale);
}

TEST_CASE("the range of what flows in is a moving average, and gradients go through where it was not left") {
    using weights = float_weights;
    dense<2, 1, weights, fake_range<input_policy{.bits = 4}>> layer;
    layer.weights.values[0] = 2.0f;
    layer.weights.values[1] = -1.0f;
    layer.activations.averaging = 0.25f;
    CHECK_FALSE(layer.activations.has_range());
    (void)training_step(layer, extents<2>(), {0.0f, 1.0f, 2.0f, 3.0f});
    CHECK(layer.activations.range == std::array<float, 3>{0.0f, 3.0f, 1.0f});
    auto step = training_step(layer, extents<2>(), {-1.0f, 7.0f, 0.3f, 0.5f});
    CHECK(layer.activations.range == std::array<float, 3>{-0.25f, 4.0f, 1.0f});
    const static_range range = layer.activations.frozen();
    CHECK(range == static_range{affine_quantization(-0.25f, 4.0f, 0, 15), 15});
    const auto real = [&](float x) {
        return static_cast<float>(quantize_value(x, 1.0f / range.input.scale, range.input.zero_point, 0, 15) -
                                  range.input.zero_point) *
               range.input.scale;
    };
    CHECK(step[0][0] == 2.0f * real(-1.0f) - real(7.0f));
    CHECK(step[0][1] == 2.0f * real(0.3f) - real(0.5f));
    CHECK(step[1][0] == 0.0f);  // -1 and 7 were clamped
    CHECK(step[1][1] == 0.0f);
    CHECK(step[1][2] != 0.0f);
    CHECK(step[1][3] == -0.5f * step[1][2]);
    layer.activations.frozen_range = true;
    (void)training_step(layer, extents<2>(), {-9.0f, 9.0f});
    CHECK(layer.activations.range == std::array<float, 3>{-0.25f, 4.0f, 1.0f});
}

TEST_CASE("a learned scale of what flows in has a gradient, also where nobody asks for that of x") {
    dense<16, 3, float_weights, fake_range<input_policy{.bits = 2, .step = step_size::learned}>> layer;
    layer.weights = some_weights(3, 16);
    std::vector<float> x(64);
    const random_numbers random(seed{8}, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, 0.0f, 3.0f);
    }
    const auto step = training_step(layer, extents<16>(), x);
    REQUIRE(step[2].size() == 3 * 16 + 3 + 1);
    CHECK(training_step(layer, extents<16>(), x, false)[2] == step[2]);
    CHECK(layer.activations.scale == affine_quantization(0.0f, layer.activations.range[1], 0, 3).scale);
    // The gradient of what was seen is dy W; what of it the scale gets, the kernel's tests say.
    std::vector<float> d(64);
    {
        dense<16, 3> plain(layer.weights, layer.bias);
        d = training_step(plain, extents<16>(), x)[1];
    }
    const float sum =
        kernels::fake_quantize_scale_gradient<isa::native>(64, x.data(), layer.activations.quantization_now(), d.data());
    CHECK(step[2].back() == Approx(sum / std::sqrt(64.0f * 3.0f)).epsilon(1e-5));
}
