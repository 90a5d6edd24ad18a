#ifndef PARE_NN_CONV_TRANSPOSE_HPP
#define PARE_NN_CONV_TRANSPOSE_HPP

#include <pare/kernels/elementwise.hpp>
#include <pare/nn/conv.hpp>

PARE_NAMESPACE_BEGIN

/// The shapes of a transposed convolution.
template <std::size_t In, std::size_t Out, class Window, class Weights, class Activations>
struct conv_transpose_plan {
    static constexpr bool is_static = In != dyn && Out != dyn && Window::is_static;

    extents<In> inputs;
    extents<Out> outputs;
    Window window;

    /// 0 where the padding takes away all of the output.
    static constexpr std::size_t enlarged(std::size_t length, std::size_t stride, std::size_t padding, std::size_t dilation,
                                          std::size_t kernel) noexcept {
        const std::size_t whole = (length - 1) * stride + dilation * (kernel - 1) + 1;
        return whole > 2 * padding ? whole - 2 * padding : 0;
    }

    /// The convolution that it is the transpose of: from its outputs, of which `input` says the size, to its inputs.
    constexpr kernels::convolution transposed(const size2d& input) const noexcept {
        const pare::window& w = window.value;
        kernels::convolution s =
            w.over(enlarged(input.height, w.stride.height, w.padding.height, w.dilation.height, w.kernel.height),
                   enlarged(input.width, w.stride.width, w.padding.width, w.dilation.width, w.kernel.width));
        s.channels = outputs[0];
        s.outputs = inputs[0];
        return s;
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
        const kernels::convolution s = transposed({input[0], input[1]});
        const std::size_t rows = kernels::patch_rows(s);
        return scratch_bytes_of<float>(rows * s.kernel_size()) +
               Weights::scratch_bytes(Activations{}, rows, s.kernel_size(), s.outputs);
    }
};

/// What is the gradient of conv2d by its input, as a layer: each input pixel adds x W to a window of the output, which is larger.
/// Weights [kernel height, kernel width, Out, In]: a matrix of as many outputs as a window has numbers; a state dict has them as
/// [In, Out, kernel height, kernel width]. In one group. torch.nn.ConvTranspose2d. Arguments as conv2d.
template <std::size_t In, std::size_t Out, size2d Kernel, conv_options Options = conv_options{},
          class Weights = weight_matrix<float, full>, class Activations = as_float>
struct conv_transpose2d {
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };
    static_assert(Options.groups == 1, "pare: conv_transpose2d has one group");
    using window_type =
        std::conditional_t<Kernel.width != dyn, fixed_window<window{Kernel, Options.stride, Options.padding, Options.dilation}>,
                           run_time_window>;

    Weights weights;
    tensor<float, Out> bias;
    bool has_bias = Options.bias;  // else it is zero and no member
    window_type moves;

    conv_transpose2d() requires(In != dyn && Out != dyn && Kernel.width != dyn &&
                                std::constructible_from<Weights, std::size_t, std::size_t>)
        : weights(Kernel.height * Kernel.width * Out, In) {}
    /// With run-time extents.
    conv_transpose2d(std::size_t inputs, std::size_t outputs, size2d kernel,
                     conv_options options = {}) requires(Kernel.width == dyn &&
                                                         std::constructible_from<Weights, std::size_t, std::size_t>)
        : weights(kernel.height * kernel.width * outputs, inputs),
          bias(outputs),
          has_bias(options.bias),
          moves{{kernel, options.stride, options.padding, options.dilation}} {
        PARE_ASSERT(options.groups == 1, "a transposed convolution in %zu groups; it has one", options.groups);
    }
    conv_transpose2d(Weights w, tensor<float, Out> b, bool with_bias, window_type m)
        : weights(std::move(w)), bias(std::move(b)), has_bias(with_bias), moves(m) {}

    conv_transpose_plan<In, Out, window_type, Weights, Activations> plan() const noexcept {
        return {extents<In>(extents<dyn>(weights.columns())), bias.shape(), moves};
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y) const noexcept {
        for (std::size_t i = 0; i < y.size(); i += bias.size()) {
            std::copy(bias.begin(), bias.end(), y.data() + i);
        }
        for_each_piece(ctx, x,
                       [&](auto& inner, const kernels::convolution& s, std::size_t image, std::size_t first,
                           matrix_view<const float> pixels, matrix_view<float> patches) {
                           multiply(weights, Activations{}, inner, pixels, patches);
                           kernels::add_patches<typename Context::isa>(s, patches.data, 0, first, pixels.rows,
                                                                       y.data() + image * (y.size() / x.extent(0)));
                       });
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float> gradient) const noexcept {
        using isa = typename Context::isa;
        Context outer = ctx;
        const std::size_t count = weights.rows() * weights.columns();
        float* const part = outer.scratch.template take<float>(count);
        std::fill_n(gradient.data(), count, 0.0f);
        for_each_piece(
            outer, x,
            [&](auto& inner, const kernels::convolution& s, std::size_t image, std::size_t first, matrix_view<const float> pixels,
                matrix_view<float> patches) {
                kernels::copy_patches<isa>(s, dy.data() + image * (dy.size() / x.extent(0)), 0, first, pixels.rows, patches.data);
                multiply_gradient(weights, inner, pixels, patches, matrix_view<float>(part, weights.rows(), weights.columns()));
                kernels::transform<isa>(
                    ctx.executor, count, gradient.data(), [](auto a, auto b) { return a + b; },
                    static_cast<const float*>(gradient.data()), static_cast<const float*>(part));
                if (dx.data() != nullptr) {
                    multiply_transposed(weights, inner, patches,
                                        matrix_view<float>(dx.data() + (pixels.data - x.data()), pixels.rows, pixels.columns));
                }
            });
        if (has_bias) {
            kernels::sum_rows<isa>(dy.size() / bias.size(), bias.size(), dy.data(), bias.size(), gradient.data() + count, false);
        }
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t, const extents<N...>& input) const noexcept {
        const kernels::convolution s = plan().transposed({input[0], input[1]});
        const std::size_t rows = kernels::patch_rows(s);
        return scratch_bytes_of<float>(weights.rows() * weights.columns()) + scratch_bytes_of<float>(rows * s.kernel_size()) +
               product_scratch_bytes<Isa>(weights, rows);
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        const size2d kernel = self.moves.value.kernel;
        f("weight", self.weights,
          file_axes{4, {self.weights.columns(), self.bias.size(), kernel.height, kernel.width}, {2, 3, 1, 0}});
        if (self.has_bias) {
            f("bias", self.bias);
        }
    }

    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = f("weight", weights, Activations{});
        return conv_transpose2d<In, Out, Kernel, Options, decltype(mapped.weights), decltype(mapped.activations)>(
            std::move(mapped.weights), bias, has_bias, moves);
    }

    std::string describe() const {
        return sentence("conv_transpose2d ", weights.columns(), " -> ", bias.size(), ", kernel ", moves.value.kernel.height, "x",
                        moves.value.kernel.width, ": ", weights.describe(), Activations::note);
    }

private:
    /// Calls f(context, convolution, image, first pixel, pixels [some, In], patches [some, kernel size] in scratch) for the pixels
    /// of all images of x.
    template <class Context, class X, class F>
    void for_each_piece(const Context& ctx, const X& x, const F& f) const {
        Context inner = ctx;
        const auto shape = sample_shape(x);
        const kernels::convolution s = plan().transposed({shape[0], shape[1]});
        const std::size_t most = kernels::patch_rows(s), pixels = shape[0] * shape[1];
        float* const patches = inner.scratch.template take<float>(most * s.kernel_size());
        for (std::size_t image = 0; image < x.extent(0); ++image) {
            for (std::size_t first = 0; first < pixels; first += most) {
                const std::size_t rows = (std::min)(most, pixels - first);
                f(inner, s, image, first,
                  matrix_view<const float>(x.data() + (image * pixels + first) * s.outputs, rows, s.outputs),
                  matrix_view<float>(patches, rows, s.kernel_size()));
            }
        }
    }
};

PARE_NAMESPACE_END

#endif
