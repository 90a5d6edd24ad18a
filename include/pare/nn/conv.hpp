#ifndef PARE_NN_CONV_HPP
#define PARE_NN_CONV_HPP

#include <algorithm>

#include <pare/kernels/packed_conv.hpp>
#include <pare/nn/training.hpp>
#include <pare/nn/window.hpp>

PARE_NAMESPACE_BEGIN

/// What torch.nn.Conv2d takes besides channels and kernel. groups = channels makes it depthwise.
struct conv_options {
    size2d stride = 1;
    size2d padding = 0;
    size2d dilation = 1;
    std::size_t groups = 1;
    bool bias = true;
};

/// The shapes of a convolution.
template <std::size_t Rank, std::size_t In, std::size_t Out, class Window, class Weights, class Activations>
struct convolution_plan {
    static constexpr bool is_static = In != dyn && Out != dyn && Window::is_static;

    extents<In> inputs;
    extents<Out> outputs;
    Window window;

    /// For images of this size.
    constexpr kernels::convolution over(const size2d& size) const noexcept {
        kernels::convolution s = window.value.over(size.height, size.width);
        s.channels = inputs[0];
        s.outputs = outputs[0];
        return s;
    }

    template <std::size_t... N>
    constexpr auto output_shape(const extents<N...>& input) const noexcept {
        constexpr std::size_t given = extents<N...>::static_extent(sizeof...(N) - 1);
        static_assert(sizeof...(N) == Rank + 1, "pare: conv2d takes samples [height, width, channels], conv1d [width, channels]");
        static_assert(given == In || given == dyn || In == dyn,
                      "pare: a convolution must take as many channels (In) as the layer before it gives (the last of N)");
        PARE_ASSERT(input[Rank] == inputs[0], "a convolution of %zu channels is given %zu", inputs[0], input[Rank]);
        return detail::windows_over<Out>(window, input, outputs[0]);
    }

    template <std::size_t... N>
    constexpr std::size_t scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        return kernels::slice_count(batch) * Weights::scratch_bytes(Activations{}, over(detail::image_size(input)));
    }
};

/// A convolution of images [height, width, In] to [height', width', Out] (Rank 2), or of sequences [width, In] to [width', Out]
/// (Rank 1): see conv2d and conv1d. Weights [Out, kernel height, kernel width, In / groups], which is a matrix [outputs, inputs] of
/// patches; a state dict has them as [Out, In / groups, kernel height, kernel width].
template <std::size_t Rank, std::size_t In, std::size_t Out, size2d Kernel, conv_options Options, class Weights, class Activations>
struct convolution_layer {
    static constexpr const char* kind = Rank == 1 ? "conv1d" : "conv2d";
    static constexpr bool takes_stages = true;
    static constexpr bool backward_ignores_y = true;
    static constexpr bool gradient_in_place = true;  // an image's weight gradient is complete before its dx begins
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };
    static constexpr bool is_static = In != dyn && Out != dyn && Kernel.width != dyn;
    static constexpr window window_of(size2d kernel, const conv_options& o) noexcept {
        if constexpr (Rank == 1) {
            return {{1, kernel.width}, {1, o.stride.width}, {0, o.padding.width}, {1, o.dilation.width}, o.groups};
        } else {
            return {kernel, o.stride, o.padding, o.dilation, o.groups};
        }
    }
    using window_type = std::conditional_t<Kernel.width != dyn, fixed_window<window_of(Kernel, Options)>, run_time_window>;

    Weights weights;
    tensor<float, Out> bias;
    bool has_bias = Options.bias;  // else it is zero and no member
    window_type moves;
    [[no_unique_address]] Activations activations{};

    convolution_layer() requires(is_static&& std::constructible_from<Weights, std::size_t, std::size_t>)
        : weights(Out, Kernel.height * Kernel.width * (In / Options.groups)) {
        static_assert(In % Options.groups == 0 && Out % Options.groups == 0,
                      "pare: the channels of a convolution, In and Out, must be multiples of its groups");
    }
    /// With run-time extents.
    convolution_layer(std::size_t inputs, std::size_t outputs, size2d kernel,
                      conv_options options = {}) requires(Kernel.width == dyn &&
                                                          std::constructible_from<Weights, std::size_t, std::size_t>)
        : weights(outputs, (Rank == 1 ? 1 : kernel.height) * kernel.width * (inputs / options.groups)),
          bias(outputs),
          has_bias(options.bias),
          moves{window_of(kernel, options)} {
        PARE_ASSERT((In == dyn || In == inputs) && (Out == dyn || Out == outputs), "conv<%zu, %zu>(%zu, %zu)", In, Out, inputs,
                    outputs);
        PARE_ASSERT(inputs % options.groups == 0 && outputs % options.groups == 0, "%zu channels to %zu in %zu groups", inputs,
                    outputs, options.groups);
    }
    convolution_layer(Weights w, tensor<float, Out> b, bool with_bias, window_type m, Activations a = {})
        : weights(std::move(w)), bias(std::move(b)), has_bias(with_bias), moves(m), activations(std::move(a)) {}

    convolution_plan<Rank, In, Out, window_type, Weights, Activations> plan() const noexcept {
        const std::size_t taps = moves.value.kernel.height * moves.value.kernel.width;
        return {extents<In>(extents<dyn>(weights.columns() * moves.value.groups / taps)), bias.shape(), moves};
    }

    /// x may be bytes (static_range); then the stages begin with the sums, and know the bias.
    template <class Context, class T, std::size_t... X, class U, std::size_t... Y, class... Stages>
    void forward(Context& ctx, tensor_view<const T, X...> x, tensor_view<U, Y...> y, Stages... stages) const noexcept {
        using isa = typename Context::isa;
        const kernels::convolution s = shape_of(x);
        [[maybe_unused]] const kernels::add_bias add{bias.data()};
        arena scratch = ctx.scratch;
        if constexpr (requires { Weights::scratch_bytes(Activations{}, s); }) {
            for_each_image(ctx.executor, scratch, s, x, y, Weights::scratch_bytes(Activations{}, s),
                           [&](auto& executor, arena own, const T* in, U* out) {
                               if constexpr (std::is_same_v<T, float>) {
                                   weights.convolve(activations, executor, own, s, in, out, add, stages...);
                               } else {
                                   weights.convolve(activations, executor, own, s, in, out, stages...);
                               }
                           });
        } else {
            using layout = kernels::conv2d_f32_kernel<isa>;
            float* const packed = scratch.take<float>(layout::packed_size(s));
            layout::pack(product_values(weights), s, packed);
            for_each_image(ctx.executor, scratch, s, x, y, kernels::conv2d_f32_scratch_bytes(s),
                           [&](auto& executor, arena own, const float* in, float* out) {
                               kernels::conv2d_f32_padded<isa>(executor, own, s, in, packed, out, add, stages...);
                           });
        }
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float> gradient) const noexcept {
        using isa = typename Context::isa;
        using input_gradient = kernels::conv2d_input_gradient<isa>;
        using weight_gradient = kernels::conv2d_weight_gradient<isa>;
        const kernels::convolution s = shape_of(x);
        if (x.extent(0) == 0) {
            std::fill(gradient.begin(), gradient.end(), 0.0f);
            return;
        }
        const std::size_t batch = x.extent(0), slices = gradient_slices<isa>(s, batch), stride = saved_piece(gradient.size());
        const std::size_t x_size = x.size() / batch, y_size = dy.size() / batch, weight_count = s.outputs * s.kernel_size();
        arena scratch = ctx.scratch;
        float* packed = nullptr;
        if (dx.data() != nullptr) {
            packed = scratch.take<float>(input_gradient::packed_size(s));
            input_gradient::pack(product_values(weights), s, packed);
        }
        float* const parts = slices == 1 ? gradient.data() : scratch.take<float>(slices * stride);
        kernels::for_each_slice(
            ctx.executor, scratch, batch, slices, slice_scratch_bytes<isa>(s), 2 * batch * s.output_pixels() * weight_count,
            [&](auto& executor, std::size_t slice, std::size_t first, std::size_t end, arena own) {
                float* const part = parts + slice * stride;
                float* const patches =
                    own.take<float>((std::max)(weight_gradient::scratch_floats(s), input_gradient::scratch_floats(s)));
                std::fill_n(part, gradient.size(), 0.0f);
                for (std::size_t i = first; i < end; ++i) {
                    const float* const g = dy.data() + i * y_size;
                    weight_gradient::run(executor, s, x.data() + i * x_size, g, patches, part);
                    if (has_bias) {
                        kernels::sum_rows<isa>(s.output_pixels(), s.outputs, g, s.outputs, part + trained_count(weights), true);
                    }
                    if (dx.data() != nullptr) {
                        input_gradient::run(executor, s, g, packed, patches, dx.data() + i * x_size);
                    }
                }
            });
        if (slices != 1) {
            kernels::sum_slices<isa>(ctx.executor, slices, gradient.size(), parts, stride, gradient.data());
        }
        finish_gradient(weights, ctx, gradient.data());
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        const kernels::convolution s = plan().over(detail::image_size(input));
        const std::size_t forward = scratch_bytes_of<float>(kernels::conv2d_f32_kernel<Isa>::packed_size(s)) +
                                    kernels::slice_count(batch) * kernels::conv2d_f32_scratch_bytes(s);
        const std::size_t slices = gradient_slices<Isa>(s, batch);
        const std::size_t parts = slices == 1 ? 0 : slices * saved_piece(parameter_count(*this));
        const std::size_t backward = scratch_bytes_of<float>(kernels::conv2d_input_gradient<Isa>::packed_size(s)) +
                                     scratch_bytes_of<float>(parts) + slices * slice_scratch_bytes<Isa>(s);
        return (std::max)(forward, backward);
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        const window& w = self.moves.value;
        const std::size_t outputs = self.bias.size(), inputs = self.weights.columns() / (w.kernel.height * w.kernel.width);
        if constexpr (Rank == 1) {
            f("weight", self.weights, file_axes{3, {outputs, inputs, w.kernel.width}, {0, 2, 1}});
        } else {
            f("weight", self.weights, file_axes{4, {outputs, inputs, w.kernel.height, w.kernel.width}, {0, 2, 3, 1}});
        }
        if (self.has_bias) {
            f("bias", self.bias);
        }
        if constexpr (!std::is_empty_v<Activations>) {
            f("input", self.activations);
        }
    }

    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = map_member(f, "weight", weights, activations, plan().over(1));
        return convolution_layer<Rank, In, Out, Kernel, Options, decltype(mapped.weights), decltype(mapped.activations)>(
            std::move(mapped.weights), bias, has_bias, moves, std::move(mapped.activations));
    }

    /// The layer with output channel j times scale[j] plus shift[j]: what a batch norm behind it does.
    convolution_layer scaled(const float* scale, const float* shift) const requires requires(Weights& w) { scale_rows(w, scale); }
    {
        convolution_layer copy = *this;
        scale_rows(copy.weights, scale);
        for (std::size_t j = 0; j < bias.size(); ++j) {
            copy.bias(j) = bias(j) * scale[j] + shift[j];
        }
        copy.has_bias = true;
        return copy;
    }

    std::string describe() const {
        const kernels::convolution s = plan().over(1);
        return sentence(Rank == 1 ? "conv1d " : "conv2d ", s.channels, " -> ", s.outputs, ", kernel ", s.kernel_height, "x",
                        s.kernel_width, s.groups == 1 ? std::string() : sentence(" in ", s.groups, " groups"), ": ",
                        weights.describe(), detail::activations_note<Weights, Activations>());
    }

private:
    template <class T, std::size_t... E>
    kernels::convolution shape_of(const tensor_view<T, E...>& x) const noexcept {
        return plan().over(detail::image_size(sample_shape(x)));
    }

    template <class Executor, class X, class Y, class F>
    static void for_each_image(Executor& executor, const arena& scratch, const kernels::convolution& s, const X& x, const Y& y,
                               std::size_t bytes, const F& f) {
        const std::size_t batch = x.extent(0);
        kernels::for_each_slice(executor, scratch, batch, kernels::slice_count(batch), bytes,
                                batch * s.output_pixels() * s.outputs * s.kernel_size(),
                                [&](auto& exec, std::size_t, std::size_t first, std::size_t end, arena own) {
                                    for (std::size_t i = first; i < end; ++i) {
                                        f(exec, own, x.data() + i * (x.size() / batch), y.data() + i * (y.size() / batch));
                                    }
                                });
    }

    /// Each slice has a gradient and scratch of its own; where there are more than four of them, not more than three megabytes.
    template <class Isa>
    std::size_t gradient_slices(const kernels::convolution& s, std::size_t batch) const noexcept {
        const std::size_t own = weights.rows() * weights.columns() + 1,
                          with_scratch = own + slice_scratch_bytes<Isa>(s) / sizeof(float);
        const std::size_t most =
            (std::max)((std::size_t{3} << 18) / with_scratch, (std::min)((std::size_t{1} << 20) / own, std::size_t{4}));
        return (std::min)(kernels::slice_count(batch), (std::max)(most, std::size_t{1}));
    }
    template <class Isa>
    static std::size_t slice_scratch_bytes(const kernels::convolution& s) noexcept {
        return scratch_bytes_of<float>((std::max)(kernels::conv2d_weight_gradient<Isa>::scratch_floats(s),
                                                  kernels::conv2d_input_gradient<Isa>::scratch_floats(s)));
    }
};

/// y(i, j) = b + sum over (u, v) of W(u, v) x(i * stride + u * dilation - padding, j * ...), x zero outside. torch.nn.Conv2d.
/// Static: conv2d<3, 64, 7, conv_options{.stride = 2, .padding = 3}>(). Known at run time: conv2d<dyn, dyn, dyn>(3, 64, 7, {.stride
/// = 2, .padding = 3}). A kernel is one number or size2d(height, width).
template <std::size_t In, std::size_t Out, size2d Kernel, conv_options Options = conv_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
using conv2d = convolution_layer<2, In, Out, Kernel, Options, Weights, Activations>;

/// The same for sequences [width, In]: the options' widths count. torch.nn.Conv1d.
template <std::size_t In, std::size_t Out, std::size_t Kernel, conv_options Options = conv_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
using conv1d = convolution_layer<1, In, Out, size2d(1, Kernel), Options, Weights, Activations>;

PARE_NAMESPACE_END

#endif
