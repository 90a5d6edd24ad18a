#ifndef PARE_NN_FAKE_RANGE_HPP
#define PARE_NN_FAKE_RANGE_HPP

#include <array>
#include <span>

#include <pare/kernels/fake_quantize.hpp>
#include <pare/kernels/quantize.hpp>
#include <pare/nn/static_layers.hpp>
#include <pare/nn/trainable.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/fake_quantization.hpp>

PARE_NAMESPACE_BEGIN

/// What flows into a layer in training, quantized as Policy says and made real again before products see it: static_range is what
/// it becomes. The range is a moving average over the steps, m += averaging * (x - m) for the least and the greatest number x of a
/// batch (the first batch gives the first m), extended to contain zero, until it is `frozen`. A learned scale begins with the range
/// of the first batch, which also says where zero is, and is trained. Jacob et al. 2018, section 3.1; Esser et al. 2020.
///
/// A layer takes part by having a member `activations` (nn/training.hpp does the rest): forward_training(context, n, x, seen),
/// backward(context, n, x, d, gradient), which makes of d, the gradient of what was seen, that of x, training_scratch_floats(n),
/// trained_numbers, rounded_bias(weights, j, bias).
template <input_policy Policy>
struct fake_range {
    static_assert(Policy.is_known(), "pare: what flows into a layer is quantized in training to 2 to 8 bits");
    static constexpr const char* note = ", activations quantized in training";
    static constexpr input_policy policy = Policy;
    static constexpr bool learned = Policy.step == step_size::learned;
    static constexpr std::size_t trained_numbers = learned ? 1 : 0;

    std::array<float, 3> range{};  // least, greatest, and not 0 where there was a batch
    float scale = 1.0f;            // where it is learned
    float averaging = 0.01f;
    bool frozen_range = false;

    bool has_range() const noexcept { return range[2] != 0.0f; }
    std::span<float> values() noexcept { return range; }
    std::span<const float> values() const noexcept { return range; }

    fake_quantization quantization_now() const noexcept {
        quantization q = affine_quantization(range[0], range[1], 0, Policy.largest());
        if constexpr (learned) {
            q.scale = scale > smallest_scale ? scale : smallest_scale;
        }
        return {q, 0, Policy.largest()};
    }
    static_range frozen() const noexcept {
        const fake_quantization f = quantization_now();
        return {f.q, f.largest};
    }

    static constexpr std::size_t training_scratch_floats(std::size_t n) noexcept { return learned ? n : 0; }

    /// Bias j of a layer whose weights are quantized, too, as the sums of products hold it: a multiple of both scales.
    template <class Weights>
    requires requires(const Weights& w) { w.scale_of_row(std::size_t{}); }
    float rounded_bias(const Weights& w, std::size_t j, float bias) const noexcept {
        const float step = exact_multiply(quantization_now().q.scale, w.scale_of_row(j));
        return exact_multiply(static_cast<float>(detail::bias_in_sums(bias, step, detail::largest_bias_in_sums(w.columns()))),
                              step);
    }

    /// Batches with numbers that are not finite do not change the range.
    template <class Context>
    void forward_training(Context& ctx, std::size_t n, const float* x, float* seen) noexcept {
        using isa = typename Context::isa;
        if (n != 0 && !frozen_range && !(learned && has_range())) {
            observe(kernels::range_of<isa>(x, n));
        }
        const kernels::fake_quantizer<isa> quantizer(quantization_now());
        kernels::transform<isa>(
            ctx.executor, n, seen, [&](auto v) { return quantizer.value(v); }, x);
    }

    template <class Context>
    void backward(Context& ctx, std::size_t n, const float* x, float* d, std::span<float> gradient) const noexcept {
        using isa = typename Context::isa;
        const fake_quantization f = quantization_now();
        if constexpr (learned) {
            gradient[0] = kernels::fake_quantize_scale_gradient<isa>(n, x, f, d) * step_gradient_factor(n, f.largest);
        }
        const kernels::fake_quantizer<isa> quantizer(f);
        kernels::transform<isa>(
            ctx.executor, n, d, [&](auto v, auto g) { return quantizer.gradient(v, g); }, x, static_cast<const float*>(d));
    }

private:
    void observe(const kernels::value_range& now) noexcept {
        if (!now.bounded) {
            return;
        }
        const auto average = [&](float m, float value) {
            return has_range() ? opaque(m + exact_multiply(averaging, opaque(value - m))) : value;
        };
        range = {average(range[0], now.min), average(range[1], now.max), 1.0f};
        if constexpr (learned) {
            scale = affine_quantization(range[0], range[1], 0, Policy.largest()).scale;
        }
    }
};

template <input_policy Policy>
requires(Policy.step == step_size::learned) std::span<float> trainable_values(fake_range<Policy>& a)
noexcept {
    return {&a.scale, 1};
}

/// x has been quantized before.
template <input_policy Policy, class Context, class... Stages>
void multiply(const weight_matrix<float, full>& w, const fake_range<Policy>&, Context& ctx, const matrix_view<const float>& x,
              const matrix_view<float>& y, Stages... stages) noexcept {
    multiply(w, as_float{}, ctx, x, y, stages...);
}

PARE_NAMESPACE_END

#endif
