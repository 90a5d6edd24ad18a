#ifndef PARE_EXAMPLES_DRAWN_DIGITS_HPP
#define PARE_EXAMPLES_DRAWN_DIGITS_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <pare/core/executor.hpp>
#include <pare/core/random.hpp>
#include <pare/train/dataset.hpp>

/// Handwritten-looking digits that a program draws itself, so that an example needs no download: strokes with random slant, size,
/// thickness, shift, wobble and noise, 28 x 28 pixels like MNIST. Image i depends on the seed and i alone.
namespace drawn_digits {

struct point {
    float x, y;
};
using stroke = std::vector<point>;

inline stroke arc(float cx, float cy, float rx, float ry, float from_degrees, float to_degrees) {
    stroke points;
    for (int i = 0; i <= 8; ++i) {
        const float angle = (from_degrees + (to_degrees - from_degrees) * static_cast<float>(i) / 8.0f) * 0.01745329252f;
        points.push_back({cx + rx * std::cos(angle), cy + ry * std::sin(angle)});
    }
    return points;
}

/// The strokes of a digit in a box from (-1, -1), top left, to (1, 1). Some have two shapes, as handwriting does.
inline std::vector<stroke> strokes_of(int digit, bool variant) {
    switch (digit) {
        case 0: return {arc(0, 0, variant ? 0.5f : 0.65f, 1, -90, 270)};
        case 1:
            return variant ? std::vector<stroke>{{{0, -1}, {0, 1}}} : std::vector<stroke>{{{-0.4f, -0.6f}, {0.1f, -1}, {0.1f, 1}}};
        case 2: return {arc(0, -0.45f, 0.6f, 0.55f, -170, 40), {{0.46f, -0.1f}, {-0.65f, 1}, {0.65f, 1}}};
        case 3: return {arc(-0.05f, -0.5f, 0.55f, 0.5f, -150, 90), arc(-0.05f, 0.5f, 0.65f, 0.5f, -90, 150)};
        case 4:
            return variant ? std::vector<stroke>{{{-0.5f, -1}, {-0.6f, 0.15f}, {0.65f, 0.15f}}, {{0.4f, -0.8f}, {0.3f, 1}}}
                           : std::vector<stroke>{{{0.3f, 1}, {0.3f, -1}, {-0.65f, 0.3f}, {0.7f, 0.3f}}};
        case 5: return {{{0.6f, -1}, {-0.45f, -1}, {-0.5f, -0.1f}}, arc(-0.05f, 0.4f, 0.6f, 0.6f, -130, 150)};
        case 6: return {arc(0.5f, 0.2f, 1.05f, 1.2f, -90, -180), arc(0, 0.45f, 0.55f, 0.55f, 180, 540)};
        case 7:
            return variant ? std::vector<stroke>{{{-0.6f, -0.9f}, {0.6f, -1}, {-0.1f, 1}}, {{-0.3f, 0.05f}, {0.5f, 0}}}
                           : std::vector<stroke>{{{-0.6f, -1}, {0.6f, -1}, {-0.2f, 1}}};
        case 8: return {arc(0, -0.5f, 0.5f, 0.5f, 90, 450), arc(0, 0.5f, 0.6f, 0.5f, -90, 270)};
        default: return {arc(0, -0.45f, 0.55f, 0.55f, 0, 360), {{0.55f, -0.45f}, {variant ? 0.5f : 0.2f, 1}}};
    }
}

inline float distance_to_segment(point p, point a, point b) {
    const float dx = b.x - a.x;
    const float dy = b.y - a.y;
    const float along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy + 1e-9f);
    const float t = std::clamp(along, 0.0f, 1.0f);
    return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

/// Draws image i into 784 pixels and returns its digit.
inline std::int32_t draw(pare::seed s, std::uint64_t i, std::uint8_t* pixels) {
    const pare::random_numbers random(s, i);
    std::uint64_t next = 0;
    const auto between = [&](float low, float high) { return random.uniform(next++, low, high); };
    const auto digit = static_cast<int>(random.below(next++, 10));
    const bool variant = random.below(next++, 2) == 1;

    const float width = between(5.0f, 8.5f);
    const float height = between(7.5f, 10.0f);
    const float slant = between(-0.35f, 0.35f);
    const float turn = between(-0.2f, 0.2f);
    const float thickness = between(0.8f, 1.9f);
    const float shift_x = between(-2.0f, 2.0f);
    const float shift_y = between(-2.0f, 2.0f);
    const float noise = between(0.0f, 25.0f);

    std::vector<stroke> strokes = strokes_of(digit, variant);
    for (auto& points : strokes) {
        for (auto& p : points) {
            const float x = (p.x + between(-0.09f, 0.09f)) * width;
            const float y = (p.y + between(-0.09f, 0.09f)) * height;
            const float slanted = x - slant * y;
            p = {13.5f + shift_x + slanted * std::cos(turn) - y * std::sin(turn),
                 13.5f + shift_y + slanted * std::sin(turn) + y * std::cos(turn)};
        }
    }
    for (int row = 0; row < 28; ++row) {
        for (int column = 0; column < 28; ++column) {
            float nearest = 1e9f;
            for (const auto& points : strokes) {
                for (std::size_t k = 0; k + 1 < points.size(); ++k) {
                    nearest = std::min(nearest, distance_to_segment({static_cast<float>(column), static_cast<float>(row)},
                                                                    points[k], points[k + 1]));
                }
            }
            const float ink = 255.0f * std::clamp(thickness + 0.5f - nearest, 0.0f, 1.0f) + noise * between(-1.0f, 1.0f);
            pixels[row * 28 + column] = static_cast<std::uint8_t>(std::clamp(ink, 0.0f, 255.0f));
        }
    }
    return digit;
}

/// `count` images from index `first` on.
template <class Executor>
pare::result<pare::labeled_data<std::uint8_t, pare::dyn, pare::dyn>> make(pare::seed s, std::uint64_t first, std::size_t count,
                                                                          Executor& executor) {
    pare::aligned_array<std::uint8_t> pixels(count * 784);
    std::vector<std::int32_t> labels(count);
    executor.for_each(count, [&](std::size_t i) { labels[i] = draw(s, first + i, pixels.data() + i * 784); });
    return pare::labeled_data<std::uint8_t, pare::dyn, pare::dyn>::make("drawn digits", pare::extents<pare::dyn, pare::dyn>(28, 28),
                                                                        10, std::move(pixels), std::move(labels));
}

}  // namespace drawn_digits

#endif
