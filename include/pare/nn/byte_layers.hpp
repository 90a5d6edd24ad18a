#ifndef PARE_NN_BYTE_LAYERS_HPP
#define PARE_NN_BYTE_LAYERS_HPP

#include <tuple>

#include <pare/core/tuple.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/kernels/quantized_elementwise.hpp>
#include <pare/nn/layer.hpp>
#include <pare/types/activations.hpp>

PARE_NAMESPACE_BEGIN

/// What on_bytes() of a layer returns: forms of layers that take bytes and give bytes (nn/static_network.hpp).
namespace detail {

inline kernels::byte_output output_of(const static_range& y) noexcept {
    return {y.input, quint8::smallest, y.largest};
}

/// y = kernel(x), byte by byte, by a kernel of kernels/quantized_elementwise.hpp.
template <class Kernel>
struct byte_map {
    Kernel kernel;
    const char* name;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const std::uint8_t, E...> x, tensor_view<std::uint8_t, E...> y) const noexcept {
        kernels::call<kernels::bytes_operation<Kernel, std::uint8_t, std::uint8_t>>(ctx, kernel, x.size(), y.data(), x.data());
    }

    std::string describe() const {
        return sentence(name, std::is_same_v<Kernel, kernels::byte_table> ? " by a table, bytes to bytes" : ", bytes to bytes");
    }
};

/// A layer whose forward takes bytes with what they stand for and where they go: forward(context, x, y, quantization, byte_output).
template <class Layer>
struct byte_form {
    Layer layer;
    quantization x;
    kernels::byte_output y;

    constexpr auto plan() const { return layer.plan(); }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& in, const Y& out) const noexcept {
        layer.forward(ctx, in, out, x, y);
    }

    std::string describe() const { return describe_layer(layer) + ", bytes to bytes"; }
};

/// The same numbers by another quantization.
inline byte_map<kernels::requantize_bytes> requantized(const static_range& x, const static_range& y) noexcept {
    return {{x.input, output_of(y)}, "requantize"};
}

/// y = x + layer(x), or first(x) + second(x), in bytes: Plan is that of the container that it stands for.
template <class Plan, class... Layers>
struct byte_sum {
    Plan shapes;
    std::tuple<Layers...> layers;
    kernels::add_bytes sum;
    const char* name;

    constexpr auto plan() const { return Plan{shapes}; }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const std::uint8_t, X...> x, tensor_view<std::uint8_t, Y...> y) const noexcept {
        constexpr std::size_t last = sizeof...(Layers) - 1;
        Context inner = ctx;
        const auto run = [&](const auto& layer, std::uint8_t* out) {
            forward_layer(layer, inner, x, batch_of(out, x.extent(0), layer.plan().output_shape(sample_shape(x))));
        };
        const std::uint8_t* first = x.data();
        if constexpr (last == 1) {
            auto* const out = inner.scratch.template take<std::uint8_t>(y.size());
            run(std::get<0>(layers), out);
            first = out;
        }
        run(std::get<last>(layers), y.data());
        using operation = kernels::bytes_operation<kernels::add_bytes, std::uint8_t, std::uint8_t, std::uint8_t>;
        kernels::call<operation>(ctx, sum, y.size(), y.data(), first, static_cast<const std::uint8_t*>(y.data()));
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        detail::apply([&](auto&... l) { (for_each_member(l, f), ...); }, self.layers);
    }

    std::string describe() const {
        std::string text;
        detail::apply([&](const auto&... l) { ((text += (text.empty() ? "" : "; ") + describe_layer(l)), ...); }, layers);
        return sentence(name, " (", text, "), bytes to bytes");
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
