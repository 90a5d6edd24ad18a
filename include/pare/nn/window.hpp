#ifndef PARE_NN_WINDOW_HPP
#define PARE_NN_WINDOW_HPP

#include <type_traits>

#include <pare/kernels/conv.hpp>
#include <pare/nn/layer.hpp>
#include <pare/types/activations.hpp>

PARE_NAMESPACE_BEGIN

/// A height and a width, or one number for both.
struct size2d {
    std::size_t height;
    std::size_t width;

    constexpr size2d(std::size_t both) noexcept : height(both), width(both) {}
    constexpr size2d(std::size_t h, std::size_t w) noexcept : height(h), width(w) {}

    bool operator==(const size2d&) const = default;
};

/// How a window of `kernel` pixels moves over an image. 1-D layers look at widths only.
struct window {
    size2d kernel = 1;
    size2d stride = 1;
    size2d padding = 0;
    size2d dilation = 1;
    std::size_t groups = 1;     // of channels
    size2d output_padding = 0;  // of a transposed convolution
    bool ceil_mode = false;     // windows may reach beyond the border below and on the right, but not begin there
    bool count_include_pad = true;

    /// How far windows reach beyond the border along an axis. As PyTorch has it.
    static constexpr std::size_t beyond(std::size_t length, std::size_t kernel, std::size_t stride, std::size_t padding,
                                        std::size_t dilation) noexcept {
        const std::size_t whole = length + 2 * padding, seen = dilation * (kernel - 1) + 1;
        std::size_t steps = whole + stride - 1 < seen ? 0 : (whole + stride - 1 - seen) / stride;
        steps -= steps > 0 && steps * stride >= length + padding ? 1 : 0;
        return steps * stride + seen > whole ? steps * stride + seen - whole : 0;
    }

    /// Over images of this size; the channels are the layer's to say.
    constexpr kernels::convolution over(std::size_t height, std::size_t width) const noexcept {
        kernels::convolution s;
        s.height = height;
        s.width = width;
        s.kernel_height = kernel.height;
        s.kernel_width = kernel.width;
        s.stride_height = stride.height;
        s.stride_width = stride.width;
        s.padding_height = padding.height;
        s.padding_width = padding.width;
        s.dilation_height = dilation.height;
        s.dilation_width = dilation.width;
        s.groups = groups;
        if (ceil_mode) {
            s.beyond_height = beyond(height, kernel.height, stride.height, padding.height, dilation.height);
            s.beyond_width = beyond(width, kernel.width, stride.width, padding.width, dilation.width);
        }
        return s;
    }
};

/// A window that is a constant of the type, and one that is known only at run time.
template <window Value>
struct fixed_window {
    static constexpr bool is_static = true;
    static constexpr window value = Value;
};
struct run_time_window {
    static constexpr bool is_static = false;
    window value;
};

namespace detail {

/// The height of a sample of a 1-D layer is 1.
template <std::size_t... N>
constexpr size2d image_size(const extents<N...>& sample) noexcept {
    if constexpr (sizeof...(N) == 2) {
        return {1, sample[0]};
    } else {
        return {sample[0], sample[1]};
    }
}

/// The shape of a sample [..., inputs] after a window has moved over it, with Out channels (or `outputs`, where Out is dyn).
template <std::size_t Out, class Window, std::size_t... N>
constexpr auto windows_over(const Window& w, const extents<N...>& sample, std::size_t outputs) noexcept {
    constexpr std::size_t rank = sizeof...(N);
    static_assert(rank == 2 || rank == 3,
                  "pare: layers with windows take images [height, width, channels], 1-D ones [width, channels]");
    const size2d size = image_size(sample);
    [[maybe_unused]] const kernels::convolution s = w.value.over(size.height, size.width);
    PARE_ASSERT(s.output_pixels() != 0, "a window of %zux%zu is larger than an image of %zux%zu with its border", s.kernel_height,
                s.kernel_width, s.height, s.width);
    if constexpr (Window::is_static && extents<N...>::static_extent(0) != dyn && extents<N...>::static_extent(1) != dyn) {
        constexpr kernels::convolution c = [] {
            constexpr std::size_t n[] = {N...};
            return rank == 2 ? Window::value.over(1, n[0]) : Window::value.over(n[0], n[1]);
        }();
        static_assert(c.output_pixels() != 0, "pare: the window of this layer is larger than its image with the border");
        if constexpr (rank == 2) {
            using shape = extents<c.output_width(), Out>;
            if constexpr (Out != dyn) {
                return shape{};
            } else {
                return shape(outputs);
            }
        } else {
            using shape = extents<c.output_height(), c.output_width(), Out>;
            if constexpr (Out != dyn) {
                return shape{};
            } else {
                return shape(outputs);
            }
        }
    } else if constexpr (rank == 2) {
        return extents<dyn, Out>(s.output_width(), outputs);
    } else {
        return extents<dyn, dyn, Out>(s.output_height(), s.output_width(), outputs);
    }
}

}  // namespace detail

namespace detail {

/// What describe() says about the activations of a convolution.
template <class Weights, class Activations>
constexpr const char* activations_note() noexcept {
    if constexpr (dynamic_activations<Activations> && requires { Weights::activations_note; }) {
        return Weights::activations_note;
    } else {
        return Activations::note;
    }
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
