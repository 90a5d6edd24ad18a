#ifndef PARE_TYPES_GGML_BLOCKS_HPP
#define PARE_TYPES_GGML_BLOCKS_HPP

#include <cstddef>

#include <pare/types/group_format.hpp>

PARE_NAMESPACE_BEGIN

/// Blocks of weights as the files of ggml and llama.cpp hold them, byte for byte: `size` weights along a row in groups with their
/// scales. code(i), scale(g) and offset(g) mean what `format` says. quantize/ggml_blocks.hpp makes them.
namespace ggml {

/// weight i = d * q[i].
struct q8_0 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q8_0";
    using format = group_format<8, 32, float16, group_offset::none>;

    float16 d;
    std::int8_t q[size];

    std::int32_t code(std::size_t i) const noexcept { return q[i] + format::middle; }
    float16 scale(std::size_t) const noexcept { return d; }
    static float16 offset(std::size_t) noexcept { return {}; }
    bool is_finite() const noexcept { return pare::is_finite(d); }
};

namespace detail {

/// Weight i < 16 is the low half of byte i, weight i + 16 its high half.
inline std::int32_t nibble(const std::uint8_t (&pairs)[16], std::size_t i) noexcept {
    return i < 16 ? pairs[i] & 15 : pairs[i - 16] >> 4;
}
/// A nibble with a fifth bit above it, bit i of 32.
inline std::int32_t five_bits(const std::uint8_t (&pairs)[16], const std::uint8_t (&high)[4], std::size_t i) noexcept {
    return nibble(pairs, i) | (high[i / 8] >> i % 8 & 1) << 4;
}

}  // namespace detail

/// weight i = d * (nibble i - 8).
struct q4_0 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q4_0";
    using format = group_format<4, 32, float16, group_offset::none>;

    float16 d;
    std::uint8_t pairs[size / 2];

    std::int32_t code(std::size_t i) const noexcept { return detail::nibble(pairs, i); }
    float16 scale(std::size_t) const noexcept { return d; }
    static float16 offset(std::size_t) noexcept { return {}; }
    bool is_finite() const noexcept { return pare::is_finite(d); }
};

/// weight i = d * nibble i + m.
struct q4_1 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q4_1";
    using format = group_format<4, 32, float16, group_offset::minimum>;

    float16 d;
    float16 m;
    std::uint8_t pairs[size / 2];

    std::int32_t code(std::size_t i) const noexcept { return detail::nibble(pairs, i); }
    float16 scale(std::size_t) const noexcept { return d; }
    float16 offset(std::size_t) const noexcept { return m; }
    bool is_finite() const noexcept { return pare::is_finite(d) && pare::is_finite(m); }
};

/// weight i = d * (five bits i - 16): the nibble and, above it, bit i of `high`.
struct q5_0 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q5_0";
    using format = group_format<8, 32, float16, group_offset::none>;

    float16 d;
    std::uint8_t high[size / 8];
    std::uint8_t pairs[size / 2];

    std::int32_t code(std::size_t i) const noexcept { return detail::five_bits(pairs, high, i) - 16 + format::middle; }
    float16 scale(std::size_t) const noexcept { return d; }
    static float16 offset(std::size_t) noexcept { return {}; }
    bool is_finite() const noexcept { return pare::is_finite(d); }
};

/// weight i = d * (five bits i) + m.
struct q5_1 {
    static constexpr std::size_t size = 32;
    static constexpr const char* name = "q5_1";
    using format = group_format<8, 32, float16, group_offset::minimum>;

    float16 d;
    float16 m;
    std::uint8_t high[size / 8];
    std::uint8_t pairs[size / 2];

    std::int32_t code(std::size_t i) const noexcept { return detail::five_bits(pairs, high, i); }
    float16 scale(std::size_t) const noexcept { return d; }
    float16 offset(std::size_t) const noexcept { return m; }
    bool is_finite() const noexcept { return pare::is_finite(d) && pare::is_finite(m); }
};

/// weight i = (d * factor(i / 32)) * nibble i - dmin * least(i / 32), with factors and least values of 6 bits.
struct q4_K {
    static constexpr std::size_t size = 256;
    static constexpr const char* name = "q4_K";
    using format = group_format<4, 32, float, group_offset::minimum>;

    float16 d;
    float16 dmin;
    std::uint8_t scales[12];
    std::uint8_t pairs[size / 2];  // of 64 weights in 32 bytes: the first 32 in the low halves

    /// Of group g, 0 to 7: the first four lie in six bits of a byte each, the others in four bits, with two more above the first.
    std::int32_t factor(std::size_t g) const noexcept {
        return g < 4 ? scales[g] & 63 : (scales[g + 4] & 15) | scales[g - 4] >> 6 << 4;
    }
    std::int32_t least(std::size_t g) const noexcept {
        return g < 4 ? scales[g + 4] & 63 : scales[g + 4] >> 4 | scales[g] >> 6 << 4;
    }
    std::int32_t code(std::size_t i) const noexcept {
        const int pair = pairs[i / 64 * 32 + i % 32];
        return i / 32 % 2 == 0 ? pair & 15 : pair >> 4;
    }
    float scale(std::size_t g) const noexcept { return exact_multiply(d, static_cast<float>(factor(g))); }
    float offset(std::size_t g) const noexcept { return -exact_multiply(dmin, static_cast<float>(least(g))); }
    bool is_finite() const noexcept { return pare::is_finite(d) && pare::is_finite(dmin); }
};

/// weight i = (d * scales[i / 16]) * (q i - 32), q i of 6 bits: four low ones and two high ones.
struct q6_K {
    static constexpr std::size_t size = 256;
    static constexpr const char* name = "q6_K";
    using format = group_format<8, 16, float, group_offset::none>;

    std::uint8_t low[size / 2];
    std::uint8_t high[size / 4];
    std::int8_t scales[size / 16];
    float16 d;

    std::int32_t code(std::size_t i) const noexcept {
        const std::size_t half = i / 128;        // each half has 64 low and 32 high bytes
        const std::size_t quarter = i / 32 % 4;  // which two bits of a high byte, and which half of a low one
        const int bits = low[half * 64 + quarter % 2 * 32 + i % 32];
        const int four = quarter < 2 ? bits & 15 : bits >> 4;
        return (four | (high[half * 32 + i % 32] >> 2 * quarter & 3) << 4) - 32 + format::middle;
    }
    float scale(std::size_t g) const noexcept { return exact_multiply(d, static_cast<float>(scales[g])); }
    static float offset(std::size_t) noexcept { return 0.0f; }
    bool is_finite() const noexcept { return pare::is_finite(d); }
};

static_assert(sizeof(q8_0) == 34 && sizeof(q4_0) == 18 && sizeof(q4_1) == 20 && sizeof(q5_0) == 22 && sizeof(q5_1) == 24 &&
              sizeof(q4_K) == 144 && sizeof(q6_K) == 210);

/// The number that weight i of a block stands for.
template <class Block>
float real(const Block& block, std::size_t i) noexcept {
    const std::size_t group = i / Block::format::size;
    return Block::format::real(block.code(i), block.scale(group), block.offset(group));
}

}  // namespace ggml

/// A type that is one of them.
template <class Block>
concept ggml_block = requires(const Block& b, std::size_t i) {
    typename Block::format;
    b.code(i);
    b.scale(i);
    b.offset(i);
};

PARE_NAMESPACE_END

#endif
