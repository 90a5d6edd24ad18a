#include <pare/kernels/gemm_f32.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/reference.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;
using kernel = kernels::gemm_f32_kernel<test_isa>;

namespace {

struct shape {
    std::size_t m, n, k;
};

/// |x - expected| <= 2 ulp * sqrt(k) of the sum of magnitudes, which is what cancellation can cost.
void check_close(float x, double expected, double magnitude, std::size_t k) {
    const double bound =
        2.0 * std::sqrt(static_cast<double>(k)) * magnitude * static_cast<double>(std::numeric_limits<float>::epsilon());
    REQUIRE(std::abs(static_cast<double>(x) - expected) <= bound);
}

/// a [m, k] and b [n, k] random; c = a b^T + bias against double.
template <class Multiply>
void check(shape s, const Multiply& multiply) {
    const random_numbers random(seed{31}, s.m * 1000000 + s.n * 1000 + s.k);
    guarded<float> a(s.m * s.k), b(s.n * s.k), c(s.m * s.n), bias(s.n);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = random.uniform(2 * i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < b.size(); ++i) {
        b[i] = random.uniform(2 * i + 1, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < bias.size(); ++i) {
        bias[i] = random.uniform(1000000 + i, -1.0f, 1.0f);
    }
    multiply(a, b, kernels::epilogue<float, kernels::add_bias>(c.data(), s.n, {bias.data()}));
    for (std::size_t i = 0; i < s.m; ++i) {
        for (std::size_t j = 0; j < s.n; ++j) {
            double sum = 0.0;
            double magnitude = std::abs(static_cast<double>(bias[j]));
            for (std::size_t k = 0; k < s.k; ++k) {
                const double product = static_cast<double>(a[i * s.k + k]) * static_cast<double>(b[j * s.k + k]);
                sum += product;
                magnitude += std::abs(product);
            }
            INFO(s.m << "x" << s.n << "x" << s.k << " at " << i << ", " << j);
            check_close(c[i * s.n + j], sum + static_cast<double>(bias[j]), magnitude, s.k + 1);
        }
    }
}

const std::vector<shape> shapes = {{1, 1, 1},     {1, 10, 100},  {2, 17, 3},   {3, 64, 64},  {4, 33, 31},
                                   {5, 65, 7},    {6, 15, 16},   {7, 63, 129}, {8, 127, 65}, {33, 31, 17},
                                   {64, 100, 33}, {65, 255, 64}, {1, 777, 9},  {2, 384, 5},  {3, 400, 33}};

}  // namespace

TEST_CASE("gemm_f32_packed is as close to the exact product as float allows") {
    serial_executor serial;
    for (const shape& s : shapes) {
        check(s, [&](const auto& a, const auto& b, const auto& epilogue) {
            guarded<float> packed(kernel::packed_size(s.n, s.k));
            kernel::pack({b.data(), 1, s.k}, s.n, s.k, packed.data());
            kernels::gemm_f32_packed<test_isa>(serial, s.m, s.n, s.k, {a.data(), s.k, 1}, packed.data(), epilogue);
        });
    }
}

TEST_CASE("gemm_f32 takes either operand transposed") {
    serial_executor serial;
    for (const shape& s : shapes) {
        workspace space(kernels::gemm_f32_scratch_bytes<test_isa>(s.n, s.k));
        check(s, [&](const auto& a, const auto& b, const auto& epilogue) {
            guarded<float> a_transposed(s.m * s.k), b_transposed(s.n * s.k);
            for (std::size_t k = 0; k < s.k; ++k) {
                for (std::size_t i = 0; i < s.m; ++i) {
                    a_transposed[k * s.m + i] = a[i * s.k + k];
                }
                for (std::size_t j = 0; j < s.n; ++j) {
                    b_transposed[k * s.n + j] = b[j * s.k + k];
                }
            }
            kernels::gemm_f32<test_isa>(serial, space.scratch(), s.m, s.n, s.k, {a_transposed.data(), 1, s.m},
                                        {b_transposed.data(), s.n, 1}, epilogue);
        });
        check(s, [&](const auto& a, const auto& b, const auto& epilogue) {
            kernels::gemm_f32<test_isa>(serial, space.scratch(), s.m, s.n, s.k, {a.data(), s.k, 1}, {b.data(), 1, s.k}, epilogue);
        });
    }
}

template <class Half>
void check_half_weights() {
    const random_numbers random(seed{33}, 0);
    serial_executor serial;
    for (const shape& s : shapes) {
        using narrow = kernels::gemm_f32_kernel<test_isa, Half>;
        guarded<Half> b(s.n * s.k), packed(narrow::packed_size(s.n, s.k));
        std::vector<float> a(s.m * s.k), wide(s.n * s.k), packed_wide(kernel::packed_size(s.n, s.k)), c(s.m * s.n),
            expected(s.m * s.n);
        for (std::size_t i = 0; i < a.size(); ++i) {
            a[i] = random.uniform(i, -1.0f, 1.0f);
        }
        for (std::size_t i = 0; i < b.size(); ++i) {
            b[i] = Half(random.uniform(1000000 + i, -1.0f, 1.0f));
            wide[i] = b[i];
        }
        narrow::pack({b.data(), 1, s.k}, s.n, s.k, packed.data());
        kernel::pack({wide.data(), 1, s.k}, s.n, s.k, packed_wide.data());
        kernels::gemm_f32_packed<test_isa>(serial, s.m, s.n, s.k, {a.data(), s.k, 1}, packed.data(),
                                           kernels::epilogue<float>(c.data(), s.n));
        kernels::gemm_f32_packed<test_isa>(serial, s.m, s.n, s.k, {a.data(), s.k, 1}, packed_wide.data(),
                                           kernels::epilogue<float>(expected.data(), s.n));
        CHECK(c == expected);
    }
}

TEST_CASE("a product with bfloat16 or float16 weights is that with the floats that they stand for, to the bit") {
    check_half_weights<bfloat16>();
    check_half_weights<float16>();
}

TEST_CASE("a row of a float product has the same bits in every batch and on any number of threads") {
    const shape s = {61, 300, 113};
    const random_numbers random(seed{32}, 0);
    std::vector<float> a(s.m * s.k), b(s.n * s.k), packed(kernel::packed_size(s.n, s.k)), together(s.m * s.n), alone(s.m * s.n),
        threaded(s.m * s.n);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = random.uniform(i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < b.size(); ++i) {
        b[i] = random.uniform(1000000 + i, -1.0f, 1.0f);
    }
    kernel::pack({b.data(), 1, s.k}, s.n, s.k, packed.data());
    serial_executor serial;
    thread_pool pool(3);
    const auto multiply = [&](auto& executor, std::size_t row, std::size_t rows, float* c) {
        kernels::gemm_f32_packed<test_isa>(executor, rows, s.n, s.k, {a.data() + row * s.k, s.k, 1}, packed.data(),
                                           kernels::epilogue<float>(c + row * s.n, s.n));
    };
    multiply(serial, 0, s.m, together.data());
    multiply(pool, 0, s.m, threaded.data());
    for (std::size_t row = 0; row < s.m; ++row) {
        multiply(serial, row, 1, alone.data());
    }
    CHECK(together == alone);
    CHECK(together == threaded);
}

TEST_CASE("gemm_f32 works in chunks of columns where B is large") {
    const shape s = {3, 2100, 500};
    CHECK(kernels::gemm_f32_chunk_columns<test_isa>(s.n, s.k) < s.n);
    serial_executor serial;
    workspace space(kernels::gemm_f32_scratch_bytes<test_isa>(s.n, s.k));
    check(s, [&](const auto& a, const auto& b, const auto& epilogue) {
        kernels::gemm_f32<test_isa>(serial, space.scratch(), s.m, s.n, s.k, {a.data(), s.k, 1}, {b.data(), 1, s.k}, epilogue);
    });
}
