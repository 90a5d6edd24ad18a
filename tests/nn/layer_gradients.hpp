#ifndef PARE_TESTS_NN_LAYER_GRADIENTS_HPP
#define PARE_TESTS_NN_LAYER_GRADIENTS_HPP

#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/training.hpp>

#include "../catch.hpp"

/// Everything that a layer computes in training: what it begins with are its parameters, x and dy.
template <class Layer, class Shape>
struct training_pass {
    Layer layer;
    Shape shape;
    std::size_t batch;
    std::vector<float> x, dy, y, dx, gradient, saved;

    training_pass(Layer l, const Shape& s, std::size_t b)
        : layer(std::move(l)),
          shape(s),
          batch(b),
          x(b * s.size()),
          dy(b * layer.plan().output_shape(s).size()),
          y(dy.size()),
          dx(x.size(), 9.0f),
          gradient(pare::parameter_count(layer), 9.0f),
          saved(pare::saved_floats(layer, b, s)) {}

    void run() {
        using namespace pare;
        const auto out = layer.plan().output_shape(shape);
        serial_executor serial;
        workspace space(training_scratch_bytes<isa::native>(layer, batch, shape));
        context<isa::native, serial_executor> ctx{serial, space.scratch()};
        const auto xs = batch_of(std::as_const(x).data(), batch, shape);
        forward_training(layer, ctx, xs, batch_of(y.data(), batch, out), std::span<float>(saved));
        backward(std::as_const(layer), ctx, xs, batch_of(std::as_const(y).data(), batch, out),
                 batch_of(std::as_const(dy).data(), batch, out), batch_of(dx.data(), batch, shape), std::span<float>(gradient),
                 std::span<float>(saved));
    }
};

/// Compares a layer in training with reference(x, parameters, batch), the same function in double: outputs, and gradients with
/// central differences of the reference. Parameters are drawn, and x too where `given` is empty.
template <class Layer, class Shape, class Reference>
void check_gradients(Layer layer, const Shape& shape, std::size_t batch, const Reference& reference,
                     const std::vector<float>& given = {}) {
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
    training_pass pass(std::move(layer), shape, batch);
    for (float& value : pass.x) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }
    for (float& value : pass.dy) {
        value = random.uniform(next++, -1.0f, 1.0f);
    }
    pass.x = given.empty() ? pass.x : given;
    pass.run();

    std::vector<double> inputs(pass.x.begin(), pass.x.end());
    const std::vector<double> exact = reference(inputs, parameters, batch);
    REQUIRE(exact.size() == pass.y.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
        REQUIRE(static_cast<double>(pass.y[i]) == Approx(exact[i]).epsilon(1e-5).margin(2e-6));
    }
    const auto objective = [&] {
        const std::vector<double> z = reference(inputs, parameters, batch);
        double sum = 0.0;
        for (std::size_t i = 0; i < z.size(); ++i) {
            sum += z[i] * static_cast<double>(pass.dy[i]);
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
    check(parameters, pass.gradient);
    check(inputs, pass.dx);
}

/// Where number i of samples is in PyTorch, which has the channels of images first.
template <std::size_t... E>
std::size_t index_in_pytorch(const pare::extents<E...>& shape, std::size_t i) {
    if constexpr (sizeof...(E) == 3) {
        const std::size_t channels = shape[2], pixels = shape[0] * shape[1];
        return i / (pixels * channels) * pixels * channels + i % channels * pixels + i / channels % pixels;
    } else {
        return i;
    }
}

inline std::size_t index_in_file(std::size_t i) {
    return i;
}
inline std::size_t index_in_file(std::size_t i, const pare::file_axes& axes) {
    return axes.index_in_file(i);
}

/// Compares a layer in training with PyTorch: `expected` is what pytorch_numbers.py prints. x is a wave, too, or `given`.
/// Returns the gradient of x.
template <class Layer, class Shape>
std::vector<float> check_pytorch(Layer layer, const Shape& shape, std::size_t batch, const std::vector<double>& expected,
                                 const std::vector<float>& given = {}) {
    using namespace pare;
    const auto wave = [](std::size_t i, std::size_t which) {
        return static_cast<float>(std::sin(1.3 * static_cast<double>(i) + static_cast<double>(which)));
    };
    training_pass pass(std::move(layer), shape, batch);
    const auto out = pass.layer.plan().output_shape(shape);
    std::size_t which = 3;
    for_each_member(pass.layer, [&](const member_path&, auto& member, const std::same_as<pare::file_axes> auto&... axes) {
        const std::span<float> values = trainable_values(member);
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = wave(index_in_file(i, axes...), which);
        }
        ++which;
    });
    for (std::size_t i = 0; i < pass.x.size(); ++i) {
        pass.x[i] = wave(index_in_pytorch(shape, i), 1);
    }
    for (std::size_t i = 0; i < pass.dy.size(); ++i) {
        pass.dy[i] = wave(index_in_pytorch(out, i), 2);
    }
    pass.x = given.empty() ? pass.x : given;
    pass.run();

    std::vector<double> found;
    const auto project = [&](std::span<const float> numbers, const auto& place) {
        double sum = 0.0;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            sum += static_cast<double>(numbers[i]) * std::cos(0.7 * static_cast<double>(place(i)));
        }
        found.push_back(sum);
    };
    project(pass.y, [&](std::size_t i) { return index_in_pytorch(out, i); });
    if (given.empty()) {
        project(pass.dx, [&](std::size_t i) { return index_in_pytorch(shape, i); });
    }
    std::span<const float> gradient = pass.gradient;
    for_each_member(pass.layer, [&](const member_path&, auto& member, const std::same_as<pare::file_axes> auto&... axes) {
        const std::size_t count = trainable_values(member).size();
        project(gradient.first(count), [&](std::size_t i) { return index_in_file(i, axes...); });
        gradient = gradient.subspan(count);
    });
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK(found[i] == Approx(expected[i]).epsilon(1e-5).margin(2e-5));
    }
    return pass.dx;
}

#endif
