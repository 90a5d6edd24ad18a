#ifndef PARE_NN_INPUT_HPP
#define PARE_NN_INPUT_HPP

#include <algorithm>

#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

template <std::size_t... E>
struct input_plan {
    static constexpr bool is_static = extents<E...>::is_static;

    extents<E...> shape;

    constexpr extents<E...> input_shape() const noexcept { return shape; }

    template <std::size_t... N>
    constexpr auto output_shape([[maybe_unused]] const extents<N...>& input) const noexcept {
        constexpr std::size_t given = static_size(extents<N...>{}), taken = static_size(extents<E...>{});
        static_assert(given == taken || given == dyn || taken == dyn,
                      "pare: the samples must have as many numbers as input<...> says");
        if constexpr (is_piece<N...>) {
            bool same_steps = true;
            for (std::size_t axis = 1; axis < sizeof...(E); ++axis) {
                same_steps &= input[axis] == shape[axis];
            }
            PARE_ASSERT(same_steps || input.size() == shape.size(), "input() of %zu numbers is given %zu", shape.size(),
                        input.size());
            return same_steps ? input : extents<N...>(shape);
        } else {
            PARE_ASSERT(input.size() == shape.size(), "input() of %zu numbers is given %zu", shape.size(), input.size());
            return shape;
        }
    }

private:
    /// Whether it may be a sequence of another length, of which steps are as they are here.
    template <std::size_t... N>
    static constexpr bool is_piece = [] {
        constexpr std::size_t here[] = {E...}, there[] = {N...};
        bool same = sizeof...(N) == sizeof...(E) && there[0] == dyn;
        for (std::size_t axis = 1; same && axis < sizeof...(E); ++axis) {
            same = here[axis] == there[axis];
        }
        return same;
    }();
};

/// Says which shape the samples of a network have, where its first layer takes any: sequential(input<28, 28, 1>(), conv2d<1, 20,
/// 5>(), ...). Does nothing, costs nothing and has no number: "0.weight" is the next layer's. Images are [height, width, channels],
/// sequences [steps, channels]; a piece of a sequence, of fewer steps, stays one.
template <std::size_t... E>
struct input {
    static constexpr bool has_number = false;
    static constexpr bool passes_through = true;
    static constexpr bool passes_through_training = true;
    static constexpr bool keeps_bytes = true;

    extents<E...> shape;

    input() requires extents<E...>::is_static = default;
    template <class... N>
    requires(sizeof...(N) == sizeof...(E) && (std::convertible_to<N, std::size_t> && ...)) explicit input(N... n) : shape(n...) {}

    constexpr input_plan<E...> plan() const noexcept { return {shape}; }

    template <class Context, class X, class Y>
    void forward(Context&, const X& x, const Y& y) const noexcept {
        std::copy(x.begin(), x.end(), y.begin());
    }
    template <class Context, class X, class Dy, class Dx>
    void backward(Context&, const X&, const Dy&, const Dy& dy, const Dx& dx, std::span<float>) const noexcept {
        std::copy(dy.begin(), dy.end(), dx.begin());
    }

    std::string describe() const {
        std::string text = "input";
        for (std::size_t axis = 0; axis < sizeof...(E); ++axis) {
            text += sentence(axis == 0 ? " " : " x ", shape[axis]);
        }
        return text;
    }
};

PARE_NAMESPACE_END

#endif
