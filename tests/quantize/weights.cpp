#include <pare/quantize/weights.hpp>

#include <cmath>
#include <limits>

#include <pare/core/random.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("4-bit weights: each group of inputs has the scale of its largest") {
    weight_matrix<float, full> w(2, 19);
    for (std::size_t i = 0; i < 38; ++i) {
        w.values[i] = static_cast<float>(i) - 20.0f;
    }
    const auto q = quantize_weights_in_groups<qint4<16>>(w).value();
    REQUIRE(q.values.size() == 2 * 10);
    REQUIRE(q.scales.size() == 2 * 2);
    CHECK(q.scales[0] == 20.0f / 7.0f);
    CHECK(q.scales[1] == 4.0f / 7.0f);
    CHECK(q.scales[3] == 17.0f / 7.0f);
    CHECK(int{q.values[0]} == ((-7 + 8) | (-7 + 8) << 4));  // -20 and -19 of 20 / 7
    CHECK(q.real(0, 0) == -7.0f * (20.0f / 7.0f));
    CHECK(q.real(1, 37) == 17.0f);
    for (std::size_t i = 0; i < 38; ++i) {
        CHECK(std::abs(q.real(i / 19, i) - w.values[i]) <= 0.5001f * q.scales[i / 19 * 2 + i % 19 / 16]);
    }
    CHECK(q.bytes() == 20 + 4 * sizeof(float));
    w.values[20] = std::numeric_limits<float>::quiet_NaN();
    CHECK(quantize_weights_in_groups<qint4<16>>(w, "w").error().message ==
          "quantize: w: expected finite weights, found NaN at row 1, column 1");
}

TEST_CASE("affine 4-bit weights: each group has the range that it needs, and zero is zero") {
    weight_matrix<float, full> w(2, 19);
    for (std::size_t i = 0; i < 38; ++i) {
        w.values[i] = i == 3 ? 0.0f : static_cast<float>(i) - 5.0f;
    }
    const auto check = [&](const auto& q) {
        REQUIRE(q.scales.size() == 4);
        REQUIRE(q.zero_points.size() == 4);
        CHECK(int{q.zero_points[0]} == 5);  // of [-5, 10]
        CHECK(int{q.zero_points[1]} == 0);  // of [0, 13], all positive
        CHECK(q.real(0, 3) == 0.0f);
        CHECK(q.real(0, 0) == -5.0f);
        CHECK(q.real(0, 15) == 10.0f);
        for (std::size_t i = 0; i < 38; ++i) {
            CHECK(std::abs(q.real(i / 19, i) - w.values[i]) <= 0.501f * float{q.scales[i / 19 * 2 + i % 19 / 16]});
        }
    };
    const auto q = quantize_weights_in_groups<qint4<16, float, qscheme::affine>>(w).value();
    check(q);
    CHECK(q.bytes() == 20 + 4 * sizeof(float) + 4);
    CHECK(q.describe() == "affine qint4 full");
    const auto halves = quantize_weights_in_groups<qint4<16, float16, qscheme::affine>>(w).value();
    check(halves);
    CHECK(halves.bytes() == 20 + 4 * sizeof(float16) + 4);
}

TEST_CASE("scales of 16 bits: weights are rounded by the scale that is stored, which is never zero or infinite") {
    const random_numbers random(seed{3}, 0);
    for (const float size : {1e-9f, 1e-4f, 1.0f, 4e5f}) {
        weight_matrix<float, full> w(1, 32);
        for (std::size_t i = 0; i < 32; ++i) {
            w.values[i] = random.uniform(i, -size, size);
        }
        const auto q = quantize_weights_in_groups<qint4<32, float16>>(w).value();
        CHECK(float{q.scales[0]} >= 0x1p-24f);
        for (std::size_t i = 0; i < 32; ++i) {
            CHECK(std::abs(q.real(0, i) - w.values[i]) <= 0.51f * float{q.scales[0]});
        }
    }
    weight_matrix<float, full> w(2, 32);
    w.values[40] = 5e5f;
    CHECK(quantize_weights_in_groups<qint4<32, float16>>(w, "w").error().message ==
          "quantize: w: expected weights whose scale fits 16 bits, found one too large in row 1");
    CHECK(quantize_weights_in_groups<qint4<32>>(w));
    CHECK(float{quantize_weights_in_groups<qint4<32, float16>>(weight_matrix<float, full>(1, 32))->scales[0]} == 1.0f);
}
