#ifndef PARE_NN_SOFTMAX_HPP
#define PARE_NN_SOFTMAX_HPP

#include <pare/kernels/quantized_rows.hpp>
#include <pare/kernels/softmax.hpp>
#include <pare/nn/byte_layers.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// softmax of bytes, whose outputs, of scale 1/256, then get another one.
struct byte_softmax {
    kernels::softmax_bytes kernel;
    byte_map<kernels::requantize_bytes> then;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const std::uint8_t, E...> x, tensor_view<std::uint8_t, E...> y) const noexcept {
        const std::size_t n = x.extent(sizeof...(E) - 1);
        using operation = kernels::byte_rows_operation<kernels::softmax_bytes, std::uint8_t, std::uint8_t>;
        kernels::call<operation>(ctx, kernel, x.size() / n, n, y.data(), x.data());
        then.forward(ctx, tensor_view<const std::uint8_t, E...>(y), y);
    }

    static std::string describe() { return "softmax, bytes to bytes"; }
};

/// A function of the rows along the last axis of a sample.
template <bool Log>
struct softmax_rows {
    static constexpr bool takes_single_steps = true;
    static constexpr bool has_byte_form = !Log;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        using isa = typename Context::isa;
        const std::size_t n = x.extent(sizeof...(E) - 1);
        for (std::size_t i = 0; i < x.size(); i += n) {
            if constexpr (Log) {
                kernels::log_softmax_row<isa>(x.data() + i, n, y.data() + i);
            } else {
                kernels::softmax_row<isa>(x.data() + i, n, y.data() + i);
            }
        }
    }

    /// softmax: dx = y * (dy - sum over k of dy[k] y[k]); its logarithm: dx = dy - exp(y) * sum over k of dy[k].
    template <class Context, std::size_t... E>
    void backward(Context&, tensor_view<const float, E...>, tensor_view<const float, E...> y, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float>) const noexcept {
        using isa = typename Context::isa;
        using V = simd::ops<isa>;
        const std::size_t n = y.extent(sizeof...(E) - 1);
        for (std::size_t i = 0; i < y.size(); i += n) {
            const float* const out = y.data() + i;
            const float* const g = dy.data() + i;
            if constexpr (Log) {
                const auto sum = V::set(kernels::sum_of<isa>(
                    n, [](auto v) { return v; }, g));
                kernels::transform<isa>(
                    n, dx.data() + i, [&](auto a, auto b) { return a - V::opaque(simd::exp<isa>(b) * sum); }, g, out);
            } else {
                const auto sum = V::set(kernels::sum_of<isa>(
                    n, [](auto a, auto b) { return a * b; }, g, out));
                kernels::transform<isa>(
                    n, dx.data() + i, [&](auto a, auto b) { return b * (a - sum); }, g, out);
            }
        }
    }

    template <class Lower>
    byte_softmax on_bytes(const static_range& x, const static_range& y, const Lower&) const noexcept requires(!Log) {
        const static_range out{kernels::softmax_bytes::output<std::uint8_t>()};
        return {kernels::softmax_bytes(x.input.scale), requantized(out, y)};
    }

    static std::string describe() { return Log ? "log_softmax" : "softmax"; }
};

}  // namespace detail

/// y[j] = exp(x[j]) / sum over k of exp(x[k]) on the last axis of a sample. torch.nn.Softmax(dim=-1). For training, leave it out:
/// the losses take logits.
using softmax = detail::softmax_rows<false>;

/// y[j] = x[j] - log of the sum over k of exp(x[k]) on the last axis of a sample. torch.nn.LogSoftmax(dim=-1).
using log_softmax = detail::softmax_rows<true>;

PARE_NAMESPACE_END

#endif
