#ifndef PARE_TYPES_DIALECT_HPP
#define PARE_TYPES_DIALECT_HPP

#include <concepts>
#include <cstdint>

#include <pare/types/qint.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// The arithmetic of quantization in one system: systems agree on what a scale and a zero point are, and disagree on how they come
/// about and which way a number is rounded. For an integer type Q,
///
///     quantization affine<Q>(float min, float max)       of numbers from min to max, extended to contain zero
///     quantization symmetric<Q>(float magnitude)         of numbers from -magnitude to magnitude
///     std::int32_t symmetric_smallest<Q>                 the least integer that symmetric weights use
///     std::int32_t quantize(float x, quantization q, std::int32_t smallest, std::int32_t largest)
///     std::int32_t quantize_weight(...)                  the same for weights
///
/// NaN becomes the zero point and infinities saturate in all of them; ranges are at most +-2^62, and scales are positive and
/// finite. `quantizes_in_kernels` where quantize() is what kernels::quantize_values computes.
template <class T>
concept numeric_dialect = requires(float x, quantization q, std::int32_t n) {
    { T::template affine<quint8>(x, x) } -> std::same_as<quantization>;
    { T::template symmetric<qint8>(x) } -> std::same_as<quantization>;
    { T::template symmetric_smallest<qint8> } -> std::convertible_to<std::int32_t>;
    { T::quantizes_in_kernels } -> std::convertible_to<bool>;
    { T::quantize(x, q, n, n) } -> std::same_as<std::int32_t>;
    { T::quantize_weight(x, q, n, n) } -> std::same_as<std::int32_t>;
};

/// One whose products are integers on their way from layer to layer, too:
///
///     multiplier multiplier_of(float input_scale, float weight_scale, float output_scale)
///     std::int32_t requantize(std::int32_t sum, multiplier m, zero_point, smallest, largest)
template <class T>
concept requantizing_dialect = numeric_dialect<T> && requires(float x, typename T::multiplier m, std::int32_t n) {
    { T::multiplier_of(x, x, x) } -> std::same_as<typename T::multiplier>;
    { T::requantize(n, m, n, n, n) } -> std::same_as<std::int32_t>;
};

namespace detail {

enum class ties { to_even, away_from_zero };

/// clamp(round(scaled) + zero_point) to [smallest, largest], for integers of up to 32 bits. NaN gives the zero point.
template <ties Ties>
inline std::int32_t nearest_integer(float scaled, std::int32_t zero_point, std::int32_t smallest, std::int32_t largest) noexcept {
    if (is_nan(scaled)) {
        return zero_point;
    }
    constexpr float beyond = 0x1p33f;  // all ranges, wherever the zero point is
    scaled = scaled < -beyond ? -beyond : scaled > beyond ? beyond : scaled;
    auto whole = static_cast<std::int64_t>(scaled);
    const float rest = scaled - static_cast<float>(whole);  // exact
    const float size = rest < 0.0f ? -rest : rest;
    if (size > 0.5f || (size == 0.5f && (Ties == ties::away_from_zero || whole % 2 != 0))) {
        whole += scaled < 0.0f ? -1 : 1;
    }
    whole += zero_point;
    return static_cast<std::int32_t>(whole < smallest ? smallest : whole > largest ? largest : whole);
}

struct float_range {
    float min;
    float max;
};
/// A range extended to contain zero, and of a size that can be divided.
inline float_range range_around_zero(float min, float max) noexcept {
    return {min < -largest_range ? -largest_range
            : min < 0.0f         ? min
                                 : 0.0f,
            max > largest_range ? largest_range
            : max > 0.0f        ? max
                                : 0.0f};
}

/// m = input_scale * weight_scale / output_scale, y = clamp(RNE(float(sum) * m) + zero_point): kernels::requantize.
struct requantize_in_float {
    using multiplier = float;
    static multiplier multiplier_of(float input_scale, float weight_scale, float output_scale) noexcept {
        return exact_divide(exact_multiply(input_scale, weight_scale), output_scale);
    }
    static std::int32_t requantize(std::int32_t sum, multiplier m, std::int32_t zero_point, std::int32_t smallest,
                                   std::int32_t largest) noexcept {
        return quantize_value(static_cast<float>(sum), m, zero_point, smallest, largest);
    }
};

/// The integers of Q on both sides of their middle: 0, or 128 of bytes without a sign.
template <class Q>
struct both_sides {
    static constexpr std::int32_t middle = Q::smallest == 0 ? Q::largest / 2 + 1 : 0;
    static constexpr std::int32_t largest = Q::largest - middle;
};
template <class Q>
inline quantization symmetric_around_middle(float magnitude) noexcept {
    return {symmetric_quantization<both_sides<Q>>(magnitude).scale, both_sides<Q>::middle};
}

/// How many steps lie between the least and the greatest integer.
template <class Q>
inline constexpr auto steps = static_cast<float>(std::int64_t{Q::largest} - Q::smallest);

/// s = (max - min) / (qmax - qmin), z = round(clamp(qmin - min / s)), by true divisions; an empty range gives {1, 0}.
template <class Q, ties Ties>
inline quantization affine_by_division(float min, float max) noexcept {
    const auto r = range_around_zero(min, max);
    const float scale = exact_divide(r.max - r.min, steps<Q>);
    if (scale < smallest_scale) {
        return {1.0f, 0};
    }
    const float zero_point = opaque(static_cast<float>(Q::smallest) - exact_divide(r.min, scale));
    return {scale, nearest_integer<Ties>(zero_point, 0, Q::smallest, Q::largest)};
}

}  // namespace detail

namespace dialect {

/// This library's own: scales by affine_quantization() and symmetric_quantization(), numbers times the reciprocal of the scale,
/// halves to even, weights narrow.
struct pare : detail::requantize_in_float {
    static constexpr const char* name = "pare";
    static constexpr bool quantizes_in_kernels = true;
    template <class Q>
    static constexpr std::int32_t symmetric_smallest = -Q::largest;

    template <class Q>
    static quantization affine(float min, float max) noexcept {
        return affine_quantization<Q>(min, max);
    }
    template <class Q>
    static quantization symmetric(float magnitude) noexcept {
        return detail::symmetric_around_middle<Q>(magnitude);
    }
    static std::int32_t quantize(float x, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return detail::nearest_integer<detail::ties::to_even>(exact_multiply(x, exact_divide(1.0f, q.scale)), q.zero_point,
                                                              smallest, largest);
    }
    static std::int32_t quantize_weight(float w, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return quantize_value(w, exact_divide(1.0f, q.scale), q.zero_point, smallest, largest);
    }
};

}  // namespace dialect

PARE_NAMESPACE_END

#endif
