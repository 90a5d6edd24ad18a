#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/nn/softmax.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// Numbers on both sides of every corner, none on one.
std::vector<float> inputs() {
    std::vector<float> x;
    for (int i = -400; i <= 400; ++i) {
        x.push_back(static_cast<float>(i) * 0.025f + 0.0071f);
    }
    for (const float large : {20.5f, 50.0f, 1e4f}) {
        x.push_back(large);
        x.push_back(-large);
    }
    return x;
}

/// f of a layer against a function of doubles, and its gradient against central differences of that.
template <class Layer, class Exact>
void check(const Layer& layer, const Exact& exact, double margin = 1e-6) {
    CAPTURE(layer.describe());
    const auto x = inputs();
    const std::size_t n = x.size();
    std::vector<float> y(n), dx(n), dy(n);
    for (std::size_t i = 0; i < n; ++i) {
        dy[i] = i % 2 == 0 ? 1.0f : -0.5f;
    }
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, {}};
    const tensor_view<const float, dyn, dyn> xs(x.data(), std::size_t{1}, n), dys(dy.data(), std::size_t{1}, n);
    layer.forward(ctx, xs, tensor_view<float, dyn, dyn>(y.data(), std::size_t{1}, n));
    layer.backward(ctx, xs, tensor_view<const float, dyn, dyn>(y.data(), std::size_t{1}, n), dys,
                   tensor_view<float, dyn, dyn>(dx.data(), std::size_t{1}, n), {});
    for (std::size_t i = 0; i < n; ++i) {
        const auto at = static_cast<double>(x[i]);
        CAPTURE(at);
        REQUIRE(static_cast<double>(y[i]) == Approx(exact(at)).epsilon(1e-6).margin(margin));
        const double slope = (exact(at + 1e-4) - exact(at - 1e-4)) / 2e-4;
        REQUIRE(static_cast<double>(dx[i]) == Approx(slope * static_cast<double>(dy[i])).epsilon(1e-3).margin(2e-6));
        REQUIRE(layer.stage()(x[i], 0, 0) == y[i]);
    }
}

double logistic(double x) {
    return 1.0 / (1.0 + std::exp(-x));
}

}  // namespace

TEST_CASE("piecewise linear activations") {
    check(relu(), [](double x) { return x > 0.0 ? x : 0.0; });
    check(relu6(), [](double x) { return std::fmin(std::fmax(x, 0.0), 6.0); });
    check(leaky_relu(), [](double x) { return x > 0.0 ? x : 0.01 * x; });
    check(leaky_relu(0.2f), [](double x) { return x > 0.0 ? x : 0.2 * x; });
    check(hard_sigmoid(), [](double x) { return std::fmin(std::fmax(x + 3.0, 0.0), 6.0) / 6.0; });
    check(hard_swish(), [](double x) { return x * std::fmin(std::fmax(x + 3.0, 0.0), 6.0) / 6.0; });
}

TEST_CASE("smooth activations") {
    check(sigmoid(), logistic);
    check(pare::tanh(), [](double x) { return std::tanh(x); });
    check(elu(), [](double x) { return x > 0.0 ? x : std::expm1(x); });
    check(elu(0.7f), [](double x) { return x > 0.0 ? x : 0.7 * std::expm1(x); });
    check(silu(), [](double x) { return x * logistic(x); });
    check(gelu(), [](double x) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); });
    check(gelu_tanh(),
          [](double x) { return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979) * (x + 0.044715 * x * x * x))); });
    check(softplus(), [](double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
}

TEST_CASE("NaN passes through every activation") {
    const float nan = std::bit_cast<float>(0x7fc00000u);
    const auto check_nan = [&](const auto& layer) { CHECK(std::isnan(layer.stage()(nan, 0, 0))); };
    std::apply([&](const auto&... layer) { (check_nan(layer), ...); },
               std::tuple(relu(), relu6(), leaky_relu(), hard_sigmoid(), hard_swish(), sigmoid(), pare::tanh(), elu(), silu(),
                          gelu(), gelu_tanh(), softplus()));
}

TEST_CASE("gates of numbers far below zero are closed") {
    for (const float x : {-105.0f, -1e36f, -3e38f}) {
        CHECK(simd::ops<isa::native>::first(kernels::silu_function::value<isa::native>(simd::ops<isa::native>::set(x))) == 0.0f);
        CHECK(simd::ops<isa::native>::first(kernels::gelu_tanh_function::value<isa::native>(simd::ops<isa::native>::set(x))) ==
              0.0f);
        CHECK(kernels::silu_function::value<isa::scalar>(x) == 0.0f);
    }
}

TEST_CASE("activations are fused into the product before them, with the same bits") {
    const auto layer = initialized(dense<33, 50>(), he_normal{}, seed{1});
    const auto plain = prepare<isa::native>(sequential(layer));
    const auto both = prepare<isa::native>(sequential(layer, gelu(), leaky_relu(0.3f)));
    CHECK(describe(both).find("+ gelu + leaky_relu, 50 outputs") != std::string::npos);
    auto space = workspace_for(both, 7);
    std::vector<float> x(7 * 33), y(7 * 50), expected(7 * 50);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(i % 23) * 0.2f - 2.0f;
    }
    run(both, x, y, space);
    run(plain, x, expected, space);
    for (std::size_t i = 0; i < y.size(); ++i) {
        REQUIRE(y[i] == leaky_relu(0.3f).stage()(gelu().stage()(expected[i], 0, 0), 0, 0));
    }
}

TEST_CASE("log_softmax and its gradient") {
    constexpr std::size_t rows = 3, n = 37;
    std::vector<float> x(rows * n), y(rows * n), p(rows * n), dy(rows * n), dx(rows * n);
    const random_numbers random(seed{3}, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, 70.0f, 90.0f);
        dy[i] = random.uniform(x.size() + i, -1.0f, 1.0f);
    }
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, {}};
    const tensor_view<const float, dyn, n> xs(x.data(), rows), ys(y.data(), rows), dys(dy.data(), rows);
    log_softmax().forward(ctx, xs, tensor_view<float, dyn, n>(y.data(), rows));
    log_softmax().backward(ctx, xs, ys, dys, tensor_view<float, dyn, n>(dx.data(), rows), {});
    softmax().forward(ctx, xs, tensor_view<float, dyn, n>(p.data(), rows));
    for (std::size_t r = 0; r < rows; ++r) {
        double sum = 0.0, sum_dy = 0.0;
        for (std::size_t j = 0; j < n; ++j) {
            sum += std::exp(static_cast<double>(x[r * n + j]));
            sum_dy += static_cast<double>(dy[r * n + j]);
        }
        for (std::size_t j = r * n; j < (r + 1) * n; ++j) {
            const double expected = static_cast<double>(x[j]) - std::log(sum);
            CHECK(static_cast<double>(y[j]) == Approx(expected).epsilon(1e-6).margin(1e-6));
            CHECK(static_cast<double>(p[j]) == Approx(std::exp(expected)).epsilon(3e-6));
            CHECK(static_cast<double>(dx[j]) ==
                  Approx(static_cast<double>(dy[j]) - std::exp(expected) * sum_dy).epsilon(1e-4).margin(1e-6));
        }
    }
}
