#ifndef PARE_NN_FLATTEN_HPP
#define PARE_NN_FLATTEN_HPP

#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

struct flatten_plan {
    static constexpr bool is_static = true;

    template <std::size_t... N>
    static constexpr auto output_shape(const extents<N...>& input) noexcept {
        constexpr std::size_t size = static_size(extents<N...>{});
        if constexpr (size == dyn) {
            return extents<dyn>(input.size());
        } else {
            return extents<size>();
        }
    }
};

/// An image [height, width, channels] or a sequence [width, channels] of a convolution to one row of numbers in PyTorch's order,
/// channel after channel: a dense layer behind it has the weights of a state dict as they are. torch.nn.Flatten. Costs a
/// transposition. What is in PyTorch's order anyway, as [steps, channels] of a recurrent layer, takes input<steps * channels>()
/// instead, which costs nothing.
struct flatten {
    static constexpr bool keeps_bytes = true;

    static constexpr flatten_plan plan() noexcept { return {}; }

    template <class Context, class T, std::size_t... X, std::size_t... Y>
    void forward(Context&, tensor_view<const T, X...> x, tensor_view<T, Y...> y) const noexcept {
        const std::size_t batch = x.extent(0), channels = x.extent(sizeof...(X) - 1), pixels = x.size() / (batch * channels);
        transpose(batch, pixels, channels, x.data(), y.data());
    }
    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context&, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float>) const noexcept {
        const std::size_t batch = x.extent(0), channels = x.extent(sizeof...(X) - 1), pixels = x.size() / (batch * channels);
        transpose(batch, channels, pixels, dy.data(), dx.data());
    }

    static std::string describe() { return "flatten, channels first"; }

private:
    /// to [batch, columns, rows] = from [batch, rows, columns].
    template <class T>
    static void transpose(std::size_t batch, std::size_t rows, std::size_t columns, const T* from, T* to) noexcept {
        for (std::size_t i = 0; i < batch; ++i, from += rows * columns) {
            for (std::size_t c = 0; c < columns; ++c) {
                for (std::size_t r = 0; r < rows; ++r) {
                    *to++ = from[r * columns + c];
                }
            }
        }
    }
};

PARE_NAMESPACE_END

#endif
