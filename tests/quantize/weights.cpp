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

namespace {

weight_matrix<float, full> random_weights(std::size_t rows, std::size_t columns, float size = 1.0f) {
    const random_numbers random(seed{11}, 0);
    weight_matrix<float, full> w(rows, columns);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        w.values[i] = size * random.normal(i);
    }
    return w;
}

/// The mean of |real - weight|^norm.
template <class Matrix>
double mean_error(const Matrix& q, const weight_matrix<float, full>& w, double norm = 2.0) {
    double sum = 0.0;
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        sum += std::pow(std::fabs(static_cast<double>(q.real(i / w.columns(), i) - w.values[i])), norm);
    }
    return sum / static_cast<double>(w.values.size());
}

/// Each weight has the nearest of all numbers that its group can stand for: the definition, in plain loops. `bytes` is what a row
/// takes.
template <class Element>
void check_nearest(std::size_t bytes, float largest_step) {
    const auto w = random_weights(3, 37);
    const auto q = quantize_weights_in_groups<Element>(w).value();
    using storage = detail::element_storage<Element>;
    CHECK(q.values.size() == 3 * bytes);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        const std::size_t row = i / 37, column = i % 37, g = column / Element::group;
        float nearest = 1e9f;
        for (std::int32_t code = 0; code < (1 << Element::bits); ++code) {
            const bool narrow = storage::format::offset == group_offset::none && code == 0;
            const float real =
                storage::format::real(code + storage::shift, storage::scale_at(q, row, g), storage::offset_at(q, row, g));
            nearest = !narrow && std::fabs(real - w.values[i]) < std::fabs(nearest - w.values[i]) ? real : nearest;
        }
        INFO(Element::name << " at " << i);
        CHECK(std::fabs(q.real(row, i) - w.values[i]) <= std::fabs(nearest - w.values[i]) * 1.0001f);
        CHECK(std::fabs(q.real(row, i) - w.values[i]) <= largest_step * float{storage::scale_at(q, row, g)});
    }
}

}  // namespace

TEST_CASE("codes of 2, 3, 4 and 8 bits and levels are the nearest ones, and lie without gaps") {
    check_nearest<qint2<16>>(10, 0.501f);
    check_nearest<qint2<16, float, qscheme::minimum>>(10, 0.501f);
    check_nearest<qint3<32, float16>>(14, 0.51f);
    check_nearest<qint3<16, float, qscheme::affine>>(14, 0.501f);
    check_nearest<qint4<32, float16, qscheme::minimum>>(19, 0.51f);
    check_nearest<qint<8, 32>>(37, 0.501f);
    check_nearest<qint<8, 16, float, qscheme::affine>>(37, 0.501f);
    check_nearest<nf4<32>>(19, 0.153f);
}

TEST_CASE("a clipped range has smaller squared errors, by a factor that grows as bits get fewer") {
    const auto w = random_weights(16, 256);
    const auto gain = [&](auto element) {
        using e = decltype(element);
        return mean_error(*quantize_weights_in_groups<e>(w), w) /
               mean_error(*quantize_weights_in_groups<e>(w, "w", mse_clipped{}), w);
    };
    CHECK(gain(qint4<256>{}) >= 1.15);
    CHECK(gain(qint3<256>{}) >= 1.5);
    CHECK(gain(qint2<256>{}) >= 2.5);
    CHECK(gain(qint4<256, float, qscheme::minimum>{}) >= 1.1);
    CHECK(gain(nf4<256>{}) >= 1.0);
}

TEST_CASE("hqq moves minima where most weights are served, outliers or not") {
    auto w = random_weights(16, 64, 0.05f);
    const auto gain = [&](auto element, double norm) {
        using e = decltype(element);
        return mean_error(*quantize_weights_in_groups<e>(w), w, norm) /
               mean_error(*quantize_weights_in_groups<e>(w, "w", hqq{}), w, norm);
    };
    CHECK(gain(qint2<64, float, qscheme::minimum>{}, 0.7) >= 1.02);
    CHECK(gain(qint3<64, float, qscheme::minimum>{}, 2.0) >= 1.05);
    CHECK(gain(qint4<64, float, qscheme::affine>{}, 0.7) >= 1.0);  // a zero point that is an integer hardly moves
    for (std::size_t row = 0; row < 16; ++row) {
        w.values[row * 64 + row] = 0.4f;
    }
    CHECK(gain(qint2<64, float, qscheme::minimum>{}, 0.7) >= 1.1);
    CHECK(gain(qint4<64, float, qscheme::minimum>{}, 0.7) >= 1.03);
}

TEST_CASE("weights that leave nothing to choose: zero, constant, far outliers, smaller than any scale") {
    weight_matrix<float, full> w(5, 32);
    for (std::size_t i = 0; i < 32; ++i) {
        w.values[32 + i] = -3.0f;                             // row 0 is zero, row 1 constant
        w.values[64 + i] = static_cast<float>(i % 5) - 2.0f;  // row 2 has an outlier
        w.values[96 + i] = 1e-25f;                            // the scales of rows 3 and 4 underflow
        w.values[128 + i] = 1e-35f;
    }
    w.values[64] = 1e30f;
    const auto check = [&](auto element, const auto& choice) {
        using e = decltype(element);
        const auto limited = quantize_weights_in_groups<e>(w, "w", choice);
        CHECK(limited.error().message == "quantize: w: expected weights of at most 2^62, found 1e+30 at row 2, column 0");
        auto most = w;
        most.values[64] = 0x1p61f;
        const auto q = *quantize_weights_in_groups<e>(most, "w", choice);
        for (std::size_t i = 0; i < 32; ++i) {
            CHECK(q.real(0, i) == 0.0f);
            CHECK(std::fabs(q.real(1, 32 + i) + 3.0f) < 1e-5f);
            CHECK(std::fabs(q.real(2, 64 + i) - most.values[64 + i]) <= 0x1p61f * 0.5f);
            CHECK(std::fabs(q.real(3, 96 + i)) <= 1e-18f);
            CHECK(std::fabs(q.real(4, 128 + i)) <= 1e-18f);
        }
        for (const float s : q.scales) {
            CHECK(s >= smallest_scale);
        }
    };
    check(qint4<32>{}, round_to_nearest{});
    check(qint4<32>{}, mse_clipped{});
    check(qint2<32, float, qscheme::affine>{}, mse_clipped{});
    check(qint4<32, float, qscheme::minimum>{}, hqq{});
    check(qint4<32, float, qscheme::affine>{}, hqq{});
    check(nf4<32>{}, round_to_nearest{});
    check(qint3<32, float, qscheme::minimum>{}, mse_clipped{});
}
