#ifndef PARE_NN_ACTIVATION_HPP
#define PARE_NN_ACTIVATION_HPP

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/nn/byte_layers.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// y = f(x), number by number, for a function with a slope (see kernels::map_values); fused into the product before it.
template <class Function>
struct activation {
    static constexpr bool takes_single_steps = true;
    static constexpr bool has_byte_form = true;
    /// It does no more than to bound bytes.
    static constexpr bool clamps = requires { Function::low; };
    static constexpr bool works_in_place = requires { requires Function::slope_of_value; };

    Function function;

    constexpr activation() noexcept = default;
    /// The function's own parameters: leaky_relu(0.2f).
    template <class... Parameter>
    requires(sizeof...(Parameter) > 0 &&
             (std::convertible_to<Parameter, float> && ...)) constexpr explicit activation(Parameter... p) noexcept
        : function{static_cast<float>(p)...} {}

    static constexpr keeps_shape plan() noexcept { return {}; }

    constexpr kernels::map_values<Function> stage() const noexcept { return {function}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        using isa = typename Context::isa;
        kernels::transform<isa>(
            ctx.executor, x.size(), y.data(), [f = function](auto v) { return f.template value<isa>(v); }, x.data());
    }

    template <class Context, std::size_t... E>
    void backward(Context& ctx, tensor_view<const float, E...> x, tensor_view<const float, E...> y,
                  tensor_view<const float, E...> dy, tensor_view<float, E...> dx, std::span<float>) const noexcept {
        using isa = typename Context::isa;
        kernels::transform<isa>(
            ctx.executor, y.size(), dx.data(),
            [f = function](auto in, auto out, auto g) { return g * f.template slope<isa>(in, out); }, x.data(), y.data(),
            dy.data());
    }

    /// A table, but where bytes are only bounded.
    template <class Lower>
    auto on_bytes(const static_range& x, const static_range& y, const Lower&) const noexcept {
        const kernels::byte_output to = detail::output_of(y);
        if constexpr (clamps) {
            return detail::byte_map<kernels::requantize_bytes>{{x.input, to.between(Function::low, Function::high)},
                                                               Function::name};
        } else {
            return detail::byte_map<kernels::byte_table>{kernels::make_table<std::uint8_t, std::uint8_t>(function, x.input, to),
                                                         Function::name};
        }
    }

    static std::string describe() { return Function::name; }
};

PARE_NAMESPACE_END

#endif
