#include <pare/nn/branches.hpp>

#include <cmath>
#include <vector>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "layer_gradients.hpp"

using namespace pare;

namespace {

/// y [rows, out] = x [rows, in] W^T + b in double; numbers of W, then of b, begin at p.
std::vector<double> linear(const double* x, std::size_t rows, std::size_t in, std::size_t out, const double* p) {
    std::vector<double> y;
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < out; ++j) {
            double sum = p[in * out + j];
            for (std::size_t k = 0; k < in; ++k) {
                sum += p[j * in + k] * x[r * in + k];
            }
            y.push_back(sum);
        }
    }
    return y;
}

}  // namespace

TEST_CASE("gradients of residual, concat and parallel agree with central differences in double") {
    check_gradients(residual(sequential(dense<5, 7>(), dense<7, 5>())), extents<5>(), 3, [](auto x, auto p, std::size_t batch) {
        const auto hidden = linear(x.data(), batch, 5, 7, p.data());
        auto y = linear(hidden.data(), batch, 7, 5, p.data() + 42);
        for (std::size_t i = 0; i < y.size(); ++i) {
            y[i] += x[i];
        }
        return y;
    });
    check_gradients(concat(dense<5, 3>(), sequential(dense<5, 4>(), dense<4, 2>())), extents<2, 5>(), 3,
                    [](auto x, auto p, std::size_t batch) {
                        const auto a = linear(x.data(), 2 * batch, 5, 3, p.data());
                        const auto hidden = linear(x.data(), 2 * batch, 5, 4, p.data() + 18);
                        const auto b = linear(hidden.data(), 2 * batch, 4, 2, p.data() + 42);
                        std::vector<double> y;
                        for (std::size_t r = 0; r < 2 * batch; ++r) {
                            y.insert(y.end(), a.begin() + static_cast<std::ptrdiff_t>(3 * r),
                                     a.begin() + static_cast<std::ptrdiff_t>(3 * r + 3));
                            y.insert(y.end(), b.begin() + static_cast<std::ptrdiff_t>(2 * r),
                                     b.begin() + static_cast<std::ptrdiff_t>(2 * r + 2));
                        }
                        return y;
                    });
    check_gradients(parallel(dense<dyn, dyn>(5, 3), dense<dyn, dyn>(5, 3)), extents<dyn>(5), 3,
                    [](auto x, auto p, std::size_t batch) {
                        auto y = linear(x.data(), batch, 5, 3, p.data());
                        const auto other = linear(x.data(), batch, 5, 3, p.data() + 18);
                        for (std::size_t i = 0; i < y.size(); ++i) {
                            y[i] += other[i];
                        }
                        return y;
                    });
}

TEST_CASE("gradients of transposed convolutions agree with central differences in double") {
    const std::size_t in = 6, out = 4, height = 3, width = 4;
    const auto check = [&](size2d kernel, conv_transpose_options o) {
        const auto length = [](std::size_t n, std::size_t k, std::size_t stride, std::size_t padding, std::size_t more,
                               std::size_t dilation) { return (n - 1) * stride + dilation * (k - 1) + 1 + more - 2 * padding; };
        const std::size_t rows =
            length(height, kernel.height, o.stride.height, o.padding.height, o.output_padding.height, o.dilation.height);
        const std::size_t columns =
            length(width, kernel.width, o.stride.width, o.padding.width, o.output_padding.width, o.dilation.width);
        check_gradients(conv_transpose2d<dyn, dyn, dyn>(in, out, kernel, o), extents<dyn, dyn, dyn>(height, width, in), 2,
                        [&](auto x, auto p, std::size_t batch) {
                            std::vector<double> y(batch * rows * columns * out);
                            p.resize(p.size() + out);  // zeros where there is no bias
                            const std::size_t inputs = in / o.groups, outputs = out / o.groups, taps = kernel.height * kernel.width;
                            for (std::size_t i = 0; i < y.size(); ++i) {
                                y[i] = p[taps * out * inputs + i % out];
                            }
                            for (std::size_t i = 0; i < batch * height * width; ++i) {
                                for (std::size_t tap = 0; tap < taps; ++tap) {
                                    const std::size_t row =
                                        i / width % height * o.stride.height + tap / kernel.width * o.dilation.height;
                                    const std::size_t column = i % width * o.stride.width + tap % kernel.width * o.dilation.width;
                                    if (row < o.padding.height || column < o.padding.width || row >= o.padding.height + rows ||
                                        column >= o.padding.width + columns) {
                                        continue;
                                    }
                                    const std::size_t pixel =
                                        (i / (width * height) * rows + row - o.padding.height) * columns + column - o.padding.width;
                                    for (std::size_t j = 0; j < out; ++j) {
                                        const std::size_t g = j / outputs;
                                        for (std::size_t k = 0; k < inputs; ++k) {
                                            y[pixel * out + j] += x[i * in + g * inputs + k] *
                                                                  p[((g * taps + tap) * outputs + j % outputs) * inputs + k];
                                        }
                                    }
                                }
                            }
                            return y;
                        });
    };
    check(3, {.stride = 2, .padding = 1});
    check({3, 2}, {.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}, .groups = 2});
    check(2, {.stride = 1, .output_padding = {2, 1}, .dilation = 3, .groups = 2, .bias = false});  // more than a stride
}

TEST_CASE("transposed convolutions are PyTorch's, with its weights") {
    const extents<dyn, dyn, dyn> six(3, 4, 6), five(3, 4, 5);
    using layer = conv_transpose2d<dyn, dyn, dyn>;
    check_pytorch(layer(6, 4, {3, 2}, {.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}, .groups = 2}), six, 2,
                  {4.08646609, 0.348096013, 1.92166164, 0.26997517});
    check_pytorch(layer(5, 10, 3, {.padding = 2, .output_padding = 1, .dilation = 2, .groups = 5, .bias = false}), five, 2,
                  {5.04773132, -1.14670321, -2.19179978});
}

TEST_CASE("transposed convolutions in groups run on packed weights of any storage") {
    constexpr conv_transpose_options halves{.stride = 2, .output_padding = 1, .groups = 2}, alone{.stride = 2, .groups = 6};
    const auto net =
        initialized(sequential(input<5, 4, 8>(), conv_transpose2d<8, 6, 3, halves>(), conv_transpose2d<6, 6, 2, alone>()),
                    pytorch_default{}, seed{1});
    std::vector<float> x(2 * 160);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = std::sin(static_cast<float>(i));
    }
    workspace space(1 << 20);
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    const auto shape = net.plan().output_shape(extents<5, 4, 8>());
    std::vector<float> y(2 * shape.size()), z(y.size());
    net.forward(ctx, batch_of(std::as_const(x).data(), 2, extents<5, 4, 8>()), batch_of(y.data(), 2, shape));
    const auto check = [&](const auto& model, double tolerance) {
        const auto ready = prepare<isa::native>(model);
        auto enough = workspace_for(ready, 2);
        run(ready, x, z, enough);
        for (std::size_t i = 0; i < y.size(); ++i) {
            REQUIRE(z[i] == Approx(y[i]).margin(tolerance));
        }
        return describe(ready);
    };
    CHECK(check(net, 1e-6).find("conv_transpose2d 8 -> 6, kernel 3x3 in 2 groups: float full, conv2d_f32 on") != std::string::npos);
    CHECK(check(*quantize_dynamic(net), 0.02).find("in 6 groups: qint8 full, depthwise_int8 on") != std::string::npos);
}

TEST_CASE("containers nest, and everything reaches what is in them") {
    auto net =
        sequential(input<6, 6, 4>(), residual(sequential(conv2d<4, 4, 3, conv_options{.padding = 1}>(), batch_norm<4>(), relu())),
                   concat(conv2d<4, 3, 1>(), sequential(conv2d<4, 5, 3, conv_options{.padding = 1}>(), relu())),
                   conv_transpose2d<8, 2, 2, conv_transpose_options{.stride = 2}>(), flatten(), dense<288, 3>());
    initialize(net, he_normal{}, seed{1});
    std::string names;
    for_each_member(net, [&](const member_path& path, auto&) { names += path.text() + " "; });
    CHECK(names ==
          "0.body.0.weight 0.body.0.bias 0.body.1.weight 0.body.1.bias 0.body.1.running_mean 0.body.1.running_var "
          "0.body.1.num_batches_tracked 1.0.weight 1.0.bias 1.1.0.weight 1.1.0.bias 2.weight 2.bias 4.weight 4.bias ");
    const random_numbers random(seed{2}, 0);
    std::vector<float> x(2 * 144), y(6), z(6);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    workspace space(1 << 20);
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    net.forward(ctx, batch_of(static_cast<const float*>(x.data()), 2, extents<6, 6, 4>()), batch_of(y.data(), 2, extents<3>()));
    const auto check = [&](const auto& model, double tolerance) {
        const auto ready = prepare<isa::native>(model);
        auto enough = workspace_for(ready, 2);
        run(ready, x, z, enough);
        for (std::size_t i = 0; i < 6; ++i) {
            CHECK(static_cast<double>(z[i]) == Approx(static_cast<double>(y[i])).margin(tolerance));
        }
        return describe(ready);
    };
    const std::string text = check(net, 1e-5);
    CHECK(text.find("batch norm") == std::string::npos);  // folded inside the residual block too
    CHECK(text.find("conv2d_f32 on") != std::string::npos);
    CHECK(check(*quantize_dynamic(fold_batch_norm(net)), 0.3).find("float") == std::string::npos);
}
