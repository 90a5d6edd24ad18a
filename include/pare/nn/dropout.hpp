#ifndef PARE_NN_DROPOUT_HPP
#define PARE_NN_DROPOUT_HPP

#include <algorithm>
#include <array>

#include <pare/kernels/elementwise.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// In training y = x / (1 - probability), or 0 with this probability in [0, 1), number by number; else y = x. Which numbers are
/// dropped depends on the run's seed, the step and the layer's place alone. torch.nn.Dropout. Srivastava et al. 2014.
struct dropout {
    static constexpr bool passes_through = true;

    float probability = 0.5f;

    static constexpr keeps_shape plan() noexcept { return {}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        std::copy(x.begin(), x.end(), y.begin());
    }

    /// The factor of each number.
    template <std::size_t... E>
    static std::size_t saved_floats(std::size_t batch, const extents<E...>& input) noexcept {
        return batch * input.size();
    }

    template <class Context, std::size_t... E>
    void forward_training(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y,
                          std::span<float> saved) const noexcept {
        PARE_ASSERT(probability >= 0.0f && probability < 1.0f, "dropout with a probability of %g",
                    static_cast<double>(probability));
        const auto dropped = static_cast<std::uint64_t>(static_cast<double>(probability) * 0x1p32);
        const float kept = 1.0f / (1.0f - probability);
        constexpr std::size_t piece = 4096, block = 32;
        ctx.executor.for_each((x.size() + piece - 1) / piece, [&](std::size_t task) {
            const std::size_t end = (std::min)((task + 1) * piece, x.size());
            for (std::size_t i = task * piece; i < end; i += 4 * block) {  // one pair of words gives four numbers of 32 bits
                std::array<std::array<std::uint32_t, block>, 4> numbers;
                ctx.random.quarters_of_words(i / 4, numbers);
                for (std::size_t j = i; j < (std::min)(i + 4 * block, end); ++j) {
                    saved[j] = numbers[(j - i) % 4][(j - i) / 4] < dropped ? 0.0f : kept;
                }
            }
        });
        multiply_numbers(ctx, x.data(), saved, y.data());
    }

    template <class Context, std::size_t... E>
    void backward(Context& ctx, tensor_view<const float, E...>, tensor_view<const float, E...>, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float>, std::span<const float> saved) const noexcept {
        multiply_numbers(ctx, dy.data(), saved, dx.data());
    }

    std::string describe() const { return sentence("dropout ", probability); }

private:
    template <class Context>
    static void multiply_numbers(Context& ctx, const float* a, std::span<const float> factors, float* product) noexcept {
        kernels::transform<typename Context::isa>(
            ctx.executor, factors.size(), product, [](auto u, auto v) { return u * v; }, a, factors.data());
    }
};

PARE_NAMESPACE_END

#endif
