#ifndef PARE_NN_SOFTMAX_HPP
#define PARE_NN_SOFTMAX_HPP

#include <pare/kernels/softmax.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// y[j] = exp(x[j]) / sum over k of exp(x[k]) on the last axis of a sample. torch.nn.Softmax(dim=-1). For training, leave it out:
/// the losses take logits.
struct softmax {
    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        const std::size_t n = x.extent(sizeof...(E) - 1);
        for (std::size_t i = 0; i < x.size(); i += n) {
            kernels::softmax_row<typename Context::isa>(x.data() + i, n, y.data() + i);
        }
    }

    /// dx = y * (dy - sum over k of dy[k] y[k]).
    template <class Context, std::size_t... E>
    void backward(Context&, tensor_view<const float, E...>, tensor_view<const float, E...> y, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float>) const noexcept {
        const std::size_t n = y.extent(sizeof...(E) - 1);
        for (std::size_t i = 0; i < y.size(); i += n) {
            float dot = 0.0f;
            for (std::size_t j = 0; j < n; ++j) {
                dot += dy.data()[i + j] * y.data()[i + j];
            }
            for (std::size_t j = 0; j < n; ++j) {
                dx.data()[i + j] = y.data()[i + j] * (dy.data()[i + j] - dot);
            }
        }
    }

    static std::string describe() { return "softmax"; }
};

PARE_NAMESPACE_END

#endif
