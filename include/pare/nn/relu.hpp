#ifndef PARE_NN_RELU_HPP
#define PARE_NN_RELU_HPP

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// y = max(x, 0); NaN stays NaN. torch.nn.ReLU.
struct relu {
    static constexpr keeps_shape plan() noexcept { return {}; }

    static constexpr kernels::rectify stage() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        using V = simd::ops<typename Context::isa>;
        kernels::transform<typename Context::isa>(
            ctx.executor, x.size(), y.data(), [](auto v) { return V::maximum(V::set(0.0f), v); }, x.data());
    }

    template <class Context, std::size_t... E>
    void backward(Context& ctx, tensor_view<const float, E...>, tensor_view<const float, E...> y, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float>) const noexcept {
        using V = simd::ops<typename Context::isa>;
        kernels::transform<typename Context::isa>(
            ctx.executor, y.size(), dx.data(), [](auto v, auto g) { return V::where_positive(v, g); }, y.data(), dy.data());
    }

    static std::string describe() { return "relu"; }
};

PARE_NAMESPACE_END

#endif
