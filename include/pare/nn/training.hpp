#ifndef PARE_NN_TRAINING_HPP
#define PARE_NN_TRAINING_HPP

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
            count += trainable_values(member).size();
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
            for (const float value : trainable_values(member)) {
                finite &= is_finite(value);
            }
            if (!finite && name.empty()) {
                name = path.text();
            }
        }
    });
    return name;
}

template <class Layer, class Shape>
std::size_t saved_floats(const Layer& layer, std::size_t batch, const Shape& input) noexcept {
    if constexpr (requires { layer.saved_floats(batch, input); }) {
        return layer.saved_floats(batch, input);
    } else {
        return 0;
    }
}

template <class Layer, class Context, class X, class Y>
void forward_training(Layer& layer, Context& ctx, const X& x, const Y& y, std::span<float> saved) noexcept {
    if constexpr (requires { layer.forward_training(ctx, x, y, saved); }) {
        layer.forward_training(ctx, x, y, saved);
    } else {
        layer.forward(ctx, x, y);
    }
}

/// Does nothing where nobody asks: no dx, no parameters.
template <class Layer, class Context, class X, class Y, class Dy, class Dx>
void backward(const Layer& layer, Context& ctx, const X& x, const Y& y, const Dy& dy, const Dx& dx, std::span<float> gradient,
              std::span<const float> saved) noexcept {
    if (dx.data() == nullptr && gradient.empty()) {
        return;
    }
    if constexpr (requires { layer.backward(ctx, x, y, dy, dx, gradient, saved); }) {
        layer.backward(ctx, x, y, dy, dx, gradient, saved);
    } else {
        layer.backward(ctx, x, y, dy, dx, gradient);
    }
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

PARE_NAMESPACE_END

#endif
