#ifndef PARE_NN_STATIC_LAYERS_HPP
#define PARE_NN_STATIC_LAYERS_HPP

#include <algorithm>
#include <bit>
#include <tuple>

#include <pare/core/tuple.hpp>
#include <pare/kernels/quantize.hpp>
#include <pare/nn/activation.hpp>
#include <pare/nn/byte_layers.hpp>

PARE_NAMESPACE_BEGIN

/// What prepare() makes of the layers of a static network: see nn/static_network.hpp.

/// Floats to bytes.
struct floats_to_bytes {
    using gives = std::uint8_t;

    static_range y;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const float, E...> in, tensor_view<std::uint8_t, E...> out) const noexcept {
        kernels::for_each_part(ctx.executor, in.size(), [&](std::size_t first, std::size_t count) {
            std::uint8_t* const bytes = out.data() + first;
            kernels::quantize_values<typename Context::isa>(in.data() + first, count, y.input, false, bytes);
            for (std::size_t i = 0; y.largest < quint8::largest && i < count; ++i) {
                bytes[i] = (std::min)(bytes[i], static_cast<std::uint8_t>(y.largest));
            }
        });
    }

    static std::string describe() { return "floats to bytes"; }
};

/// Bytes to floats: y = (x - zero_point) * scale.
struct bytes_to_floats {
    using gives = float;

    quantization x;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const std::uint8_t, E...> in, tensor_view<float, E...> out) const noexcept {
        kernels::for_each_part(ctx.executor, in.size(), [&](std::size_t first, std::size_t count) {
            for (std::size_t i = first; i < first + count; ++i) {
                out.data()[i] = exact_multiply(static_cast<float>(in.data()[i] - x.zero_point), x.scale);
            }
        });
    }

    static std::string describe() { return "bytes to floats"; }
};

namespace detail {

/// RNE(bias / scale), the bias as sums hold it, but at most `limit` in size.
inline std::int32_t bias_in_sums(float bias, float scale, std::int32_t limit) noexcept {
    const float steps = exact_divide(bias, scale);
    const auto most = static_cast<float>(limit);
    if (is_nan(steps)) {
        return 0;
    }
    if (steps >= most || steps <= -most) {
        return steps > 0.0f ? limit : -limit;
    }
    // As round_half_even, with the bits of a double: adding 1.5 * 2^52 leaves the integer in the low bits of the sum.
    const double shifted = static_cast<double>(steps) + 6755399441055744.0;
    return static_cast<std::int32_t>(std::bit_cast<std::uint64_t>(shifted) & 0xffffffffu);
}

/// The limit with which no sum of products and bias leaves 32 bits; 0 where products alone may, which
/// quantize_static() does not let through.
inline std::int32_t largest_bias_in_sums(std::size_t columns) noexcept {
    return static_cast<std::int32_t>(
        (std::max)(std::int64_t{2147483647} - static_cast<std::int64_t>(columns) * 255 * 128, std::int64_t{0}));
}

/// Whether a function does no more than to bound numbers, and where it does so in y.
template <class Layer>
concept clamps = requires {
    requires Layer::clamps;
};
template <class Function>
kernels::byte_output bounded(const activation<Function>&, const kernels::byte_output& y) noexcept {
    return y.between(Function::low, Function::high);
}

}  // namespace detail

/// A dense layer or a convolution of bytes, and the functions behind it. Its sums hold the bias, as RNE(bias / (s_x s_w[j])) in 32
/// bits, and end
///
///     as bytes, where only ReLUs follow      y = clamp(RNE(float(sum) * (s_x s_w[j] / s_y)) + z_y), a ReLU being the clamp
///     as bytes, behind other functions       y = clamp(RNE(f(float(sum) * (s_x s_w[j])) * (1 / s_y)) + z_y)
///     as floats                              y = f(float(sum) * (s_x s_w[j]))
template <class Layer, class Output, class... Fused>
struct static_product {
    using gives = Output;
    static constexpr bool requantizes = std::is_same_v<Output, std::uint8_t> && (detail::clamps<Fused> && ...);

    Layer layer;
    std::tuple<Fused...> stages;
    aligned_array<std::int32_t> offsets;  // bias in the sums - z_x * column sum
    aligned_array<float> factors;
    kernels::byte_output output;  // bounded by functions that do no more

    /// x is what the bytes stand for that it takes, y what those do that it gives.
    static_product(Layer l, std::tuple<Fused...> s, const static_range& x, const static_range& y = {})
        : layer(std::move(l)),
          stages(std::move(s)),
          offsets(layer.bias.size()),
          factors(layer.bias.size()),
          output(detail::output_of(y)) {
        layer.activations = x;
        const std::int32_t limit = detail::largest_bias_in_sums(layer.weights.columns());
        for (std::size_t j = 0; j < offsets.size(); ++j) {
            const float scale = exact_multiply(x.input.scale, layer.weights.scales()[j]);
            offsets[j] = detail::bias_in_sums(layer.bias(j), scale, limit) - x.input.zero_point * layer.weights.column_sums()[j];
            factors[j] = scale;
            if constexpr (requantizes) {
                const float factor = exact_divide(scale, y.input.scale);
                factors[j] = factor > largest_range ? largest_range : factor < smallest_range ? 0.0f : factor;
            }
        }
        if constexpr (requantizes) {
            detail::apply([&](const auto&... f) { ((output = detail::bounded(f, output)), ...); }, stages);
        }
    }

    constexpr auto plan() const { return layer.plan(); }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const std::uint8_t, X...> x, tensor_view<Output, Y...> y) const noexcept {
        const kernels::add_offsets add{offsets.data()};
        if constexpr (requantizes) {
            layer.forward(ctx, x, y, add,
                          kernels::requantize{factors.data(), output.q.zero_point, output.smallest, output.largest});
        } else {
            detail::apply(
                [&](const auto&... f) {
                    const kernels::scale_sums scale{factors.data()};
                    if constexpr (std::is_same_v<Output, float>) {
                        layer.forward(ctx, x, y, add, scale, f.stage()...);
                    } else {
                        layer.forward(
                            ctx, x, y, add, scale, f.stage()...,
                            kernels::quantize_numbers{exact_divide(1.0f, output.q.scale), output.q.zero_point, output.largest});
                    }
                },
                stages);
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        for_each_member(self.layer, f);
    }

    std::string describe() const {
        return describe_layer(layer) +
               detail::apply([](const auto&... f) { return (std::string() + ... + (" + " + describe_layer(f))); }, stages) +
               (std::is_same_v<Output, float> ? ", bytes to floats" : ", bytes to bytes");
    }
};

PARE_NAMESPACE_END

#endif
