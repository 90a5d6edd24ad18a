#ifndef PARE_NN_RECURRENT_TRAINING_HPP
#define PARE_NN_RECURRENT_TRAINING_HPP

#include <algorithm>

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/recurrent.hpp>
#include <pare/kernels/slices.hpp>
#include <pare/nn/trainable.hpp>

PARE_NAMESPACE_BEGIN

/// The parameters of one cell: gates = W_ih x + b_ih and W_hh h + b_hh.
template <class Weights>
struct recurrent_weights {
    using weights_type = Weights;

    Weights input;  // [gates, inputs]
    Weights state;  // [gates, hidden]
    tensor<float, dyn> input_bias;
    tensor<float, dyn> state_bias;
    bool has_bias = true;  // else both are zero and no members

    std::size_t parameters() const noexcept {
        return trained_count(input) + trained_count(state) + (has_bias ? 2 * input.rows() : 0);
    }
};

namespace detail {

struct recurrent_shape {
    std::size_t rows;  // of the batch
    std::size_t steps;
    std::size_t hidden;
    std::size_t directions;

    std::size_t width() const noexcept { return directions * hidden; }
};

/// What training keeps: for each layer the gates and the extra vectors of each direction, and, but for the last, the layer's
/// outputs, and with dropout its factors and what it gives.
struct recurrent_saved {
    std::size_t gates_size;
    std::size_t extra_size;
    std::size_t outputs_size;
    std::size_t directions;
    bool dropout;

    std::size_t layer(std::size_t l) const noexcept {
        return l * (directions * (gates_size + extra_size) + outputs_size * (dropout ? 3 : 1));
    }
    std::size_t gates(std::size_t l, std::size_t direction) const noexcept {
        return layer(l) + direction * (gates_size + extra_size);
    }
    std::size_t extra(std::size_t l, std::size_t direction) const noexcept { return gates(l, direction) + gates_size; }
    std::size_t outputs(std::size_t l) const noexcept { return gates(l, directions); }
    std::size_t factors(std::size_t l) const noexcept { return outputs(l) + outputs_size; }
    /// What the next layer is given.
    std::size_t given(std::size_t l) const noexcept { return outputs(l) + (dropout ? 2 * outputs_size : 0); }
    std::size_t total(std::size_t layers) const noexcept { return outputs(layers - 1); }
};

/// One cell along its sequences. x [rows, steps, inputs]; y [rows, steps, hidden] with rows of shape.width() numbers; gx [rows,
/// steps, gates]; gh [rows, gates]; carried [rows, hidden], or with Save [rows, steps, hidden]. `state` is null, or where h [rows,
/// hidden] and, state_stride behind it, the rest of the state begin and end.
template <class Cell, class Activations, bool Save, class Context, class Weights>
void run_cell(Context& ctx, const recurrent_weights<Weights>& w, const recurrent_shape& shape, bool reverse, const float* x,
              float* y, float* gx, float* gh, float* carried, float* state, std::size_t state_stride) noexcept {
    const std::size_t n = shape.hidden, gates = Cell::gates * n, width = shape.width();
    const auto step_of = [&](std::size_t k) { return reverse ? shape.steps - 1 - k : k; };
    multiply(w.input, Activations{}, ctx, {x, shape.rows * shape.steps, w.input.columns()}, {gx, shape.rows * shape.steps, gates},
             kernels::add_bias{w.input_bias.data()});
    float* const rest = state != nullptr && Cell::state_vectors > 1 ? state + state_stride : nullptr;
    for (std::size_t k = 0; k < shape.steps; ++k) {
        const std::size_t t = step_of(k);
        matrix_view<const float> h;
        if (k > 0) {
            h = {y + step_of(k - 1) * width, shape.rows, n, shape.steps * width};
        } else if (state != nullptr) {
            h = {state, shape.rows, n};
        }
        if (h.data != nullptr) {
            multiply(w.state, Activations{}, ctx, h, {gh, shape.rows, gates}, kernels::add_bias{w.state_bias.data()});
        } else {  // the product with zeros
            for (std::size_t r = 0; r < shape.rows; ++r) {
                std::copy(w.state_bias.begin(), w.state_bias.end(), gh + r * gates);
            }
        }
        const std::size_t extra_stride = Save ? shape.steps * n : n;
        float* const extra = Save ? carried + t * n : rest != nullptr ? rest : carried;
        const float* const before = Save ? carried + step_of(k > 0 ? k - 1 : 0) * n : extra;
        kernels::call<kernels::cell_operation<Cell, Save>>(
            ctx, kernels::cell_rows{shape.rows, n, gx + t * gates, shape.steps * gates, gh, h.data, h.stride,
                                    k > 0 || rest != nullptr ? before : nullptr, extra, extra_stride, y + t * width,
                                    shape.steps * width});
    }
    if (state != nullptr) {
        for (std::size_t r = 0; r < shape.rows; ++r) {
            const float* const last = y + (r * shape.steps + step_of(shape.steps - 1)) * width;
            std::copy(last, last + n, state + r * n);
        }
    }
}

template <class Isa>
void add_numbers(std::size_t n, float* sum, const float* x) noexcept {
    kernels::transform<Isa>(
        n, sum, [](auto a, auto b) { return a + b; }, sum, x);
}

/// The same backward through time. dy and y have rows of shape.width() numbers; dx [rows, steps, inputs] is null, written or, with
/// add_to_dx, added to. gradient: that of the parameters, in the order of members.
template <class Cell, class Context, class Weights>
void run_cell_backward(const Context& context, const recurrent_weights<Weights>& w, const recurrent_shape& shape, bool reverse,
                       const float* x, const float* y, const float* gates, const float* extra, const float* dy, float* dx,
                       bool add_to_dx, float* gradient) noexcept {
    using isa = typename Context::isa;
    Context ctx = context;
    const std::size_t n = shape.hidden, width = shape.width(), gate_count = Cell::gates * n, all = shape.rows * shape.steps;
    const auto step_of = [&](std::size_t k) { return reverse ? shape.steps - 1 - k : k; };
    float* const dgx = ctx.scratch.template take<float>(all * gate_count);
    float* const dgh = Cell::same_gradients ? dgx : ctx.scratch.template take<float>(all * gate_count);
    float* const before = ctx.scratch.template take<float>(all * n);  // the state that each step had
    float* const dh = ctx.scratch.template take<float>(shape.rows * n);
    float* const ds = ctx.scratch.template take<float>(shape.rows * n);
    float* const direct = ctx.scratch.template take<float>(shape.rows * n);
    std::fill(dh, dh + shape.rows * n, 0.0f);
    std::fill(ds, ds + shape.rows * n, 0.0f);
    for (std::size_t k = shape.steps; k-- > 0;) {
        const std::size_t t = step_of(k);
        for (std::size_t r = 0; r < shape.rows; ++r) {
            const std::size_t at = r * shape.steps + t, previous = r * shape.steps + step_of(k > 0 ? k - 1 : 0);
            const float* const h = k > 0 ? y + previous * width : nullptr;
            if (h != nullptr) {
                std::copy(h, h + n, before + at * n);
            } else {
                std::fill(before + at * n, before + (at + 1) * n, 0.0f);
            }
            add_numbers<isa>(n, dh + r * n, dy + at * width);
            Cell::template backward<isa>(n, gates + at * gate_count, extra + at * n, h, k > 0 ? extra + previous * n : nullptr,
                                         dh + r * n, ds + r * n, dgx + at * gate_count, dgh + at * gate_count, direct + r * n);
        }
        if (k > 0) {
            multiply_transposed(w.state, ctx, {dgh + t * gate_count, shape.rows, gate_count, shape.steps * gate_count},
                                {dh, shape.rows, n});
            if constexpr (!Cell::same_gradients) {
                add_numbers<isa>(shape.rows * n, dh, direct);
            }
        }
    }
    const std::size_t inputs = w.input.columns();
    const auto part = [&](std::size_t count) { return std::exchange(gradient, gradient + count); };
    float* const input_gradient = part(trained_count(w.input));
    float* const state_gradient = part(trained_count(w.state));
    multiply_gradient(w.input, ctx, {x, all, inputs}, {dgx, all, gate_count}, {input_gradient, gate_count, inputs});
    finish_gradient(w.input, ctx, input_gradient);
    multiply_gradient(w.state, ctx, {before, all, n}, {dgh, all, gate_count}, {state_gradient, gate_count, n});
    finish_gradient(w.state, ctx, state_gradient);
    if (w.has_bias) {
        kernels::sum_rows<isa>(all, gate_count, dgx, gate_count, part(gate_count), false);
        kernels::sum_rows<isa>(all, gate_count, dgh, gate_count, part(gate_count), false);
    }
    if (dx != nullptr && add_to_dx) {
        float* const own = ctx.scratch.template take<float>(all * inputs);
        multiply_transposed(w.input, ctx, {dgx, all, gate_count}, {own, all, inputs});
        add_numbers<isa>(all * inputs, dx, own);
    } else if (dx != nullptr) {
        multiply_transposed(w.input, ctx, {dgx, all, gate_count}, {dx, all, inputs});
    }
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
