// Activations, normalizations of one sample, recurrent, attention and embedding layers, see layers.cpp.

#include <utility>

#include <pare/pare.hpp>

#include "golden.hpp"

using namespace pare;
using nlohmann::json;

namespace {

/// Runs a layer forward, in training and in inference, and backward on the numbers of a case, whose parameters it takes from
/// `prefix`; samples have the last `axes` of the extents of x.
template <std::size_t Axes, class Layer>
void check_layer(const json& c, Layer layer, const std::string& prefix = "") {
    const auto parameters = [&](const char* kind, const member_path& path) {
        return golden_numbers(c, kind + prefix + path.text());
    };
    for_each_member(layer, [&](const member_path& path, auto& member) {
        const auto values = parameters("p.", path);
        REQUIRE(values.size() == trainable_values(member).size());
        std::ranges::copy(values, trainable_values(member).begin());
    });
    const auto x = golden_numbers(c, "x"), expected = golden_numbers(c, "y"), dy = golden_numbers(c, "grad_y");
    const std::vector<std::size_t> shape = c["tensors"]["x"]["shape"];
    REQUIRE(shape.size() >= Axes);
    const auto sample = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return extents<(I < Axes ? dyn : 0)...>(shape[shape.size() - Axes + I]...);
    }
    (std::make_index_sequence<Axes>{});
    const std::size_t batch = x.size() / sample.size();
    const auto out = layer.plan().output_shape(sample);
    REQUIRE(batch * out.size() == expected.size());

    serial_executor serial;
    workspace space(training_scratch_bytes<isa::native>(layer, batch, sample));
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    std::vector<float> y(expected.size()), inferred(y.size()), dx(x.size()), gradient(parameter_count(layer));
    std::vector<float> saved(saved_floats(layer, batch, sample));
    const auto xs = batch_of(x.data(), batch, sample);
    const auto ys = batch_of(std::as_const(y).data(), batch, out);
    forward_training(layer, ctx, xs, batch_of(y.data(), batch, out), std::span<float>(saved));
    check_close(y, expected, 1e-5, 2e-6);
    if constexpr (requires { layer.forward(ctx, xs, batch_of(inferred.data(), batch, out)); }) {
        layer.forward(ctx, xs, batch_of(inferred.data(), batch, out));
        check_close(inferred, expected, 1e-5, 2e-6);
    }
    backward(std::as_const(layer), ctx, xs, ys, batch_of(dy.data(), batch, out), batch_of(dx.data(), batch, sample),
             std::span<float>(gradient), std::span<float>(saved));
    if (c["tensors"].contains("grad_x")) {
        check_close(dx, golden_numbers(c, "grad_x"), 1e-3, 1e-5);
    }
    std::size_t next = 0;
    for_each_member(layer, [&](const member_path& path, auto& member) {
        CAPTURE(path.text());
        const std::size_t count = trainable_values(member).size();
        check_close(std::span<const float>(gradient).subspan(next, count), parameters("grad.", path), 1e-3, 1e-5);
        next += count;
    });
}

bool check_activation_case(const json& c) {
    const std::string kind = golden_kind(c);
    bool taken = false;
    const auto try_layer = [&](const char* name, const auto& layer) {
        if (kind == name) {
            check_layer<1>(c, layer);
            taken = true;
        }
    };
    try_layer("relu", relu());
    try_layer("relu6", relu6());
    try_layer("leaky_relu", leaky_relu(c["attr"].value("negative_slope", 0.01f)));
    try_layer("elu", elu(c["attr"].value("alpha", 1.0f)));
    try_layer("gelu", gelu());
    try_layer("gelu_tanh", gelu_tanh());
    try_layer("silu", silu());
    try_layer("sigmoid", sigmoid());
    try_layer("tanh", pare::tanh());
    try_layer("hard_sigmoid", hard_sigmoid());
    try_layer("hard_swish", hard_swish());
    try_layer("softplus", softplus());
    try_layer("softmax", softmax());
    try_layer("log_softmax", log_softmax());
    return taken;
}

constexpr recurrent_options two_layers{.layers = 2}, both_ways{.bidirectional = true};

bool check_recurrent_case(const json& c) {
    const std::string kind = golden_kind(c);
    const bool reverse = c["tensors"].contains("p.weight_ih_l0_reverse"), second = c["tensors"].contains("p.weight_ih_l1");
    const bool plain = !reverse && !second;
    bool taken = false;
    const auto try_layer = [&](const char* name, bool wanted, const auto& make) {
        if (kind == name && wanted) {
            const auto& shape = c["tensors"]["p.weight_hh_l0"]["shape"];
            check_layer<2>(c, make(c["tensors"]["x"]["shape"][2].get<std::size_t>(), shape[1].get<std::size_t>()));
            taken = true;
        }
    };
    using size = std::size_t;
    try_layer("lstm", plain, [](size in, size hidden) { return lstm<dyn, dyn>(in, hidden); });
    try_layer("lstm", second && !reverse, [](size in, size hidden) { return lstm<dyn, dyn, two_layers>(in, hidden); });
    try_layer("lstm", reverse && !second, [](size in, size hidden) { return lstm<dyn, dyn, both_ways>(in, hidden); });
    try_layer("gru", plain, [](size in, size hidden) { return gru<dyn, dyn>(in, hidden); });
    try_layer("gru", reverse && !second, [](size in, size hidden) { return gru<dyn, dyn, both_ways>(in, hidden); });
    try_layer("rnn_tanh", plain, [](size in, size hidden) { return rnn<dyn, dyn>(in, hidden); });
    try_layer("rnn_relu", plain, [](size in, size hidden) { return rnn_relu<dyn, dyn>(in, hidden); });
    return taken;
}

}  // namespace

bool check_sequence_case(const json& c) {
    const std::string kind = golden_kind(c), name = c["name"];
    const auto shape = [&](const char* tensor) { return c["tensors"][tensor]["shape"].get<std::vector<std::size_t>>(); };
    if (kind == "layer_norm") {
        layer_norm<dyn> layer(shape("p.weight").back());
        layer.epsilon = c["attr"]["eps"];
        check_layer<1>(c, layer);
    } else if (kind == "embedding") {
        check_layer<1>(c, embedding<dyn, dyn>(shape("p.weight")[0], shape("p.weight")[1]));
    } else if (kind == "embedding_bag" && c["attr"]["mode"] == "mean") {
        check_layer<1>(c, embedding_bag<dyn, dyn>(shape("p.weight")[0], shape("p.weight")[1]));
    } else if (kind == "embedding_bag" && c["attr"]["mode"] == "sum") {
        check_layer<1>(c, embedding_bag<dyn, dyn, bag_mode::sum>(shape("p.weight")[0], shape("p.weight")[1]));
    } else if (kind == "embedding_bag" && c["attr"]["mode"] == "max") {
        check_layer<1>(c, embedding_bag<dyn, dyn, bag_mode::max>(shape("p.weight")[0], shape("p.weight")[1]));
    } else if (name == "self_attention") {
        check_layer<2>(c, self_attention<dyn, dyn>(shape("x").back(), c["attr"]["heads"].get<std::size_t>()), "m.");
    } else if (name == "self_attention/causal") {
        check_layer<2>(
            c, self_attention<dyn, dyn, attention_mask::causal>(shape("x").back(), c["attr"]["heads"].get<std::size_t>()), "m.");
    } else {
        return check_activation_case(c) || check_recurrent_case(c);
    }
    return true;
}
