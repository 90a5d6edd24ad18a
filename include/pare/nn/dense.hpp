#ifndef PARE_NN_DENSE_HPP
#define PARE_NN_DENSE_HPP

#include <pare/kernels/packed.hpp>
#include <pare/kernels/slices.hpp>
#include <pare/nn/layer.hpp>
#include <pare/nn/trainable.hpp>

PARE_NAMESPACE_BEGIN

/// The shapes of a dense layer: the last extent of a sample, In, becomes Out.
template <std::size_t In, std::size_t Out, class Weights, class Activations>
struct dense_plan {
    static constexpr bool is_static = In != dyn && Out != dyn;

    extents<In> inputs;
    extents<Out> outputs;

    constexpr extents<In> input_shape() const noexcept { return inputs; }

    template <std::size_t... N>
    constexpr auto output_shape(const extents<N...>& input) const noexcept {
        constexpr std::size_t last = extents<N...>::static_extent(sizeof...(N) - 1);
        static_assert(last == In || last == dyn || In == dyn,
                      "pare: a dense layer must take as many inputs (In) as the layer before it gives (N)");
        PARE_ASSERT(input[sizeof...(N) - 1] == inputs[0], "a dense layer of %zu inputs is given %zu", inputs[0],
                    input[sizeof...(N) - 1]);
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            using shape = extents<extents<N...>::static_extent(I)..., Out>;
            if constexpr (shape::is_static) {
                return shape{};
            } else {
                return shape(input[I]..., outputs[0]);
            }
        }
        (std::make_index_sequence<sizeof...(N) - 1>{});
    }

    template <std::size_t... N>
    constexpr std::size_t scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        return Weights::scratch_bytes(Activations{}, batch * (input.size() / inputs[0]), outputs[0], inputs[0]);
    }
};

struct without_bias {};

/// y = x W^T + b on the last axis of a sample: x [..., In], W [Out, In], b [Out], y [..., Out]. torch.nn.Linear. In and Out may be
/// `dyn`. Without bias: dense<4, 3>(without_bias{}).
template <std::size_t In, std::size_t Out, class Weights = weight_matrix<float, full>, class Activations = as_float>
struct dense {
    static constexpr const char* kind = "dense";
    static constexpr bool takes_stages = true;
    static constexpr bool takes_single_steps = true;
    static constexpr bool backward_ignores_y = true;
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };

    Weights weights;
    tensor<float, Out> bias;
    bool has_bias = true;  // else it is zero and no member
    [[no_unique_address]] Activations activations{};

    dense() requires(In != dyn && Out != dyn && std::constructible_from<Weights, std::size_t, std::size_t>) : weights(Out, In) {}
    explicit dense(without_bias) requires(In != dyn && Out != dyn && std::constructible_from<Weights, std::size_t, std::size_t>)
        : dense() {
        has_bias = false;
    }
    dense(std::size_t inputs, std::size_t outputs, without_bias) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : dense(inputs, outputs) {
        has_bias = false;
    }
    dense(std::size_t inputs, std::size_t outputs) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : weights(outputs, inputs), bias(outputs) {
        PARE_ASSERT((In == dyn || In == inputs) && (Out == dyn || Out == outputs), "dense<%zu, %zu>(%zu, %zu)", In, Out, inputs,
                    outputs);
    }
    dense(Weights w, tensor<float, Out> b, bool with_bias = true, Activations a = {})
        : weights(std::move(w)), bias(std::move(b)), has_bias(with_bias), activations(std::move(a)) {
        PARE_ASSERT(bias.size() == weights.rows(), "a dense layer of %zu outputs is given %zu biases", weights.rows(), bias.size());
    }

    dense_plan<In, Out, Weights, Activations> plan() const noexcept {
        return {extents<In>(extents<dyn>(weights.columns())), bias.shape()};
    }

    /// x may be bytes (static_range); then the stages begin with the sums, and know the bias.
    template <class Context, class T, std::size_t... X, class U, std::size_t... Y, class... Stages>
    void forward(Context& ctx, tensor_view<const T, X...> x, tensor_view<U, Y...> y, Stages... stages) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            multiply_fixed<Out, In>(weights, activations, ctx, rows(x), rows(y), kernels::add_bias{bias.data()}, stages...);
        } else {
            multiply_fixed<Out, In>(weights, activations, ctx, rows(x), rows(y), stages...);
        }
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float> gradient) const noexcept {
        const matrix_view<const float> g = rows(dy);
        if (dx.data() != nullptr) {
            Context before = ctx;
            before.scratch = ctx.scratch.with(gradient);
            multiply_transposed(weights, before, g, rows(dx));
        }
        multiply_gradient(weights, ctx, rows(x), g, matrix_view<float>(gradient.data(), weights.rows(), weights.columns()));
        finish_gradient(weights, ctx, gradient.data());
        if (has_bias) {
            kernels::sum_rows<typename Context::isa>(g.rows, g.columns, g.data, g.stride, gradient.data() + trained_count(weights),
                                                     false);
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight", self.weights);
        if (self.has_bias) {
            f("bias", self.bias);
        }
        if constexpr (!std::is_empty_v<Activations>) {
            f("input", self.activations);
        }
    }

    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = f("weight", weights, activations);
        return dense<In, Out, decltype(mapped.weights), decltype(mapped.activations)>(std::move(mapped.weights), bias, has_bias,
                                                                                      std::move(mapped.activations));
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        return product_scratch_bytes<Isa>(weights, batch * (input.size() / weights.columns()));
    }
    template <class Isa, std::size_t... N>
    std::size_t gradient_scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        const std::size_t rows = batch * (input.size() / weights.columns());
        if constexpr (requires { pare::gradient_scratch_bytes<Isa>(weights, rows); }) {
            return pare::gradient_scratch_bytes<Isa>(weights, rows);
        } else {
            return product_scratch_bytes<Isa>(weights, rows);
        }
    }

    /// The layer with output j times scale[j] plus shift[j]: what a batch norm behind it does.
    dense scaled(const float* scale, const float* shift) const requires requires(Weights& w) { scale_rows(w, scale); }
    {
        dense copy = *this;
        scale_rows(copy.weights, scale);
        for (std::size_t j = 0; j < bias.size(); ++j) {
            copy.bias(j) = bias(j) * scale[j] + shift[j];
        }
        copy.has_bias = true;
        return copy;
    }

    std::string describe() const {
        return sentence("dense ", weights.columns(), " -> ", weights.rows(), ": ", weights.describe(), Activations::note);
    }

private:
    template <class T, std::size_t... E>
    static matrix_view<T> rows(const tensor_view<T, E...>& t) noexcept {
        const std::size_t width = t.extent(sizeof...(E) - 1);
        return {t.data(), t.size() / width, width};
    }
};

PARE_NAMESPACE_END

#endif
