#ifndef PARE_NN_TRAINING_HPP
#define PARE_NN_TRAINING_HPP

#include <algorithm>
#include <span>
#include <string>

#include <pare/nn/layer.hpp>
#include <pare/nn/trainable.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// The training part of the layer protocol as containers and fit() use it: what a layer does not have is filled in here.

/// Whether an optimizer moves the numbers of a member: not those of buffers.
template <class Member>
concept trained_member = requires(std::remove_const_t<Member>& m) {
    trainable_values(m);
};

/// How many numbers of a layer are trained: the length of its gradient.
template <class Layer>
std::size_t parameter_count(const Layer& layer) noexcept {
    std::size_t count = 0;
    for_each_member(const_cast<Layer&>(layer), [&](const member_path&, auto& member) {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            count += trained_count(member);
        }
    });
    return count;
}

/// The name of the first trained parameter with a number that is NaN or infinite; empty where all are finite.
template <class Layer>
std::string parameter_not_finite(Layer& layer) {
    std::string name;
    for_each_member(layer, [&](const member_path& path, auto& member) {
        if constexpr (trained_member<std::remove_reference_t<decltype(member)>>) {
            bool finite = true;
            for_each_trained(member, [&](std::span<float> values) {
                for (const float value : values) {
                    finite &= is_finite(value);
                }
            });
            if (!finite && name.empty()) {
                name = path.text();
            }
        }
    });
    return name;
}

/// Room for `count` numbers in the memory between forward and backward, so that the next ones begin on a cache line too.
constexpr std::size_t saved_piece(std::size_t count) noexcept {
    return round_up(count, alignment / sizeof(float));
}
/// Cuts such a piece from the front of `saved`.
template <class T>
std::span<T> take_saved(std::span<T>& saved, std::size_t count) noexcept {
    const std::span<T> piece = saved.first(count);
    saved = saved.subspan((std::min)(saved_piece(count), saved.size()));
    return piece;
}

/// A layer whose products see, in training, other numbers than those that flow in (nn/fake_range.hpp). They are saved.
template <class Layer>
concept changes_inputs_in_training = requires(const Layer& layer) {
    layer.activations.training_scratch_floats(1);
};

/// One that also has a bias which products see rounded: to what the integers of a deployed layer can hold.
template <class Layer>
concept rounds_bias_in_training = requires(const Layer& layer) {
    layer.activations.rounded_bias(layer.weights, std::size_t{}, layer.bias(0));
};

template <class Layer, class Shape>
std::size_t saved_floats(const Layer& layer, std::size_t batch, const Shape& input) noexcept {
    std::size_t count = 0;
    if constexpr (changes_inputs_in_training<Layer>) {
        count += saved_piece(batch * input.size());
    }
    if constexpr (rounds_bias_in_training<Layer>) {
        count += saved_piece(layer.bias.size());
    }
    if constexpr (requires { layer.saved_floats(batch, input); }) {
        count += layer.saved_floats(batch, input);
    }
    return count;
}

namespace detail {

template <class Layer, class Context, class X, class Y>
void run_forward_training(Layer& layer, Context& ctx, const X& x, const Y& y, std::span<float> saved) noexcept {
    if constexpr (requires { layer.forward_training(ctx, x, y, saved); }) {
        layer.forward_training(ctx, x, y, saved);
    } else {
        layer.forward(ctx, x, y);
    }
}
template <class Layer, class Context, class X, class Y, class Dy, class Dx>
void run_backward(const Layer& layer, Context& ctx, const X& x, const Y& y, const Dy& dy, const Dx& dx, std::span<float> gradient,
                  std::span<float> saved) noexcept {
    if constexpr (requires { layer.backward(ctx, x, y, dy, dx, gradient, saved); }) {
        layer.backward(ctx, x, y, dy, dx, gradient, saved);
    } else {
        layer.backward(ctx, x, y, dy, dx, gradient);
    }
}

}  // namespace detail

template <class Layer, class Context, class X, class Y>
void forward_training(Layer& layer, Context& ctx, const X& x, const Y& y, std::span<float> saved) noexcept {
    for_each_member(layer, [](const member_path& path, auto& member) {
        if constexpr (requires { member.template refresh<typename Context::isa>(); }) {
            if (path.is_own()) {
                member.template refresh<typename Context::isa>();
            }
        }
    });
    if constexpr (changes_inputs_in_training<Layer>) {
        float* const seen = take_saved(saved, x.size()).data();
        layer.activations.forward_training(ctx, x.size(), x.data(), seen);
        const auto run = [&](std::span<float> own) {
            detail::run_forward_training(layer, ctx, batch_of(static_cast<const float*>(seen), x.extent(0), sample_shape(x)), y,
                                         own);
        };
        if constexpr (rounds_bias_in_training<Layer>) {
            const std::span<float> kept = take_saved(saved, layer.bias.size());
            std::copy(layer.bias.begin(), layer.bias.end(), kept.begin());
            for (std::size_t j = 0; j < kept.size(); ++j) {
                layer.bias(j) = layer.activations.rounded_bias(layer.weights, j, kept[j]);
            }
            run(saved);
            std::copy(kept.begin(), kept.end(), layer.bias.begin());
        } else {
            run(saved);
        }
    } else {
        detail::run_forward_training(layer, ctx, x, y, saved);
    }
}

/// Does nothing where nobody asks: no dx, no parameters. Once for each forward pass: containers put gradients over what they saved.
template <class Layer, class Context, class X, class Y, class Dy, class Dx>
void backward(const Layer& layer, Context& ctx, const X& x, const Y& y, const Dy& dy, const Dx& dx, std::span<float> gradient,
              std::span<float> saved) noexcept {
    if (dx.data() == nullptr && gradient.empty()) {
        return;
    }
    if constexpr (changes_inputs_in_training<Layer>) {
        Context inner = ctx;
        const float* const seen = take_saved(saved, x.size()).data();
        if constexpr (rounds_bias_in_training<Layer>) {
            (void)take_saved(saved, layer.bias.size());  // its gradient goes straight through
        }
        const std::size_t own = layer.activations.trained_numbers;
        float* d = dx.data();
        if (d == nullptr && own != 0) {
            d = inner.scratch.template take<float>(x.size());
        }
        detail::run_backward(layer, inner, batch_of(seen, x.extent(0), sample_shape(x)), y, dy,
                             batch_of(d, x.extent(0), sample_shape(x)), gradient.first(gradient.size() - own), saved);
        if (d != nullptr) {
            layer.activations.backward(inner, x.size(), x.data(), d, gradient.last(own));
        }
    } else {
        detail::run_backward(layer, ctx, x, y, dy, dx, gradient, saved);
    }
}

PARE_NAMESPACE_END

#endif
