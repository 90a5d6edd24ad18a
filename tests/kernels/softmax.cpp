#include <pare/kernels/softmax.hpp>

#include <cmath>
#include <vector>

#include <pare/core/executor.hpp>
#include <pare/core/random.hpp>
#include <pare/kernels/elementwise.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

TEST_CASE("softmax of a row is close to its definition, also in place and for large numbers") {
    const random_numbers random(seed{61}, 0);
    for (std::size_t n = 1; n <= 70; ++n) {
        for (const float shift : {0.0f, 1000.0f, -1000.0f}) {
            guarded<float> x(n);
            double sum = 0.0;
            for (std::size_t i = 0; i < n; ++i) {
                x[i] = random.uniform(i, -10.0f, 10.0f) + shift;
                sum += std::exp(static_cast<double>(x[i]) - static_cast<double>(shift));
            }
            std::vector<double> expected(n);
            for (std::size_t i = 0; i < n; ++i) {
                expected[i] = std::exp(static_cast<double>(x[i]) - static_cast<double>(shift)) / sum;
            }
            kernels::softmax_row<test_isa>(x.data(), n, x.data());
            for (std::size_t i = 0; i < n; ++i) {
                REQUIRE(static_cast<double>(x[i]) == Approx(expected[i]).epsilon(2e-6).margin(1e-12));
            }
        }
    }
}

TEST_CASE("transform visits every element once, whoever runs it") {
    using V = simd::ops<test_isa>;
    for (const std::size_t n : {0u, 1u, 15u, 16u, 100u, 40000u}) {
        guarded<float> a(n), b(n);
        for (std::size_t i = 0; i < n; ++i) {
            a[i] = static_cast<float>(i % 7) - 3.0f;
            b[i] = 1.0f;
        }
        serial_executor serial;
        kernels::transform<test_isa>(
            serial, n, b.data(), [](auto x, auto y) { return V::where_positive(x, x + y); }, a.data(), b.data());
        for (std::size_t i = 0; i < n; ++i) {
            REQUIRE(b[i] == (a[i] > 0.0f ? a[i] + 1.0f : 0.0f));
        }
    }
}
