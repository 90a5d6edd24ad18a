#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/softmax.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// The same network in double: numbers in members' order, weights before biases.
std::vector<double> forward(const std::vector<double>& p, const std::vector<double>& x, std::size_t batch) {
    constexpr std::size_t in = 7, hidden = 9, out = 4;
    const double* w1 = p.data();
    const double* b1 = w1 + in * hidden;
    const double* w2 = b1 + hidden;
    const double* b2 = w2 + hidden * out;
    std::vector<double> y(batch * out);
    for (std::size_t s = 0; s < batch; ++s) {
        double h[hidden];
        for (std::size_t j = 0; j < hidden; ++j) {
            h[j] = b1[j];
            for (std::size_t k = 0; k < in; ++k) {
                h[j] += w1[j * in + k] * x[s * in + k];
            }
            h[j] = h[j] > 0.0 ? h[j] : 0.0;
        }
        double sum = 0.0;
        for (std::size_t j = 0; j < out; ++j) {
            double z = b2[j];
            for (std::size_t k = 0; k < hidden; ++k) {
                z += w2[j * hidden + k] * h[k];
            }
            y[s * out + j] = std::exp(z);
            sum += y[s * out + j];
        }
        for (std::size_t j = 0; j < out; ++j) {
            y[s * out + j] /= sum;
        }
    }
    return y;
}

}  // namespace

TEST_CASE("gradients of dense, relu and softmax agree with central differences in double") {
    constexpr std::size_t batch = 5;
    auto net = initialized(sequential(input<7>(), dense<7, 9>(), relu(), input<3, 3>(), input<9>(), dense<9, 4>(), softmax()),
                           he_normal{}, seed{1});
    const random_numbers random(seed{2}, 0);
    std::vector<double> parameters;
    std::uint64_t next = 0;
    for_each_member(net, [&](const member_path&, auto& member) {
        for (float& value : trainable_values(member)) {
            value = value == 0.0f ? random.uniform(next++, -0.5f, 0.5f) : value;
            parameters.push_back(static_cast<double>(value));
        }
    });
    std::vector<float> x(batch * 7), dy(batch * 4), dx(batch * 7), gradient(parameters.size());
    for (float& value : x) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }
    for (float& value : dy) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }

    serial_executor serial;
    workspace space(training_scratch_bytes<isa::native>(net, batch, net.plan().input_shape()));
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    std::vector<float> saved(saved_floats(net, batch, net.plan().input_shape())), ys(batch * 4);
    const tensor_view<const float, dyn, 7> xs(x.data(), batch);
    forward_training(net, ctx, xs, tensor_view<float, dyn, 4>(ys.data(), batch), saved);
    backward(net, ctx, xs, tensor_view<const float, dyn, 4>(ys.data(), batch), tensor_view<const float, dyn, 4>(dy.data(), batch),
             tensor_view<float, dyn, 7>(dx.data(), batch), gradient, saved);

    std::vector<double> inputs(x.begin(), x.end());
    const auto objective = [&] {
        const auto y = forward(parameters, inputs, batch);
        double sum = 0.0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            sum += y[i] * static_cast<double>(dy[i]);
        }
        return sum;
    };
    const auto check = [&](std::vector<double>& numbers, const std::vector<float>& found) {
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const double kept = numbers[i];
            numbers[i] = kept + 1e-6;
            const double above = objective();
            numbers[i] = kept - 1e-6;
            const double below = objective();
            numbers[i] = kept;
            REQUIRE(static_cast<double>(found[i]) == Approx((above - below) / 2e-6).epsilon(1e-3).margin(1e-6));
        }
    };
    check(parameters, gradient);
    check(inputs, dx);
}
