#include <pare/kernels/fake_quantize.hpp>

#include <limits>
#include <vector>

#include <pare/core/random.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

TEST_CASE("fake quantization and its gradients are their definitions") {
    const random_numbers random(seed{5}, 0);
    const float infinity = std::numeric_limits<float>::infinity();
    const float hard[] = {0.0f, -0.0f, infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), 3.4e38f, -1e30f, 1e-42f};
    std::uint64_t next = 0;
    for (const fake_quantization& f :
         {fake_quantization{{0.25f, 0}, -7, 7}, fake_quantization{{0.1f, 128}, 0, 255}, fake_quantization{{0.5f, 3}, 0, 15},
          fake_quantization{{1.0f, 0}, -1, 1}, fake_quantization{{smallest_scale, 0}, -127, 127}}) {
        for (const std::size_t n : {1u, 2u, 3u, 8u, 15u, 16u, 17u, 33u, 131u}) {
            guarded<float> x(n), dy(n), y(n), dx(n);
            const float inverse = 1.0f / f.q.scale;
            double ds = 0.0;
            std::vector<float> expected_y(n), expected_dx(n);
            for (std::size_t i = 0; i < n; ++i) {
                x[i] = i % 3 == 0   ? hard[next % 8]
                       : i % 3 == 1 ? random.uniform(next, -2.0f, 2.0f) * 8.0f * f.q.scale
                                    : static_cast<float>(static_cast<int>(next % 41) - 20) * 0.5f * f.q.scale;  // ties
                dy[i] = random.uniform(next++, -1.0f, 1.0f);
                const std::int32_t least = f.smallest - f.q.zero_point, greatest = f.largest - f.q.zero_point;
                const std::int32_t q = quantize_value(x[i], inverse, 0, least, greatest);
                const std::int32_t free = quantize_value(x[i], inverse, 0, least - 1, greatest + 1);
                expected_y[i] = static_cast<float>(q) * f.q.scale;
                expected_dx[i] = q == free ? dy[i] : 0.0f;
                const double known = is_nan(x[i]) ? 0.0 : static_cast<double>(x[i]) * static_cast<double>(inverse);
                ds += static_cast<double>(dy[i]) * (static_cast<double>(q) - (q == free ? known : 0.0));
            }
            kernels::fake_quantize<test_isa>(n, x.data(), f, y.data());
            kernels::fake_quantize_gradient<test_isa>(n, x.data(), f, dy.data(), dx.data());
            for (std::size_t i = 0; i < n; ++i) {
                CAPTURE(n, i, x[i], f.q.scale);
                REQUIRE(y[i] == expected_y[i]);
                REQUIRE(dx[i] == expected_dx[i]);
            }
            REQUIRE(static_cast<double>(kernels::fake_quantize_scale_gradient<test_isa>(n, x.data(), f, dy.data())) ==
                    Approx(ds).epsilon(1e-5).margin(1e-4));
        }
    }
}
