#ifndef PARE_NN_RECURRENT_HPP
#define PARE_NN_RECURRENT_HPP

#include <pare/kernels/packed.hpp>
#include <pare/kernels/recurrent.hpp>
#include <pare/nn/dropout.hpp>
#include <pare/nn/recurrent_plan.hpp>
#include <pare/nn/recurrent_training.hpp>
#include <pare/nn/training.hpp>

PARE_NAMESPACE_BEGIN

/// Sequences [steps, In] to sequences [steps, Hidden] of a recurrent cell, or of several: in layers, in both directions. Each
/// step's product with the inputs is part of one product for all steps; the product with the state before, one per step, and one
/// pass over the gates are what is left. torch.nn.LSTM, GRU and RNN with batch_first=True; In and Hidden may be `dyn`. States begin
/// as zeros. In training a dropout may stand between layers: lstm<28, 128, recurrent_options{.layers = 2}>(dropout{0.2f}).
///
/// A sequence may also come in pieces, down to single steps: see step() in nn/stream.hpp.
template <class Cell, std::size_t In, std::size_t Hidden, recurrent_options Options, class Weights, class Activations>
struct recurrent {
    static constexpr const char* kind = Cell::name;
    using cell = Cell;
    using plan_type = recurrent_plan<Cell, In, Hidden, Options, Weights, Activations>;
    static constexpr recurrent_options options = Options;
    static constexpr std::size_t directions = plan_type::directions;
    static constexpr std::size_t cell_count = Options.layers * directions;
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };
    static constexpr bool takes_single_steps = !Options.bidirectional;

    std::array<recurrent_weights<Weights>, cell_count> cells;  // layer by layer, forward before reverse
    dropout between_layers{0.0f};                              // layers, in training

    recurrent() requires(In != dyn && Hidden != dyn && std::constructible_from<Weights, std::size_t, std::size_t>)
        : recurrent(In, Hidden) {}
    explicit recurrent(dropout d) requires(In != dyn && Hidden != dyn && std::constructible_from<Weights, std::size_t, std::size_t>)
        : recurrent(In, Hidden, d) {}
    recurrent(std::size_t inputs, std::size_t hidden,
              dropout d = {0.0f}) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : cells(make(inputs, hidden, std::make_index_sequence<cell_count>{})), between_layers(d) {
        PARE_ASSERT((In == dyn || In == inputs) && (Hidden == dyn || Hidden == hidden), "%s<%zu, %zu>(%zu, %zu)", Cell::name, In,
                    Hidden, inputs, hidden);
    }
    recurrent(std::array<recurrent_weights<Weights>, cell_count> c, dropout d) : cells(std::move(c)), between_layers(d) {}

    std::size_t inputs() const noexcept { return cells[0].input.columns(); }
    std::size_t hidden() const noexcept { return cells[0].state.columns(); }

    plan_type plan() const noexcept { return {extents<In>(extents<dyn>(inputs())), extents<Hidden>(extents<dyn>(hidden()))}; }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y) const noexcept {
        forward_from(ctx, x, y, nullptr);
    }

    /// What a sequence leaves for its continuation: for each cell the vectors [batch, Hidden] that it carries, its output first.
    std::size_t state_floats(std::size_t batch) const noexcept { return cell_count * Cell::state_vectors * batch * hidden(); }

    /// The same from a state, which it updates; or from zeros, where state is null.
    template <class Context, std::size_t... X, std::size_t... Y>
    void forward_from(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y, float* state) const noexcept {
        PARE_ASSERT(state == nullptr || !Options.bidirectional,
                    "a bidirectional layer reads whole sequences: it cannot go on from a state (%p)", static_cast<void*>(state));
        const std::size_t steps = x.extent(1), batch = x.extent(0), width = directions * hidden();
        for (std::size_t first = 0; first < batch; first += recurrent_block) {
            const detail::recurrent_shape shape = {(std::min)(recurrent_block, batch - first), steps, hidden(), directions};
            Context inner = ctx;
            const std::size_t gates = shape.rows * Cell::gates * hidden();
            float* const gx = inner.scratch.template take<float>(gates * steps);
            float* const gh = inner.scratch.template take<float>(gates);
            float* const carried = inner.scratch.template take<float>(shape.rows * hidden());
            float* between[2] = {};
            if constexpr (Options.layers > 1) {
                between[0] = inner.scratch.template take<float>(shape.rows * steps * width);
                between[1] = inner.scratch.template take<float>(shape.rows * steps * width);
            }
            const float* in = x.data() + first * steps * inputs();
            for (std::size_t layer = 0; layer < Options.layers; ++layer) {
                float* const out = layer + 1 == Options.layers ? y.data() + first * steps * width : between[layer % 2];
                for (std::size_t d = 0; d < directions; ++d) {
                    const auto& weights = cells[layer * directions + d];
                    float* const own =
                        state == nullptr ? nullptr : state + (layer * Cell::state_vectors * batch + first) * hidden();
                    detail::run_cell<Cell, Activations, false>(inner, weights, shape, d == 1, in, out + d * hidden(), gx, gh,
                                                               carried, own, batch * hidden());
                }
                in = out;
            }
        }
    }

    template <std::size_t... E>
    std::size_t saved_floats(std::size_t batch, const extents<E...>& input) const noexcept {
        return saved(batch, input[0]).total(Options.layers);
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward_training(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y,
                          std::span<float> numbers) const noexcept {
        const detail::recurrent_shape shape = {x.extent(0), x.extent(1), hidden(), directions};
        const auto layout = saved(shape.rows, shape.steps);
        Context inner = ctx;
        float* const gh = inner.scratch.template take<float>(shape.rows * Cell::gates * hidden());
        const float* in = x.data();
        for (std::size_t layer = 0; layer < Options.layers; ++layer) {
            float* const out = layer + 1 == Options.layers ? y.data() : numbers.data() + layout.outputs(layer);
            for (std::size_t d = 0; d < directions; ++d) {
                detail::run_cell<Cell, Activations, true>(inner, cells[layer * directions + d], shape, d == 1, in,
                                                          out + d * hidden(), numbers.data() + layout.gates(layer, d), gh,
                                                          numbers.data() + layout.extra(layer, d), nullptr, 0);
            }
            in = out;
            if (layout.dropout && layer + 1 < Options.layers) {
                Context own = ctx;
                own.random = ctx.random.split(2 * layer + 1);  // as a sequential of layers and dropouts has it
                float* const given = numbers.data() + layout.given(layer);
                between_layers.forward_training(own, outputs(in, shape), outputs(given, shape),
                                                numbers.subspan(layout.factors(layer), shape.rows * shape.steps * shape.width()));
                in = given;
            }
        }
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...> y,
                  tensor_view<const float, Y...> dy, tensor_view<float, X...> dx, std::span<float> gradient,
                  std::span<const float> numbers) const noexcept {
        const detail::recurrent_shape shape = {x.extent(0), x.extent(1), hidden(), directions};
        const auto layout = saved(shape.rows, shape.steps);
        Context inner = ctx;
        const std::size_t width = directions * hidden(), rows = shape.rows * shape.steps;
        float* between[2] = {};
        if constexpr (Options.layers > 1) {
            between[0] = inner.scratch.template take<float>(rows * width);
            between[1] = inner.scratch.template take<float>(rows * width);
        }
        const float* dout = dy.data();
        for (std::size_t layer = Options.layers; layer-- > 0;) {
            const bool last = layer + 1 == Options.layers;
            const float* const in = layer == 0 ? x.data() : numbers.data() + layout.given(layer - 1);
            const float* const out = last ? y.data() : numbers.data() + layout.outputs(layer);
            float* const din = layer == 0 ? dx.data() : between[layer % 2];
            for (std::size_t d = 0; d < directions; ++d) {
                const std::size_t index = layer * directions + d;
                std::size_t offset = 0;
                for (std::size_t c = 0; c < index; ++c) {
                    offset += cells[c].parameters();
                }
                detail::run_cell_backward<Cell>(inner, cells[index], shape, d == 1, in, out + d * hidden(),
                                                numbers.data() + layout.gates(layer, d), numbers.data() + layout.extra(layer, d),
                                                dout + d * hidden(), din, d == 1, gradient.data() + offset);
            }
            if (layout.dropout && layer > 0) {
                const auto d = outputs(static_cast<const float*>(din), shape);
                between_layers.backward(inner, d, d, d, outputs(din, shape), {},
                                        numbers.subspan(layout.factors(layer - 1), rows * width));
            }
            dout = din;
        }
    }

    template <class Isa, std::size_t... E>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<E...>& input) const noexcept {
        const std::size_t h = hidden(), rows = batch * input[0], widest = (std::max)(inputs(), directions * h);
        const std::size_t forward = plan().own_scratch_bytes(batch, input[0]);
        const std::size_t backward = scratch_bytes_of<float>(rows * Cell::gates * h) * (Cell::same_gradients ? 1 : 2) +
                                     scratch_bytes_of<float>(rows * h) + 3 * scratch_bytes_of<float>(batch * h) +
                                     (directions > 1 ? scratch_bytes_of<float>(rows * widest) : 0) +
                                     (Options.layers > 1 ? 2 * scratch_bytes_of<float>(rows * directions * h) : 0);
        std::size_t product = 0;
        for (const auto& c : cells) {
            product = (std::max)({product, product_scratch_bytes<Isa>(c.input, rows), product_scratch_bytes<Isa>(c.state, rows)});
        }
        return (std::max)(forward, backward) + product;
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            const auto visit = [&](auto names, auto& c) {
                f(names.weight_ih.text.data(), c.input);
                f(names.weight_hh.text.data(), c.state);
                if constexpr (Options.bias) {
                    f(names.bias_ih.text.data(), c.input_bias);
                    f(names.bias_hh.text.data(), c.state_bias);
                }
            };
            (visit(names_of<I>(), self.cells[I]), ...);
        }
        (std::make_index_sequence<cell_count>{});
    }

    template <class F>
    auto map_weights(F&& f) const {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            const auto map = [&](auto names, const auto& c) {
                auto input = f(names.weight_ih.text.data(), c.input, Activations{});
                auto state = f(names.weight_hh.text.data(), c.state, Activations{});
                using mapped = decltype(input);
                return std::pair(recurrent_weights<decltype(mapped::weights)>{std::move(input.weights), std::move(state.weights),
                                                                              c.input_bias, c.state_bias, c.has_bias},
                                 input.activations);
            };
            std::array mapped{map(names_of<I>(), cells[I])...};
            using weights = typename decltype(mapped)::value_type::first_type;
            using activations = typename decltype(mapped)::value_type::second_type;
            return recurrent<Cell, In, Hidden, Options, typename weights::weights_type, activations>(
                std::array<weights, cell_count>{std::move(mapped[I].first)...}, between_layers);
        }
        (std::make_index_sequence<cell_count>{});
    }

    std::string describe() const {
        return sentence(Cell::name, " ", inputs(), " -> ", hidden(),
                        Options.layers > 1 ? sentence(", ", Options.layers, " layers") : "",
                        Options.bidirectional ? ", bidirectional" : "", Options.bias ? "" : ", without bias",
                        has_dropout() ? sentence(", ", between_layers.describe(), " between layers in training") : "", ": ",
                        cells[0].state.describe(), Activations::note);
    }

private:
    template <std::size_t I>
    static constexpr detail::recurrent_names<I / directions, I % directions != 0> names_of() noexcept {
        return {};
    }

    template <std::size_t... I>
    static std::array<recurrent_weights<Weights>, cell_count> make(std::size_t inputs, std::size_t hidden,
                                                                   std::index_sequence<I...>) {
        const std::size_t gates = Cell::gates * hidden;
        return {recurrent_weights<Weights>{Weights(gates, I < directions ? inputs : directions * hidden), Weights(gates, hidden),
                                           tensor<float, dyn>(extents<dyn>(gates)), tensor<float, dyn>(extents<dyn>(gates)),
                                           Options.bias}...};
    }

    detail::recurrent_saved saved(std::size_t batch, std::size_t steps) const noexcept {
        return {saved_piece(batch * steps * Cell::gates * hidden()), saved_piece(batch * steps * Cell::saved_vectors * hidden()),
                saved_piece(batch * steps * directions * hidden()), directions, has_dropout()};
    }

    bool has_dropout() const noexcept { return Options.layers > 1 && between_layers.probability > 0.0f; }

    /// What a layer gives, at p.
    template <class T>
    static tensor_view<T, dyn, dyn, dyn> outputs(T* p, const detail::recurrent_shape& shape) noexcept {
        return {p, shape.rows, shape.steps, shape.width()};
    }
};

/// Gates i, f, g, o. torch.nn.LSTM.
template <std::size_t In, std::size_t Hidden, recurrent_options Options = recurrent_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
using lstm = recurrent<kernels::lstm_cell, In, Hidden, Options, Weights, Activations>;

/// Gates r, z, n. torch.nn.GRU.
template <std::size_t In, std::size_t Hidden, recurrent_options Options = recurrent_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
using gru = recurrent<kernels::gru_cell, In, Hidden, Options, Weights, Activations>;

/// torch.nn.RNN.
template <std::size_t In, std::size_t Hidden, recurrent_options Options = recurrent_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
using rnn = recurrent<kernels::rnn_cell<kernels::tanh_function>, In, Hidden, Options, Weights, Activations>;

/// torch.nn.RNN(nonlinearity="relu").
template <std::size_t In, std::size_t Hidden, recurrent_options Options = recurrent_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
using rnn_relu = recurrent<kernels::rnn_cell<kernels::relu_function>, In, Hidden, Options, Weights, Activations>;

PARE_NAMESPACE_END

#endif
