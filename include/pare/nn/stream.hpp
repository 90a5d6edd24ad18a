#ifndef PARE_NN_STREAM_HPP
#define PARE_NN_STREAM_HPP

#include <pare/nn/prepare.hpp>
#include <pare/nn/recurrent.hpp>

PARE_NAMESPACE_BEGIN

/// Whether a layer computes each step of a sequence from that step alone, or carries what it needs in a state.
template <class Layer>
inline constexpr bool takes_single_steps = [] {
    if constexpr (requires { Layer::takes_single_steps; }) {
        return bool{Layer::takes_single_steps};
    } else {
        return passes_through<Layer>;
    }
}();
template <std::size_t In, std::size_t Out, class Weights, class Activations>
inline constexpr bool takes_single_steps<dense<In, Out, Weights, Activations>> = true;
template <class Layer, class... Fused>
inline constexpr bool takes_single_steps<fused<Layer, Fused...>> = takes_single_steps<Layer>;

namespace detail {

/// The layers of a network from I on, for pieces of sequences. Containers within it are not entered.
template <std::size_t I, class Layers>
struct stream_layers {
    using layer_type = std::tuple_element_t<I, Layers>;
    using next = stream_layers<I + 1, Layers>;
    static constexpr bool last = I + 1 == std::tuple_size_v<Layers>;
    static constexpr bool has_state = requires(const layer_type& l) { l.state_floats(1); };
    static_assert(
        takes_single_steps<layer_type>,
        "pare: a stream needs layers that take one step of a sequence after the other; this one looks at several at once");

    struct sizes {
        std::size_t state = 0, between = 0, scratch = 0, outputs = 0;  // the last two of a layer: of the largest, of the last
    };

    template <class Shape>
    static sizes measure(const Layers& layers, std::size_t batch, const Shape& in) noexcept {
        const auto& layer = std::get<I>(layers);
        if constexpr (passes_through<layer_type> && !last) {
            return from(next::measure(layers, batch, in));
        } else {
            const auto out = layer.plan().output_shape(in);
            sizes s;
            if constexpr (!last) {
                s = from(next::measure(layers, batch, out));
                s.between = (std::max)(s.between, batch * out.size());
            } else {
                s.outputs = batch * out.size();
            }
            if constexpr (has_state) {
                s.state += layer.state_floats(batch);
            }
            s.scratch = (std::max)(s.scratch, pare::scratch_bytes(layer.plan(), batch, in));
            return s;
        }
    }

    template <class Context, class X>
    static void run(Context& ctx, const Layers& layers, const X& x, float* y, float* state, float* free, float* other) noexcept {
        const auto& layer = std::get<I>(layers);
        if constexpr (passes_through<layer_type> && !last) {
            next::run(ctx, layers, x, y, state, free, other);
        } else {
            const auto shape = layer.plan().output_shape(sample_shape(x));
            const auto out = batch_of(last ? y : free, x.extent(0), shape);
            if constexpr (has_state) {
                layer.forward_from(ctx, x, out, state);
                state += layer.state_floats(x.extent(0));
            } else {
                forward_layer(layer, ctx, x, out);
            }
            if constexpr (!last) {
                next::run(ctx, layers, batch_of(static_cast<const float*>(free), x.extent(0), shape), y, state, other, free);
            }
        }
    }

private:
    template <class Sizes>
    static sizes from(const Sizes& s) noexcept {
        return {s.state, s.between, s.scratch, s.outputs};
    }
};

}  // namespace detail

/// Where some sequences stand that come step by step: the states of the recurrent layers of a prepared model, which begin as zeros,
/// and the memory of a step. A value of the caller's, one for each sequence or batch of sequences; the model is shared.
template <class Isa, class Model>
class stream {
public:
    /// For `batch` sequences side by side, of which at most max_steps steps come at a time.
    explicit stream(const prepared<Isa, Model>& model, std::size_t max_steps = 1, std::size_t batch = 1)
        : batch_(batch), max_steps_(max_steps) {
        const auto sizes = walk::measure(model.model().layers, batch, piece(model, max_steps));
        state_ = aligned_array<float>(sizes.state);
        between_ = sizes.between;
        space_ = workspace(2 * scratch_bytes_of<float>(sizes.between) + sizes.scratch);
    }

    /// Back to the beginning of a sequence.
    void reset() noexcept { std::fill(state_.begin(), state_.end(), 0.0f); }

    /// The numbers that make up the states; copying them copies where the sequences stand.
    std::span<float> state() noexcept { return {state_.data(), state_.size()}; }

    /// See step().
    template <class Executor>
    void step(const prepared<Isa, Model>& model, std::span<const float> x, std::span<float> y, Executor& exec) noexcept {
        const std::size_t inputs = batch_ * piece(model, 1)[1], steps = x.size() / inputs;
        PARE_ASSERT(steps * inputs == x.size() && steps >= 1 && steps <= max_steps_,
                    "%zu numbers are given; expected those of 1 to %zu steps of %zu", x.size(), max_steps_, inputs);
        const auto shape = piece(model, steps);
        PARE_ASSERT(walk::measure(model.model().layers, batch_, shape).outputs == y.size(), "there is room for %zu numbers",
                    y.size());
        context<Isa, Executor> ctx{.executor = exec, .scratch = space_.scratch(), .instruction_set = model.instruction_set()};
        float* const first = ctx.scratch.template take<float>(between_);
        float* const second = ctx.scratch.template take<float>(between_);
        walk::run(ctx, model.model().layers, batch_of(x.data(), batch_, shape), y.data(), state_.data(), first, second);
    }

private:
    using walk = detail::stream_layers<0, decltype(Model::layers)>;

    static auto piece(const prepared<Isa, Model>& model, std::size_t steps) noexcept {
        const auto sample = model.model().plan().input_shape();
        static_assert(decltype(sample)::rank == 2, "pare: a stream takes models of sequences: sequential(input<steps, n>(), ...)");
        return extents<dyn, decltype(sample)::static_extent(1)>(steps, sample[1]);
    }

    std::size_t batch_;
    std::size_t max_steps_;
    std::size_t between_ = 0;
    aligned_array<float> state_;
    workspace space_;
};

/// Goes on with the sequences of a stream: x [batch, steps, inputs] is their next piece, of one step or a few; y is what the model
/// gives for it. Piece by piece the outputs of a recurrent layer are those for the whole sequence, to the bit. Allocates nothing,
/// locks nothing, throws nothing.
template <class Isa, class Model, executor Executor>
void step(const prepared<Isa, Model>& model, stream<Isa, Model>& s, std::span<const float> x, std::span<float> y,
          Executor& exec) noexcept {
    s.step(model, x, y, exec);
}
template <class Isa, class Model>
void step(const prepared<Isa, Model>& model, stream<Isa, Model>& s, std::span<const float> x, std::span<float> y) noexcept {
    serial_executor serial;
    s.step(model, x, y, serial);
}

PARE_NAMESPACE_END

#endif
