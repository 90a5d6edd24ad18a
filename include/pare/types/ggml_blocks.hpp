#ifndef PARE_TYPES_GGML_BLOCKS_HPP
#define PARE_TYPES_GGML_BLOCKS_HPP

#include <cstddef>

#include <pare/types/float16.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// Blocks of weights as the files of ggml and llama.cpp hold them, byte for byte: `size` weights along a row with their scale.
/// real(i) is the number that weight i stands for, quantized(x), where there is one, the block of `size` finite numbers, by ggml's
/// own rules.
namespace ggml {

/// weight i = d * q[i].
struct q8_0 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q8_0";

    float16 d;
    std::int8_t q[size];

    std::int32_t integer(std::size_t i) const noexcept { return q[i]; }
    float real(std::size_t i) const noexcept { return exact_multiply(static_cast<float>(q[i]), d); }

    /// d = max |x| / 127; q = x / d, halves away from zero, with d before it was rounded to 16 bits.
    static q8_0 quantized(const float* x) noexcept;
    bool is_finite() const noexcept { return pare::is_finite(d); }
};

/// weight i = d * (nibble i - 8); weight i < 16 is the low half of byte i, weight i + 16 its high half.
struct q4_0 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q4_0";

    float16 d;
    std::uint8_t pairs[size / 2];

    std::int32_t integer(std::size_t i) const noexcept { return (i < size / 2 ? pairs[i] & 15 : pairs[i - size / 2] >> 4) - 8; }
    float real(std::size_t i) const noexcept { return exact_multiply(static_cast<float>(integer(i)), d); }

    /// d = the number of largest magnitude / -8; nibble = min(15, floor(x / d + 8.5)).
    static q4_0 quantized(const float* x) noexcept;
    bool is_finite() const noexcept { return pare::is_finite(d); }
};

/// weight i = d * nibble i + m; nibbles as in q4_0.
struct q4_1 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q4_1";

    float16 d;
    float16 m;
    std::uint8_t pairs[size / 2];

    std::int32_t integer(std::size_t i) const noexcept { return i < size / 2 ? pairs[i] & 15 : pairs[i - size / 2] >> 4; }
    float real(std::size_t i) const noexcept { return exact_multiply(static_cast<float>(integer(i)), d) + float{m}; }

    /// d = (max - min) / 15, m = min; nibble = min(15, floor((x - min) / d + 0.5)).
    static q4_1 quantized(const float* x) noexcept;
    bool is_finite() const noexcept { return pare::is_finite(d) && pare::is_finite(m); }
};

/// weight i = (d * scale(i / 32)) * nibble i - dmin * least(i / 32), with scales and least values of 6 bits. To read; there is no
/// quantizer yet.
struct q4_K {
    static constexpr std::size_t size = 256;
    static constexpr const char* name = "q4_K";

    float16 d;
    float16 dmin;
    std::uint8_t scales[12];
    std::uint8_t pairs[size / 2];  // of 64 weights in 32 bytes: the first 32 in the low halves

    /// Of part p, 0 to 7: the first four lie in six bits of a byte each, the others in four bits, with two more above the first.
    std::int32_t scale(std::size_t p) const noexcept {
        return p < 4 ? scales[p] & 63 : (scales[p + 4] & 15) | scales[p - 4] >> 6 << 4;
    }
    std::int32_t least(std::size_t p) const noexcept {
        return p < 4 ? scales[p + 4] & 63 : scales[p + 4] >> 4 | scales[p] >> 6 << 4;
    }
    std::int32_t integer(std::size_t i) const noexcept {
        const int pair = pairs[i / 64 * 32 + i % 32];
        return i / 32 % 2 == 0 ? pair & 15 : pair >> 4;
    }
    float real(std::size_t i) const noexcept {
        const float step = exact_multiply(d, static_cast<float>(scale(i / 32)));
        const float offset = exact_multiply(dmin, static_cast<float>(least(i / 32)));
        return exact_multiply(step, static_cast<float>(integer(i))) - offset;
    }
};

/// weight i = (d * scale[i / 16]) * (q i - 32), q i of 6 bits: four low ones and two high ones. To read; there is no quantizer yet.
struct q6_K {
    static constexpr std::size_t size = 256;
    static constexpr const char* name = "q6_K";

    std::uint8_t low[size / 2];
    std::uint8_t high[size / 4];
    std::int8_t scales[size / 16];
    float16 d;

    std::int32_t integer(std::size_t i) const noexcept {
        const std::size_t half = i / 128;        // each half has 64 low and 32 high bytes
        const std::size_t quarter = i / 32 % 4;  // which two bits of a high byte, and which half of a low one
        const int bits = low[half * 64 + quarter % 2 * 32 + i % 32];
        const int four = quarter < 2 ? bits & 15 : bits >> 4;
        return (four | (high[half * 32 + i % 32] >> 2 * quarter & 3) << 4) - 32;
    }
    float real(std::size_t i) const noexcept {
        return exact_multiply(exact_multiply(d, static_cast<float>(scales[i / 16])), static_cast<float>(integer(i)));
    }
};

static_assert(sizeof(q8_0) == 34 && sizeof(q4_0) == 18 && sizeof(q4_1) == 20 && sizeof(q4_K) == 144 && sizeof(q6_K) == 210);

namespace detail {

/// 1 / d, or 0 where d is so small that it becomes 0 in 16 bits anyway and its inverse might be infinite.
inline float inverse_or_zero(float d) noexcept {
    return d > 0x1p-100f || d < -0x1p-100f ? exact_divide(1.0f, d) : 0.0f;
}
/// Nibbles out of integer(i) for i in [0, 32).
template <class Integer>
void set_nibbles(std::uint8_t (&pairs)[16], const Integer& integer) noexcept {
    for (std::size_t i = 0; i < 16; ++i) {
        pairs[i] = static_cast<std::uint8_t>(integer(i) | integer(i + 16) << 4);
    }
}
/// floor(x), at most 15, of x >= 0.
inline int nibble(float x) noexcept {
    const int q = static_cast<int>(x);
    return q < 15 ? q : 15;
}

}  // namespace detail

inline q8_0 q8_0::quantized(const float* x) noexcept {
    float most = 0.0f;
    for (std::size_t i = 0; i < size; ++i) {
        const float magnitude = x[i] < 0.0f ? -x[i] : x[i];
        most = magnitude > most ? magnitude : most;
    }
    const float d = exact_divide(most, 127.0f);
    const float inverse = detail::inverse_or_zero(d);
    q8_0 block;
    block.d = float16(d);
    for (std::size_t i = 0; i < size; ++i) {
        block.q[i] = static_cast<std::int8_t>(std::lround(exact_multiply(x[i], inverse)));
    }
    return block;
}

inline q4_0 q4_0::quantized(const float* x) noexcept {
    float most = 0.0f;
    float at_most = 0.0f;
    for (std::size_t i = 0; i < size; ++i) {
        const float magnitude = x[i] < 0.0f ? -x[i] : x[i];
        if (magnitude > most) {
            most = magnitude;
            at_most = x[i];
        }
    }
    const float d = exact_divide(at_most, -8.0f);
    const float inverse = detail::inverse_or_zero(d);
    q4_0 block;
    block.d = float16(d);
    detail::set_nibbles(block.pairs, [&](std::size_t i) { return detail::nibble(exact_multiply(x[i], inverse) + 8.5f); });
    return block;
}

inline q4_1 q4_1::quantized(const float* x) noexcept {
    float min = x[0];
    float max = x[0];
    for (std::size_t i = 1; i < size; ++i) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    const float d = exact_divide(max - min, 15.0f);
    const float inverse = detail::inverse_or_zero(d);
    q4_1 block;
    block.d = float16(d);
    block.m = float16(min);
    detail::set_nibbles(block.pairs, [&](std::size_t i) { return detail::nibble(exact_multiply(x[i] - min, inverse) + 0.5f); });
    return block;
}

}  // namespace ggml

PARE_NAMESPACE_END

#endif
