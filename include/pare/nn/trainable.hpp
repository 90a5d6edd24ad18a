#ifndef PARE_NN_TRAINABLE_HPP
#define PARE_NN_TRAINABLE_HPP

#include <algorithm>
#include <span>

#include <pare/kernels/gemm_f32.hpp>
#include <pare/kernels/packed.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// What layers do with their weights, whatever the storage. Every storage has `multiply`; those that can be trained also the rest:
///
///     multiply(w, activations, context, x, y, stages...)          y = stages(x W^T)
///     multiply_transposed(w, context, dy, dx)                     dx = dy W
///     multiply_gradient(w, context, x, dy, dw)                    dw = dy^T x
///     trainable_values(w)                                         the numbers that an optimizer moves
///     product_values(w)                                           those that products see, [rows, columns], for convolutions
///     product_scratch_bytes<Isa>(w, batch)                        what the three products take from context.scratch
///     gradient_scratch_bytes<Isa>(w, batch)                       what the last of them does, where that is less
///
/// and where products see other numbers than those that are trained:
///
///     w.refresh<Isa>()                                            products see what the trained numbers stand for now: called before
///                                                                 each forward pass in training
///     finish_gradient(w, context, gradient)                       the gradient of what products see becomes, in place, that of
///                                                                 trainable_values(w), with that of trainable_scales(w) behind it
///     trainable_scales(w)                                         further numbers that an optimizer moves

template <class Weights, class Isa, class Activations, class Context, class X = float, class Y = float, class... Stages>
void multiply(const packed<Weights, Isa>& w, Activations a, Context& ctx, const matrix_view<const X>& x, const matrix_view<Y>& y,
              Stages... stages) noexcept {
    static_assert(multiplies<packed<Weights, Isa>, Activations>,
                  "pare: no kernel multiplies this kind of weights by this kind of activations");
    w.multiply(a, ctx, x, y, stages...);
}

/// A product of at most this many weights is unrolled for single rows, where its shape is constant.
inline constexpr std::size_t most_unrolled_weights = std::size_t{1} << 15;

/// `multiply` for weights [Out, In], either of which may be `dyn`.
template <std::size_t Out, std::size_t In, class Weights, class Activations, class Context, class X, class Y, class... Stages>
PARE_INLINE void multiply_fixed(const Weights& w, Activations a, Context& ctx, const matrix_view<const X>& x,
                                const matrix_view<Y>& y, Stages... stages) noexcept {
    if constexpr (Out != dyn && In != dyn && Out * In <= most_unrolled_weights) {
        if constexpr (requires { w.template multiply_row<Out, In>(a, ctx, x.data, y.data, stages...); }) {
            if (x.rows == 1) {
                w.template multiply_row<Out, In>(a, ctx, x.data, y.data, stages...);
                return;
            }
        }
    }
    multiply(w, a, ctx, x, y, stages...);
}

template <class Context, class... Stages>
void multiply(const weight_matrix<float, full>& w, as_float, Context& ctx, const matrix_view<const float>& x,
              const matrix_view<float>& y, Stages... stages) noexcept {
    kernels::gemm_f32<typename Context::isa>(ctx.executor, ctx.scratch, x.rows, w.rows(), w.columns(), {x.data, x.stride, 1},
                                             {w.values.data(), 1, w.columns()},
                                             kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
}

template <class Context>
void multiply_transposed(const weight_matrix<float, full>& w, Context& ctx, const matrix_view<const float>& dy,
                         const matrix_view<float>& dx) noexcept {
    kernels::gemm_f32<typename Context::isa>(ctx.executor, ctx.scratch, dy.rows, w.columns(), w.rows(), {dy.data, dy.stride, 1},
                                             {w.values.data(), w.columns(), 1}, kernels::epilogue<float>(dx.data, dx.stride));
}

template <class Context>
void multiply_gradient(const weight_matrix<float, full>& w, Context& ctx, const matrix_view<const float>& x,
                       const matrix_view<const float>& dy, const matrix_view<float>& dw) noexcept {
    kernels::gemm_f32<typename Context::isa>(ctx.executor, ctx.scratch, w.rows(), w.columns(), x.rows, {dy.data, 1, dy.stride},
                                             {x.data, x.stride, 1}, kernels::epilogue<float>(dw.data, dw.stride));
}

inline const float* product_values(const weight_matrix<float, full>& w) noexcept {
    return w.values.data();
}

inline std::span<float> trainable_values(weight_matrix<float, full>& w) noexcept {
    return {w.values.data(), w.values.size()};
}
template <std::size_t... E>
std::span<float> trainable_values(tensor<float, E...>& t) noexcept {
    return t.values();
}
template <class T, std::size_t... E>
void trainable_values(buffer<T, E...>&) = delete;

/// Calls f(span) for the numbers of a storage or a tensor that an optimizer moves, in the order of their gradient.
template <class Member, class F>
void for_each_trained(Member& member, F&& f) {
    f(trainable_values(member));
    if constexpr (requires { trainable_scales(member); }) {
        f(trainable_scales(member));
    }
}
template <class Member>
std::size_t trained_count(const Member& member) noexcept {
    std::size_t count = 0;
    for_each_trained(const_cast<Member&>(member), [&](std::span<float> values) { count += values.size(); });
    return count;
}

template <class Weights, class Context>
void finish_gradient(const Weights&, Context&, float*) noexcept {}

/// Row i of the weights times factor[i]: each number is rounded once.
template <class Layout>
void scale_rows(weight_matrix<float, Layout>& w, const float* factor) noexcept {
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) { w.values[i] *= factor[row]; });
}

template <class Isa>
std::size_t gradient_scratch_bytes(const weight_matrix<float, full>& w, std::size_t batch) noexcept {
    return kernels::gemm_f32_scratch_bytes<Isa>(w.columns(), batch);
}
template <class Isa>
std::size_t product_scratch_bytes(const weight_matrix<float, full>& w, std::size_t batch) noexcept {
    const std::size_t forward = kernels::gemm_f32_scratch_bytes<Isa>(w.rows(), w.columns());
    const std::size_t input = kernels::gemm_f32_scratch_bytes<Isa>(w.columns(), w.rows());
    return (std::max)({forward, input, gradient_scratch_bytes<Isa>(w, batch)});
}

PARE_NAMESPACE_END

#endif
