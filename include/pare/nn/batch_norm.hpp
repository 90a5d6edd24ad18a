#ifndef PARE_NN_BATCH_NORM_HPP
#define PARE_NN_BATCH_NORM_HPP

#include <algorithm>
#include <cmath>

#include <pare/kernels/batch_norm.hpp>
#include <pare/nn/training.hpp>

PARE_NAMESPACE_BEGIN

/// The shapes of layers that treat each channel, the last extent of a sample, by itself.
template <std::size_t C>
struct channels_plan {
    static constexpr bool is_static = C != dyn;

    extents<C> channels;

    template <std::size_t... N>
    constexpr extents<N...> output_shape(const extents<N...>& input) const noexcept {
        constexpr std::size_t last = extents<N...>::static_extent(sizeof...(N) - 1);
        static_assert(last == C || last == dyn || C == dyn,
                      "pare: a layer of C channels must stand behind one that gives as many (the last of N)");
        PARE_ASSERT(input[sizeof...(N) - 1] == channels[0], "a layer of %zu channels is given %zu", channels[0],
                    input[sizeof...(N) - 1]);
        return input;
    }
};

template <std::size_t C>
struct batch_norm_plan : channels_plan<C> {
    template <std::size_t... N>
    constexpr std::size_t scratch_bytes(std::size_t, const extents<N...>&) const noexcept {
        return 2 * scratch_bytes_of<float>(this->channels[0]);
    }
};

/// y = x * scale[c] + shift[c], by channel: what a batch norm is in inference, where no product before it takes it up.
template <std::size_t C>
struct channel_scale {
    static constexpr bool takes_single_steps = true;

    tensor<float, C> scale;
    tensor<float, C> shift;

    channels_plan<C> plan() const noexcept { return {scale.shape()}; }
    kernels::scale_columns stage() const noexcept { return {scale.data(), shift.data()}; }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        kernels::call<kernels::apply_operation<kernels::scale_columns>>(ctx, x.size() / scale.size(), scale.size(), x.data(),
                                                                        y.data(), stage());
    }

    std::string describe() const { return "scale and shift"; }
};

/// y = (x - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c] by channel, the last extent of a sample. In training mean
/// and variance are those of the batch (over samples and pixels), and the running ones follow: r += momentum * (new - r), the
/// variance as the unbiased one; in inference, and where `frozen`, they are the running ones. torch.nn.BatchNorm1d and 2d. Ioffe,
/// Szegedy 2015.
template <std::size_t C>
struct batch_norm {
    tensor<float, C> weight;
    tensor<float, C> bias;
    buffer<float, C> running_mean;
    buffer<float, C> running_var;
    buffer<std::int64_t> num_batches_tracked;
    float epsilon = 1e-5f;
    float momentum = 0.1f;
    bool frozen = false;

    batch_norm() requires(C != dyn) : batch_norm(C) {}
    explicit batch_norm(std::size_t channels) : weight(channels), bias(channels), running_mean(channels), running_var(channels) {
        std::fill(weight.begin(), weight.end(), 1.0f);
        std::fill(running_var.begin(), running_var.end(), 1.0f);
    }

    batch_norm_plan<C> plan() const noexcept { return {{weight.shape()}}; }

    /// What channel j is multiplied by in inference.
    float inference_scale(std::size_t j) const noexcept { return weight(j) / std::sqrt(running_var(j) + epsilon); }

    /// What it is in inference.
    channel_scale<C> scale_and_shift() const {
        channel_scale<C> s{tensor<float, C>(weight.shape()), tensor<float, C>(weight.shape())};
        scale_and_shift(s.scale.data(), s.shift.data());
        return s;
    }

    template <class Context, std::size_t... E>
    void forward(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        arena scratch = ctx.scratch;
        float* const scale = scratch.template take<float>(weight.size());
        float* const shift = scratch.template take<float>(weight.size());
        scale_and_shift(scale, shift);
        apply(ctx, x, y, {scale, shift});
    }

    /// Mean and 1 / sqrt(variance + epsilon).
    template <std::size_t... N>
    std::size_t saved_floats(std::size_t, const extents<N...>&) const noexcept {
        return 2 * weight.size();
    }

    template <class Context, std::size_t... E>
    void forward_training(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y,
                          std::span<float> saved) noexcept {
        const std::size_t c = weight.size(), rows = x.size() / c;
        arena scratch = ctx.scratch;
        float* const mean = saved.data();
        float* const inverse = mean + c;
        if (frozen) {
            std::copy(running_mean.begin(), running_mean.end(), mean);
            std::copy(running_var.begin(), running_var.end(), inverse);
        } else {
            float* const parts = scratch.template take<float>(kernels::most_slices * c);
            kernels::moments<typename Context::isa>(ctx.executor, rows, c, x.data(), parts, mean, inverse);
            const float unbiased = rows > 1 ? static_cast<float>(rows) / static_cast<float>(rows - 1) : 1.0f;
            for (std::size_t j = 0; j < c; ++j) {
                running_mean(j) += opaque(momentum * (mean[j] - running_mean(j)));
                running_var(j) += opaque(momentum * (opaque(inverse[j] * unbiased) - running_var(j)));
            }
            ++num_batches_tracked();
        }
        float* const scale = scratch.template take<float>(c);
        float* const shift = scratch.template take<float>(c);
        for (std::size_t j = 0; j < c; ++j) {
            inverse[j] = 1.0f / std::sqrt(inverse[j] + epsilon);
            scale[j] = weight(j) * inverse[j];
            shift[j] = bias(j) - opaque(mean[j] * scale[j]);
        }
        apply(ctx, x, y, {scale, shift});
    }

    template <class Context, std::size_t... E>
    void backward(Context& ctx, tensor_view<const float, E...> x, tensor_view<const float, E...>, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float> gradient, std::span<const float> saved) const noexcept {
        using isa = typename Context::isa;
        const std::size_t c = weight.size(), rows = x.size() / c;
        const float* const mean = saved.data();
        const float* const inverse = mean + c;
        float* const dscale = gradient.data();
        float* const dshift = dscale + c;
        arena scratch = ctx.scratch;
        kernels::batch_norm_parameter_gradient<isa>(ctx.executor, rows, c, x.data(), dy.data(), mean, inverse,
                                                    scratch.template take<float>(kernels::most_slices * c), dscale, dshift);
        if (dx.data() != nullptr) {
            kernels::batch_norm_gradient<isa>(ctx.executor, rows, c, frozen ? 0.0f : 1.0f / static_cast<float>(rows), x.data(),
                                              dy.data(), mean, inverse, weight.data(), dscale, dshift, dx.data());
        }
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t, const extents<N...>&) const noexcept {
        return scratch_bytes_of<float>(kernels::most_slices * weight.size()) + 2 * scratch_bytes_of<float>(weight.size());
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight", self.weight);
        f("bias", self.bias);
        f("running_mean", self.running_mean);
        f("running_var", self.running_var);
        f("num_batches_tracked", self.num_batches_tracked);
    }

    std::string describe() const { return sentence("batch norm ", weight.size()); }

private:
    void scale_and_shift(float* scale, float* shift) const noexcept {
        for (std::size_t j = 0; j < weight.size(); ++j) {
            scale[j] = inference_scale(j);
            shift[j] = bias(j) - opaque(running_mean(j) * scale[j]);
        }
    }

    template <class Context, class X, class Y>
    static void apply(Context& ctx, const X& x, const Y& y, const kernels::scale_columns& stage) noexcept {
        const std::size_t c = x.extent(X::extents_type::rank - 1);
        kernels::call<kernels::apply_operation<kernels::scale_columns>>(ctx, x.size() / c, c, x.data(), y.data(), stage);
    }
};

PARE_NAMESPACE_END

#endif
