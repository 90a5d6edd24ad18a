#ifndef PARE_TYPES_FLOAT16_HPP
#define PARE_TYPES_FLOAT16_HPP

#include <bit>
#include <cstdint>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// IEEE 754 binary16, as a number to store: 5 bits of exponent, 11 of precision.
struct float16 {
    std::uint16_t bits = 0;

    constexpr float16() noexcept = default;
    /// Rounds half to even; numbers from 65,520 on become infinite; NaN stays NaN. In integers, so that flags change nothing.
    constexpr explicit float16(float x) noexcept {
        const auto b = std::bit_cast<std::uint32_t>(x);
        const std::uint32_t sign = b >> 16 & 0x8000u;
        const std::uint32_t magnitude = b & 0x7fffffffu;
        std::uint32_t result = 0;
        if (magnitude > 0x7f800000u) {
            result = 0x7e00u;
        } else if (magnitude >= 0x477ff000u) {
            result = 0x7c00u;
        } else if (magnitude >= 0x38800000u) {  // normal: the exponent's bias falls from 127 to 15
            result = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
        } else if (magnitude >= 0x33000000u) {  // denormal: a multiple of 2^-24
            const std::uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
            const std::uint32_t shift = 126u - (magnitude >> 23);
            const std::uint32_t half = std::uint32_t{1} << (shift - 1);
            result = (mantissa + half - 1u + (mantissa >> shift & 1u)) >> shift;
        }
        bits = static_cast<std::uint16_t>(sign | result);
    }
    /// Exact.
    constexpr operator float() const noexcept {
        const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
        const std::uint32_t exponent = bits >> 10 & 31u;
        std::uint32_t mantissa = bits & 0x3ffu;
        if (exponent == 31) {
            return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
        }
        if (exponent != 0) {
            return std::bit_cast<float>(sign | (exponent + 112u) << 23 | mantissa << 13);
        }
        if (mantissa == 0) {
            return std::bit_cast<float>(sign);
        }
        std::uint32_t shifted = 113;  // a denormal: move its first bit to where it is not written
        while ((mantissa & 0x400u) == 0) {
            mantissa <<= 1;
            --shifted;
        }
        return std::bit_cast<float>(sign | shifted << 23 | (mantissa & 0x3ffu) << 13);
    }
};

PARE_NAMESPACE_END

#endif
