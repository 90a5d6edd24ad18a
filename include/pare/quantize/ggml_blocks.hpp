#ifndef PARE_QUANTIZE_GGML_BLOCKS_HPP
#define PARE_QUANTIZE_GGML_BLOCKS_HPP

#include <pare/quantize/ggml_search.hpp>
#include <pare/types/ggml_blocks.hpp>

PARE_NAMESPACE_BEGIN

/// Blocks out of `size` finite numbers, byte for byte as ggml's reference quantizers make them.
namespace ggml {

namespace detail {

/// 1 / d, or 0 where d is so small that its inverse might be infinite (and it becomes 0 in 16 bits anyway).
inline exact inverse_or_zero(exact d) noexcept {
    return !(magnitude(d) < 0x1p-126f) ? 1.0f / d : 0.0f;
}

/// The integer part of x >= 0, at most `most`.
inline int floor_at_most(exact x, int most) noexcept {
    const int q = static_cast<int>(x.value);
    return q < most ? q : most;
}

/// Codes of 4 bits, or of 5 with the fifth in `high`, to where a block has them.
template <class Codes>
void set_pairs(std::uint8_t (&pairs)[16], const Codes& codes) noexcept {
    for (std::size_t i = 0; i < 16; ++i) {
        pairs[i] = static_cast<std::uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
    }
}
template <class Codes>
void set_high(std::uint8_t (&high)[4], const Codes& codes) noexcept {
    for (std::size_t i = 0; i < 32; ++i) {
        high[i / 8] = static_cast<std::uint8_t>((i % 8 == 0 ? 0 : high[i / 8]) | codes[i] >> 4 << i % 8);
    }
}

/// Codes around the middle of Bits bits: d = the number of largest magnitude / -middle, code = floor(x / d + middle + 0.5).
template <int Bits>
std::array<int, 32> symmetric_codes(const float* x, float16& d) noexcept {
    constexpr int middle = 1 << (Bits - 1);
    const exact step = extreme(x, 32) / -middle;
    const exact inverse = inverse_or_zero(step);
    d = float16(step.value);
    std::array<int, 32> codes;
    for (std::size_t i = 0; i < 32; ++i) {
        codes[i] = floor_at_most(x[i] * inverse + (static_cast<float>(middle) + 0.5f), 2 * middle - 1);
    }
    return codes;
}

/// Codes from the least number on: d = (max - min) / (2^Bits - 1), m = min, code = floor((x - min) / d + 0.5).
template <int Bits>
std::array<int, 32> affine_codes(const float* x, float16& d, float16& m) noexcept {
    constexpr int most = (1 << Bits) - 1;
    const range r = range_of(x, 32);
    const exact step = (r.max - r.min) / most;
    const exact inverse = inverse_or_zero(step);
    d = float16(step.value);
    m = float16(r.min.value);
    std::array<int, 32> codes;
    for (std::size_t i = 0; i < 32; ++i) {
        codes[i] = floor_at_most((x[i] - r.min) * inverse + 0.5f, most);
    }
    return codes;
}

}  // namespace detail

/// d = max |x| / 127; q = x / d, halves away from zero, with d before it was rounded to 16 bits.
inline void quantize(const float* x, q8_0& block) noexcept {
    const detail::exact step = detail::magnitude(detail::extreme(x, q8_0::size)) / 127;
    const detail::exact inverse = detail::inverse_or_zero(step);
    block.d = float16(step.value);
    for (std::size_t i = 0; i < q8_0::size; ++i) {
        block.q[i] = static_cast<std::int8_t>(std::lround((x[i] * inverse).value));
    }
}

/// d = the number of largest magnitude / -8; code = min(15, floor(x / d + 8.5)).
inline void quantize(const float* x, q4_0& block) noexcept {
    detail::set_pairs(block.pairs, detail::symmetric_codes<4>(x, block.d));
}

/// d = (max - min) / 15, m = min; code = min(15, floor((x - min) / d + 0.5)).
inline void quantize(const float* x, q4_1& block) noexcept {
    detail::set_pairs(block.pairs, detail::affine_codes<4>(x, block.d, block.m));
}

/// d = the number of largest magnitude / -16; code = min(31, floor(x / d + 16.5)).
inline void quantize(const float* x, q5_0& block) noexcept {
    const auto codes = detail::symmetric_codes<5>(x, block.d);
    detail::set_pairs(block.pairs, codes);
    detail::set_high(block.high, codes);
}

/// d = (max - min) / 31, m = min; code = min(31, floor((x - min) / d + 0.5)).
inline void quantize(const float* x, q5_1& block) noexcept {
    const auto codes = detail::affine_codes<5>(x, block.d, block.m);
    detail::set_pairs(block.pairs, codes);
    detail::set_high(block.high, codes);
}

/// Each group of 32 by search_affine; scales and least values to 6 bits of the largest of the block; codes again for what those
/// bits left of them, or those of the search where they left no scale.
inline void quantize(const float* x, q4_K& block) noexcept {
    using detail::exact;
    constexpr std::size_t groups = 8, n = 32;
    std::array<detail::affine_fit<n>, groups> fits;
    exact scale = 0.0f, least = 0.0f;
    for (std::size_t g = 0; g < groups; ++g) {
        fits[g] = detail::search_affine<n>(x + g * n);
        scale = fits[g].scale > scale ? fits[g].scale : scale;
        least = fits[g].least > least ? fits[g].least : least;
    }
    const auto six_bits = [](exact value, exact most) {
        const exact inverse = most > 0.0f ? exact(63) / most : exact(0.0f);
        const int rounded = detail::nearest(inverse * value) & 255;
        return rounded < 63 ? rounded : 63;
    };
    for (std::size_t g = 0; g < groups; ++g) {
        const int s = six_bits(fits[g].scale, scale);
        const int m = six_bits(fits[g].least, least);
        if (g < 4) {
            block.scales[g] = static_cast<std::uint8_t>(s);
            block.scales[g + 4] = static_cast<std::uint8_t>(m);
        } else {
            block.scales[g + 4] = static_cast<std::uint8_t>((s & 15) | (m & 15) << 4);
            block.scales[g - 4] = static_cast<std::uint8_t>(block.scales[g - 4] | s >> 4 << 6);
            block.scales[g] = static_cast<std::uint8_t>(block.scales[g] | m >> 4 << 6);
        }
    }
    block.d = float16((scale / 63).value);
    block.dmin = float16((least / 63).value);
    for (std::size_t g = 0; g < groups; ++g) {
        auto& codes = fits[g].codes;
        const exact step = block.scale(g);
        const exact offset = -exact(block.offset(g));
        for (std::size_t i = 0; i < n && (step > 0.0f || step < 0.0f); ++i) {
            codes[i] = detail::clamped(detail::nearest((x[g * n + i] + offset) / step), 0, 15);
        }
        for (std::size_t i = 0; i < n && g % 2 == 1; ++i) {
            block.pairs[g / 2 * n + i] = static_cast<std::uint8_t>(fits[g - 1].codes[i] | codes[i] << 4);
        }
    }
}

/// Each group of 16 by search_symmetric; scales to 8 bits of the one of largest magnitude; codes again for what those bits left of
/// them, or those of the search where they left no scale.
inline void quantize(const float* x, q6_K& block) noexcept {
    using detail::exact;
    constexpr std::size_t groups = 16, n = 16;
    std::array<detail::symmetric_fit<n>, groups> fits;
    exact most = 0.0f;
    for (std::size_t g = 0; g < groups; ++g) {
        fits[g] = detail::search_symmetric<n>(x + g * n);
        most = detail::magnitude(fits[g].scale) > detail::magnitude(most) ? fits[g].scale : most;
    }
    block = {};
    if (detail::magnitude(most) < detail::zero_magnitude) {
        return;
    }
    const exact inverse = exact(-128) / most;
    block.d = float16((1.0f / inverse).value);
    for (std::size_t g = 0; g < groups; ++g) {
        const int s = detail::nearest(inverse * fits[g].scale);
        block.scales[g] = static_cast<std::int8_t>(s < 127 ? s : 127);
        const exact step = block.scale(g);
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t at = g * n + i;
            const bool known = step > 0.0f || step < 0.0f;
            const int q = known ? detail::clamped(detail::nearest(x[at] / step), -32, 31) + 32 : fits[g].codes[i];
            const std::size_t half = at / 128, quarter = at / 32 % 4;
            std::uint8_t& low = block.low[half * 64 + quarter % 2 * 32 + at % 32];
            std::uint8_t& high = block.high[half * 32 + at % 32];
            low = static_cast<std::uint8_t>(low | (q & 15) << 4 * (quarter / 2));
            high = static_cast<std::uint8_t>(high | q >> 4 << 2 * quarter);
        }
    }
}

/// The block that ggml makes of `Block::size` numbers.
template <class Block>
Block quantized(const float* x) noexcept {
    Block block;
    quantize(x, block);
    return block;
}

}  // namespace ggml

PARE_NAMESPACE_END

#endif
