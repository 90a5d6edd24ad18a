// Fake quantization and its gradients as PyTorch computes them.

#include <pare/kernels/fake_quantize.hpp>

#include "golden.hpp"

using namespace pare;

TEST_CASE("fake quantization is that of PyTorch, its gradients too") {
    std::size_t seen = 0;
    for (const auto& c : golden_cases("fake_quantize.json")) {
        const std::string name = c["name"];
        CAPTURE(name);
        const auto& attr = c["attr"];
        const fake_quantization f = {{attr["scale"], attr["zero_point"]}, attr["qmin"], attr["qmax"]};
        const auto x = golden_numbers(c, "x"), dy = golden_numbers(c, "grad_y");
        std::vector<float> y(x.size()), dx(x.size());
        kernels::fake_quantize<isa::native>(x.size(), x.data(), f, y.data());
        kernels::fake_quantize_gradient<isa::native>(x.size(), x.data(), f, dy.data(), dx.data());
        CHECK(y == golden_numbers(c, "y"));
        CHECK(dx == golden_numbers(c, "grad_x"));
        if (golden_kind(c) == "learned_step_size") {
            const float factor = step_gradient_factor(x.size(), f.largest);
            CHECK(factor == Approx(attr["grad_factor"].get<float>()).epsilon(1e-6));
            const float ds = factor * kernels::fake_quantize_scale_gradient<isa::native>(x.size(), x.data(), f, dy.data());
            CHECK(ds == Approx(golden_numbers(c, "grad_scale").at(0)).epsilon(1e-5));
            double clamped = 0.0;  // what a zero point that is trained would get: the numbers that were clamped move with it
            for (std::size_t i = 0; i < dx.size(); ++i) {
                clamped -= static_cast<double>(dy[i]) - static_cast<double>(dx[i]);
            }
            CHECK(clamped * static_cast<double>(f.q.scale * factor) ==
                  Approx(golden_numbers(c, "grad_zero_point").at(0)).epsilon(1e-5));
        } else {
            CHECK(golden_kind(c) == "fake_quantize");
        }
        ++seen;
    }
    CHECK(seen > 0);
}
