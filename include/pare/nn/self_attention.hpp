#ifndef PARE_NN_SELF_ATTENTION_HPP
#define PARE_NN_SELF_ATTENTION_HPP

#include <algorithm>

#include <pare/kernels/attention.hpp>
#include <pare/kernels/packed.hpp>
#include <pare/kernels/slices.hpp>
#include <pare/nn/training.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// The instruction set that weights are packed for.
template <class Weights>
struct isa_of;
template <class Weights, class Isa>
struct isa_of<packed<Weights, Isa>> {
    using type = std::conditional_t<std::is_same_v<Isa, isa::dispatch>, isa::widest, Isa>;
};

}  // namespace detail

/// The shapes of self-attention: [steps, Width] stays.
template <std::size_t Width, std::size_t Heads, class Weights, class Activations, std::size_t Inner>
struct self_attention_plan {
    static constexpr bool is_static = Width != dyn && Heads != dyn && Inner != dyn;

    extents<Width> width;
    extents<Heads> heads;
    extents<Inner> inner;

    template <std::size_t Steps, std::size_t N>
    constexpr extents<Steps, N> output_shape(const extents<Steps, N>& input) const noexcept {
        static_assert(N == Width || N == dyn || Width == dyn,
                      "pare: self_attention must take as many numbers (Width) per step as the layer before it gives (N)");
        PARE_ASSERT(input[1] == width[0], "self_attention of width %zu is given %zu", width[0], input[1]);
        return input;
    }

    template <std::size_t Steps, std::size_t N>
    constexpr std::size_t scratch_bytes(std::size_t batch, const extents<Steps, N>& input) const noexcept {
        const std::size_t rows = batch * input[0], n = width[0], own = inner[0];
        return own_scratch_bytes(rows) +
               (std::max)(
                   {Weights::scratch_bytes(Activations{}, rows, 3 * own, n), Weights::scratch_bytes(Activations{}, rows, n, own),
                    kernels::attention_heads::scratch_bytes<typename detail::isa_of<Weights>::type>(input[0], own, heads[0])});
    }

    /// The projections, and what the heads give.
    constexpr std::size_t own_scratch_bytes(std::size_t rows) const noexcept {
        return scratch_bytes_of<float>(rows * 3 * inner[0]) + scratch_bytes_of<float>(rows * inner[0]);
    }
};

enum class attention_mask { none, causal };

/// Attention of a sequence [steps, Width] to itself by several heads: y = out_proj(heads(in_proj(x))), see
/// kernels::attention_heads. torch.nn.MultiheadAttention(Width, Heads, batch_first=True) on (x, x, x), without dropout; causal:
/// each step sees itself and those before. Heads have Inner / Heads numbers each: Inner is Width, but where heads were removed
/// (prune/shrink.hpp). Width, Heads and Inner may be `dyn`.
template <std::size_t Width, std::size_t Heads, attention_mask Mask = attention_mask::none,
          class Weights = weight_matrix<float, full>, class Activations = as_float, std::size_t Inner = Width>
struct self_attention {
    static constexpr const char* kind = "self_attention";
    static_assert(Inner == dyn || Heads == dyn || Inner % Heads == 0,
                  "pare: self_attention shares its Width among Heads: it must be a multiple");
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };
    using plan_type = self_attention_plan<Width, Heads, Weights, Activations, Inner>;

    Weights in_weights;  // [3 Inner, Width]: of queries, keys, values
    tensor<float, dyn> in_bias;
    Weights out_weights;  // [Width, Inner]
    tensor<float, dyn> out_bias;

    extents<Heads> heads;

    self_attention() requires(Width != dyn && Heads != dyn && Inner != dyn &&
                              std::constructible_from<Weights, std::size_t, std::size_t>)
        : self_attention(Width, Heads, Inner) {}
    self_attention(std::size_t width, std::size_t head_count) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : self_attention(width, head_count, width) {}
    self_attention(std::size_t width, std::size_t head_count,
                   std::size_t inner) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : self_attention(Weights(3 * inner, width), tensor<float, dyn>(extents<dyn>(3 * inner)), Weights(width, inner),
                         tensor<float, dyn>(extents<dyn>(width)), extents<Heads>(extents<dyn>(head_count))) {}
    self_attention(Weights in, tensor<float, dyn> b_in, Weights out, tensor<float, dyn> b_out, extents<Heads> h)
        : in_weights(std::move(in)), in_bias(std::move(b_in)), out_weights(std::move(out)), out_bias(std::move(b_out)), heads(h) {
        PARE_ASSERT(inner_width() % heads[0] == 0 && (Width == dyn || Width == width()) && (Inner == dyn || Inner == inner_width()),
                    "self_attention of width %zu with %zu heads of %zu numbers together", width(), heads[0], inner_width());
    }

    std::size_t width() const noexcept { return in_weights.columns(); }
    /// The numbers of all heads together.
    std::size_t inner_width() const noexcept { return out_weights.columns(); }

    plan_type plan() const noexcept {
        return {extents<Width>(extents<dyn>(width())), heads, extents<Inner>(extents<dyn>(inner_width()))};
    }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y) const noexcept {
        Context inner = ctx;
        const std::size_t rows = x.extent(0) * x.extent(1), n = width(), own = inner_width();
        float* const qkv = inner.scratch.template take<float>(rows * 3 * own);
        float* const joined = inner.scratch.template take<float>(rows * own);
        project(inner, x.data(), rows, qkv);
        arena scratch = inner.scratch;
        const std::size_t left = scratch.left() / alignment * alignment;
        kernels::call<kernels::attention_heads::operation>(inner, heads_of(x), x.extent(0), static_cast<const float*>(qkv), joined,
                                                           scratch.template take<std::byte>(left), left);
        multiply(out_weights, Activations{}, inner, {joined, rows, own}, {y.data(), rows, n}, kernels::add_bias{out_bias.data()});
    }

    /// The projections, what the heads give, and their probabilities.
    template <std::size_t... E>
    std::size_t saved_floats(std::size_t batch, const extents<E...>& input) const noexcept {
        const std::size_t rows = batch * input[0];
        return saved_piece(rows * 3 * inner_width()) + saved_piece(rows * inner_width()) + saved_piece(rows * input[0] * heads[0]);
    }

    template <class Context, class X, class Y>
    void forward_training(Context& ctx, const X& x, const Y& y, std::span<float> saved) const noexcept {
        using isa = typename Context::isa;
        const std::size_t batch = x.extent(0), steps = x.extent(1), rows = batch * steps, n = width(), own = inner_width();
        float* const qkv = take_saved(saved, rows * 3 * own).data();
        float* const joined = take_saved(saved, rows * own).data();
        project(ctx, x.data(), rows, qkv);
        for (std::size_t b = 0; b < batch; ++b) {
            heads_of(x).template forward<isa>(ctx.executor, ctx.scratch, qkv + b * steps * 3 * own,
                                              saved.data() + b * heads[0] * steps * steps, joined + b * steps * own);
        }
        multiply(out_weights, Activations{}, ctx, {joined, rows, own}, {y.data(), rows, n}, kernels::add_bias{out_bias.data()});
    }

    template <class Context, class X, class Y, class Dx>
    void backward(Context& ctx, const X& x, const Y&, const Y& dy, const Dx& dx, std::span<float> gradient,
                  std::span<const float> saved) const noexcept {
        using isa = typename Context::isa;
        Context inner = ctx;
        const std::size_t batch = x.extent(0), steps = x.extent(1), rows = batch * steps, n = width(), own = inner_width();
        const float* const qkv = take_saved(saved, rows * 3 * own).data();
        const float* const joined = take_saved(saved, rows * own).data();
        float* const dqkv = inner.scratch.template take<float>(rows * 3 * own);
        float* const djoined = inner.scratch.template take<float>(rows * own);
        float* g = gradient.data();
        const auto part = [&](std::size_t count) { return std::exchange(g, g + count); };
        float* const in_gradient = part(trained_count(in_weights));
        float* const in_bias_gradient = part(3 * own);
        multiply_transposed(out_weights, inner, {dy.data(), rows, n}, {djoined, rows, own});
        float* const out_gradient = part(trained_count(out_weights));
        multiply_gradient(out_weights, inner, {joined, rows, own}, {dy.data(), rows, n}, {out_gradient, n, own});
        finish_gradient(out_weights, inner, out_gradient);
        kernels::sum_rows<isa>(rows, n, dy.data(), n, part(n), false);
        for (std::size_t b = 0; b < batch; ++b) {
            heads_of(x).template backward<isa>(inner.executor, inner.scratch, qkv + b * steps * 3 * own,
                                               saved.data() + b * heads[0] * steps * steps, djoined + b * steps * own,
                                               dqkv + b * steps * 3 * own);
        }
        multiply_gradient(in_weights, inner, {x.data(), rows, n}, {dqkv, rows, 3 * own}, {in_gradient, 3 * own, n});
        finish_gradient(in_weights, inner, in_gradient);
        kernels::sum_rows<isa>(rows, 3 * own, dqkv, 3 * own, in_bias_gradient, false);
        if (dx.data() != nullptr) {
            multiply_transposed(in_weights, inner, {dqkv, rows, 3 * own}, {dx.data(), rows, n});
        }
    }

    template <class Isa, std::size_t... E>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<E...>& input) const noexcept {
        const std::size_t rows = batch * input[0], steps = input[0];
        const std::size_t of_heads = kernels::attention_heads::scratch_bytes<Isa>(steps, inner_width(), heads[0]);
        return plan().own_scratch_bytes(rows) +
               (std::max)({of_heads, product_scratch_bytes<Isa>(in_weights, rows), product_scratch_bytes<Isa>(out_weights, rows)});
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("in_proj_weight", self.in_weights);
        f("in_proj_bias", self.in_bias);
        f("out_proj.weight", self.out_weights);
        f("out_proj.bias", self.out_bias);
    }

    template <class F>
    auto map_weights(F&& f) const {
        auto in = f("in_proj_weight", in_weights, Activations{});
        auto out = f("out_proj.weight", out_weights, Activations{});
        return self_attention<Width, Heads, Mask, decltype(in.weights), decltype(in.activations), Inner>(
            std::move(in.weights), in_bias, std::move(out.weights), out_bias, heads);
    }

    std::string describe() const {
        return sentence("self_attention ", width(), ", ", heads[0], " heads",
                        inner_width() == width() ? std::string() : sentence(" of ", inner_width() / heads[0]),
                        Mask == attention_mask::causal ? ", causal: " : ": ", in_weights.describe(), Activations::note);
    }

private:
    template <class X>
    kernels::attention_heads heads_of(const X& x) const noexcept {
        return {x.extent(1), inner_width(), heads[0], Mask == attention_mask::causal};
    }
    template <class Context>
    void project(Context& ctx, const float* x, std::size_t rows, float* qkv) const noexcept {
        multiply(in_weights, Activations{}, ctx, {x, rows, width()}, {qkv, rows, 3 * inner_width()}, kernels::add_bias{in_bias.data()});
    }
};

PARE_NAMESPACE_END

#endif
