#ifndef PARE_SIMD_ISA_SSE4_1_HPP
#define PARE_SIMD_ISA_SSE4_1_HPP

#include <pare/simd/isa/scalar.hpp>

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

PARE_NAMESPACE_BEGIN

namespace isa {

/// 128-bit x86, from 2008 on. No fused multiply-add.
struct sse4_1 {
    static constexpr const char* name = "sse4_1";
#if defined(__SSE4_1__)
    static constexpr bool compiled = true;
#else
    static constexpr bool compiled = false;
#endif
};

}  // namespace isa

#if defined(__SSE4_1__)

namespace simd {

template <>
struct ops<isa::sse4_1> : xsimd_ops<xsimd::sse4_1> {
    static constexpr register_tile f32_tile = {4, 2};
    static constexpr register_tile int8_tile = {4, 2};

    // Rounded twice in every translation unit, also in one whose flags would let the compiler contract it.
    using xsimd_ops<xsimd::sse4_1>::fma;
    PARE_INLINE static f32 fma(f32 a, f32 b, f32 c) noexcept { return opaque(a * b) + c; }
    PARE_INLINE static float fma(float a, float b, float c) noexcept { return pare::opaque(a * b) + c; }

    // Four loads, each into its lane: the instruction of AVX2 takes half as long again on Zen 4. Indices of 16 bits come by one
    // load.
    template <class T, class Index>
    PARE_INLINE static auto gather(const T* x, const Index* index) noexcept {
        std::uint64_t all = 0;
        if constexpr (sizeof(Index) == 2) {
            std::memcpy(&all, index, 8);
        }
        const auto at = [&](int c) -> const T& {
            return sizeof(Index) == 2 ? x[static_cast<std::uint16_t>(all >> 16 * c)] : x[index[c]];
        };
        if constexpr (std::is_same_v<T, float>) {
            __m128 v = _mm_load_ss(&at(0));
            v = _mm_insert_ps(v, _mm_load_ss(&at(1)), 0x10);
            v = _mm_insert_ps(v, _mm_load_ss(&at(2)), 0x20);
            return f32(_mm_insert_ps(v, _mm_load_ss(&at(3)), 0x30));
        } else {
            __m128i v = _mm_cvtsi32_si128(at(0));
            v = _mm_insert_epi32(v, at(1), 1);
            v = _mm_insert_epi32(v, at(2), 2);
            return i32(_mm_insert_epi32(v, at(3), 3));
        }
    }

    PARE_INLINE static f32 load_upper_halves(const std::uint16_t* p) noexcept {
        return f32(_mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))), 16)));
    }
    // By bytes: one table for each byte of a float, in which the other bytes of an index find a zero.
    struct table16 {
        __m128i bytes[4];
    };
    PARE_INLINE static table16 load_table(const float* p) noexcept {
        std::uint8_t byte[4][16];
        for (int i = 0; i < 16; ++i) {
            std::uint8_t number[4];
            std::memcpy(number, p + i, 4);
            for (int b = 0; b < 4; ++b) {
                byte[b][i] = number[b];
            }
        }
        table16 table;
        for (int b = 0; b < 4; ++b) {
            table.bytes[b] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(byte[b]));
        }
        return table;
    }
    PARE_INLINE static f32 look_up(const table16& table, i32 index) noexcept {
        const __m128i lowest = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
        const __m128i code = _mm_and_si128(_mm_shuffle_epi8(index, lowest), _mm_set1_epi8(15));
        const auto byte = [&](int b) {
            const auto others = static_cast<int>(0x80808080u & ~(0xffu << 8 * b));
            return _mm_shuffle_epi8(table.bytes[b], _mm_or_si128(code, _mm_set1_epi32(others)));
        };
        return f32(_mm_castsi128_ps(_mm_or_si128(_mm_or_si128(byte(0), byte(1)), _mm_or_si128(byte(2), byte(3)))));
    }
    PARE_INLINE static i32 round(f32 x) noexcept { return i32(_mm_cvtps_epi32(x)); }
    PARE_INLINE static i32 maximum_unsigned(i32 a, i32 b) noexcept { return i32(_mm_max_epu32(a, b)); }
    PARE_INLINE static i32 multiply_high_rounded(i32 a, i32 b) noexcept {
        const __m128i half = _mm_set1_epi64x(std::int64_t{1} << 30);
        const __m128i even = _mm_add_epi64(_mm_mul_epi32(a, b), half);
        const __m128i odd = _mm_add_epi64(_mm_mul_epi32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32)), half);
        return i32(_mm_blend_epi16(_mm_srli_epi64(even, 31), _mm_slli_epi64(odd, 1), 0xcc));
    }
    // One shift count per lane is what this instruction set does not have: number by number.
    PARE_INLINE static i32 shift_right_rounded(i32 x, i32 e) noexcept {
        return each(x, x, e, [](std::int32_t a, std::int32_t, std::int32_t n) { return plain::shift_right_rounded(a, n); });
    }
    PARE_INLINE static i32 multiply_shift_rounded(i32 a, i32 b, i32 e) noexcept {
        return each(a, b, e, [](std::int32_t x, std::int32_t y, std::int32_t n) { return plain::multiply_shift_rounded(x, y, n); });
    }
    PARE_INLINE static i32 reduce_max(i32 x) noexcept {
        const __m128i m = _mm_max_epi32(x, _mm_shuffle_epi32(x, 0x4e));
        return i32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
    }
    PARE_INLINE static std::int32_t first(i32 x) noexcept { return _mm_cvtsi128_si32(x); }
    PARE_INLINE static float first(f32 x) noexcept { return _mm_cvtss_f32(x); }

    template <class A>
    PARE_INLINE static void store_saturated(A* p, i32 v) noexcept {
        store_saturated_partial(p, v, 4);
    }
    template <class A>
    PARE_INLINE static void store_saturated_partial(A* p, i32 v, std::size_t n) noexcept {
        const std::int64_t packed = saturated(_mm_packs_epi32(v, v), p);
        std::memcpy(p, &packed, n * sizeof(A));
    }

    /// A vector of numbers of 8 or 16 bits as 32-bit ones.
    PARE_INLINE static i32 load_widened(const std::uint8_t* a) noexcept {
        return i32(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(word_at(a))));
    }
    PARE_INLINE static i32 load_widened(const std::int8_t* a) noexcept {
        return i32(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(word_at(a))));
    }
    PARE_INLINE static i32 load_widened(const std::int16_t* a) noexcept {
        return i32(_mm_cvtepi16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a))));
    }

    // vpmaddubsw would saturate; pairs of 16-bit products do not.
    using activation = std::int16_t;
    static constexpr std::size_t dot_depth = 2;
    using weights = __m128i;
    using operand = __m128i;
    PARE_INLINE static operand broadcast(const std::int16_t* a) noexcept { return _mm_set1_epi32(word_at(a)); }
    PARE_INLINE static operand broadcast(const std::uint8_t* a) noexcept { return _mm_set1_epi32(a[0] | a[1] << 16); }
    PARE_INLINE static operand broadcast(const std::int8_t* a) noexcept { return _mm_cvtepi8_epi16(_mm_set1_epi16(pair_at(a))); }
    PARE_INLINE static operand load_operand(const std::int16_t* a) noexcept {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
    }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::int16_t* out) noexcept {
        const __m128i even = load_widened(rows[0]);
        const __m128i odd = _mm_slli_epi32(load_widened(rows[1]), 16);
        const __m128i both = _mm_blend_epi16(even, odd, 0xaa);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), both);
    }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept {
        return _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    }
    PARE_INLINE static weights as_weights(i32 v) noexcept { return v; }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept { return i32(_mm_add_epi32(sum, _mm_madd_epi16(a, w))); }

    using plain = ops<isa::scalar>;
    template <class F>
    PARE_INLINE static i32 each(i32 a, i32 b, i32 c, const F& f) noexcept {
        alignas(16) std::int32_t x[4], y[4], z[4];
        store(x, a);
        store(y, b);
        store(z, c);
        for (int i = 0; i < 4; ++i) {
            x[i] = f(x[i], y[i], z[i]);
        }
        return load(x);
    }

    /// The low bytes or 16-bit numbers of signed 16-bit ones, saturated to what A holds: quint8 in any width, or qint8.
    PARE_INLINE static std::int64_t saturated(__m128i words, std::int8_t*) noexcept {
        return _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
    }
    PARE_INLINE static std::int64_t saturated(__m128i words, std::uint8_t*) noexcept {
        return _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
    }
    PARE_INLINE static std::int64_t saturated(__m128i words, std::int16_t*) noexcept { return _mm_cvtsi128_si64(clamped(words)); }
    PARE_INLINE static __m128i clamped(__m128i words) noexcept {
        return _mm_min_epi16(_mm_max_epi16(words, _mm_setzero_si128()), _mm_set1_epi16(255));
    }
    template <class A>
    PARE_INLINE static int word_at(const A* a) noexcept {
        int word;
        std::memcpy(&word, a, 4);
        return word;
    }
    template <class Byte>
    PARE_INLINE static short pair_at(const Byte* a) noexcept {
        short pair;
        std::memcpy(&pair, a, 2);
        return pair;
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END

#endif
