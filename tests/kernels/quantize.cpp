#include <pare/kernels/quantize.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/reference.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Rows that are hard to quantize, of length n, and some ordinary ones.
std::vector<std::vector<float>> hard_rows(std::size_t n) {
    const random_numbers random(seed{41}, n);
    std::vector<std::vector<float>> rows;
    const auto add = [&](auto value) {
        rows.emplace_back(n);
        for (std::size_t i = 0; i < n; ++i) {
            rows.back()[i] = value(i);
        }
    };
    add([](std::size_t) { return 0.0f; });
    add([](std::size_t) { return -0.0f; });
    add([](std::size_t) { return 3.0f; });
    add([](std::size_t) { return -3.0f; });
    add([](std::size_t) { return not_a_number; });
    add([](std::size_t) { return infinity; });
    add([](std::size_t) { return 1e-42f; });
    add([&](std::size_t i) { return random.uniform(i, -1.0f, 1.0f); });
    add([&](std::size_t i) { return random.uniform(i, 0.0f, 6.0f); });
    add([&](std::size_t i) { return random.uniform(i, -3.4e38f, 3.4e38f); });
    add([&](std::size_t i) { return i == n / 2 ? 1e30f : random.uniform(i, -1.0f, 1.0f); });
    add([&](std::size_t i) { return i == n / 2 ? not_a_number : random.uniform(i, -1.0f, 1.0f); });
    add([&](std::size_t i) { return i == n / 2 ? -infinity : i == n / 3 ? infinity : random.uniform(i, -1.0f, 1.0f); });
    add([&](std::size_t i) { return static_cast<float>(static_cast<int>(i % 511) - 255) * 0.5f; });  // ties
    return rows;
}

/// One row as bytes.
template <class A>
quantization quantize_row(const std::vector<float>& row, A* out) {
    quantization q;
    kernels::quantize_rows<test_isa, kernels::row_quantization::affine>(matrix_view<const float>(row.data(), 1, row.size()), out,
                                                                        &q.scale, &q.zero_point);
    return q;
}

}  // namespace

TEST_CASE("the range of a row leaves out NaN and contains zero") {
    for (std::size_t n = 1; n <= 70; ++n) {
        for (const auto& values : hard_rows(n)) {
            guarded<float> row(n);
            std::copy(values.begin(), values.end(), row.begin());
            const auto range = kernels::range_of<test_isa>(row.data(), n);
            const auto expected = kernels::reference::range_of(row.data(), n);
            REQUIRE(range.min == expected.min);
            REQUIRE(range.max == expected.max);
            REQUIRE(range.bounded == expected.bounded);
        }
    }
    CHECK(kernels::range_of<test_isa>(nullptr, 0).max == 0.0f);
}

template <class Q>
static void check_values() {
    for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 15u, 16u, 17u, 33u, 64u, 131u}) {
        for (const auto& values : hard_rows(n)) {
            guarded<float> row(n);
            guarded<typename Q::storage> out(n);
            std::copy(values.begin(), values.end(), row.begin());
            const auto range = kernels::reference::range_of(row.data(), n);
            std::vector<typename Q::storage> expected(n);
            // its own quantization, where the path without clamps may run, and strange ones, where it may not
            const auto own = affine_quantization<Q>(range.min, range.max);
            for (const auto& q :
                 {own, quantization{0.01f, Q::largest}, quantization{1e-10f, Q::smallest}, quantization{1e20f, 3}}) {
                for (const bool bounded : {false, range.bounded && q == own}) {
                    kernels::quantize_values<test_isa>(row.data(), n, q, bounded, out.data());
                    kernels::reference::quantize_values<Q>(row.data(), n, q, expected.data());
                    REQUIRE(std::equal(out.begin(), out.end(), expected.begin()));
                }
            }
        }
    }
}

TEST_CASE("numbers are quantized as the definition says, to the bit") {
    SECTION("quint8") {
        check_values<quint8>();
    }
    SECTION("qint8") {
        check_values<qint8>();
    }
}

TEST_CASE("bytes, signed bytes and wide integers of a row stand for the same numbers") {
    for (const auto& values : hard_rows(100)) {
        std::vector<std::uint8_t> u(100);
        std::vector<std::int8_t> s(100);
        std::vector<std::int16_t> wide(100);
        const quantization qu = quantize_row(values, u.data());
        const quantization qs = quantize_row(values, s.data());
        REQUIRE(quantize_row(values, wide.data()) == qu);
        REQUIRE(std::equal(u.begin(), u.end(), wide.begin()));
        REQUIRE(qu.scale == qs.scale);
        REQUIRE(qu.zero_point == qs.zero_point + 128);
        for (std::size_t i = 0; i < 100; ++i) {
            REQUIRE(int{u[i]} == s[i] + 128);
        }
    }
}

TEST_CASE("rows that are quantized together are what they are alone") {
    for (const std::size_t n : {1u, 17u, 64u, 100u}) {
        const auto rows = hard_rows(n);
        for (std::size_t first = 0; first < rows.size(); ++first) {  // each row in the company of others, at a stride
            const std::size_t count = rows.size() - first;
            guarded<float> x((count - 1) * (n + 3) + n);
            for (std::size_t r = 0; r < count; ++r) {
                std::copy(rows[first + r].begin(), rows[first + r].end(), x.begin() + r * (n + 3));
            }
            guarded<std::uint8_t> bytes(count * n);
            guarded<float> scales(count);
            guarded<std::int32_t> zero_points(count);
            kernels::quantize_rows<test_isa, kernels::row_quantization::affine>(
                matrix_view<const float>(x.data(), count, n, n + 3), bytes.data(), scales.data(), zero_points.data());
            for (std::size_t r = 0; r < count; ++r) {
                std::vector<std::uint8_t> alone(n);
                const quantization q = quantize_row(rows[first + r], alone.data());
                REQUIRE(q == quantization{scales[r], zero_points[r]});
                REQUIRE(std::equal(alone.begin(), alone.end(), bytes.begin() + r * n));
            }
        }
    }
}

TEST_CASE("a finite number is at most half a step from what its byte stands for") {
    const auto rows = hard_rows(257);
    for (const auto& values : rows) {
        if (!kernels::reference::range_of(values.data(), values.size()).bounded) {
            continue;
        }
        std::vector<std::uint8_t> bytes(values.size());
        const quantization q = quantize_row(values, bytes.data());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double scale = static_cast<double>(q.scale);
            const double real = (bytes[i] - q.zero_point) * scale;
            if (std::abs(values[i]) < largest_range) {
                REQUIRE(std::abs(real - static_cast<double>(values[i])) <= 0.5000001 * scale + 1e-4 * std::abs(scale));
            }
        }
    }
}

TEST_CASE("rows are quantized block by block, the same on any number of threads") {
    const std::size_t rows = kernels::quantized_block_rows + 77;
    const std::size_t n = 300;
    std::vector<float> x(rows * n);
    const random_numbers random(seed{42}, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, static_cast<float>(i / n));
    }
    const auto quantize_all = [&](auto& executor) {
        workspace space(kernels::quantized_scratch_bytes<std::uint8_t>(rows, n));
        context<test_isa, std::remove_reference_t<decltype(executor)>> ctx{executor, space.scratch()};
        std::vector<std::uint8_t> bytes;
        std::vector<float> scales;
        kernels::for_each_quantized_block<test_isa, std::uint8_t>(
            ctx, matrix_view<const float>(x.data(), rows, n), [&](std::size_t first, const auto& q, arena) {
                REQUIRE(first * n == bytes.size());
                bytes.insert(bytes.end(), q.values, q.values + q.rows * q.stride);
                scales.insert(scales.end(), q.scales, q.scales + q.rows);
            });
        return std::pair(bytes, scales);
    };
    serial_executor serial;
    thread_pool pool(3);
    const auto alone = quantize_all(serial);
    CHECK(alone.first.size() == x.size());
    CHECK(alone == quantize_all(pool));
    std::vector<std::uint8_t> row(n);
    for (std::size_t r = 0; r < rows; ++r) {
        CHECK(quantize_row(std::vector<float>(x.data() + r * n, x.data() + (r + 1) * n), row.data()).scale == alone.second[r]);
        REQUIRE(std::equal(row.begin(), row.end(), alone.first.begin() + static_cast<std::ptrdiff_t>(r * n)));
    }
}
