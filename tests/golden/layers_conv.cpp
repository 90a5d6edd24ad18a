// Layers with windows, pools, normalization and dense ones, see layers.cpp.

#include <pare/nn.hpp>

#include "layer_case.hpp"

using namespace pare;
using nlohmann::json;

namespace {

/// A case whose tensors are [batch, channels, height, width] (Rank 2) or [batch, channels, width].
template <std::size_t Rank, class Layer>
void check_image_layer(const json& c, const Layer& layer, bool same_in_inference = true) {
    const auto in = golden_shape(c, "x"), out = golden_shape(c, "y");
    const auto last = [&](const std::string& name, const std::vector<std::size_t>& shape) {
        const auto numbers = golden_numbers(c, name);
        return exchanged(numbers, in[0], shape[1], numbers.size() / (in[0] * shape[1]));
    };
    const auto check = [&](const auto& shape) {
        check_layer(c, layer, shape, last("x", in), last("y", out), last("grad_y", out), last("grad_x", in), same_in_inference);
    };
    REQUIRE(in.size() == Rank + 2);
    if constexpr (Rank == 1) {
        check(extents<dyn, dyn>(in[2], in[1]));
    } else {
        check(extents<dyn, dyn, dyn>(in[2], in[3], in[1]));
    }
}

std::size_t number(const json& c, const char* name, std::size_t otherwise) {
    return c["attr"].value(name, otherwise);
}

conv_options options(const json& c) {
    return {.stride = number(c, "stride", 1),
            .padding = number(c, "padding", 0),
            .dilation = number(c, "dilation", 1),
            .groups = number(c, "groups", 1),
            .bias = c["tensors"].contains("p.bias")};
}

pool_options pool(const json& c) {
    return {.stride = number(c, "stride", 0), .padding = number(c, "padding", 0), .dilation = number(c, "dilation", 1)};
}

/// y, the gradient of x and those of the parameters of a layer, one behind the other, on numbers that are drawn.
template <class Layer>
std::vector<float> numbers_of(Layer layer) {
    const random_numbers random(seed{1}, 0);
    const auto draw = [&](const auto& numbers) {
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            numbers[i] = random.uniform(i, -1.0f, 1.0f);
        }
    };
    for_each_member(layer, [&](const member_path&, auto& member) { draw(std::span<float>(trainable_values(member))); });
    constexpr std::size_t batch = 2;
    const extents<dyn, dyn, dyn> shape(9, 8, 6);
    const auto out = layer.plan().output_shape(shape);
    std::vector<float> x(batch * shape.size()), dy(batch * out.size()), saved(saved_floats(layer, batch, shape));
    std::vector<float> all(dy.size() + x.size() + parameter_count(layer));
    draw(std::span(x));
    draw(std::span(dy));
    workspace space(training_scratch_bytes<isa::native>(layer, batch, shape));
    serial_executor serial;
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    const auto xs = batch_of(static_cast<const float*>(x.data()), batch, shape);
    forward_training(layer, ctx, xs, batch_of(all.data(), batch, out), saved);
    backward(layer, ctx, xs, batch_of(static_cast<const float*>(all.data()), batch, out),
             batch_of(static_cast<const float*>(dy.data()), batch, out), batch_of(all.data() + dy.size(), batch, shape),
             std::span(all).subspan(dy.size() + x.size()), saved);
    return all;
}

}  // namespace

bool check_image_case(const json& c) {
    const std::string kind = golden_kind(c);
    const auto in = golden_shape(c, "x"), out = golden_shape(c, "y");
    if (kind == "linear") {
        dense<dyn, dyn> layer(in[1], out[1]);
        layer.has_bias = c["tensors"].contains("p.bias");
        check_layer(c, layer, extents<dyn>(in[1]), golden_numbers(c, "x"), golden_numbers(c, "y"), golden_numbers(c, "grad_y"),
                    golden_numbers(c, "grad_x"));
    } else if (kind == "conv2d") {
        check_image_layer<2>(c, conv2d<dyn, dyn, dyn>(in[1], out[1], number(c, "kernel", 0), options(c)));
    } else if (kind == "conv1d") {
        check_image_layer<1>(c, conv1d<dyn, dyn, dyn>(in[1], out[1], number(c, "kernel", 0), options(c)));
    } else if (kind == "max_pool2d") {
        check_image_layer<2>(c, max_pool2d<dyn>(number(c, "kernel", 0), pool(c)));
    } else if (kind == "avg_pool2d") {
        check_image_layer<2>(c, average_pool2d<dyn>(number(c, "kernel", 0), pool(c)));
    } else if (kind == "global_avg_pool2d") {
        check_image_layer<2>(c, global_average_pool());
    } else if (kind == "batch_norm2d") {
        batch_norm<dyn> layer(in[1]);
        layer.epsilon = c["attr"]["eps"];
        layer.momentum = c["attr"].value("momentum", 0.1f);
        layer.frozen = c["name"] == "batch_norm2d/eval";
        if (layer.frozen) {
            std::ranges::copy(golden_numbers(c, "after.running_mean"), layer.running_mean.begin());
            std::ranges::copy(golden_numbers(c, "after.running_var"), layer.running_var.begin());
        }
        check_image_layer<2>(c, layer, layer.frozen);
    } else {
        return false;
    }
    return true;
}

TEST_CASE("static and dynamic extents give the same bits") {
    constexpr conv_options depthwise{.stride = 2, .padding = 1, .groups = 6}, whole{.padding = 1};
    CHECK(numbers_of(conv2d<6, 6, 3, depthwise>()) == numbers_of(conv2d<dyn, dyn, dyn>(6, 6, 3, depthwise)));
    CHECK(numbers_of(conv2d<6, 5, 3, whole>()) == numbers_of(conv2d<dyn, dyn, dyn>(6, 5, 3, whole)));
}
