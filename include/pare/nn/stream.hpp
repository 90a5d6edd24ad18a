#ifndef PARE_NN_STREAM_HPP
#define PARE_NN_STREAM_HPP

#include <pare/nn/prepare.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Whether the first of some layers that does something makes a row of each number: of a token.
template <class Layer, class... Rest>
inline constexpr bool begins_with_rows = [] {
    if constexpr (passes_through<Layer> && sizeof...(Rest) != 0) {
        return begins_with_rows<Rest...>;
    } else {
        return decltype(std::declval<const Layer&>().plan().output_shape(extents<dyn>(1)))::rank == 2;
    }
}();

/// The sample of a stream's model with another number of steps.
template <class... Layers, std::size_t Steps, std::size_t... N>
auto piece_of(const sequential<Layers...>&, const extents<Steps, N...>& sample, std::size_t steps) noexcept {
    static_assert(sizeof...(N) <= 1, "pare: a stream takes models of sequences: sequential(input<steps, n>(), ...)");
    if constexpr (sizeof...(N) == 0) {
        static_assert(begins_with_rows<Layers...>,
                      "pare: a stream takes models of sequences: sequential(input<steps, n>(), ...), or of tokens: "
                      "sequential(input<steps>(), embedding<rows, n>(), ...)");
        return extents<dyn>(steps);
    } else {
        return extents<dyn, N...>(steps, sample[1]);
    }
}

}  // namespace detail

/// Where some sequences stand that come step by step: the states of the recurrent layers of a prepared model, also of those in
/// containers, which begin as zeros, and the memory of a step. A value of the caller's, one for each sequence or batch of
/// sequences; the model is shared.
template <class Isa, class Model>
class stream {
public:
    /// For `batch` sequences side by side, of which at most max_steps steps come at a time.
    explicit stream(const prepared<Isa, Model>& model, std::size_t max_steps = 1, std::size_t batch = 1)
        : batch_(batch), max_steps_(max_steps) {
        state_ = aligned_array<float>(model.model().state_floats(batch));
        space_ = workspace(model.model().plan().scratch_bytes(batch, piece(model, max_steps)));
    }

    /// Back to the beginning of a sequence.
    void reset() noexcept { std::fill(state_.begin(), state_.end(), 0.0f); }

    /// The numbers that make up the states; copying them copies where the sequences stand.
    std::span<float> state() noexcept { return {state_.data(), state_.size()}; }

    /// See step().
    template <class Executor>
    void step(const prepared<Isa, Model>& model, std::span<const float> x, std::span<float> y, Executor& exec) noexcept {
        const std::size_t inputs = batch_ * piece(model, 1).size(), steps = x.size() / inputs;
        PARE_ASSERT(steps * inputs == x.size() && steps >= 1 && steps <= max_steps_,
                    "%zu numbers are given; expected those of 1 to %zu steps of %zu", x.size(), max_steps_, inputs);
        const auto shape = piece(model, steps);
        const auto out = model.model().plan().output_shape(shape);
        PARE_ASSERT(batch_ * out.size() == y.size(), "there is room for %zu numbers; expected %zu", y.size(), batch_ * out.size());
        context<Isa, Executor> ctx{.executor = exec, .scratch = space_.scratch(), .instruction_set = model.instruction_set()};
        model.model().forward_from(ctx, batch_of(x.data(), batch_, shape), batch_of(y.data(), batch_, out), state_.data());
    }

private:
    static_assert(takes_single_steps<Model>,
                  "pare: a stream needs layers that take one step of a sequence after the other; this model has one that looks at "
                  "several at once");

    static auto piece(const prepared<Isa, Model>& model, std::size_t steps) noexcept {
        return detail::piece_of(model.model(), model.model().plan().input_shape(), steps);
    }

    std::size_t batch_;
    std::size_t max_steps_;
    aligned_array<float> state_;
    workspace space_;
};

/// Goes on with the sequences of a stream: x [batch, steps, inputs], or of tokens [batch, steps], is their next piece, of one step
/// or a few; y is what the model gives for it. Piece by piece the outputs of a recurrent layer are those for the whole sequence, to
/// the bit. Allocates nothing, locks nothing, throws nothing.
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
