#ifndef PARE_NN_POOL_HPP
#define PARE_NN_POOL_HPP

#include <pare/kernels/quantized_pool.hpp>
#include <pare/kernels/slices.hpp>
#include <pare/nn/byte_layers.hpp>
#include <pare/nn/window.hpp>

PARE_NAMESPACE_BEGIN

/// What torch.nn.MaxPool2d and AvgPool2d take besides the kernel. A stride of 0 is the kernel's size.
struct pool_options {
    size2d stride = 0;
    size2d padding = 0;
    size2d dilation = 1;
    bool ceil_mode = false;         // windows may reach beyond the border below and on the right, but not begin there
    bool count_include_pad = true;  // the border counts, as zeros, in a mean; what is beyond it never does
};

/// The greatest number of a window, or the mean.
enum class pool_kind { max, average };

/// The shapes of a pool: channels stay.
template <std::size_t Rank, class Window>
struct pool_plan {
    static constexpr bool is_static = Window::is_static;

    Window window;

    template <std::size_t... N>
    constexpr auto output_shape(const extents<N...>& input) const noexcept {
        static_assert(sizeof...(N) == Rank + 1,
                      "pare: 2-D pools take samples [height, width, channels], 1-D ones [width, channels]");
        constexpr std::size_t channels = extents<N...>::static_extent(Rank);
        return detail::windows_over<channels>(window, input, input[Rank]);
    }
};

/// See max_pool2d, average_pool2d and their 1-D forms.
template <pool_kind Kind, std::size_t Rank, size2d Kernel, pool_options Options>
struct pool_layer {
    static constexpr bool keeps_bytes = Kind == pool_kind::max;
    static constexpr bool has_byte_form = true;

    static constexpr window window_of(size2d kernel, const pool_options& o) noexcept {
        const auto stride = [](std::size_t given, std::size_t size) { return given == 0 ? size : given; };
        return {Rank == 1 ? size2d(1, kernel.width) : kernel,
                {Rank == 1 ? 1 : stride(o.stride.height, kernel.height), stride(o.stride.width, kernel.width)},
                {Rank == 1 ? 0 : o.padding.height, o.padding.width},
                {Rank == 1 ? 1 : o.dilation.height, o.dilation.width},
                1,
                0,
                o.ceil_mode,
                o.count_include_pad};
    }
    using window_type = std::conditional_t<Kernel.width != dyn, fixed_window<window_of(Kernel, Options)>, run_time_window>;

    /// As PyTorch has it.
    static constexpr bool fits(const window& w) noexcept {
        return 2 * w.padding.height <= w.kernel.height && 2 * w.padding.width <= w.kernel.width;
    }
    static_assert(Kernel.width == dyn || fits(window_of(Kernel, Options)),
                  "pare: the padding of a pool must be at most half of its kernel");

    static constexpr bool backward_ignores_y = true;
    static constexpr bool gradient_in_place = [] {
        if constexpr (Kind == pool_kind::max && Kernel.width != dyn) {
            return kernels::windows_are_tiles(window_of(Kernel, Options).over(1, 1));
        } else {
            return false;
        }
    }();

    window_type moves;

    pool_layer() requires(Kernel.width != dyn) = default;
    /// With a window that is known at run time.
    explicit pool_layer(size2d kernel, pool_options options = {}) requires(Kernel.width == dyn)
        : moves{window_of(kernel, options)} {
        PARE_ASSERT(fits(moves.value), "the padding %zux%zu of a pool is above half of its kernel, %zux%zu",
                    moves.value.padding.height, moves.value.padding.width, kernel.height, kernel.width);
    }

    constexpr pool_plan<Rank, window_type> plan() const noexcept { return {moves}; }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y) const noexcept {
        using isa = typename Context::isa;
        for_each_image(ctx, x, y.size(), [&](const kernels::convolution& s, std::size_t in, std::size_t out) {
            if constexpr (Kind == pool_kind::max) {
                kernels::max_pool<isa>(s, x.data() + in, y.data() + out);
            } else {
                kernels::average_pool<isa>(s, shares(s), x.data() + in, y.data() + out);
            }
        });
    }

    /// The same of bytes: a mean gives those of `to`, for a maximum both stand for the same.
    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const std::uint8_t, X...> x, tensor_view<std::uint8_t, Y...> y,
                 [[maybe_unused]] const quantization& from = {},
                 [[maybe_unused]] const kernels::byte_output& to = {}) const noexcept {
        using isa = typename Context::isa;
        for_each_image(ctx, x, y.size(), [&](const kernels::convolution& s, std::size_t in, std::size_t out) {
            if constexpr (Kind == pool_kind::max) {
                kernels::max_pool_bytes<isa>(s, x.data() + in, y.data() + out);
            } else {
                kernels::average_pool_bytes<isa>(s, from, to, x.data() + in, y.data() + out, moves.value.count_include_pad);
            }
        });
    }
    template <class Lower>
    auto on_bytes(const static_range& x, const static_range& y, const Lower&) const {
        return detail::byte_form<pool_layer>{*this, x.input, detail::output_of(y)};
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float>) const noexcept {
        using isa = typename Context::isa;
        for_each_image(ctx, x, dy.size(), [&](const kernels::convolution& s, std::size_t in, std::size_t out) {
            if constexpr (Kind == pool_kind::max) {
                kernels::max_pool_gradient<isa>(s, x.data() + in, dy.data() + out, dx.data() + in);
            } else {
                kernels::average_pool_gradient<isa>(s, shares(s), dy.data() + out, dx.data() + in);
            }
        });
    }

    std::string describe() const {
        return sentence(Kind == pool_kind::max ? "max pool " : "average pool ", moves.value.kernel.height, "x",
                        moves.value.kernel.width);
    }

private:
    kernels::pool_shares shares(const kernels::convolution& s) const noexcept { return {s, moves.value.count_include_pad}; }

    template <class Context, class X, class F>
    void for_each_image(Context& ctx, const X& x, std::size_t y_size, const F& f) const {
        const auto sample = sample_shape(x);
        const size2d size = detail::image_size(sample);
        kernels::convolution s = moves.value.over(size.height, size.width);
        s.channels = sample[Rank];
        const std::size_t batch = x.extent(0);
        kernels::for_each_slice(ctx.executor, ctx.scratch, batch, kernels::slice_count(batch), 0, 4 * x.size(),
                                [&](auto&, std::size_t, std::size_t first, std::size_t end, arena) {
                                    for (std::size_t i = first; i < end; ++i) {
                                        f(s, i * (x.size() / batch), i * (y_size / batch));
                                    }
                                });
    }
};

/// torch.nn.MaxPool2d: max_pool2d<2>(), max_pool2d<3, pool_options{.stride = 2, .padding = 1}>(), max_pool2d<dyn>(2). Of equal
/// numbers the gradient goes to the first.
template <size2d Kernel, pool_options Options = pool_options{}>
using max_pool2d = pool_layer<pool_kind::max, 2, Kernel, Options>;
template <std::size_t Kernel, pool_options Options = pool_options{}>
using max_pool1d = pool_layer<pool_kind::max, 1, size2d(1, Kernel), Options>;

/// torch.nn.AvgPool2d.
template <size2d Kernel, pool_options Options = pool_options{}>
using average_pool2d = pool_layer<pool_kind::average, 2, Kernel, Options>;
template <std::size_t Kernel, pool_options Options = pool_options{}>
using average_pool1d = pool_layer<pool_kind::average, 1, size2d(1, Kernel), Options>;

/// A sample [..., channels] to [channels].
struct global_pool_plan {
    static constexpr bool is_static = true;

    template <std::size_t... N>
    static constexpr auto output_shape(const extents<N...>& input) noexcept {
        constexpr std::size_t channels = extents<N...>::static_extent(sizeof...(N) - 1);
        if constexpr (channels == dyn) {
            return extents<dyn>(input[sizeof...(N) - 1]);
        } else {
            return extents<channels>();
        }
    }
};

/// The greatest number, or the mean, of each channel over all of an image or sequence: one window as large as it.
template <pool_kind Kind>
struct global_pool {
    static constexpr bool keeps_bytes = Kind == pool_kind::max;
    static constexpr bool has_byte_form = true;

    static constexpr global_pool_plan plan() noexcept { return {}; }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y) const noexcept {
        forward_layer(layer(x), ctx, tensor_view<const float, dyn, dyn, dyn>(as_sequences(x)), as_pixels(y));
    }
    template <class Context, std::size_t... X, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const std::uint8_t, X...> x, tensor_view<std::uint8_t, Y...> y,
                 const quantization& from = {}, const kernels::byte_output& to = {}) const noexcept {
        layer(x).forward(ctx, tensor_view<const std::uint8_t, dyn, dyn, dyn>(as_sequences(x)), as_pixels(y), from, to);
    }
    template <class Lower>
    auto on_bytes(const static_range& x, const static_range& y, const Lower&) const {
        return detail::byte_form<global_pool>{*this, x.input, detail::output_of(y)};
    }
    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...> y,
                  tensor_view<const float, Y...> dy, tensor_view<float, X...> dx, std::span<float> gradient) const noexcept {
        layer(x).backward(ctx, as_sequences(x), as_pixels(y), as_pixels(dy), as_sequences(dx), gradient);
    }

    static std::string describe() { return Kind == pool_kind::max ? "global max pool" : "global average pool"; }

private:
    template <class X>
    static auto layer(const X& x) noexcept {
        return pool_layer<Kind, 1, size2d(dyn), pool_options{}>(size2d(1, as_sequences(x).extent(1)));
    }
    template <class T, std::size_t... E>
    static tensor_view<T, dyn, dyn, dyn> as_sequences(const tensor_view<T, E...>& x) noexcept {
        const std::size_t batch = x.extent(0), channels = x.extent(sizeof...(E) - 1);
        return {x.data(), batch, x.size() / (batch * channels), channels};
    }
    template <class T, std::size_t... E>
    static tensor_view<T, dyn, dyn, dyn> as_pixels(const tensor_view<T, E...>& y) noexcept {
        return {y.data(), y.extent(0), 1, y.extent(sizeof...(E) - 1)};
    }
};

/// torch.nn.AdaptiveAvgPool2d(1) and flatten.
using global_average_pool = global_pool<pool_kind::average>;
using global_max_pool = global_pool<pool_kind::max>;

PARE_NAMESPACE_END

#endif
