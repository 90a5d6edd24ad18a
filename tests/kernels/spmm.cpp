#include <pare/kernels/spmm.hpp>

#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/reference.hpp>
#include <pare/types/csr.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

struct shape {
    std::size_t m, n, k;
};
const std::vector<shape> shapes = {{1, 1, 1},   {1, 10, 100},  {2, 65, 33},  {3, 7, 200},  {5, 130, 64},
                                   {8, 64, 17}, {17, 33, 129}, {40, 70, 50}, {67, 100, 31}};

/// A random matrix [n, k] with about `kept` of its elements, dense and compressed.
template <class Value>
struct sparse_matrix {
    std::vector<Value> dense;
    csr::structure structure;
    guarded<Value> values;

    sparse_matrix(std::size_t n, std::size_t k, float kept, std::uint64_t stream)
        : dense(random(n, k, kept, stream)),
          structure(n, k, [&](std::size_t r, std::size_t c) { return dense[r * k + c] != 0; }),
          values(structure.stored()) {
        structure.for_each([&](std::size_t r, std::size_t c, std::size_t i) { values[i] = dense[r * k + c]; });
    }

    kernels::csr_view<Value, std::uint16_t> view() const {
        return {structure.row_begin(), structure.column(), values.data(), structure.rows(), structure.columns()};
    }

private:
    static std::vector<Value> random(std::size_t n, std::size_t k, float kept, std::uint64_t stream) {
        const random_numbers numbers(seed{51}, stream);
        std::vector<Value> w(n * k);
        for (std::size_t i = 0; i < w.size(); ++i) {
            if (numbers.uniform(2 * i) < kept) {
                w[i] = std::is_same_v<Value, float> ? static_cast<Value>(numbers.uniform(2 * i + 1, -1.0f, 1.0f))
                                                    : static_cast<Value>(static_cast<int>(numbers.below(2 * i + 1, 256)) - 128);
            }
        }
        return w;
    }
};

template <class Executor>
void check_bytes(shape s, float kept, Executor& executor) {
    const sparse_matrix<std::int8_t> w(s.n, s.k, kept, s.m);
    guarded<std::uint8_t> x(s.m * s.k);
    guarded<std::int32_t> y(s.m * s.n);
    const random_numbers random(seed{52}, s.n);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<std::uint8_t>(random.words(i)[0]);
    }
    workspace space(kernels::spmm_scratch_bytes<test_isa, std::int32_t>(s.k));
    kernels::spmm<test_isa, std::int32_t>(executor, space.scratch(), s.m, x.data(), s.k, w.view(),
                                          kernels::epilogue<std::int32_t>(y.data(), s.n));
    std::vector<std::int32_t> expected(s.m * s.n);
    kernels::reference::multiply<std::int32_t>(matrix_view<const std::uint8_t>(x.data(), s.m, s.k),
                                               matrix_view<const std::int8_t>(w.dense.data(), s.n, s.k),
                                               matrix_view<std::int32_t>(expected.data(), s.m, s.n));
    for (std::size_t i = 0; i < y.size(); ++i) {
        INFO(s.m << "x" << s.n << "x" << s.k << " at " << i);
        REQUIRE(y[i] == expected[i]);
    }
}

}  // namespace

TEST_CASE("sparse products of bytes equal the dense plain loops to the bit") {
    serial_executor serial;
    thread_pool pool(3);
    for (const shape& s : shapes) {
        for (const float kept : {0.0f, 0.1f, 0.5f, 1.0f}) {
            check_bytes(s, kept, serial);
        }
    }
    check_bytes({64, 500, 300}, 0.2f, pool);
}

TEST_CASE("sparse products of floats are as close to the exact product as float allows") {
    serial_executor serial;
    for (const shape& s : shapes) {
        const sparse_matrix<float> w(s.n, s.k, 0.3f, s.m);
        guarded<float> x(s.m * s.k), y(s.m * s.n);
        const random_numbers random(seed{53}, s.n);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.uniform(i, -1.0f, 1.0f);
        }
        workspace space(kernels::spmm_scratch_bytes<test_isa, float>(s.k));
        kernels::spmm<test_isa, float>(serial, space.scratch(), s.m, x.data(), s.k, w.view(),
                                       kernels::epilogue<float>(y.data(), s.n));
        for (std::size_t i = 0; i < s.m; ++i) {
            for (std::size_t j = 0; j < s.n; ++j) {
                double sum = 0.0;
                double magnitude = 0.0;
                for (std::size_t k = 0; k < s.k; ++k) {
                    const double product = static_cast<double>(x[i * s.k + k]) * static_cast<double>(w.dense[j * s.k + k]);
                    sum += product;
                    magnitude += std::abs(product);
                }
                REQUIRE(std::abs(static_cast<double>(y[i * s.n + j]) - sum) <=
                        2.4e-7 * std::sqrt(static_cast<double>(s.k)) * magnitude);
            }
        }
    }
}
