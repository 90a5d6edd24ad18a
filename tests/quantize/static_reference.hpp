#ifndef PARE_TESTS_QUANTIZE_STATIC_REFERENCE_HPP
#define PARE_TESTS_QUANTIZE_STATIC_REFERENCE_HPP

#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn.hpp>

/// What layers of a static network compute, in plain loops, for one sample.
namespace static_reference {

using namespace pare;
using bytes = std::vector<std::uint8_t>;

inline std::vector<float> numbers(std::size_t n, std::uint64_t stream, float low, float high) {
    const random_numbers random(seed{31}, stream);
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = random.uniform(i, low, high);
    }
    return x;
}

/// clamp(RNE(x) + zero_point) to [0, largest], by the C library's rounding to even.
inline std::uint8_t byte_of(float x, const static_range& y) {
    const long long q = std::llrint(std::fmin(std::fmax(x, -1e6f), 1e6f)) + y.input.zero_point;
    return static_cast<std::uint8_t>(q < 0 ? 0 : q > y.largest ? y.largest : q);
}

inline bytes to_bytes(const std::vector<float>& x, const static_range& y) {
    const float inverse = 1.0f / y.input.scale;
    bytes out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const float steps = x[i] * inverse;
        out[i] = byte_of(steps, y);
    }
    return out;
}

/// The sums of a convolution (or a dense layer, which is one of a single pixel) with the bias in them, [pixels, outputs].
template <class Layer>
std::vector<std::int32_t> sums(const bytes& x, const Layer& layer, const kernels::convolution& s) {
    const static_range& in = layer.activations;
    std::vector<std::int32_t> out;
    for (std::size_t oy = 0; oy < s.output_height(); ++oy) {
        for (std::size_t ox = 0; ox < s.output_width(); ++ox) {
            for (std::size_t j = 0; j < s.outputs; ++j) {
                std::int64_t sum = std::llrint(layer.bias(j) / (in.input.scale * layer.weights.scales[j]));
                const std::size_t first = j / s.group_outputs() * s.group_channels();
                for (std::size_t ky = 0; ky < s.kernel_height; ++ky) {
                    for (std::size_t kx = 0; kx < s.kernel_width; ++kx) {
                        const std::size_t y = oy * s.stride_height + ky * s.dilation_height - s.padding_height;
                        const std::size_t z = ox * s.stride_width + kx * s.dilation_width - s.padding_width;
                        if (y >= s.height || z >= s.width) {
                            continue;
                        }
                        for (std::size_t c = 0; c < s.group_channels(); ++c) {
                            const std::int64_t w =
                                layer.weights.values[j * s.kernel_size() + (ky * s.kernel_width + kx) * s.group_channels() + c];
                            sum += w * (x[(y * s.width + z) * s.channels + first + c] - in.input.zero_point);
                        }
                    }
                }
                out.push_back(static_cast<std::int32_t>(sum));
            }
        }
    }
    return out;
}

inline kernels::convolution one_pixel(std::size_t inputs, std::size_t outputs) {
    kernels::convolution s;
    s.channels = inputs;
    s.outputs = outputs;
    return s;
}

template <class Layer>
std::vector<float> as_floats(const std::vector<std::int32_t>& sums, const Layer& layer) {
    std::vector<float> y(sums.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        const float scale = layer.activations.input.scale * layer.weights.scales[i % layer.weights.rows()];
        y[i] = static_cast<float>(sums[i]) * scale;
    }
    return y;
}

template <class Layer>
bytes requantized(const std::vector<std::int32_t>& sums, const Layer& layer, const static_range& y, bool relu) {
    bytes out(sums.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        const float scale = layer.activations.input.scale * layer.weights.scales[i % layer.weights.rows()];
        const float factor = scale / y.input.scale;
        const float steps = static_cast<float>(sums[i]) * factor;
        out[i] = byte_of(relu && steps < 0.0f ? 0.0f : steps, y);
    }
    return out;
}

template <class Model>
void fill(Model& model) {
    std::uint64_t stream = 100;
    for_each_member(model, [&](const member_path&, auto& member) {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            const auto values = trainable_values(member);
            const auto random = numbers(values.size(), stream++, -0.4f, 0.5f);
            std::copy(random.begin(), random.end(), values.begin());
        }
    });
}

template <class Prepared, class Executor = serial_executor>
std::vector<float> outputs(const Prepared& ready, const std::vector<float>& x, Executor executor = {}) {
    const std::size_t batch = x.size() / ready.input_size();
    auto space = workspace_for(ready, batch);
    std::vector<float> y(batch * ready.output_size());
    run(ready, x, y, space, executor);
    return y;
}

}  // namespace static_reference

#endif
