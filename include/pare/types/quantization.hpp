#ifndef PARE_TYPES_QUANTIZATION_HPP
#define PARE_TYPES_QUANTIZATION_HPP

#include <bit>
#include <cmath>
#include <cstdint>

#include <pare/config/assert.hpp>
#include <pare/config/compiler.hpp>
#include <pare/types/qint.hpp>

PARE_NAMESPACE_BEGIN

/// The affine map between stored integers and real numbers: real = (stored - zero_point) * scale. Jacob et al. 2018, eq. 1.
struct quantization {
    float scale = 1.0f;
    std::int32_t zero_point = 0;

    bool operator==(const quantization&) const = default;
};

/// a / b, rounded once whatever the compiler's flags allow.
PARE_INLINE float exact_divide(float a, float b) noexcept {
    return quotient(a, b);
}

/// a * b, rounded before anything is added to it.
PARE_INLINE float exact_multiply(float a, float b) noexcept {
    return opaque(opaque(a) * b);
}

PARE_INLINE bool is_nan(float x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u;
}
PARE_INLINE bool is_finite(float x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) < 0x7f800000u;
}

/// Round half to even, for |x| <= 2^22: adding 1.5 * 2^23 leaves the integer in the low bits of the sum.
PARE_INLINE std::int32_t round_half_even(float x) noexcept {
    return std::bit_cast<std::int32_t>(opaque(opaque(x) + 12582912.0f)) - 0x4B400000;
}

/// Ranges are clamped to +-2^62 and scales are at least 2^-60, so that a product of two scales neither overflows nor is denormal:
/// no NaN comes up. Ranges narrower than 2^-100 count as empty: hosts that flush denormals compute the same.
inline constexpr float largest_range = 0x1p62f;
inline constexpr float smallest_range = 0x1p-100f;
inline constexpr float smallest_scale = 0x1p-60f;

/// The affine quantization that spends the integers from smallest to largest on [min, max] extended to contain zero, which it
/// represents exactly: scale = (max - min) / (largest - smallest), zero_point = clamp(smallest - RNE(min * (1 / scale))). An empty
/// range gives {1, 0}.
inline quantization affine_quantization(float min, float max, std::int32_t smallest, std::int32_t largest) noexcept {
    min = min < -largest_range ? -largest_range : min < 0.0f ? min : 0.0f;
    max = max > largest_range ? largest_range : max > 0.0f ? max : 0.0f;
    if (max - min < smallest_range) {
        return {};
    }
    float scale = exact_divide(max - min, static_cast<float>(largest - smallest));
    scale = scale < smallest_scale ? smallest_scale : scale;
    const std::int32_t zero_point = smallest - round_half_even(exact_multiply(min, exact_divide(1.0f, scale)));
    return {scale, zero_point > largest ? largest : zero_point};
}
/// With all of Q's integers.
template <class Q>
inline quantization affine_quantization(float min, float max) noexcept {
    return affine_quantization(min, max, Q::smallest, Q::largest);
}

/// The symmetric quantization of [-magnitude, magnitude] onto [-largest, largest]: scale = magnitude / largest, zero point 0.
inline quantization symmetric_quantization(float magnitude, std::int32_t largest) noexcept {
    magnitude = magnitude > largest_range ? largest_range : magnitude;
    if (magnitude < smallest_range) {
        return {};
    }
    const float scale = exact_divide(magnitude, static_cast<float>(largest));
    return {scale < smallest_scale ? smallest_scale : scale, 0};
}
/// Onto Q's narrow range.
template <class Q>
inline quantization symmetric_quantization(float magnitude) noexcept {
    return symmetric_quantization(magnitude, Q::largest);
}

/// clamp(RNE(x * inverse_scale) + zero_point) to [smallest, largest]. NaN gives the zero point; infinities saturate.
inline std::int32_t quantize_value(float x, float inverse_scale, std::int32_t zero_point, std::int32_t smallest,
                                   std::int32_t largest) noexcept {
    if (is_nan(x)) {
        return zero_point;
    }
    const float scaled = exact_multiply(x, inverse_scale);
    const auto low = static_cast<float>(smallest - zero_point);
    const auto high = static_cast<float>(largest - zero_point);
    return round_half_even(scaled < low ? low : scaled > high ? high : scaled) + zero_point;
}

/// What a stored integer stands for: (stored - zero_point) * scale, the difference exact.
inline float dequantize_value(std::int32_t stored, quantization q) noexcept {
    return exact_multiply(static_cast<float>(std::int64_t{stored} - q.zero_point), q.scale);
}

/// A real multiplier as an integer and a shift: multiplier / 2^(31 + shift).
struct fixed_multiplier {
    std::int32_t multiplier = 0;
    std::int32_t shift = 0;  // to the right, or to the left where it is negative

    bool operator==(const fixed_multiplier&) const = default;
};

/// The nearest fixed multiplier of a real one in (0, 2^30): the fraction of frexp times 2^31, halves away from zero. As TensorFlow
/// Lite's QuantizeMultiplier. One below 2^-32 becomes 0.
inline fixed_multiplier nearest_fixed_multiplier(double real) noexcept {
    PARE_ASSERT(real > 0.0 && real < 1073741824.0, "expected a multiplier between 0 and 2^30, got %g", real);
    int exponent = 0;
    const double fraction = std::frexp(real, &exponent);
    auto m = static_cast<std::int64_t>(std::round(fraction * 2147483648.0));
    if (m == std::int64_t{1} << 31) {
        m /= 2;
        ++exponent;
    }
    return exponent < -31 ? fixed_multiplier{} : fixed_multiplier{static_cast<std::int32_t>(m), -exponent};
}

/// The same for multipliers in (0, 1) and shifts to the right, which kernels take: one that would round to 1 is the largest below.
inline fixed_multiplier quantized_multiplier(double real) noexcept {
    PARE_ASSERT(real > 0.0 && real < 1.0, "expected a multiplier between 0 and 1, got %g", real);
    const fixed_multiplier m = nearest_fixed_multiplier(real);
    return m.shift < 0 ? fixed_multiplier{2147483647, 0} : m;
}

/// How a product with a fixed multiplier rounds: twice, half up after the product and half away from zero after the shift, as
/// gemmlowp and older TensorFlow Lite; or once, half up.
enum class fixed_rounding { twice, once };

/// x * m.multiplier / 2^(31 + m.shift), or the nearest that 32 bits hold. Twice: high = (2 * x * multiplier + 2^31) >> 32, then
/// high / 2^shift to the nearest, where shifts to the left come before the product. Once: (x * multiplier + 2^(30 + shift)) >> (31
/// + shift). Jacob et al. 2018, section 2.2.
template <fixed_rounding Rounding>
inline std::int32_t multiply_fixed(std::int32_t x, fixed_multiplier m) noexcept {
    const auto clamped = [](std::int64_t y) {
        return y < -2147483647 - 1 ? -2147483647 - 1 : y > 2147483647 ? 2147483647 : static_cast<std::int32_t>(y);
    };
    if constexpr (Rounding == fixed_rounding::once) {
        return clamped((std::int64_t{x} * m.multiplier + (std::int64_t{1} << (30 + m.shift))) >> (31 + m.shift));
    } else {
        const std::int64_t shifted = m.shift < 0 ? clamped(std::int64_t{x} * (std::int64_t{1} << -m.shift)) : x;
        const std::int64_t high = (shifted * m.multiplier + (std::int64_t{1} << 30)) >> 31;
        if (m.shift <= 0) {
            return static_cast<std::int32_t>(high);
        }
        const std::int64_t half = std::int64_t{1} << (m.shift - 1);
        return static_cast<std::int32_t>((high + half - (high < 0 ? 1 : 0)) >> m.shift);
    }
}

PARE_NAMESPACE_END

#endif
