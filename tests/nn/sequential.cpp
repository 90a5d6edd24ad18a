#include <pare/nn/sequential.hpp>

#include <vector>

#include <pare/nn/conv.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

constexpr std::size_t batch = 5;

/// Functions in place, gradients in place of the input of a pool and of a convolution, and layers that hand x on.
auto network() {
    return initialized(sequential(input<9, 7, 2>(), conv2d<2, 5, 3, conv_options{.padding = 1}>(), max_pool2d<2>(),
                                  conv2d<5, 4, 2>(), relu(), max_pool2d<2, pool_options{.stride = 1}>(), conv2d<4, 3, 1>(),
                                  flatten(), sigmoid(), dense<6, 8>(), relu(), relu(), dense<8, 3>(), sigmoid()),
                       he_normal{}, seed{1});
}

/// Layer `I` and those behind it, each by itself with memory of its own.
template <std::size_t I, class Layers, class Context, class Shape>
std::vector<float> layer_by_layer(Layers& layers, Context& ctx, const std::vector<float>& x, const Shape& shape,
                                  const std::vector<float>& dy, std::vector<float>& gradient) {
    if constexpr (I == std::tuple_size_v<Layers>) {
        return dy;
    } else {
        auto& layer = std::get<I>(layers);
        const auto out = layer.plan().output_shape(shape);
        std::vector<float> y(batch * out.size()), dx(x.size()), saved(saved_floats(layer, batch, shape)),
            own(parameter_count(layer)), behind;
        workspace space(training_scratch_bytes<isa::native>(layer, batch, shape));
        ctx.scratch = space.scratch();
        forward_training(layer, ctx, batch_of(x.data(), batch, shape), batch_of(y.data(), batch, out), saved);
        const auto d = layer_by_layer<I + 1>(layers, ctx, y, out, dy, behind);
        ctx.scratch = space.scratch();
        backward(layer, ctx, batch_of(x.data(), batch, shape), batch_of(std::as_const(y).data(), batch, out),
                 batch_of(d.data(), batch, out), batch_of(dx.data(), batch, shape), own, saved);
        gradient = own;
        gradient.insert(gradient.end(), behind.begin(), behind.end());
        return dx;
    }
}

}  // namespace

TEST_CASE("layers that share memory in training give the gradients of layers that do not") {
    auto net = network();
    const auto shape = net.plan().input_shape();
    const auto out = net.plan().output_shape(shape);
    const random_numbers random(seed{2}, 0);
    std::vector<float> x(batch * shape.size()), dy(batch * out.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < dy.size(); ++i) {
        dy[i] = random.uniform(x.size() + i, -1.0f, 1.0f);
    }
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, {}};
    std::vector<float> expected_gradient;
    const auto expected_dx = layer_by_layer<0>(net.layers, ctx, x, shape, dy, expected_gradient);

    // As fit() does: the scratch before the gradient, which is scratch too until it is written.
    const std::size_t count = parameter_count(net);
    for (const bool adjacent : {false, true}) {
        const std::size_t bytes = adjacent ? scratch_before_gradient_bytes<isa::native>(net, batch, shape)
                                           : training_scratch_bytes<isa::native>(net, batch, shape);
        const std::size_t between = adjacent ? 0 : 16;
        aligned_array<float> memory(bytes / sizeof(float) + between + count);
        const std::span<float> gradient(memory.data() + bytes / sizeof(float) + between, count);
        const arena scratch(reinterpret_cast<std::byte*>(memory.data()), bytes);
        std::vector<float> y(dy.size()), dx(x.size()), saved(saved_floats(net, batch, shape));
        const auto xs = batch_of(std::as_const(x).data(), batch, shape);
        ctx.scratch = scratch.with(gradient);
        forward_training(net, ctx, xs, batch_of(y.data(), batch, out), saved);
        ctx.scratch = scratch;
        backward(net, ctx, xs, batch_of(std::as_const(y).data(), batch, out), batch_of(std::as_const(dy).data(), batch, out),
                 batch_of(dx.data(), batch, shape), gradient, saved);
        CHECK(dx == expected_dx);
        CHECK(std::equal(gradient.begin(), gradient.end(), expected_gradient.begin(), expected_gradient.end()));
    }
}
