#include <pare/nn/conv.hpp>

#include <cmath>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/bfloat16.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/weights_only.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "layer_gradients.hpp"

using namespace pare;

namespace {

/// y [height', width', outputs] of one image in double, in plain loops: w [outputs, kernel height, kernel width, channels /
/// groups], then the bias, in `p`.
std::vector<double> convolve(const kernels::convolution& s, const double* x, const double* p) {
    std::vector<double> y;
    const std::size_t group_in = s.channels / s.groups, group_out = s.outputs / s.groups;
    const double* const bias = p + s.outputs * s.kernel_height * s.kernel_width * group_in;
    for (std::size_t oy = 0; oy < s.output_height(); ++oy) {
        for (std::size_t ox = 0; ox < s.output_width(); ++ox) {
            for (std::size_t j = 0; j < s.outputs; ++j) {
                double sum = bias[j];
                for (std::size_t ky = 0; ky < s.kernel_height; ++ky) {
                    for (std::size_t kx = 0; kx < s.kernel_width; ++kx) {
                        const auto iy = static_cast<std::ptrdiff_t>(oy * s.stride_height + ky * s.dilation_height) -
                                        static_cast<std::ptrdiff_t>(s.padding_height);
                        const auto ix = static_cast<std::ptrdiff_t>(ox * s.stride_width + kx * s.dilation_width) -
                                        static_cast<std::ptrdiff_t>(s.padding_width);
                        if (iy < 0 || ix < 0 || iy >= static_cast<std::ptrdiff_t>(s.height) ||
                            ix >= static_cast<std::ptrdiff_t>(s.width)) {
                            continue;
                        }
                        for (std::size_t i = 0; i < group_in; ++i) {
                            sum += x[(static_cast<std::size_t>(iy) * s.width + static_cast<std::size_t>(ix)) * s.channels +
                                     j / group_out * group_in + i] *
                                   p[((j * s.kernel_height + ky) * s.kernel_width + kx) * group_in + i];
                        }
                    }
                }
                y.push_back(sum);
            }
        }
    }
    return y;
}

struct shape {
    size2d image;
    std::size_t inputs, outputs;
    size2d kernel;
    conv_options options;
};

const shape shapes[] = {{{6, 7}, 3, 5, 3, {}},
                        {{7, 6}, 4, 6, {3, 2}, {.stride = {2, 1}, .padding = {1, 2}}},
                        {{9, 8}, 4, 8, 3, {.padding = 2, .dilation = 2, .groups = 2}},
                        {{5, 5}, 6, 6, 3, {.stride = 2, .padding = 1, .groups = 6}},
                        {{3, 3}, 2, 40, 1, {.bias = false}},
                        {{4, 4}, 17, 3, 4, {.padding = 3}}};

template <class Layer>
kernels::convolution over(const Layer& layer, const size2d& image) {
    return layer.plan().over(image);
}

}  // namespace

TEST_CASE("gradients of convolutions agree with central differences in double") {
    for (const auto& c : shapes) {
        const conv2d<dyn, dyn, dyn> layer(c.inputs, c.outputs, c.kernel, c.options);
        const kernels::convolution s = over(layer, c.image);
        check_gradients(layer, extents<dyn, dyn, dyn>(c.image.height, c.image.width, c.inputs), 3,
                        [&](auto x, auto p, std::size_t batch) {
                            p.resize(p.size() + c.outputs);  // zeros where there is no bias
                            std::vector<double> y;
                            for (std::size_t i = 0; i < batch; ++i) {
                                const auto one = convolve(s, x.data() + i * x.size() / batch, p.data());
                                y.insert(y.end(), one.begin(), one.end());
                            }
                            return y;
                        });
    }
}

TEST_CASE("gradients of pools and of flatten agree with central differences in double") {
    const extents<dyn, dyn, dyn> shape(5, 7, 3);
    const auto pooled = [](const window& w, bool greatest, std::size_t rows = 0, std::size_t columns = 0) {
        return [=](const std::vector<double>& x, const std::vector<double>&, std::size_t batch) {
            kernels::convolution s = w.over(5, 7);
            CHECK((rows == 0 || (s.output_height() == rows && s.output_width() == columns)));
            std::vector<double> y;
            for (std::size_t i = 0; i < batch; ++i) {
                for (std::size_t pixel = 0; pixel < s.output_pixels(); ++pixel) {
                    for (std::size_t c = 0; c < 3; ++c) {
                        double most = -1e9, sum = 0.0, count = 0.0;
                        for (std::size_t tap = 0; tap < s.kernel_height * s.kernel_width; ++tap) {
                            const std::size_t iy = pixel / s.output_width() * s.stride_height + tap / s.kernel_width;
                            const std::size_t ix = pixel % s.output_width() * s.stride_width + tap % s.kernel_width;
                            count += w.count_include_pad && iy < s.padded_height() && ix < s.padded_width() ? 1.0 : 0.0;
                            if (iy >= s.padding_height && ix >= s.padding_width && iy < s.padding_height + 5 &&
                                ix < s.padding_width + 7) {
                                const double v = x[((i * 5 + iy - s.padding_height) * 7 + ix - s.padding_width) * 3 + c];
                                most = (std::max)(most, v);
                                sum += v;
                                count += w.count_include_pad ? 0.0 : 1.0;
                            }
                        }
                        y.push_back(greatest ? most : sum / count);
                    }
                }
            }
            return y;
        };
    };
    check_gradients(max_pool2d<dyn>(2), shape, 2, pooled({2, 2, 0, 1}, true));
    check_gradients(max_pool2d<3, pool_options{.stride = 2, .padding = 1}>(), shape, 2, pooled({3, 2, 1, 1}, true));
    check_gradients(average_pool2d<dyn>(size2d(3, 2), pool_options{.stride = 1, .padding = 1}), shape, 2,
                    pooled({{3, 2}, 1, 1, 1}, false));
    constexpr pool_options all{.stride = {4, 3}, .padding = 1, .ceil_mode = true};
    const window up{4, {4, 3}, 1, 1, 1, 0, true}, inner{4, {4, 3}, 1, 1, 1, 0, true, false};
    check_gradients(max_pool2d<dyn>(4, all), shape, 2, pooled(up, true, 2, 3));
    check_gradients(average_pool2d<4, all>(), extents<5, 7, 3>(), 2, pooled(up, false, 2, 3));
    check_gradients(average_pool2d<dyn>(4, {.stride = {4, 3}, .padding = 1, .ceil_mode = true, .count_include_pad = false}), shape,
                    2, pooled(inner, false, 2, 3));
    check_gradients(global_average_pool(), shape, 2, pooled({{5, 7}, 1, 0, 1}, false));
    check_gradients(global_max_pool(), shape, 2, pooled({{5, 7}, 1, 0, 1}, true));
    check_gradients(flatten(), shape, 2, [](const std::vector<double>& x, const std::vector<double>&, std::size_t batch) {
        std::vector<double> y;
        for (std::size_t i = 0; i < batch; ++i) {
            for (std::size_t c = 0; c < 3; ++c) {
                for (std::size_t pixel = 0; pixel < 35; ++pixel) {
                    y.push_back(x[(i * 35 + pixel) * 3 + c]);
                }
            }
        }
        return y;
    });
}

TEST_CASE("pools that round up, or leave the border out, are PyTorch's") {
    const extents<dyn, dyn, dyn> shape(5, 7, 3);
    constexpr pool_options up{.stride = {4, 3}, .padding = 1, .ceil_mode = true};
    check_pytorch(max_pool2d<dyn>(4, up), shape, 2, {0.0963129329, -0.992127733});
    check_pytorch(average_pool2d<dyn>(4, up), shape, 2, {0.316955166, 0.0811278305});
    check_pytorch(average_pool2d<dyn>(4, {.stride = {4, 3}, .padding = 1, .ceil_mode = true, .count_include_pad = false}), shape, 2,
                  {0.726223437, 0.0398005389});
    check_pytorch(average_pool2d<dyn>(3, {.stride = 2, .padding = 1, .count_include_pad = false}), shape, 2,
                  {-0.104223448, 0.216964923});
}

TEST_CASE("gradients of batch norm agree with central differences in double, and running statistics follow") {
    const auto normalized = [](const std::vector<double>& x, const std::vector<double>& p, std::size_t batch) {
        constexpr std::size_t c = 5;
        const std::size_t rows = batch * 6;
        std::vector<double> y(x.size());
        for (std::size_t j = 0; j < c; ++j) {
            double mean = 0.0, variance = 0.0;
            for (std::size_t r = 0; r < rows; ++r) {
                mean += x[r * c + j] / static_cast<double>(rows);
            }
            for (std::size_t r = 0; r < rows; ++r) {
                variance += (x[r * c + j] - mean) * (x[r * c + j] - mean) / static_cast<double>(rows);
            }
            for (std::size_t r = 0; r < rows; ++r) {
                y[r * c + j] = (x[r * c + j] - mean) / std::sqrt(variance + 1e-5) * p[j] + p[c + j];
            }
        }
        return y;
    };
    check_gradients(batch_norm<5>(), extents<2, 3, 5>(), 4, normalized);
    check_gradients(batch_norm<dyn>(5), extents<dyn, dyn>(6, 5), 3, normalized);
}

namespace {

auto small_network() {
    auto net =
        initialized(sequential(input<10, 9, 2>(), conv2d<2, 12, 3, conv_options{.padding = 1, .bias = false}>(), batch_norm<12>(),
                               relu(), max_pool2d<2>(), dropout{0.25f}, conv2d<12, 7, 3>(), flatten(), dense<42, 4>()),
                    he_normal{}, seed{5});
    auto& norm = std::get<2>(net.layers);
    for (std::size_t i = 0; i < 12; ++i) {
        norm.running_mean(i) = 0.1f * static_cast<float>(i);
        norm.running_var(i) = 0.5f + 0.2f * static_cast<float>(i);
        norm.weight(i) = i % 2 == 0 ? 1.25f : -0.75f;
        norm.bias(i) = 0.05f * static_cast<float>(i);
    }
    return net;
}

std::vector<float> some_images(std::size_t batch) {
    const random_numbers random(seed{6}, 0);
    std::vector<float> x(batch * 180);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    return x;
}

template <class Model, class Executor>
std::vector<float> outputs(const Model& model, const std::vector<float>& x, Executor& executor) {
    const auto ready = prepare<isa::native>(model);
    const std::size_t batch = x.size() / ready.input_size();
    auto space = workspace_for(ready, batch);
    std::vector<float> y(batch * ready.output_size());
    run(ready, x, y, space, executor);
    return y;
}
template <class Model>
std::vector<float> outputs(const Model& model, const std::vector<float>& x) {
    serial_executor serial;
    return outputs(model, x, serial);
}

double furthest(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    double most = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        most = (std::max)(most, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return most;
}

}  // namespace

TEST_CASE("prepare folds batch norms, leaves dropout out, and gives what the layers give one after the other") {
    const auto net = small_network();
    const auto x = some_images(3);
    const auto ready = prepare<isa::native>(net);
    STATIC_REQUIRE(decltype(ready)::plan_type::is_static);
    STATIC_REQUIRE(decltype(ready)::workspace_bytes(1) > 0);
    CHECK(std::tuple_size_v<decltype(ready.model().layers)> == 6);  // input, conv + relu, pool, conv, flatten, dense

    workspace space(1 << 20);
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    std::vector<float> y(3 * 4);
    net.forward(ctx, batch_of(x.data(), 3, extents<10, 9, 2>()), batch_of(y.data(), 3, extents<4>()));
    CHECK(furthest(outputs(net, x), y) < 1e-5);
    // Weights that are not float take it as a stage, which every storage knows.
    CHECK(furthest(outputs(*quantize_dynamic(net), x), y) < 0.1);
    CHECK(furthest(outputs(*quantize_dynamic(fold_batch_norm(net)), x), y) < 0.1);
}

/// The floats that weights of four bits stand for.
template <class Model>
static auto real_weights(const Model& model) {
    return map_weights(model, [](const member_path&, const auto& w, auto) {
        weight_matrix<float, full> real(w.rows(), w.columns());
        for (std::size_t i = 0; i < real.values.size(); ++i) {
            real.values[i] = w.real(i / w.columns(), i);
        }
        return mapped_weights<weight_matrix<float, full>, as_float>{std::move(real), {}};
    });
}

TEST_CASE("every storage of weights convolves in groups, and says what that costs") {
    const auto net = initialized(sequential(input<7, 5, 6>(), conv2d<6, 9, 3, conv_options{.padding = 1, .groups = 3}>(), relu()),
                                 he_normal{}, seed{4});
    std::vector<float> x(2 * 7 * 5 * 6);
    const random_numbers random(seed{5}, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    const auto y = outputs(net, x);
    CHECK(furthest(outputs(*quantize_dynamic(net), x), y) < 0.05);
    CHECK(furthest(outputs(*sparsify<csr>(net), x), y) < 1e-5);
    const auto four_bits = *quantize_weights_only<qint4<16>>(net);
    CHECK(furthest(outputs(four_bits, x), outputs(real_weights(four_bits), x)) < 1e-5);
    CHECK(describe(prepare<isa::native>(four_bits)).find("all outputs for each of 3 groups") != std::string::npos);
}

TEST_CASE("depthwise convolutions run on their own kernels") {
    const auto net = initialized(
        sequential(input<7, 5, 18>(), conv2d<18, 36, 3, conv_options{.stride = 2, .padding = 1, .groups = 18}>(), relu()),
        he_normal{}, seed{4});
    std::vector<float> x(2 * 7 * 5 * 18);
    const random_numbers random(seed{5}, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    CHECK(describe(prepare<isa::native>(net)).find("depthwise_f32") != std::string::npos);
    CHECK(furthest(outputs(net, x), outputs(to_bfloat16(net), x)) < 0.02);  // bfloat16 goes through products
    const auto bytes = *quantize_dynamic(net);
    CHECK(describe(prepare<isa::native>(bytes)).find("depthwise_int8") != std::string::npos);
    CHECK(furthest(outputs(bytes, x), outputs(net, x)) < 0.05);
}

TEST_CASE("every storage of weights convolves") {
    const auto net = fold_batch_norm(small_network());
    const auto x = some_images(2);
    const auto y = outputs(net, x);
    CHECK(furthest(outputs(to_bfloat16(net), x), y) < 0.05);
    CHECK(furthest(outputs(*quantize_dynamic(net), x), y) < 0.1);
    // Four bits are coarse: compared with the floats that they stand for.
    const auto four_bits = *quantize_dynamic<qint4<32>>(net);
    const auto meant = real_weights(four_bits);
    CHECK(furthest(outputs(four_bits, x), outputs(meant, x)) < 0.1);
    CHECK(furthest(outputs(*sparsify<csr>(net), x), y) < 1e-5);
    CHECK(furthest(outputs(*quantize_dynamic(sparsify<csr>(net)), x), y) < 0.1);
}

TEST_CASE("an image gives the same bits in any batch, on any number of threads, with static and dynamic extents") {
    const auto net = small_network();
    const auto x = some_images(21);
    const auto check = [&](const auto& model, const auto& same) {
        const auto all = outputs(model, x);
        thread_pool pool(3);
        CHECK(outputs(model, x, pool) == all);
        CHECK(outputs(same, x) == all);
        for (const std::size_t i : {0u, 7u, 20u}) {
            const auto first = x.begin() + static_cast<std::ptrdiff_t>(i * 180);
            const auto one = outputs(model, std::vector<float>(first, first + 180));
            CHECK(std::equal(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(i * 4)));
        }
    };
    auto dynamic = sequential(input<dyn, dyn, dyn>(10, 9, 2), conv2d<dyn, dyn, dyn>(2, 12, 3, {.padding = 1, .bias = false}),
                              batch_norm<dyn>(12), relu(), max_pool2d<dyn>(2), dropout{0.25f}, conv2d<dyn, dyn, dyn>(12, 7, 3),
                              flatten(), dense<dyn, dyn>(42, 4));
    std::vector<std::span<const float>> values;
    for_each_member(net, [&](const member_path&, const auto& member) {
        if constexpr (requires { member.structure; }) {
            values.emplace_back(member.values.data(), member.values.size());
        } else if constexpr (std::is_same_v<typename std::remove_cvref_t<decltype(member)>::value_type, float>) {
            values.emplace_back(member.values());
        }
    });
    std::size_t next = 0;
    for_each_member(dynamic, [&](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            std::ranges::copy(values[next++], member.values.begin());
        } else if constexpr (std::is_same_v<typename std::remove_cvref_t<decltype(member)>::value_type, float>) {
            std::ranges::copy(values[next++], member.begin());
        }
    });
    check(net, dynamic);
    check(*quantize_dynamic(fold_batch_norm(net)), *quantize_dynamic(fold_batch_norm(dynamic)));
}

TEST_CASE("training has the same bits on any number of threads, and masks that depend on the step alone") {
    const auto train = [](auto& executor, std::uint64_t step) {
        auto net = small_network();
        const auto x = some_images(21);
        const auto shape = net.plan().input_shape();
        std::vector<float> y(21 * 4), gradient(parameter_count(net)), saved(saved_floats(net, 21, shape));
        workspace space(training_scratch_bytes<isa::native>(net, 21, shape));
        context<isa::native, std::remove_cvref_t<decltype(executor)>> ctx{executor, space.scratch(), random_numbers(seed{7}, step)};
        const auto xs = batch_of(x.data(), 21, shape);
        forward_training(net, ctx, xs, batch_of(y.data(), 21, extents<4>()), saved);
        const auto ys = batch_of(static_cast<const float*>(y.data()), 21, extents<4>());
        backward(net, ctx, xs, ys, ys, batch_of(static_cast<float*>(nullptr), 21, shape), gradient, saved);
        gradient.insert(gradient.end(), y.begin(), y.end());
        return gradient;
    };
    serial_executor serial;
    thread_pool pool(3);
    const auto one = train(serial, 1);
    CHECK(one == train(serial, 1));
    CHECK(one == train(pool, 1));
    CHECK(one != train(serial, 2));
}

TEST_CASE("dropout keeps its share, scaled") {
    dropout layer{0.25f};
    const std::vector<float> x(10000, 1.0f);
    std::vector<float> y(10000), saved(10000);
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, {}};
    layer.forward_training(ctx, batch_of(x.data(), 1, extents<10000>()), batch_of(y.data(), 1, extents<10000>()), saved);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        const std::uint64_t number = ctx.random.words(i / 4)[i % 4 / 2] >> 32 * (i % 2) & 0xffffffff;  // four of a pair of words
        REQUIRE(y[i] == (number < 0x40000000 ? 0.0f : 1.0f / 0.75f));
        kept += y[i] != 0.0f ? 1 : 0;
    }
    CHECK(kept > 7300);
    CHECK(kept < 7700);
}
