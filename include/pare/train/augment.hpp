#ifndef PARE_TRAIN_AUGMENT_HPP
#define PARE_TRAIN_AUGMENT_HPP

#include <cstddef>
#include <cstring>

#include <pare/core/random.hpp>
#include <pare/core/tensor.hpp>

PARE_NAMESPACE_BEGIN

/// For fit: moves each image of a batch, [height, width] or [height, width, channels], by up to `pixels` in each direction, every
/// distance alike; zeros come in. An image has the same shift whenever the same step is run.
struct random_shift {
    std::size_t pixels = 2;

    template <std::size_t... E>
    requires(sizeof...(E) == 2 || sizeof...(E) == 3) void augment(tensor_view<float, dyn, E...> x,
                                                                  const random_numbers& random) const {
        const std::size_t height = x.extent(1);
        const std::size_t size = x.size() / x.extent(0);
        const std::size_t row = size / height;
        const std::size_t pixel = row / x.extent(2);
        for (std::size_t i = 0; i < x.extent(0); ++i) {
            const auto words = random.words(i);
            shift(x.data() + i * size, height, row, distance(words[0], height), distance(words[1], x.extent(2)), pixel);
        }
    }

private:
    /// From -pixels to pixels, but not out of the image.
    std::ptrdiff_t distance(std::uint64_t word, std::size_t extent) const noexcept {
        const std::size_t most = pixels < extent ? pixels : extent;
        return static_cast<std::ptrdiff_t>(word % (2 * most + 1)) - static_cast<std::ptrdiff_t>(most);
    }

    static void shift(float* image, std::size_t height, std::size_t row, std::ptrdiff_t down, std::ptrdiff_t right,
                      std::size_t pixel) noexcept {
        const std::size_t gap = static_cast<std::size_t>(right < 0 ? -right : right) * pixel;
        for (std::size_t n = 0; n < height; ++n) {
            const std::size_t y = down > 0 ? height - 1 - n : n;  // rows that are still needed are overwritten last
            float* const to = image + y * row;
            const std::ptrdiff_t source = static_cast<std::ptrdiff_t>(y) - down;
            if (source < 0 || source >= static_cast<std::ptrdiff_t>(height)) {
                std::memset(to, 0, row * sizeof(float));
                continue;
            }
            const float* const from = image + static_cast<std::size_t>(source) * row;
            std::memmove(to + (right > 0 ? gap : 0), from + (right > 0 ? 0 : gap), (row - gap) * sizeof(float));
            std::memset(to + (right > 0 ? 0 : row - gap), 0, gap * sizeof(float));
        }
    }
};

PARE_NAMESPACE_END

#endif
