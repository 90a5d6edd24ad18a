#include <pare/nn/static_network.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/kernels/reference_quantized.hpp>
#include <pare/prune/sparsify.hpp>

#include "../catch.hpp"
#include "../quantize/static_reference.hpp"

using namespace pare;
using namespace static_reference;
namespace reference = kernels::reference;

namespace {

constexpr static_range first_range{{0.017f, 60}}, second_range{{0.021f, 0}}, third_range{{0.04f, 117}},
    fourth_range{{0.05f, 101}, 200};

/// The layer with weights of the same numbers everywhere, for what flows into it.
template <class Layer>
auto with_bytes(Layer layer, const static_range& range, std::uint64_t stream) {
    const auto bias = numbers(layer.bias.size(), stream, -1.0f, 1.0f);
    std::copy(bias.begin(), bias.end(), layer.bias.begin());
    return layer.map_weights([&](const member_path&, const auto& w, as_float, const auto&...) {
        weight_matrix<qint8, full> bytes(w.structure);
        const auto values = numbers(bytes.values.size(), stream + 1, -127.0f, 127.0f);
        for (std::size_t i = 0; i < values.size(); ++i) {
            bytes.values[i] = static_cast<std::int8_t>(values[i]);
        }
        const auto scales = numbers(bytes.scales.size(), stream + 2, 0.002f, 0.004f);
        std::copy(scales.begin(), scales.end(), bytes.scales.begin());
        return mapped_weights<weight_matrix<qint8, full>, static_range>{std::move(bytes), range};
    });
}

auto conv(std::size_t inputs, std::size_t outputs, std::size_t kernel, conv_options options, const static_range& range,
          std::uint64_t stream) {
    return with_bytes(conv2d<dyn, dyn, dyn>(inputs, outputs, kernel, options), range, stream);
}

template <class Layer>
kernels::convolution over(const Layer& layer, std::size_t height, std::size_t width) {
    return layer.plan().over({height, width});
}

std::vector<float> part(const std::vector<float>& x, std::size_t i, std::size_t size) {
    return {x.begin() + static_cast<std::ptrdiff_t>(i * size), x.begin() + static_cast<std::ptrdiff_t>((i + 1) * size)};
}

}  // namespace

TEST_CASE("convolutions, pools and a dense layer pass bytes on, equal to plain loops") {
    const auto first = conv(3, 10, 3, {.stride = 2, .padding = 1}, first_range, 1);
    const auto depthwise = conv(10, 10, 3, {.padding = 1, .groups = 10}, second_range, 4);
    const auto grouped = conv(10, 6, 3, {.padding = size2d(0, 1), .groups = 2}, third_range, 7);
    const auto last = with_bytes(dense<dyn, dyn>(12, 4), fourth_range, 10);
    const auto ready = prepare<isa::native>(
        sequential(input<dyn, dyn, dyn>(19, 14, 3), first, relu(), depthwise, grouped, max_pool2d<dyn>(4), flatten(), last));
    const std::size_t batch = 5, size = 19 * 14 * 3;
    const auto x = numbers(batch * size, 20, -1.0f, 3.0f);
    const auto y = outputs(ready, x);
    CHECK(outputs(ready, x, thread_pool(3)) == y);
    const auto sparse = [](const auto& layer) {
        return layer.map_weights([](const member_path&, const auto& w, static_range a, const auto&...) {
            return mapped_weights<weight_matrix<qint8, csr>, static_range>{to_layout<csr>(w), a};
        });
    };
    const auto sparse_ready = prepare<isa::native>(sequential(input<dyn, dyn, dyn>(19, 14, 3), sparse(first), relu(), depthwise,
                                                              sparse(grouped), max_pool2d<dyn>(4), flatten(), sparse(last)));
    CHECK(outputs(sparse_ready, x, thread_pool(3)) == y);
    for (std::size_t i = 0; i < batch; ++i) {
        auto values = to_bytes(part(x, i, size), first_range);
        values = requantized(sums(values, first, over(first, 19, 14)), first, second_range, true);
        values = requantized(sums(values, depthwise, over(depthwise, 10, 7)), depthwise, third_range, false);
        values = requantized(sums(values, grouped, over(grouped, 10, 7)), grouped, fourth_range, false);
        bytes pooled(12);  // of 8 x 7 pixels of 6 channels to 2 x 1
        kernels::convolution s = max_pool2d<dyn>(4).moves.value.over(8, 7);
        s.channels = 6;
        reference::max_pool_bytes(s, values.data(), pooled.data());
        bytes flat(12);
        for (std::size_t k = 0; k < 12; ++k) {
            flat[k % 6 * 2 + k / 6] = pooled[k];
        }
        CHECK(part(y, i, 4) == static_reference::as_floats(sums(flat, last, one_pixel(12, 4)), last));
    }
}

TEST_CASE("sums, concatenations and functions pass bytes on, equal to plain loops") {
    constexpr static_range middle{{0.03f, 90}}, end{{0.025f, 40}};
    const auto body = conv(4, 4, 1, {}, first_range, 1), left = conv(4, 3, 1, {}, second_range, 4),
               right = conv(4, 2, 3, {.padding = 1}, second_range, 7), other = conv(5, 5, 1, {}, third_range, 10),
               last = conv(5, 5, 1, {}, fourth_range, 13);
    const auto ready = prepare<isa::native>(sequential(
        input<dyn, dyn, dyn>(6, 5, 4), quantized_values{first_range}, residual(sequential(body, quantized_values{middle})), relu(),
        quantized_values{second_range}, concat(left, sequential(right, sigmoid())), quantized_values{third_range},
        parallel(sequential(other, quantized_values{middle}), sequential(gelu(), quantized_values{end})), quantized_values{middle},
        average_pool2d<dyn>(2), last, softmax()));
    const auto text = describe(ready);
    for (const char* part_of_it : {"residual (", "relu, bytes to bytes", "concat (", "+ sigmoid, bytes to bytes", "gelu by a table",
                                   "sum of (", "average pool 2x2, bytes to bytes", "bytes to floats"}) {
        CHECK_THAT(text, ContainsSubstring(part_of_it));
    }
    const std::size_t batch = 3, size = 6 * 5 * 4;
    const auto x = numbers(batch * size, 20, -1.0f, 3.0f);
    const auto y = outputs(ready, x);
    CHECK(outputs(ready, x, thread_pool(3)) == y);
    const auto output = [](const static_range& r) { return kernels::byte_output{r.input, 0, r.largest}; };
    for (std::size_t i = 0; i < batch; ++i) {
        const auto in = to_bytes(part(x, i, size), first_range);
        const auto inner = requantized(sums(in, body, over(body, 6, 5)), body, middle, false);
        bytes sum(size);
        reference::add_bytes(size, sum.data(), in.data(), inner.data(), first_range.input, middle.input, output(second_range));
        const auto a = requantized(sums(sum, left, over(left, 6, 5)), left, third_range, false);
        auto reals = static_reference::as_floats(sums(sum, right, over(right, 6, 5)), right);
        for (float& v : reals) {
            v = kernels::sigmoid_function::value<isa::scalar>(v);
        }
        const auto b = to_bytes(reals, third_range);
        bytes both;
        for (std::size_t p = 0; p < 30; ++p) {
            both.insert(both.end(), a.begin() + static_cast<std::ptrdiff_t>(3 * p),
                        a.begin() + static_cast<std::ptrdiff_t>(3 * p + 3));
            both.insert(both.end(), b.begin() + static_cast<std::ptrdiff_t>(2 * p),
                        b.begin() + static_cast<std::ptrdiff_t>(2 * p + 2));
        }
        const auto one = requantized(sums(both, other, over(other, 6, 5)), other, middle, false);
        bytes two(both.size()), added(both.size()), mean(3 * 2 * 5);
        for (std::size_t k = 0; k < two.size(); ++k) {
            const float real = static_cast<float>(both[k] - third_range.input.zero_point) * third_range.input.scale;
            two[k] = to_bytes({kernels::gelu_function::value<isa::scalar>(real)}, end)[0];
        }
        reference::add_bytes(added.size(), added.data(), one.data(), two.data(), middle.input, end.input, output(middle));
        kernels::convolution s = average_pool2d<dyn>(2).moves.value.over(6, 5);
        s.channels = 5;
        reference::average_pool_bytes(s, middle.input, output(fourth_range), added.data(), mean.data());
        auto expected = static_reference::as_floats(sums(mean, last, over(last, 3, 2)), last);
        for (std::size_t k = 0; k < expected.size(); k += 5) {
            kernels::softmax_row<isa::native>(expected.data() + k, 5, expected.data() + k);
        }
        CHECK(part(y, i, 30) == expected);
    }
}

TEST_CASE("rows are normalized in bytes; what has no form for them runs as floats, and describe() says so") {
    constexpr static_range middle{{0.03f, 90}};
    layer_norm<dyn> norm(12);
    const auto weight = numbers(12, 1, 0.5f, 2.0f);
    std::copy(weight.begin(), weight.end(), norm.weight.begin());
    const auto last = with_bytes(dense<dyn, dyn>(12, 4), third_range, 5);
    const auto ready =
        prepare<isa::native>(sequential(input<dyn>(12), quantized_values{first_range}, norm, quantized_values{second_range},
                                        softmax(), quantized_values{middle}, log_softmax(), last, quantized_values{middle}));
    const auto text = describe(ready);
    CHECK_THAT(text, ContainsSubstring("layer_norm 12, bytes to bytes"));
    CHECK_THAT(text, ContainsSubstring("softmax, bytes to bytes"));
    CHECK_THAT(text, ContainsSubstring("bytes to floats, 12 outputs, 0 bytes\n5: log_softmax, 12 outputs"));
    const auto x = numbers(12, 20, -1.0f, 3.0f);
    auto values = to_bytes(x, first_range);
    reference::layer_norm_bytes(12, values.data(), bytes(values).data(), weight.data(), std::vector<float>(12).data(), 1e-5f,
                                first_range.input.scale, kernels::byte_output{second_range.input, 0, 255});
    reference::softmax_bytes(12, values.data(), bytes(values).data(), second_range.input.scale);
    reference::requantize_bytes(12, values.data(), bytes(values).data(), {0x1p-8f, 0}, {middle.input, 0, 255});
    std::vector<float> reals(12);
    for (std::size_t i = 0; i < 12; ++i) {
        reals[i] = static_cast<float>(values[i] - middle.input.zero_point) * middle.input.scale;
    }
    kernels::log_softmax_row<isa::native>(reals.data(), 12, reals.data());
    const auto end = requantized(sums(to_bytes(reals, third_range), last, one_pixel(12, 4)), last, middle, false);
    const auto y = outputs(ready, x);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(y[i] == static_cast<float>(end[i] - middle.input.zero_point) * middle.input.scale);
    }
}
