#ifndef PARE_NN_CONV_TRANSPOSE_HPP
#define PARE_NN_CONV_TRANSPOSE_HPP

#include <algorithm>

#include <pare/nn/conv.hpp>

PARE_NAMESPACE_BEGIN

/// What torch.nn.ConvTranspose2d takes besides channels and kernel. groups = channels makes it depthwise.
struct conv_transpose_options {
    size2d stride = 1;
    size2d padding = 0;
    size2d output_padding = 0;  // rows and columns more, below and on the right: of the sizes that a stride maps to one input
    size2d dilation = 1;
    std::size_t groups = 1;
    bool bias = true;

    /// As PyTorch has it.
    constexpr bool fits() const noexcept {
        return output_padding.height < (std::max)(stride.height, dilation.height) &&
               output_padding.width < (std::max)(stride.width, dilation.width);
    }
};

/// The shapes of a transposed convolution.
template <std::size_t In, std::size_t Out, class Window, class Weights, class Activations>
struct conv_transpose_plan {
    static constexpr bool is_static = In != dyn && Out != dyn && Window::is_static;

    extents<In> inputs;
    extents<Out> outputs;
    Window window;

    /// 0 where the padding takes away all of the output.
    static constexpr std::size_t enlarged(std::size_t length, std::size_t stride, std::size_t padding, std::size_t more,
                                          std::size_t dilation, std::size_t kernel) noexcept {
        const std::size_t whole = (length - 1) * stride + dilation * (kernel - 1) + 1 + more;
        return whole > 2 * padding ? whole - 2 * padding : 0;
    }

    /// The convolution that it is the transpose of: from its outputs, of which `input` says the size, to its inputs.
    constexpr kernels::convolution transposed(const size2d& input) const noexcept {
        const pare::window& w = window.value;
        kernels::convolution s =
            w.over(enlarged(input.height, w.stride.height, w.padding.height, w.output_padding.height, w.dilation.height, w.kernel.height),
                   enlarged(input.width, w.stride.width, w.padding.width, w.output_padding.width, w.dilation.width, w.kernel.width));
        s.channels = outputs[0];
        s.outputs = inputs[0];
        return s;
    }

    /// The product of `pixels` of them as a convolution of one row of pixels: to all numbers of their windows, group by group.
    constexpr kernels::convolution product(std::size_t pixels) const noexcept {
        kernels::convolution s;
        s.width = pixels;
        s.channels = inputs[0];
        s.outputs = window.value.kernel.height * window.value.kernel.width * outputs[0];
        s.groups = window.value.groups;
        return s;
    }

    /// How many pixels have their windows in memory at a time.
    static constexpr std::size_t pixels_at_a_time(kernels::convolution transposed) noexcept {
        transposed.groups = 1;
        return kernels::patch_rows(transposed);
    }

    template <std::size_t... N>
    constexpr auto output_shape(const extents<N...>& input) const noexcept {
        static_assert(sizeof...(N) == 3, "pare: conv_transpose2d takes samples [height, width, channels]");
        constexpr std::size_t n[] = {N...};
        static_assert(n[2] == In || n[2] == dyn || In == dyn,
                      "pare: a convolution must take as many channels (In) as the layer before it gives (the last of N)");
        PARE_ASSERT(input[2] == inputs[0], "a transposed convolution of %zu channels is given %zu", inputs[0], input[2]);
        if constexpr (is_static && n[0] != dyn && n[1] != dyn) {
            constexpr kernels::convolution s = conv_transpose_plan{}.transposed({n[0], n[1]});
            static_assert(s.height != 0 && s.width != 0,
                          "pare: the padding of a transposed convolution must leave something of its output");
            return extents<s.height, s.width, Out>();
        } else {
            const kernels::convolution s = transposed({input[0], input[1]});
            PARE_ASSERT(s.height != 0 && s.width != 0,
                        "the padding %zux%zu of a transposed convolution leaves nothing of its output", s.padding_height,
                        s.padding_width);
            return extents<dyn, dyn, Out>(s.height, s.width, outputs[0]);
        }
    }

    template <std::size_t... N>
    constexpr std::size_t scratch_bytes(std::size_t, const extents<N...>& input) const noexcept {
        const kernels::convolution s = product(pixels_at_a_time(transposed({input[0], input[1]})));
        return scratch_bytes_of<float>(s.width * s.outputs) + Weights::scratch_bytes(Activations{}, s);
    }
};

/// What is the gradient of conv2d by its input, as a layer: each input pixel adds x W to a window of the output, which is larger.
/// Weights [groups, kernel height, kernel width, Out / groups, In / groups]: a matrix of as many outputs as a window has numbers; a
/// state dict has them as [In, Out / groups, kernel height, kernel width]. torch.nn.ConvTranspose2d. Arguments as conv2d:
/// conv_transpose2d<64, 32, 3, conv_transpose_options{.stride = 2, .padding = 1, .output_padding = 1}>(). Byte weights quantize
/// the activations of 64 pixels or more together.
template <std::size_t In, std::size_t Out, size2d Kernel, conv_transpose_options Options = conv_transpose_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
struct conv_transpose2d {
    static constexpr const char* kind = "conv_transpose2d";
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };
    static_assert(Options.fits(), "pare: the output_padding of a transposed convolution must be below its stride or its dilation");
    static_assert(In == dyn || Out == dyn || (In % Options.groups == 0 && Out % Options.groups == 0),
                  "pare: the channels of a convolution, In and Out, must be multiples of its groups");
    static constexpr window window_of(size2d kernel, const conv_transpose_options& o) noexcept {
        return {kernel, o.stride, o.padding, o.dilation, o.groups, o.output_padding};
    }
    using window_type = std::conditional_t<Kernel.width != dyn, fixed_window<window_of(Kernel, Options)>, run_time_window>;

    Weights weights;
    tensor<float, Out> bias;
    bool has_bias = Options.bias;  // else it is zero and no member
    window_type moves;

    conv_transpose2d() requires(In != dyn && Out != dyn && Kernel.width != dyn &&
                                std::constructible_from<Weights, std::size_t, std::size_t>)
        : weights(Kernel.height * Kernel.width * Out, In / Options.groups) {}
    /// With run-time extents.
    conv_transpose2d(std::size_t inputs, std::size_t outputs, size2d kernel,
                     conv_transpose_options options = {}) requires(Kernel.width == dyn &&
                                                                   std::constructible_from<Weights, std::size_t, std::size_t>)
        : weights(kernel.height * kernel.width * outputs, inputs / options.groups),
          bias(outputs),
          has_bias(options.bias),
          moves{window_of(kernel, options)} {
        PARE_ASSERT(inputs % options.groups == 0 && outputs % options.groups == 0, "%zu channels to %zu in %zu groups", inputs,
                    outputs, options.groups);
        PARE_ASSERT(options.fits(),
                    "the output_padding %zux%zu of a transposed convolution is not below its stride or its dilation",
                    options.output_padding.height, options.output_padding.width);
    }
    conv_transpose2d(Weights w, tensor<float, Out> b, bool with_bias, window_type m)
        : weights(std::move(w)), bias(std::move(b)), has_bias(with_bias), moves(m) {}

    using plan_type = conv_transpose_plan<In, Out, window_type, Weights, Activations>;
    plan_type plan() const noexcept {
        return {extents<In>(extents<dyn>(weights.columns() * moves.value.groups)), bias.shape(), moves};
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y) const noexcept {
        using isa = typename Context::isa;
        for (std::size_t i = 0; i < y.size(); i += bias.size()) {
            std::copy(bias.begin(), bias.end(), y.data() + i);
        }
        for_each_piece(ctx, x, [&](auto& inner, const piece& part, const kernels::convolution& s) {
            const kernels::convolution p = plan().product(part.pixels);
            if constexpr (requires { Weights::scratch_bytes(Activations{}, p); }) {
                weights.convolve(Activations{}, inner.executor, inner.scratch, p, x.data() + part.x, part.windows);
            } else {
                for (std::size_t g = 0; g < s.groups; ++g) {
                    kernels::gemm_f32<isa>(inner.executor, inner.scratch, part.pixels, s.kernel_size(), s.group_outputs(),
                                           {x.data() + part.x + g * s.group_outputs(), s.outputs, 1},
                                           {group_weights(s, g), 1, s.group_outputs()},
                                           kernels::epilogue<float>(part.windows + g * s.kernel_size(), p.outputs));
                }
            }
            float* const image = y.data() + part.image * (y.size() / x.extent(0));
            for (std::size_t i = 0; i < part.pixels; ++i) {
                for (std::size_t g = 0; g < s.groups; ++g) {
                    kernels::add_patches<isa>(s, part.windows + i * p.outputs + g * s.kernel_size(), g, part.pixel(s, i), 1, image);
                }
            }
        });
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float> gradient) const noexcept {
        using isa = typename Context::isa;
        const std::size_t count = weights.rows() * weights.columns();
        std::fill_n(gradient.data(), count, 0.0f);
        for_each_piece(ctx, x, [&](auto& inner, const piece& part, const kernels::convolution& s) {
            const float* const image = dy.data() + part.image * (dy.size() / x.extent(0));
            const std::size_t window = s.kernel_size(), inputs = s.group_outputs();
            for (std::size_t g = 0; g < s.groups; ++g) {
                for (std::size_t i = 0; i < part.pixels; ++i) {
                    kernels::copy_patches<isa>(s, image, g, part.pixel(s, i), 1, part.windows + i * window);
                }
                float* const dw = gradient.data() + g * window * inputs;
                kernels::gemm_f32<isa>(inner.executor, inner.scratch, window, inputs, part.pixels, {part.windows, 1, window},
                                       {x.data() + part.x + g * inputs, s.outputs, 1},
                                       kernels::epilogue<float, kernels::add_terms>(dw, inputs, kernels::add_terms{dw, inputs}));
                if (dx.data() != nullptr) {
                    kernels::gemm_f32<isa>(inner.executor, inner.scratch, part.pixels, inputs, window, {part.windows, window, 1},
                                           {group_weights(s, g), inputs, 1},
                                           kernels::epilogue<float>(dx.data() + part.x + g * inputs, s.outputs));
                }
            }
        });
        finish_gradient(weights, ctx, gradient.data());
        if (has_bias) {
            kernels::sum_rows<isa>(dy.size() / bias.size(), bias.size(), dy.data(), bias.size(),
                                   gradient.data() + trained_count(weights), false);
        }
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t, const extents<N...>& input) const noexcept {
        const kernels::convolution s = plan().transposed({input[0], input[1]});
        const std::size_t pixels = plan_type::pixels_at_a_time(s), window = s.kernel_size(), inputs = s.group_outputs();
        return scratch_bytes_of<float>(pixels * s.groups * window) +
               (std::max)({kernels::gemm_f32_scratch_bytes<Isa>(window, inputs),
                           kernels::gemm_f32_scratch_bytes<Isa>(inputs, window),
                           kernels::gemm_f32_scratch_bytes<Isa>(inputs, pixels)});
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        const window& w = self.moves.value;
        f("weight", self.weights,
          file_axes{4,
                    {self.weights.columns() * w.groups, self.bias.size() / w.groups, w.kernel.height, w.kernel.width},
                    {2, 3, 1, 0},
                    w.groups});
        if (self.has_bias) {
            f("bias", self.bias);
        }
    }

    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = map_member(f, "weight", weights, Activations{}, plan().product(1));
        return conv_transpose2d<In, Out, Kernel, Options, decltype(mapped.weights), decltype(mapped.activations)>(
            std::move(mapped.weights), bias, has_bias, moves);
    }

    std::string describe() const {
        const window& w = moves.value;
        return sentence("conv_transpose2d ", weights.columns() * w.groups, " -> ", bias.size(), ", kernel ", w.kernel.height, "x",
                        w.kernel.width, w.groups == 1 ? std::string() : sentence(" in ", w.groups, " groups"), ": ",
                        weights.describe(), detail::activations_note<Weights, Activations>());
    }

private:
    /// Some pixels of an image of x, which begin at x, and memory for their windows, [pixels, numbers of a window].
    struct piece {
        std::size_t image, first, pixels, x, width;
        float* windows;

        /// The number of pixel i where the larger image has windows for more pixels than x.
        std::size_t pixel(const kernels::convolution& s, std::size_t i) const noexcept {
            return (first + i) / width * s.output_width() + (first + i) % width;
        }
    };

    const float* group_weights(const kernels::convolution& s, std::size_t group) const noexcept {
        return product_values(weights) + group * s.kernel_size() * s.group_outputs();
    }

    /// Calls f(context, piece, transposed convolution) for the pixels of all images of x.
    template <class Context, class X, class F>
    void for_each_piece(const Context& ctx, const X& x, const F& f) const {
        Context inner = ctx;
        const auto shape = sample_shape(x);
        const kernels::convolution s = plan().transposed({shape[0], shape[1]});
        const std::size_t most = plan_type::pixels_at_a_time(s), pixels = shape[0] * shape[1];
        float* const windows = inner.scratch.template take<float>(most * s.groups * s.kernel_size());
        for (std::size_t image = 0; image < x.extent(0); ++image) {
            for (std::size_t first = 0; first < pixels; first += most) {
                f(inner,
                  piece{image, first, (std::min)(most, pixels - first), (image * pixels + first) * s.outputs, shape[1], windows},
                  s);
            }
        }
    }
};

PARE_NAMESPACE_END

#endif
