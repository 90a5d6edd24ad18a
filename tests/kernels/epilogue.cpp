#include <pare/kernels/epilogue.hpp>

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
