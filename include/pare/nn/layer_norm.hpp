#ifndef PARE_NN_LAYER_NORM_HPP
#define PARE_NN_LAYER_NORM_HPP

#include <algorithm>

#include <pare/kernels/layer_norm.hpp>
#include <pare/kernels/quantized_rows.hpp>
#include <pare/nn/byte_layers.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// Normalizes the last axis of a sample, of N numbers (which may be `dyn`), to mean 0 and variance 1, times weight plus bias.
/// torch.nn.LayerNorm(N).
template <std::size_t N>
struct layer_norm {
    static constexpr bool takes_single_steps = true;
    static constexpr bool has_byte_form = true;

    tensor<float, N> weight;
    tensor<float, N> bias;
    float epsilon = 1e-5f;

    layer_norm() requires(N != dyn) { std::fill(weight.begin(), weight.end(), 1.0f); }
    explicit layer_norm(std::size_t n) : weight(extents<N>(extents<dyn>(n))), bias(weight.shape()) {
        std::fill(weight.begin(), weight.end(), 1.0f);
    }

    struct plan_type {
        static constexpr bool is_static = true;

        template <std::size_t... E>
        static constexpr extents<E...> output_shape(const extents<E...>& input) noexcept {
            constexpr std::size_t last = extents<E...>::static_extent(sizeof...(E) - 1);
            static_assert(last == N || last == dyn || N == dyn, "pare: a layer_norm<N> must be given samples whose last axis is N");
            return input;
        }
    };
    static constexpr plan_type plan() noexcept { return {}; }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y) const noexcept {
        kernels::call<kernels::layer_norm_rows::operation>(ctx, rows_of(x), x.size() / weight.size(), x.data(), y.data());
    }

    /// The same of bytes.
    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y, const quantization& from, const kernels::byte_output& to) const noexcept {
        using operation = kernels::byte_rows_operation<kernels::layer_norm_bytes, std::uint8_t, std::uint8_t>;
        kernels::call<operation>(ctx, kernels::layer_norm_bytes{weight.data(), bias.data(), epsilon, from.scale, to},
                                 x.size() / weight.size(), weight.size(), y.data(), x.data());
    }
    template <class Lower>
    auto on_bytes(const static_range& x, const static_range& y, const Lower&) const {
        return detail::byte_form<layer_norm>{*this, x.input, detail::output_of(y)};
    }

    template <class Context, class X, class Y, class Dx>
    void backward(Context&, const X& x, const Y&, const Y& dy, const Dx& dx, std::span<float> gradient) const noexcept {
        const std::size_t n = weight.size();
        std::fill(gradient.begin(), gradient.end(), 0.0f);
        for (std::size_t i = 0; i < x.size(); i += n) {
            rows_of(x).template backward_row<typename Context::isa>(
                x.data() + i, dy.data() + i, dx.data() == nullptr ? nullptr : dx.data() + i, gradient.data(), gradient.data() + n);
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight", self.weight);
        f("bias", self.bias);
    }

    std::string describe() const { return sentence("layer_norm ", weight.size()); }

private:
    template <class X>
    kernels::layer_norm_rows rows_of([[maybe_unused]] const X& x) const noexcept {
        PARE_ASSERT(x.extent(X::extents_type::rank - 1) == weight.size(), "a layer_norm of %zu numbers is given rows of %zu",
                    weight.size(), x.extent(X::extents_type::rank - 1));
        return {weight.data(), bias.data(), epsilon, weight.size()};
    }
};

PARE_NAMESPACE_END

#endif
