#ifndef PARE_TESTS_NN_LAYER_GRADIENTS_HPP
#define PARE_TESTS_NN_LAYER_GRADIENTS_HPP

#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/training.hpp>

#include "../catch.hpp"

/// Compares a layer in training, on some random numbers, with reference(x, parameters, batch), the same function in double:
/// outputs, and gradients with central differences of the reference.
template <class Layer, class Shape, class Reference>
void check_gradients(Layer layer, const Shape& shape, std::size_t batch, const Reference& reference) {
    using namespace pare;
    const random_numbers random(seed{2}, 0);
    std::uint64_t next = 0;
    std::vector<double> parameters;
    for_each_member(layer, [&](const member_path&, auto& member) {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            for (float& value : trainable_values(member)) {
                value = random.uniform(next++, -0.5f, 0.5f);
                parameters.push_back(static_cast<double>(value));
            }
        }
    });
    const auto out = layer.plan().output_shape(shape);
    std::vector<float> x(batch * shape.size()), dx(x.size(), 9.0f), y(batch * out.size()), dy(y.size()),
        gradient(parameters.size(), 9.0f), saved(saved_floats(layer, batch, shape));
    for (float& value : x) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }
    for (float& value : dy) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }
    serial_executor serial;
    workspace space(training_scratch_bytes<isa::native>(layer, batch, shape));
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    const auto xs = batch_of(static_cast<const float*>(x.data()), batch, shape);
    forward_training(layer, ctx, xs, batch_of(y.data(), batch, out), saved);
    backward(layer, ctx, xs, batch_of(static_cast<const float*>(y.data()), batch, out),
             batch_of(static_cast<const float*>(dy.data()), batch, out), batch_of(dx.data(), batch, shape), gradient, saved);

    std::vector<double> inputs(x.begin(), x.end());
    const std::vector<double> exact = reference(inputs, parameters, batch);
    REQUIRE(exact.size() == y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        REQUIRE(static_cast<double>(y[i]) == Approx(exact[i]).epsilon(1e-5).margin(1e-5));
    }
    const auto objective = [&] {
        const std::vector<double> z = reference(inputs, parameters, batch);
        double sum = 0.0;
        for (std::size_t i = 0; i < z.size(); ++i) {
            sum += z[i] * static_cast<double>(dy[i]);
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
            REQUIRE(static_cast<double>(found[i]) == Approx((above - below) / 2e-6).epsilon(1e-3).margin(1e-5));
        }
    };
    check(parameters, gradient);
    check(inputs, dx);
}

#endif
