#ifndef PARE_TYPES_BFLOAT16_HPP
#define PARE_TYPES_BFLOAT16_HPP

#include <bit>
#include <cstdint>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// The upper half of a float: its range with 8 bits of precision.
struct bfloat16 {
    std::uint16_t bits = 0;

    constexpr bfloat16() noexcept = default;
    /// Rounds half to even; NaN stays NaN.
    constexpr explicit bfloat16(float x) noexcept {
        const auto b = std::bit_cast<std::uint32_t>(x);
        const bool nan = (b & 0x7fffffffu) > 0x7f800000u;
        bits = static_cast<std::uint16_t>(nan ? b >> 16 | 0x40u : (b + 0x7fffu + (b >> 16 & 1u)) >> 16);
    }
    constexpr operator float() const noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

PARE_NAMESPACE_END

#endif
