#ifndef PARE_TYPES_SMALL_FLOAT_HPP
#define PARE_TYPES_SMALL_FLOAT_HPP

#include <bit>
#include <cstdint>
#include <limits>

#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// A float of at most 8 bits: sign, Exponent bits with a bias of 2^(Exponent - 1) - 1, Mantissa bits, subnormals. `Largest` is the
/// magnitude of the largest number as bits. What lies above it is infinite or NaN where the format has them; a number that is
/// too large becomes the largest, infinities too; halves go to even.
template <int Exponent, int Mantissa, std::uint8_t Largest, std::uint8_t Infinity, std::uint8_t Nan>
struct small_float {
    static constexpr int bits_per_number = 1 + Exponent + Mantissa;
    static constexpr int least_exponent = 2 - (1 << (Exponent - 1));

    std::uint8_t bits = 0;

    small_float() noexcept = default;
    explicit small_float(float x) noexcept {
        const auto all = std::bit_cast<std::uint32_t>(x);
        const std::uint32_t sign = all >> 31 << (Exponent + Mantissa);
        if (is_nan(x)) {
            bits = static_cast<std::uint8_t>(Nan != 0 ? sign | Nan : 0);
            return;
        }
        const float size = std::bit_cast<float>(all & 0x7fffffffu);
        int exponent = static_cast<int>(all >> 23 & 0xff) - 127;
        exponent = exponent < least_exponent ? least_exponent : exponent;
        // in units of the last place at this exponent; one that rounds up to the next exponent carries over into its bits
        const float last_places = exact_multiply(size, power_of_two(Mantissa - exponent));
        const int steps = exponent > 100 ? 1 << Mantissa : round_half_even(last_places);
        const int magnitude = (exponent - least_exponent) * (1 << Mantissa) + steps;
        bits = static_cast<std::uint8_t>(sign | static_cast<std::uint32_t>(magnitude > Largest ? Largest : magnitude));
    }

    operator float() const noexcept {
        const int magnitude = bits & ((1 << (Exponent + Mantissa)) - 1);
        float size = 0.0f;
        if (magnitude > Largest) {
            size = magnitude == Infinity ? std::bit_cast<float>(0x7f800000u) : std::bit_cast<float>(0x7fc00000u);
        } else {
            const int exponent = magnitude >> Mantissa, mantissa = magnitude & ((1 << Mantissa) - 1);
            size = static_cast<float>(exponent == 0 ? mantissa : mantissa + (1 << Mantissa)) *
                   power_of_two(least_exponent - Mantissa + (exponent == 0 ? 0 : exponent - 1));
        }
        const std::uint32_t sign = static_cast<std::uint32_t>(bits >> (Exponent + Mantissa) & 1) << 31;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(size) | sign);
    }

private:
    static float power_of_two(int n) noexcept {
        return std::bit_cast<float>(static_cast<std::uint32_t>(n < -126 ? 1 : n + 127) << 23);
    }
};

/// The 8-bit floats of the Open Compute Project: E4M3 up to 448 with NaN alone, E5M2 up to 57344 with infinities; and the 4-bit one
/// up to 6 with neither. Micikevicius et al. 2022, "FP8 formats for deep learning".
using float8_e4m3 = small_float<4, 3, 0x7e, 0, 0x7f>;
using float8_e5m2 = small_float<5, 2, 0x7b, 0x7c, 0x7f>;
using float4_e2m1 = small_float<2, 1, 0x7, 0, 0>;

PARE_NAMESPACE_END

#endif
