#ifndef PARE_TRAIN_TAPE_HPP
#define PARE_TRAIN_TAPE_HPP

#include <pare/nn/sequential.hpp>
#include <pare/nn/trainable.hpp>

PARE_NAMESPACE_BEGIN

/// What training keeps between the forward and the backward pass: the outputs of each layer for one batch, allocated once.
namespace detail {

template <class Shape>
struct leaf_tape {
    Shape shape;
    aligned_array<float> y;

    auto output(std::size_t batch) const noexcept { return batch_of(y.data(), batch, shape); }
};

template <class... Tapes>
struct sequential_tape {
    std::tuple<Tapes...> tapes;
    aligned_array<float> gradients[2];  // of the outputs of layers, in turn

    auto output(std::size_t batch) const noexcept { return std::get<sizeof...(Tapes) - 1>(tapes).output(batch); }
};

template <class... Layers, class Shape>
auto make_tape(const sequential<Layers...>& network, std::size_t batch, const Shape& input);
template <class Layer, class Shape>
auto make_tape(const Layer& layer, std::size_t batch, const Shape& input) {
    const auto out = layer.plan().output_shape(input);
    return leaf_tape<std::remove_const_t<decltype(out)>>{out, aligned_array<float>(batch * out.size())};
}

template <std::size_t I, class Layers, class Shape>
auto make_tapes(const Layers& layers, std::size_t batch, const Shape& input) {
    if constexpr (I == std::tuple_size_v<Layers>) {
        return std::tuple<>();
    } else {
        auto tape = make_tape(std::get<I>(layers), batch, input);
        const auto out = std::get<I>(layers).plan().output_shape(input);
        return std::tuple_cat(std::tuple<decltype(tape)>(std::move(tape)), make_tapes<I + 1>(layers, batch, out));
    }
}

template <class... Layers, class Shape>
auto make_tape(const sequential<Layers...>& network, std::size_t batch, const Shape& input) {
    std::size_t largest = 0;
    network.plan().walk(input, [&](auto, const auto&, const auto&, const auto& out) { largest = (std::max)(largest, out.size()); });
    return [&]<class... Tapes>(std::tuple<Tapes...> tapes) {
        return sequential_tape<Tapes...>{std::move(tapes),
                                         {aligned_array<float>(batch * largest), aligned_array<float>(batch * largest)}};
    }(make_tapes<0>(network.layers, batch, input));
}

template <class Layer>
std::size_t parameter_count(const Layer& layer) {
    std::size_t count = 0;
    for_each_member(const_cast<Layer&>(layer), [&](const member_path&, auto& member) { count += trainable_values(member).size(); });
    return count;
}

template <std::size_t I = 0, class Context, class... Layers, class... Tapes, class X>
void forward_pass(Context& ctx, const sequential<Layers...>& network, sequential_tape<Tapes...>& tape, const X& x) noexcept;

template <class Context, class Layer, class Shape, class X>
void forward_pass(Context& ctx, const Layer& layer, leaf_tape<Shape>& tape, const X& x) noexcept {
    layer.forward(ctx, x, batch_of(tape.y.data(), x.extent(0), tape.shape));
}

template <std::size_t I, class Context, class... Layers, class... Tapes, class X>
void forward_pass(Context& ctx, const sequential<Layers...>& network, sequential_tape<Tapes...>& tape, const X& x) noexcept {
    if constexpr (I < sizeof...(Layers)) {
        forward_pass(ctx, std::get<I>(network.layers), std::get<I>(tape.tapes), x);
        forward_pass<I + 1>(ctx, network, tape, std::get<I>(tape.tapes).output(x.extent(0)));
    }
}

template <class Context, class... Layers, class... Tapes, class X, class Dy, class Dx>
void backward_pass(Context& ctx, const sequential<Layers...>& network, sequential_tape<Tapes...>& tape, const X& x, const Dy& dy,
                   const Dx& dx, std::span<float> gradient) noexcept;

template <class Context, class Layer, class Shape, class X, class Dy, class Dx>
void backward_pass(Context& ctx, const Layer& layer, leaf_tape<Shape>& tape, const X& x, const Dy& dy, const Dx& dx,
                   std::span<float> gradient) noexcept {
    if (dx.data() != nullptr || !gradient.empty()) {
        layer.backward(ctx, x, tape.output(x.extent(0)), dy, dx, gradient);
    }
}

/// Layers [0, I) of a network, last first. dy belongs to the output of layer I - 1, `gradient` to the parameters of these layers.
template <std::size_t I, class Context, class... Layers, class... Tapes, class X, class Dy, class Dx>
void backward_from(Context& ctx, const sequential<Layers...>& network, sequential_tape<Tapes...>& tape, const X& x, const Dy& dy,
                   const Dx& dx, std::span<float> gradient) noexcept {
    const auto& layer = std::get<I - 1>(network.layers);
    auto& layer_tape = std::get<I - 1>(tape.tapes);
    const std::size_t own = parameter_count(layer);
    const std::span<float> own_gradient = gradient.last(own);
    if constexpr (I == 1) {
        backward_pass(ctx, layer, layer_tape, x, dy, dx, own_gradient);
    } else {
        const std::size_t batch = x.extent(0);
        const auto layer_x = std::get<I - 2>(tape.tapes).output(batch);
        const auto layer_dx = batch_of(tape.gradients[I % 2].data(), batch, sample_shape(layer_x));
        backward_pass(ctx, layer, layer_tape, layer_x, dy, layer_dx, own_gradient);
        backward_from<I - 1>(ctx, network, tape, x,
                             batch_of(static_cast<const float*>(layer_dx.data()), batch, sample_shape(layer_x)), dx,
                             gradient.first(gradient.size() - own));
    }
}

template <class Context, class... Layers, class... Tapes, class X, class Dy, class Dx>
void backward_pass(Context& ctx, const sequential<Layers...>& network, sequential_tape<Tapes...>& tape, const X& x, const Dy& dy,
                   const Dx& dx, std::span<float> gradient) noexcept {
    backward_from<sizeof...(Layers)>(ctx, network, tape, x, dy, dx, gradient);
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
