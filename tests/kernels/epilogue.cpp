#include <pare/kernels/epilogue.hpp>

#include <array>
#include <bit>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

TEST_CASE("an epilogue does to every number what its stages say, to the bit") {
    const random_numbers random(seed{21}, 0);
    const std::size_t rows = 5;
    for (std::size_t columns = 1; columns <= 70; ++columns) {
        guarded<float> row_scale(rows), column_scale(columns), bias(columns), y(rows * columns);
        guarded<std::int32_t> zero_point(rows), column_sum(columns);
        const std::size_t lanes = simd::ops<test_isa>::lanes;
        const std::size_t stride = (columns + lanes - 1) / lanes * lanes;
        std::vector<std::int32_t> sums(rows * stride);
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < rows; ++i) {
            row_scale[i] = random.uniform(next++, 1e-4f, 1.0f);
            zero_point[i] = static_cast<std::int32_t>(random.below(next++, 256));
        }
        for (std::size_t j = 0; j < columns; ++j) {
            column_scale[j] = random.uniform(next++, 1e-4f, 1.0f);
            bias[j] = random.uniform(next++, -1.0f, 1.0f);
            column_sum[j] = static_cast<std::int32_t>(random.below(next++, 100000)) - 50000;
        }
        for (auto& sum : sums) {
            sum = static_cast<std::int32_t>(random.below(next++, 2000000)) - 1000000;
        }
        const kernels::dequantize dequantize = {row_scale.data(), zero_point.data(), column_scale.data(), column_sum.data()};
        const kernels::add_bias add = {bias.data()};
        const kernels::epilogue<float, kernels::dequantize, kernels::add_bias, kernels::rectify> epilogue(y.data(), columns,
                                                                                                          dequantize, add, {});
        epilogue.finish<test_isa>(sums.data(), stride, 0, rows, 0, columns);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < columns; ++j) {
                const float expected = kernels::finish_number(sums[i * stride + j], i, j, dequantize, add, kernels::rectify{});
                REQUIRE(std::bit_cast<std::uint32_t>(y[i * columns + j]) == std::bit_cast<std::uint32_t>(expected));
            }
        }
    }
}

// 3 * 0.1f, rounded, plus -0.3f is not what a fused multiply-add gives.
TEST_CASE("a product is rounded before the bias is added") {
    const float scale = 0.1f;
    const float one = 1.0f;
    const float bias = -0.3f;
    const std::int32_t zero = 0;
    std::vector<std::int32_t> sum(simd::ops<test_isa>::lanes, 3);
    float y = 0.0f;
    const kernels::epilogue<float, kernels::dequantize, kernels::add_bias> epilogue(&y, 1, {&one, &zero, &scale, &zero}, {&bias});
    epilogue.finish<test_isa>(sum.data(), 1, 0, 1, 0, 1);
    CHECK(std::bit_cast<std::uint32_t>(y) == std::bit_cast<std::uint32_t>(exact_multiply(3.0f, 0.1f) + bias));
    CHECK(y != static_cast<float>(3.0 * static_cast<double>(0.1f) + static_cast<double>(bias)));
}

template <class Q>
static void check_requantize(std::int32_t zero_point, std::int32_t smallest) {
    const random_numbers random(seed{22}, static_cast<std::uint64_t>(smallest + 1000));
    const std::size_t rows = 3;
    for (const std::size_t columns : {1u, 15u, 16u, 17u, 64u, 70u}) {
        guarded<float> multiplier(columns);
        guarded<std::int32_t> offset(columns);
        guarded<typename Q::storage> y(rows * columns);
        const std::size_t stride = (columns + 15) / 16 * 16;
        std::vector<std::int32_t> sums(rows * stride);
        for (std::size_t j = 0; j < columns; ++j) {
            multiplier[j] = j % 5 == 0 ? 0.5f : random.uniform(j, 1e-5f, 1e-3f);  // 0.5: ties
            offset[j] = static_cast<std::int32_t>(random.below(100 + j, 1000)) - 500;
        }
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i] = i % 7 == 0 ? std::numeric_limits<std::int32_t>::max() - 1000
                                 : static_cast<std::int32_t>(random.below(1000 + i, 400000)) - 200000;
        }
        const kernels::add_offsets offsets = {offset.data()};
        const kernels::requantize requantize = {multiplier.data(), zero_point, smallest, Q::largest};
        const kernels::epilogue<typename Q::storage, kernels::add_offsets, kernels::requantize> epilogue(y.data(), columns, offsets,
                                                                                                         requantize);
        epilogue.template finish<test_isa>(sums.data(), stride, 0, rows, 0, columns);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < columns; ++j) {
                REQUIRE(int{y[i * columns + j]} == kernels::finish_number(sums[i * stride + j], i, j, offsets, requantize));
            }
        }
    }
}

TEST_CASE("sums become bytes of another scale, to the bit") {
    check_requantize<quint8>(0, 0);
    check_requantize<quint8>(131, 131);  // ReLU: nothing below the zero point
    check_requantize<qint8>(-3, -128);
    check_requantize<qint8>(7, 7);
}

template <fixed_rounding Rounding>
static void check_requantize_fixed(const std::vector<std::array<std::int32_t, 4>>& golden) {
    const random_numbers random(seed{23}, 0);
    const std::size_t columns = 70, stride = 80, rows = 40;
    guarded<std::int32_t> multiplier(columns), shift(columns);
    std::vector<std::int32_t> sums(rows * stride);
    for (std::size_t j = 0; j < columns; ++j) {
        multiplier[j] = static_cast<std::int32_t>(random.below(j, 1u << 30)) + (1 << 30);
        shift[j] = static_cast<std::int32_t>(j % 32);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const auto bits = static_cast<std::int32_t>(random.words(1000 + i)[0]);
        sums[i] = i % 9 == 0   ? std::numeric_limits<std::int32_t>::max()
                  : i % 9 == 1 ? -2147483647
                               : bits >> static_cast<int>(i % 30);
    }
    guarded<std::int8_t> y(rows * columns);
    const kernels::requantize_fixed<Rounding> stage = {multiplier.data(), shift.data(), 5, -100, 127};
    const kernels::epilogue<std::int8_t, kernels::requantize_fixed<Rounding>> epilogue(y.data(), columns, stage);
    epilogue.template finish<test_isa>(sums.data(), stride, 0, rows, 0, columns);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
            INFO(sums[i * stride + j] << " * " << multiplier[j] << " >> " << shift[j]);
            REQUIRE(int{y[i * columns + j]} == stage(sums[i * stride + j], i, j));
        }
    }
    for (const auto& [x, m, e, expected] : golden) {
        const kernels::requantize_fixed<Rounding> plain = {&m, &e, 0, -100000, 100000};
        CHECK(plain(x, 0, 0) == expected);
    }
}

TEST_CASE("fixed-point requantization is that of TensorFlow Lite, rounded twice or once") {
    check_requantize_fixed<fixed_rounding::twice>(
        {{-34329, 1335166881, 6, -334}, {3411, 1208738487, 8, 8}, {16616, 1195182203, 6, 145}});
    check_requantize_fixed<fixed_rounding::once>(
        {{-34329, 1335166881, 6, -333}, {3411, 1208738487, 8, 7}, {16616, 1195182203, 6, 144}});
    CHECK(quantized_multiplier(0.75) == fixed_multiplier{1610612736, 0});
    CHECK(quantized_multiplier(0.25) == fixed_multiplier{1 << 30, 1});
    CHECK(quantized_multiplier(1.0 - 1e-12) == fixed_multiplier{2147483647, 0});
    CHECK(quantized_multiplier(0.5 - 1e-12) == fixed_multiplier{1 << 30, 0});
    CHECK(quantized_multiplier(1e-12) == fixed_multiplier{});
}
