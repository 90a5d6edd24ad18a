#ifndef PARE_NN_LAYER_HPP
#define PARE_NN_LAYER_HPP

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <pare/core/context.hpp>
#include <pare/core/result.hpp>
#include <pare/core/tensor.hpp>
#include <pare/nn/members.hpp>

PARE_NAMESPACE_BEGIN

/// The layer protocol. A layer is a plain value that inherits from nothing. Samples have a shape, extents<...>; a batch of them is
/// a tensor_view<float, dyn, ...>. Every layer has
///
///     auto plan() const                                      its shapes, see below
///     void forward(context, x, y) const                      y = f(x), noexcept, allocating nothing
///
/// one that is trained also
///
///     void backward(context, x, y, dy, dx, gradient) const   dx = df/dx^T dy, unless dx.data() is null;
///                                                            gradient = that of the parameters, in the order of members()
///
/// one whose backward pass needs more than x and y, or which is another function in training, also
///
///     std::size_t saved_floats(batch, input) const           how many numbers the forward pass leaves for the backward pass
///     void forward_training(context, x, y, saved)            y = f(x) in training: fills the span `saved`; may change the layer's
///                                                            buffers, may draw from context.random
///     void backward(context, x, y, dy, dx, gradient, saved) const
///
/// one with parameters
///
///     static void members(self, f)                           f(path, member) for each weight storage, tensor and buffer; or
///                                                            f(path, member, file_axes) where a state dict orders it otherwise,
///                                                            f(path, member, looked_up) for a table of rows
///     auto map_weights(f) const                              the same layer with f(path, weights, activations) for weights
///                                                            (see map_member where they are not multiplied as a matrix)
///     static constexpr const char* kind = "dense"            what only<...> and except<...> call layers like it
///
/// one that has other layers in it, from which members, mapped weights and a description follow
///
///     static auto parts(self)                                named_parts<"body">(self.body): all of them, with their names
///     auto with_parts(layers...) const                       the same layer with these instead of them, whatever their types
///
/// and, where they apply,
///
///     std::size_t training_scratch_bytes<Isa>(batch, input)  what forward and backward take from context.scratch in training
///     auto stage() const                                     its effect on one number, to be fused into the product before it
///     static constexpr bool takes_stages = true              its forward takes such stages behind y
///     static constexpr bool trainable = false                its storage of weights cannot be trained
///     activations                                            a member: how it treats what flows into it, types/activations.hpp;
///                                                            in training, see nn/fake_range.hpp
///     static constexpr bool passes_through = true            y = x in inference: containers leave it out, as does prepare()
///     static constexpr bool passes_through_training = true   and in training
///     static constexpr bool backward_ignores_y = true        where the numbers of y may be gone by then
///     static constexpr bool works_in_place = true            in training y may be x, and then dx both: behind layers that ignore
///                                                            theirs, containers make it so
///     static constexpr bool gradient_in_place = true         dx may be x
///     gradient_scratch_bytes<Isa>(batch, input)              the part of training_scratch_bytes that is in use once backward
///                                                            writes the gradient; before, that memory may be scratch too
///     static constexpr bool takes_single_steps = true        a step of its output depends on that step of x alone, or on a state:
///     std::size_t state_floats(batch) const                  for streams; the numbers that it carries from step to step,
///     void forward_from(context, x, y, state) const          forward() that goes on from them, or from zeros where state is null
///     static constexpr bool has_number = false               it does not count in the names of a sequential's members
///     using gives = std::uint8_t                             the element of y, where it is not that of x: in prepared static networks
///     std::string describe() const                           for describe(prepared)
///
/// A plan is a small value without weights; where all of its extents are constants it can be made in a constant expression, and
/// with it the size of a workspace:
///
///     static constexpr bool is_static                        it has no state
///     auto output_shape(extents<...> input) const            the shape of a sample after the layer
///     auto input_shape() const                               the shape it takes, where it takes only one
///     std::size_t scratch_bytes(batch, input) const          what forward takes from context.scratch, if anything
///
/// What is taken from context.scratch is free again when the function returns: take it from a copy of the context. A layer calls
/// those in it by the functions of these names in namespace pare (forward_layer() for forward), which fill in what they do not
/// have, and gives them their part of `saved` and of the gradient, behind that of its own members. So the simplest way to a layer
/// of one's own with weights is one around a dense layer: examples/custom_layer.cpp.

/// The plan of a layer that treats every number by itself, or keeps shapes for another reason.
struct keeps_shape {
    static constexpr bool is_static = true;

    template <class Shape>
    static constexpr Shape output_shape(const Shape& input) noexcept {
        return input;
    }
};

template <class T, std::size_t... E>
constexpr extents<E...> sample_shape(const tensor_view<T, dyn, E...>& x) noexcept {
    if constexpr (((E == dyn) || ...)) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return extents<E...>(x.extent(I + 1)...);
        }
        (std::make_index_sequence<sizeof...(E)>{});
    } else {
        return {};
    }
}

/// A batch of samples of one shape at p.
template <class T, std::size_t... E>
constexpr tensor_view<T, dyn, E...> batch_of(T* p, std::size_t batch, const extents<E...>& shape) noexcept {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return tensor_view<T, dyn, E...>(p, batch, shape[I]...);
    }
    (std::make_index_sequence<sizeof...(E)>{});
}

/// A batch at p that is like x.
template <class T, std::size_t... E, class U>
constexpr tensor_view<T, dyn, E...> batch_like(const tensor_view<U, dyn, E...>& x, T* p) noexcept {
    return batch_of(p, x.extent(0), sample_shape(x));
}

template <class Plan>
concept has_input_shape = requires(const Plan& p) {
    p.input_shape();
};
template <class Layer>
concept passes_through = requires {
    requires Layer::passes_through;
};
template <class Layer>
concept passes_through_training = requires {
    requires Layer::passes_through_training;
};
/// Whether a layer computes each step of a sequence from that step alone, or carries what it needs in a state.
template <class Layer>
inline constexpr bool takes_single_steps = [] {
    if constexpr (requires { Layer::takes_single_steps; }) {
        return bool{Layer::takes_single_steps};
    } else {
        return passes_through<Layer>;
    }
}();
template <class Layer>
concept backward_ignores_y = requires {
    requires Layer::backward_ignores_y;
};
template <class Layer>
concept works_in_place = requires {
    requires Layer::works_in_place;
};
template <class Layer>
concept gradient_in_place = requires {
    requires Layer::gradient_in_place;
};
template <class Layer>
inline constexpr bool has_number = [] {
    if constexpr (requires { Layer::has_number; }) {
        return bool{Layer::has_number};
    } else {
        return true;
    }
}();
template <class Layer>
inline constexpr bool is_trainable = [] {
    bool all = true;
    if constexpr (requires { Layer::trainable; }) {
        all = Layer::trainable;
    } else if constexpr (has_parts<Layer>) {
        parts_type<Layer>::for_each_type([&]<auto, class Inner>() { all = all && is_trainable<Inner>; });
    }
    return all;
}();
template <class Layer>
concept has_stage = requires(const Layer& l) {
    l.stage();
};
template <class Layer>
concept takes_stages = requires {
    requires Layer::takes_stages;
};

namespace detail {

/// How the forward pass of a layer is called on an instruction set: as it stands, but by isa::dispatch (nn/dispatch.hpp).
template <class Isa, class Layer>
struct forward_on {
    template <class Context, class X, class Y>
    static void forward(const Layer& layer, Context& ctx, const X& x, const Y& y) noexcept {
        layer.forward(ctx, x, y);
    }
};

/// The element of what a layer gives for elements In: float, but between the layers of static networks (nn/static_network.hpp).
template <class Layer, class In>
struct output_element {
    using type = In;
};
template <class Layer, class In>
requires requires {
    typename Layer::gives;
}
struct output_element<Layer, In> {
    using type = typename Layer::gives;
};

}  // namespace detail

/// y = layer(x): what calls the layers in it calls them so.
template <class Layer, class Context, class X, class Y>
void forward_layer(const Layer& layer, Context& ctx, const X& x, const Y& y) noexcept {
    detail::forward_on<typename Context::isa, Layer>::forward(layer, ctx, x, y);
}

/// How many numbers a layer carries from one piece of `batch` sequences to the next.
template <class Layer>
std::size_t state_floats(const Layer& layer, std::size_t batch) noexcept {
    if constexpr (requires { layer.state_floats(batch); }) {
        return layer.state_floats(batch);
    } else {
        return 0;
    }
}

/// y = layer(x), from a state that it updates and that `state` is moved behind; or, where it is null, as forward_layer().
template <class Layer, class Context, class X, class Y>
void forward_from(const Layer& layer, Context& ctx, const X& x, const Y& y, float*& state) noexcept {
    if constexpr (requires { layer.forward_from(ctx, x, y, state); }) {
        layer.forward_from(ctx, x, y, state);
        state = state == nullptr ? nullptr : state + layer.state_floats(x.extent(0));
    } else {
        forward_layer(layer, ctx, x, y);
    }
}

template <class Layer>
std::string describe_layer(const Layer& layer) {
    if constexpr (requires { layer.describe(); }) {
        return layer.describe();
    } else {
        std::string text = "layer";
        if constexpr (requires { Layer::kind; }) {
            text = Layer::kind;
        }
        if constexpr (has_parts<Layer>) {
            text += " (";
            Layer::parts(layer).for_each([&, first = true ]<auto>(const auto& inner) mutable {
                text += (std::exchange(first, false) ? "" : "; ") + describe_layer(inner);
            });
            text += ")";
        }
        return text;
    }
}

template <class Plan, class Shape>
constexpr std::size_t scratch_bytes(const Plan& plan, std::size_t batch, const Shape& input) noexcept {
    if constexpr (requires { plan.scratch_bytes(batch, input); }) {
        return plan.scratch_bytes(batch, input);
    } else {
        return 0;
    }
}

template <class Isa, class Layer, class Shape>
std::size_t training_scratch_bytes(const Layer& layer, std::size_t batch, const Shape& input) noexcept {
    if constexpr (requires { layer.template training_scratch_bytes<Isa>(batch, input); }) {
        std::size_t bytes = layer.template training_scratch_bytes<Isa>(batch, input);
        if constexpr (requires { layer.activations.training_scratch_floats(batch * input.size()); }) {
            bytes += scratch_bytes_of<float>(layer.activations.training_scratch_floats(batch * input.size()));
        }
        return bytes;
    } else {
        return scratch_bytes(layer.plan(), batch, input);
    }
}
template <class Isa, class Layer, class Shape>
std::size_t gradient_scratch_bytes(const Layer& layer, std::size_t batch, const Shape& input) noexcept {
    if constexpr (
        requires { layer.template gradient_scratch_bytes<Isa>(batch, input); } &&
        !requires { layer.activations.training_scratch_floats(batch); }) {
        return layer.template gradient_scratch_bytes<Isa>(batch, input);
    } else {
        return training_scratch_bytes<Isa>(layer, batch, input);
    }
}
/// training_scratch_bytes where the memory of the gradient lies directly behind that of the scratch: until a layer writes its
/// gradient, what comes before it in the order of members is scratch for the layers behind.
template <class Isa, class Layer, class Shape>
std::size_t scratch_before_gradient_bytes(const Layer& layer, std::size_t batch, const Shape& input) noexcept {
    if constexpr (requires { layer.template scratch_before_gradient_bytes<Isa>(batch, input); }) {
        return layer.template scratch_before_gradient_bytes<Isa>(batch, input);
    } else {
        return training_scratch_bytes<Isa>(layer, batch, input);
    }
}

PARE_NAMESPACE_END

#endif
