#ifndef PARE_NN_QUANTIZED_VALUES_HPP
#define PARE_NN_QUANTIZED_VALUES_HPP

#include <pare/nn/sequential.hpp>
#include <pare/types/activations.hpp>

PARE_NAMESPACE_BEGIN

/// Says as which bytes the numbers that come by are kept in a static network, where the layer behind it does not say so itself: a
/// function that no product is followed by, a pool, a branch. To floats it does what they go through there: y = (clamp(RNE(x /
/// scale) + zero_point) - zero_point) * scale. It has no number: its "2.input" is that of the layer behind it.
/// torch.ao.quantization.QuantStub.
struct quantized_values {
    static constexpr bool has_number = false;
    static constexpr bool trainable = false;

    static_range activations;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        const quantization& q = activations.input;
        const float inverse = exact_divide(1.0f, q.scale);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::int32_t byte = quantize_value(x.data()[i], inverse, q.zero_point, quint8::smallest, activations.largest);
            y.data()[i] = exact_multiply(static_cast<float>(byte - q.zero_point), q.scale);
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("input", self.activations);
    }

    static std::string describe() { return "quantized values"; }
};

namespace detail {

/// Whether what a layer gives are quantized_values, and which.
template <class Layer>
inline constexpr bool ends_quantized = false;
template <class... Layers>
inline constexpr bool ends_quantized<sequential<Layers...>> =
    std::is_same_v<std::tuple_element_t<sizeof...(Layers) - 1, std::tuple<Layers...>>, quantized_values>;
template <class... Layers>
const static_range& last_range(const sequential<Layers...>& network) noexcept {
    return std::get<sizeof...(Layers) - 1>(network.layers).activations;
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
