#include <pare/kernels/spmm.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/packed_bsr.hpp>
#include <pare/kernels/packed_csr.hpp>
#include <pare/kernels/packed_n_of_m.hpp>
#include <pare/kernels/reference.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"
#include "sparse_matrix.hpp"

using namespace pare;

namespace {

struct shape {
    std::size_t m, n, k;
};
const std::vector<shape> shapes = {{1, 1, 1},   {1, 10, 100},  {2, 65, 33},  {3, 7, 200},  {5, 130, 64},
                                   {8, 64, 17}, {17, 33, 129}, {40, 70, 50}, {67, 100, 31}};

template <class Layout, class Executor>
void check_bytes(shape s, float kept, Executor& executor) {
    const sparse_matrix<qint8, Layout> w(s.n, s.k, kept, s.m);
    using product = packed<weight_matrix<qint8, Layout>, test_isa>;
    guarded<std::uint8_t> x(s.m * s.k);
    guarded<std::int32_t> y(s.m * s.n);
    const random_numbers random(seed{52}, s.n);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<std::uint8_t>(random.words(i)[0]);
    }
    workspace space(product::scratch_bytes(static_range{}, s.m, s.n, s.k));
    context<test_isa, Executor> ctx{executor, space.scratch()};
    const product p(w.weights);
    p.multiply(static_range{}, ctx, matrix_view<const std::uint8_t>(x.data(), s.m, s.k),
               matrix_view<std::int32_t>(y.data(), s.m, s.n));
    std::vector<std::int32_t> expected(s.m * s.n), sums(s.n);
    kernels::reference::multiply<std::int32_t>(matrix_view<const std::uint8_t>(x.data(), s.m, s.k),
                                               matrix_view<const std::int8_t>(w.dense.data(), s.n, s.k),
                                               matrix_view<std::int32_t>(expected.data(), s.m, s.n));
    for (std::size_t i = 0; i < y.size(); ++i) {
        INFO(w.weights.describe() << ", " << s.m << "x" << s.n << "x" << s.k << " at " << i);
        REQUIRE(y[i] == expected[i]);
    }
    for (std::size_t i = 0; i < w.dense.size(); ++i) {
        sums[i / s.k] += w.dense[i];
    }
    REQUIRE(std::equal(sums.begin(), sums.end(), p.column_sums()));
}

template <class Layout, class Executor>
void check_floats(shape s, Executor& executor) {
    const sparse_matrix<float, Layout> w(s.n, s.k, 0.3f, s.m);
    using product = packed<weight_matrix<float, Layout>, test_isa>;
    guarded<float> x(s.m * s.k), y(s.m * s.n);
    const random_numbers random(seed{53}, s.n);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    workspace space(product::scratch_bytes(as_float{}, s.m, s.n, s.k));
    context<test_isa, Executor> ctx{executor, space.scratch()};
    const product p(w.weights);
    const auto multiply = [&](std::size_t rows, float* out) {
        p.multiply(as_float{}, ctx, matrix_view<const float>(x.data(), rows, s.k), matrix_view<float>(out, rows, s.n));
    };
    multiply(s.m, y.data());
    for (std::size_t i = 0; i < s.m; ++i) {
        for (std::size_t j = 0; j < s.n; ++j) {
            double sum = 0.0;
            double magnitude = 0.0;
            for (std::size_t k = 0; k < s.k; ++k) {
                const double exact = static_cast<double>(x[i * s.k + k]) * static_cast<double>(w.dense[j * s.k + k]);
                sum += exact;
                magnitude += std::abs(exact);
            }
            INFO(w.weights.describe() << ", " << s.m << "x" << s.n << "x" << s.k << " at " << i << ", " << j);
            REQUIRE(std::abs(static_cast<double>(y[i * s.n + j]) - sum) <=
                    2.4e-7 * std::sqrt(static_cast<double>(s.k)) * magnitude);
        }
    }
    std::vector<float> first(s.n);
    multiply(1, first.data());
    REQUIRE(std::equal(first.begin(), first.end(), y.data()));  // a sample has the same bits in every batch
}

}  // namespace

TEST_CASE("sparse products of bytes equal the dense plain loops to the bit") {
    serial_executor serial;
    thread_pool pool(3);
    for (const shape& s : shapes) {
        for (const float kept : {0.0f, 0.1f, 0.5f, 1.0f}) {
            check_bytes<csr>(s, kept, serial);
            check_bytes<bsr<16, 4>>(s, kept, serial);
            check_bytes<bsr<1, 4>>(s, kept, serial);
        }
        check_bytes<bsr<3, 5>>(s, 0.3f, serial);
        check_bytes<n_of_m<2, 4>>(s, 0.0f, serial);
        check_bytes<n_of_m<3, 5>>(s, 0.0f, serial);
    }
    check_bytes<csr>({64, 500, 300}, 0.2f, pool);
    check_bytes<bsr<16, 4>>({150, 500, 300}, 0.2f, pool);
    check_bytes<bsr<1, 4>>({38, 500, 300}, 0.2f, pool);
    check_bytes<n_of_m<2, 4>>({38, 500, 300}, 0.2f, pool);
}

TEST_CASE("sparse products of floats are as close to the exact product as float allows") {
    serial_executor serial;
    thread_pool pool(3);
    for (const shape& s : shapes) {
        check_floats<csr>(s, serial);
        check_floats<bsr<16, 4>>(s, serial);
        check_floats<bsr<16, 1>>(s, serial);
        check_floats<bsr<1, 4>>(s, serial);
        check_floats<n_of_m<2, 4>>(s, serial);
    }
    check_floats<bsr<16, 4>>({150, 500, 300}, pool);
}

TEST_CASE("a row of a csr product has the same bits in every batch, and infinities reach only what is stored for them") {
    constexpr std::size_t n = 75, k = 90;
    const sparse_matrix<float, csr> w(n, k, 0.2f, 5);
    using product = packed<weight_matrix<float, csr>, test_isa>;
    const product p(w.weights);
    thread_pool pool(2);
    for (const std::size_t m : {1u, 2u, 7u, 16u, 17u, 65u, 150u}) {
        guarded<float> x(m * k), y(m * n), alone(n);
        const random_numbers random(seed{55}, m);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = i % k == 3 ? std::numeric_limits<float>::infinity() : random.uniform(i, -1.0f, 1.0f);
        }
        workspace space(product::scratch_bytes(as_float{}, m, n, k));
        context<test_isa, thread_pool> ctx{pool, space.scratch()};
        const auto multiply = [&](std::size_t first, std::size_t rows, float* out) {
            p.multiply(as_float{}, ctx, matrix_view<const float>(x.data() + first * k, rows, k), matrix_view<float>(out, rows, n));
        };
        multiply(0, m, y.data());
        for (std::size_t i = 0; i < m; ++i) {
            multiply(i, 1, alone.data());
            REQUIRE(std::equal(alone.begin(), alone.end(), y.data() + i * n));
        }
        for (std::size_t j = 0; j < n; ++j) {
            REQUIRE(std::isinf(alone[j]) == (w.dense[j * k + 3] != 0.0f));
            REQUIRE(!std::isnan(alone[j]));
        }
    }
}
