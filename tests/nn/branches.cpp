#include <pare/nn/branches.hpp>

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
    const std::size_t in = 3, out = 4, height = 3, width = 4, stride = 2, kernel = 3;
    const std::size_t big_height = (height - 1) * stride + kernel - 2, big_width = (width - 1) * stride + kernel - 2;
    check_gradients(conv_transpose2d<dyn, dyn, dyn>(in, out, kernel, {.stride = stride, .padding = 1}),
                    extents<dyn, dyn, dyn>(height, width, in), 2, [&](auto x, auto p, std::size_t batch) {
                        std::vector<double> y(batch * big_height * big_width * out);
                        for (std::size_t i = 0; i < y.size(); ++i) {
                            y[i] = p[kernel * kernel * out * in + i % out];
                        }
                        for (std::size_t i = 0; i < batch * height * width; ++i) {
                            for (std::size_t tap = 0; tap < kernel * kernel; ++tap) {
                                const std::size_t row = i / width % height * stride + tap / kernel,
                                                  column = i % width * stride + tap % kernel;
                                if (row < 1 || column < 1 || row > big_height || column > big_width) {
                                    continue;
                                }
                                for (std::size_t j = 0; j < out; ++j) {
                                    for (std::size_t k = 0; k < in; ++k) {
                                        y[((i / (width * height) * big_height + row - 1) * big_width + column - 1) * out + j] +=
                                            x[i * in + k] * p[(tap * out + j) * in + k];
                                    }
                                }
                            }
                        }
                        return y;
                    });
}

TEST_CASE("containers nest, and everything reaches what is in them") {
    auto net =
        sequential(input<6, 6, 4>(), residual(sequential(conv2d<4, 4, 3, conv_options{.padding = 1}>(), batch_norm<4>(), relu())),
                   concat(conv2d<4, 3, 1>(), sequential(conv2d<4, 5, 3, conv_options{.padding = 1}>(), relu())),
                   conv_transpose2d<8, 2, 2, conv_options{.stride = 2}>(), flatten(), dense<288, 3>());
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
