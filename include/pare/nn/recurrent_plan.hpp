#ifndef PARE_NN_RECURRENT_PLAN_HPP
#define PARE_NN_RECURRENT_PLAN_HPP

#include <algorithm>
#include <array>

#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// How cells are put together.
struct recurrent_options {
    std::size_t layers = 1;      // the outputs of one are the inputs of the next
    bool bidirectional = false;  // each layer has a second cell, which reads the sequence from its end; outputs are joined
    bool bias = true;            // else both biases of a cell are zero and no members
};

/// Samples whose gates are computed at a time.
inline constexpr std::size_t recurrent_block = 32;

/// The shapes of a recurrent layer: [steps, In] becomes [steps, Hidden], or [steps, 2 Hidden].
template <class Cell, std::size_t In, std::size_t Hidden, recurrent_options Options, class Weights, class Activations>
struct recurrent_plan {
    static constexpr bool is_static = In != dyn && Hidden != dyn;
    static constexpr std::size_t directions = Options.bidirectional ? 2 : 1;
    static constexpr std::size_t outputs = Hidden == dyn ? dyn : directions * Hidden;

    extents<In> inputs;
    extents<Hidden> hidden;

    template <std::size_t Steps, std::size_t N>
    constexpr extents<Steps, outputs> output_shape(const extents<Steps, N>& input) const noexcept {
        static_assert(N == In || N == dyn || In == dyn,
                      "pare: a recurrent layer must take as many inputs (In) per step as the layer before it gives (N)");
        PARE_ASSERT(input[1] == inputs[0], "a recurrent layer of %zu inputs is given %zu", inputs[0], input[1]);
        if constexpr (extents<Steps, outputs>::is_static) {
            return {};
        } else {
            return extents<Steps, outputs>(input[0], directions * hidden[0]);
        }
    }

    template <std::size_t Steps, std::size_t N>
    constexpr std::size_t scratch_bytes(std::size_t batch, const extents<Steps, N>& input) const noexcept {
        const std::size_t rows = (std::min)(batch, recurrent_block), steps = input[0], h = hidden[0];
        const std::size_t product =
            (std::max)({Weights::scratch_bytes(Activations{}, rows * steps, Cell::gates * h, inputs[0]),
                        Options.layers > 1 ? Weights::scratch_bytes(Activations{}, rows * steps, Cell::gates * h, directions * h)
                                           : std::size_t{0},
                        Weights::scratch_bytes(Activations{}, rows, Cell::gates * h, h)});
        return own_scratch_bytes(rows, steps) + product;
    }

    /// The gates of all steps and of one, what is carried beside outputs, the outputs of two layers in turn.
    constexpr std::size_t own_scratch_bytes(std::size_t rows, std::size_t steps) const noexcept {
        const std::size_t h = hidden[0], gates = Cell::gates * h;
        return scratch_bytes_of<float>(rows * steps * gates) + scratch_bytes_of<float>(rows * gates) +
               scratch_bytes_of<float>(rows * h) +
               (Options.layers > 1 ? 2 * scratch_bytes_of<float>(rows * steps * directions * h) : 0);
    }
};

/// The shapes of last_step.
struct last_step_plan {
    static constexpr bool is_static = true;

    template <std::size_t Steps, std::size_t N>
    static constexpr extents<N> output_shape(const extents<Steps, N>& input) noexcept {
        if constexpr (N == dyn) {
            return extents<N>(extents<dyn>(input[1]));
        } else {
            return {};
        }
    }
};

/// The last step of each sequence: [steps, n] becomes [n]; y[:, -1] in PyTorch.
struct last_step {
    static constexpr bool takes_single_steps = true;

    static constexpr last_step_plan plan() noexcept { return {}; }

    template <class Context, class X, class Y>
    void forward(Context&, const X& x, const Y& y) const noexcept {
        const std::size_t n = x.extent(2), steps = x.extent(1);
        for (std::size_t i = 0; i < x.extent(0); ++i) {
            const float* const last = x.data() + ((i + 1) * steps - 1) * n;
            std::copy(last, last + n, y.data() + i * n);
        }
    }
    template <class Context, class X, class Y, class Dx>
    void backward(Context&, const X&, const Y&, const Y& dy, const Dx& dx, std::span<float>) const noexcept {
        const std::size_t n = dx.extent(2), steps = dx.extent(1);
        std::fill(dx.begin(), dx.end(), 0.0f);
        for (std::size_t i = 0; i < dx.extent(0); ++i) {
            std::copy(dy.data() + i * n, dy.data() + (i + 1) * n, dx.data() + ((i + 1) * steps - 1) * n);
        }
    }

    static std::string describe() { return "last_step"; }
};

namespace detail {

/// "weight_ih_l0", "bias_hh_l1_reverse": the names of PyTorch.
struct recurrent_name {
    std::array<char, 32> text{};

    constexpr recurrent_name(const char* kind, std::size_t layer, bool reverse) noexcept {
        std::size_t at = 0;
        const auto append = [&](const char* s) {
            for (; *s != '\0'; ++s) {
                text[at++] = *s;
            }
        };
        append(kind);
        append("_l");
        std::size_t unit = 1;
        while (layer / unit >= 10) {
            unit *= 10;
        }
        for (; unit > 0; unit /= 10) {
            text[at++] = static_cast<char>('0' + layer / unit % 10);
        }
        append(reverse ? "_reverse" : "");
    }
};

template <std::size_t Layer, bool Reverse>
struct recurrent_names {
    static constexpr recurrent_name weight_ih{"weight_ih", Layer, Reverse};
    static constexpr recurrent_name weight_hh{"weight_hh", Layer, Reverse};
    static constexpr recurrent_name bias_ih{"bias_ih", Layer, Reverse};
    static constexpr recurrent_name bias_hh{"bias_hh", Layer, Reverse};
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
