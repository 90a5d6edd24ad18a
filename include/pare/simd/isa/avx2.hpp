#ifndef PARE_SIMD_ISA_AVX2_HPP
#define PARE_SIMD_ISA_AVX2_HPP

#include <pare/simd/isa/sse4_1.hpp>

PARE_NAMESPACE_BEGIN

namespace isa {

/// 256-bit x86 with fused multiply-add: Haswell 2013, Zen 2017.
struct avx2 {
    static constexpr const char* name = "avx2";
#if defined(__AVX2__) && defined(__FMA__)
    static constexpr bool compiled = true;
#else
    static constexpr bool compiled = false;
#endif
};

}  // namespace isa

#if defined(__AVX2__) && defined(__FMA__)

namespace simd {

template <>
struct ops<isa::avx2> : xsimd_ops<xsimd::fma3<xsimd::avx2>> {
    static constexpr register_tile f32_tile = {6, 2};
    static constexpr register_tile int8_tile = {6, 2};

    PARE_INLINE static f32 load_partial(const float* p, std::size_t n) noexcept { return f32(_mm256_maskload_ps(p, first(n))); }
    PARE_INLINE static i32 load_partial(const std::int32_t* p, std::size_t n) noexcept {
        return i32(_mm256_maskload_epi32(p, first(n)));
    }
    PARE_INLINE static void store_partial(float* p, f32 v, std::size_t n) noexcept { _mm256_maskstore_ps(p, first(n), v); }
    PARE_INLINE static void store_partial(std::int32_t* p, i32 v, std::size_t n) noexcept {
        _mm256_maskstore_epi32(p, first(n), v);
    }

    // Pieces of four numbers, side by side, then four by four.
    PARE_INLINE static void load_transposed(const float* p, std::size_t stride, f32 (&rows)[4]) noexcept {
        __m256 v[4];
        for (std::size_t j = 0; j < 4; ++j) {
            v[j] =
                _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + j * stride)), _mm_loadu_ps(p + (j + 4) * stride), 1);
        }
        const __m256 low01 = _mm256_unpacklo_ps(v[0], v[1]), high01 = _mm256_unpackhi_ps(v[0], v[1]);
        const __m256 low23 = _mm256_unpacklo_ps(v[2], v[3]), high23 = _mm256_unpackhi_ps(v[2], v[3]);
        rows[0] = f32(_mm256_shuffle_ps(low01, low23, 0x44));
        rows[1] = f32(_mm256_shuffle_ps(low01, low23, 0xee));
        rows[2] = f32(_mm256_shuffle_ps(high01, high23, 0x44));
        rows[3] = f32(_mm256_shuffle_ps(high01, high23, 0xee));
    }

    // One load, where four would keep the loads of what is multiplied waiting.
    PARE_INLINE static void broadcast_four(const float* p, f32 (&out)[4]) noexcept {
        const __m256 four = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(p));
        out[0] = f32(_mm256_permute_ps(four, 0x00));
        out[1] = f32(_mm256_permute_ps(four, 0x55));
        out[2] = f32(_mm256_permute_ps(four, 0xaa));
        out[3] = f32(_mm256_permute_ps(four, 0xff));
    }
    PARE_INLINE static void broadcast_four(const std::int8_t* p, i32 (&out)[4]) noexcept {
        const __m256i four = _mm256_broadcastsi128_si256(ops<isa::sse4_1>::load_widened(p));
        out[0] = i32(_mm256_shuffle_epi32(four, 0x00));
        out[1] = i32(_mm256_shuffle_epi32(four, 0x55));
        out[2] = i32(_mm256_shuffle_epi32(four, 0xaa));
        out[3] = i32(_mm256_shuffle_epi32(four, 0xff));
    }
    template <class Index>
    PARE_INLINE static f32 gather(const float* x, const Index* index) noexcept {
        return f32(_mm256_insertf128_ps(_mm256_castps128_ps256(half::gather(x, index)), half::gather(x, index + 4), 1));
    }
    template <class Index>
    PARE_INLINE static i32 gather(const std::int32_t* x, const Index* index) noexcept {
        return i32(_mm256_inserti128_si256(_mm256_castsi128_si256(half::gather(x, index)), half::gather(x, index + 4), 1));
    }

    PARE_INLINE static f32 load_upper_halves(const std::uint16_t* p) noexcept {
        return f32(_mm256_castsi256_ps(
            _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16)));
    }
#if defined(__F16C__)
    PARE_INLINE static f32 load_halves(const std::uint16_t* p) noexcept {
        return f32(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
    }
#endif
    // Of eight numbers each, looked up by three bits; the fourth chooses.
    struct table16 {
        __m256 low, high;
    };
    PARE_INLINE static table16 load_table(const float* p) noexcept {
        return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
    }
    PARE_INLINE static f32 look_up(const table16& table, i32 index) noexcept {
        return f32(_mm256_blendv_ps(_mm256_permutevar8x32_ps(table.low, index), _mm256_permutevar8x32_ps(table.high, index),
                                    _mm256_castsi256_ps(_mm256_slli_epi32(index, 28))));
    }
    template <std::size_t M>
    requires(M == 2 || M == 4 || M == 8) PARE_INLINE static f32 repeat(const float* p) noexcept {
        if constexpr (M == 8) {
            return load(p);
        } else if constexpr (M == 4) {
            return f32(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)));
        } else {
            double pair;
            std::memcpy(&pair, p, sizeof pair);
            return f32(_mm256_castpd_ps(_mm256_set1_pd(pair)));
        }
    }
    template <std::size_t M>
    PARE_INLINE static f32 choose(f32 repeated, i32 index) noexcept {
        if constexpr (M <= 4) {
            return f32(_mm256_permutevar_ps(repeated, index));
        } else {
            return f32(_mm256_permutevar8x32_ps(repeated, index));
        }
    }
    PARE_INLINE static i32 round(f32 x) noexcept {
        return i32(_mm256_cvtps_epi32(x));
    }
    PARE_INLINE static i32 maximum_unsigned(i32 a, i32 b) noexcept {
        return i32(_mm256_max_epu32(a, b));
    }
    PARE_INLINE static i32 multiply_high_rounded(i32 a, i32 b) noexcept {
        const __m256i half = _mm256_set1_epi64x(std::int64_t{1} << 30);
        const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
        const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
        return i32(_mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa));
    }
    PARE_INLINE static i32 shift_right_rounded(i32 x, i32 e) noexcept {
        // Shifted by one less, then by one with its last bit added: no sum overflows. A count of -1 leaves the sign alone in all
        // bits, which undoes the subtraction where e is 0.
        const __m256i away = _mm256_add_epi32(x, _mm256_srai_epi32(x, 31));
        const __m256i last = _mm256_srav_epi32(away, _mm256_sub_epi32(e, _mm256_set1_epi32(1)));
        return i32(_mm256_add_epi32(_mm256_srav_epi32(away, e), _mm256_and_si256(last, _mm256_set1_epi32(1))));
    }
    PARE_INLINE static i32 multiply_shift_rounded(i32 a, i32 b, i32 e) noexcept {
        const __m256i even = shifted(_mm256_mul_epi32(a, b), _mm256_and_si256(e, _mm256_set1_epi64x(0xffffffff)));
        const __m256i odd = shifted(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), _mm256_srli_epi64(e, 32));
        return i32(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa));
    }
    PARE_INLINE static i32 reduce_max(i32 x) noexcept {
        const __m128i m = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
        return i32(_mm256_castsi128_si256(half::reduce_max(half::i32(m))));
    }
    PARE_INLINE static std::int32_t first(i32 x) noexcept {
        return _mm_cvtsi128_si32(_mm256_castsi256_si128(x));
    }
    PARE_INLINE static float first(f32 x) noexcept {
        return _mm256_cvtss_f32(x);
    }

    template <class A>
    PARE_INLINE static void store_saturated(A* p, i32 v) noexcept {
        store_saturated_partial(p, v, 8);
    }
    template <class A>
    PARE_INLINE static void store_saturated_partial(A* p, i32 v, std::size_t n) noexcept {
        const std::int64_t bytes = half::saturated(words(v), p);
        std::memcpy(p, &bytes, n);
    }
    PARE_INLINE static void store_saturated_partial(std::int16_t* p, i32 v, std::size_t n) noexcept {
        const __m128i numbers = half::clamped(words(v));
        std::memcpy(p, &numbers, n * 2);
    }

    // Four vectors at once: two packings and one permutation, the offset added to 16-bit numbers.
    PARE_INLINE static void store_four_saturated(std::uint8_t* p, const i32 (&v)[4], std::int32_t offset) noexcept {
        store_in_order(p, _mm256_packus_epi16(words(v[0], v[1], offset), words(v[2], v[3], offset)));
    }
    PARE_INLINE static void store_four_saturated(std::int8_t* p, const i32 (&v)[4], std::int32_t offset) noexcept {
        store_in_order(p, _mm256_packs_epi16(words(v[0], v[1], offset), words(v[2], v[3], offset)));
    }
    PARE_INLINE static void store_four_saturated(std::int16_t* p, const i32 (&v)[4], std::int32_t offset) noexcept {
        for (int pair = 0; pair < 4; pair += 2) {
            const __m256i kept = _mm256_min_epi16(_mm256_max_epi16(words(v[pair], v[pair + 1], offset), _mm256_setzero_si256()),
                                                  _mm256_set1_epi16(255));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8 * pair), _mm256_permute4x64_epi64(kept, 0xd8));
        }
    }

    /// A vector of numbers of 8 or 16 bits as 32-bit ones.
    PARE_INLINE static i32 load_widened(const std::uint8_t* a) noexcept {
        return i32(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a))));
    }
    PARE_INLINE static i32 load_widened(const std::int8_t* a) noexcept {
        return i32(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a))));
    }
    PARE_INLINE static i32 load_widened(const std::int16_t* a) noexcept {
        return i32(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a))));
    }

    /// y[i] = table[x[i]] for i in [0, n) as far as whole vectors go; returns how far. vpshufb looks up 16 entries by the low half
    /// of a byte, and gives 0 where its sign bit is set. Sixteen after sixteen is added (xor) as the difference to the one before,
    /// while x goes down by 16 and stays below zero once it is there: what is left is the sixteen that x points into.
    PARE_INLINE static std::size_t map_bytes(const std::uint8_t* table, const std::uint8_t* x, std::size_t n,
                                             std::uint8_t* y) noexcept {
        std::size_t i = 0;
        if (n >= 64) {
            const auto entries = [&](std::size_t at) {
                return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + at)));
            };
            __m256i change[2][8];
            for (std::size_t half = 0; half < 2; ++half) {
                change[half][0] = entries(128 * half);
                for (std::size_t k = 1; k < 8; ++k) {
                    change[half][k] = _mm256_xor_si256(entries(128 * half + 16 * k), entries(128 * half + 16 * k - 16));
                }
            }
            const __m256i step = _mm256_set1_epi8(16);
            for (; i + 32 <= n; i += 32) {
                __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
                __m256i high = _mm256_xor_si256(low, _mm256_set1_epi8(-128));
                __m256i found[2] = {_mm256_shuffle_epi8(change[0][0], low), _mm256_shuffle_epi8(change[1][0], high)};
                PARE_UNROLL for (std::size_t k = 1; k < 8; ++k) {
                    low = _mm256_subs_epi8(low, step);
                    high = _mm256_subs_epi8(high, step);
                    found[0] = _mm256_xor_si256(found[0], _mm256_shuffle_epi8(change[0][k], low));
                    found[1] = _mm256_xor_si256(found[1], _mm256_shuffle_epi8(change[1][k], high));
                }
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), _mm256_xor_si256(found[0], found[1]));
            }
        }
        return i;
    }

    // As on SSE4.1.
    using activation = std::int16_t;
    static constexpr std::size_t dot_depth = 2;
    using weights = __m256i;
    using operand = __m256i;
    PARE_INLINE static operand broadcast(const std::int16_t* a) noexcept {
        return _mm256_set1_epi32(half::word_at(a));
    }
    PARE_INLINE static operand broadcast(const std::uint8_t* a) noexcept {
        return _mm256_cvtepu8_epi16(_mm_set1_epi16(half::pair_at(a)));
    }
    PARE_INLINE static operand broadcast(const std::int8_t* a) noexcept {
        return _mm256_cvtepi8_epi16(_mm_set1_epi16(half::pair_at(a)));
    }
    PARE_INLINE static operand load_operand(const std::int16_t* a) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
    }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::int16_t* out) noexcept {
        const __m256i even = load_widened(rows[0]);
        const __m256i odd = _mm256_slli_epi32(load_widened(rows[1]), 16);
        const __m256i both = _mm256_blend_epi16(even, odd, 0xaa);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), both);
    }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept {
        return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    PARE_INLINE static weights as_weights(i32 v) noexcept {
        return v;
    }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept {
        return i32(_mm256_add_epi32(sum, _mm256_madd_epi16(a, w)));
    }

private:
    using half = ops<isa::sse4_1>;

    /// (p + 2^(30 + e)) >> (31 + e) in 64 bits, of which the low 32 are right: shifted as unsigned after adding 2^62, which leaves
    /// 2^(31 - e) to be taken away.
    PARE_INLINE static __m256i shifted(__m256i p, __m256i e) noexcept {
        const __m256i round = _mm256_sllv_epi64(_mm256_set1_epi64x(std::int64_t{1} << 30), e);
        const __m256i biased = _mm256_add_epi64(_mm256_add_epi64(p, round), _mm256_set1_epi64x(std::int64_t{1} << 62));
        const __m256i count = _mm256_add_epi64(e, _mm256_set1_epi64x(31));
        return _mm256_sub_epi64(_mm256_srlv_epi64(biased, count),
                                _mm256_srlv_epi64(_mm256_set1_epi64x(std::int64_t{1} << 62), count));
    }

    template <class Byte>
    PARE_INLINE static void store_in_order(Byte* p, __m256i packed) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                            _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
    }

    PARE_INLINE static __m256i words(i32 a, i32 b, std::int32_t offset) noexcept {
        return _mm256_add_epi16(_mm256_packs_epi32(a, b), _mm256_set1_epi16(static_cast<short>(offset)));
    }
    PARE_INLINE static __m128i words(i32 v) noexcept {
        return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    }
    PARE_INLINE static __m256i first(std::size_t n) noexcept {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END

#endif
