#ifndef PARE_SIMD_ISA_AVX512BW_HPP
#define PARE_SIMD_ISA_AVX512BW_HPP

#include <pare/simd/isa/avx2.hpp>

#if defined(__AVX512F__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__FMA__)
#define PARE_HAS_AVX512BW 1
#else
#define PARE_HAS_AVX512BW 0
#endif

PARE_NOT_UNINITIALIZED_BEGIN
PARE_NAMESPACE_BEGIN

namespace isa {

/// 512-bit x86, Skylake server 2017: x86-64-v4.
struct avx512bw {
    static constexpr const char* name = "avx512bw";
    static constexpr bool compiled = PARE_HAS_AVX512BW;
};

}  // namespace isa

#if PARE_HAS_AVX512BW

namespace simd {

template <>
struct ops<isa::avx512bw> : xsimd_ops<xsimd::avx512bw> {
    static constexpr register_tile f32_tile = {6, 4};
    static constexpr register_tile int8_tile = {6, 4};

    // xsimd 8 writes x * y + z and leaves it to the compiler; clang keeps two instructions.
    using xsimd_ops<xsimd::avx512bw>::fma;
    PARE_INLINE static f32 fma(f32 a, f32 b, f32 c) noexcept { return f32(_mm512_fmadd_ps(a, b, c)); }

    // What xsimd 8 selects integers with does not compile without optimization.
    PARE_INLINE static f32 select_greater(i32 a, i32 b, f32 x, f32 y) noexcept {
        return f32(_mm512_mask_blend_ps(_mm512_cmpgt_epi32_mask(a, b), y, x));
    }
    PARE_INLINE static f32 nan_to_zero(f32 x) noexcept {
        return select_greater(bits(x) & set(std::int32_t{0x7fffffff}), set(std::int32_t{0x7f800000}), set(0.0f), x);
    }

    // The unmasked intrinsics make GCC 12 warn of their undefined operand, which is not used.
    template <int N>
    PARE_INLINE static i32 shift_left(i32 x) noexcept {
        return i32(_mm512_maskz_slli_epi32(0xffff, x, N));
    }
    template <int N>
    PARE_INLINE static i32 shift_right(i32 x) noexcept {
        return i32(_mm512_maskz_srai_epi32(0xffff, x, N));
    }

    PARE_INLINE static f32 load_partial(const float* p, std::size_t n) noexcept { return f32(_mm512_maskz_loadu_ps(first(n), p)); }
    PARE_INLINE static i32 load_partial(const std::int32_t* p, std::size_t n) noexcept {
        return i32(_mm512_maskz_loadu_epi32(first(n), p));
    }
    PARE_INLINE static void store_partial(float* p, f32 v, std::size_t n) noexcept { _mm512_mask_storeu_ps(p, first(n), v); }
    PARE_INLINE static void store_partial(std::int32_t* p, i32 v, std::size_t n) noexcept {
        _mm512_mask_storeu_epi32(p, first(n), v);
    }

    // Pieces of four numbers, side by side, then four by four.
    PARE_INLINE static void load_transposed(const float* p, std::size_t stride, f32 (&rows)[4]) noexcept {
        __m512 v[4];
        for (std::size_t j = 0; j < 4; ++j) {
            const float* const q = p + j * stride;
            v[j] = _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(q)), _mm_loadu_ps(q + 4 * stride), 1);
            v[j] = _mm512_insertf32x4(v[j], _mm_loadu_ps(q + 8 * stride), 2);
            v[j] = _mm512_insertf32x4(v[j], _mm_loadu_ps(q + 12 * stride), 3);
        }
        const __m512 low01 = _mm512_unpacklo_ps(v[0], v[1]), high01 = _mm512_unpackhi_ps(v[0], v[1]);
        const __m512 low23 = _mm512_unpacklo_ps(v[2], v[3]), high23 = _mm512_unpackhi_ps(v[2], v[3]);
        rows[0] = f32(_mm512_shuffle_ps(low01, low23, 0x44));
        rows[1] = f32(_mm512_shuffle_ps(low01, low23, 0xee));
        rows[2] = f32(_mm512_shuffle_ps(high01, high23, 0x44));
        rows[3] = f32(_mm512_shuffle_ps(high01, high23, 0xee));
    }

    // See ops<isa::avx2>.
    PARE_INLINE static void broadcast_four(const float* p, f32 (&out)[4]) noexcept {
        const __m512 four = _mm512_broadcast_f32x4(_mm_loadu_ps(p));
        out[0] = f32(_mm512_shuffle_ps(four, four, 0x00));
        out[1] = f32(_mm512_shuffle_ps(four, four, 0x55));
        out[2] = f32(_mm512_shuffle_ps(four, four, 0xaa));
        out[3] = f32(_mm512_shuffle_ps(four, four, 0xff));
    }
    PARE_INLINE static void broadcast_four(const std::int8_t* p, i32 (&out)[4]) noexcept {
        const __m512i four = _mm512_broadcast_i32x4(ops<isa::sse4_1>::load_widened(p));
        out[0] = i32(_mm512_maskz_shuffle_epi32(0xffff, four, _MM_PERM_AAAA));
        out[1] = i32(_mm512_maskz_shuffle_epi32(0xffff, four, _MM_PERM_BBBB));
        out[2] = i32(_mm512_maskz_shuffle_epi32(0xffff, four, _MM_PERM_CCCC));
        out[3] = i32(_mm512_maskz_shuffle_epi32(0xffff, four, _MM_PERM_DDDD));
    }
    template <class Index>
    PARE_INLINE static f32 gather(const float* x, const Index* index) noexcept {
        using half = ops<isa::avx2>;
        return f32(_mm512_insertf32x8(_mm512_castps256_ps512(half::gather(x, index)), half::gather(x, index + 8), 1));
    }
    template <class Index>
    PARE_INLINE static i32 gather(const std::int32_t* x, const Index* index) noexcept {
        using half = ops<isa::avx2>;
        return i32(_mm512_inserti32x8(_mm512_castsi256_si512(half::gather(x, index)), half::gather(x, index + 8), 1));
    }

    PARE_INLINE static f32 load_upper_halves(const std::uint16_t* p) noexcept {
        return f32(_mm512_castsi512_ps(
            _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16)));
    }
    PARE_INLINE static f32 load_halves(const std::uint16_t* p) noexcept {
        return f32(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
    }
    using table16 = __m512;
    PARE_INLINE static table16 load_table(const float* p) noexcept { return _mm512_loadu_ps(p); }
    PARE_INLINE static f32 look_up(table16 table, i32 index) noexcept {
        return f32(_mm512_maskz_permutexvar_ps(0xffff, index, table));
    }
    template <std::size_t M>
    requires(M == 2 || M == 4 || M == 8 || M == 16) PARE_INLINE static f32 repeat(const float* p) noexcept {
        if constexpr (M == 16) {
            return load(p);
        } else if constexpr (M == 8) {
            const __m256 numbers = _mm256_loadu_ps(p);
            return f32(_mm512_maskz_broadcast_f32x8(0xffff, numbers));
        } else if constexpr (M == 4) {
            const __m128 numbers = _mm_loadu_ps(p);
            return f32(_mm512_maskz_broadcast_f32x4(0xffff, numbers));
        } else {
            double pair;
            std::memcpy(&pair, p, sizeof pair);
            return f32(_mm512_castpd_ps(_mm512_set1_pd(pair)));
        }
    }
    template <std::size_t M>
    PARE_INLINE static f32 choose(f32 repeated, i32 index) noexcept {
        if constexpr (M <= 4) {
            return f32(_mm512_maskz_permutevar_ps(0xffff, repeated, index));
        } else {
            return f32(_mm512_maskz_permutexvar_ps(0xffff, index, repeated));
        }
    }
    PARE_INLINE static i32 round(f32 x) noexcept { return i32(_mm512_cvtps_epi32(x)); }
    PARE_INLINE static i32 maximum_unsigned(i32 a, i32 b) noexcept { return i32(_mm512_max_epu32(a, b)); }
    PARE_INLINE static i32 multiply_high_rounded(i32 a, i32 b) noexcept {
        const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 30);
        const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, b), half);
        const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32)), half);
        return i32(_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1)));
    }
    PARE_INLINE static i32 shift_right_rounded(i32 x, i32 e) noexcept {  // see ops<isa::avx2>
        const __m512i away = _mm512_add_epi32(x, _mm512_srai_epi32(x, 31));
        const __m512i last = _mm512_srav_epi32(away, _mm512_sub_epi32(e, _mm512_set1_epi32(1)));
        return i32(_mm512_add_epi32(_mm512_srav_epi32(away, e), _mm512_and_si512(last, _mm512_set1_epi32(1))));
    }
    PARE_INLINE static i32 multiply_shift_rounded(i32 a, i32 b, i32 e) noexcept {
        const auto shifted = [](__m512i p, __m512i n) {
            const __m512i round = _mm512_sllv_epi64(_mm512_set1_epi64(std::int64_t{1} << 30), n);
            return _mm512_srav_epi64(_mm512_add_epi64(p, round), _mm512_add_epi64(n, _mm512_set1_epi64(31)));
        };
        const __m512i even = shifted(_mm512_mul_epi32(a, b), _mm512_and_si512(e, _mm512_set1_epi64(0xffffffff)));
        const __m512i odd = shifted(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32)), _mm512_srli_epi64(e, 32));
        return i32(_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32)));
    }
    PARE_INLINE static i32 reduce_max(i32 x) noexcept {
        using half = ops<isa::avx2>;
        const __m256i m = _mm256_max_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
        return i32(_mm512_castsi256_si512(half::reduce_max(half::i32(m))));
    }
    PARE_INLINE static std::int32_t first(i32 x) noexcept { return _mm_cvtsi128_si32(_mm512_castsi512_si128(x)); }
    PARE_INLINE static float first(f32 x) noexcept { return _mm512_cvtss_f32(x); }

    PARE_INLINE static void store_saturated(std::int8_t* p, i32 v) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(v));
    }
    PARE_INLINE static void store_saturated(std::uint8_t* p, i32 v) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(_mm512_max_epi32(v, _mm512_setzero_si512())));
    }
    PARE_INLINE static void store_saturated(std::int16_t* p, i32 v) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(clamped(v)));
    }
    // Four vectors at once: two packings and one permutation instead of four conversions, the offset added to 16-bit numbers.
    PARE_INLINE static void store_four_saturated(std::uint8_t* p, const i32 (&v)[4], std::int32_t offset) noexcept {
        _mm512_storeu_si512(p, in_order(_mm512_packus_epi16(words(v[0], v[1], offset), words(v[2], v[3], offset))));
    }
    PARE_INLINE static void store_four_saturated(std::int8_t* p, const i32 (&v)[4], std::int32_t offset) noexcept {
        _mm512_storeu_si512(p, in_order(_mm512_packs_epi16(words(v[0], v[1], offset), words(v[2], v[3], offset))));
    }
    PARE_INLINE static void store_four_saturated(std::int16_t* p, const i32 (&v)[4], std::int32_t offset) noexcept {
        for (int pair = 0; pair < 4; pair += 2) {
            const __m512i kept = _mm512_min_epi16(_mm512_max_epi16(words(v[pair], v[pair + 1], offset), _mm512_setzero_si512()),
                                                  _mm512_set1_epi16(255));
            _mm512_storeu_si512(p + 16 * pair, _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), kept));
        }
    }
    PARE_INLINE static void store_saturated_partial(std::int8_t* p, i32 v, std::size_t n) noexcept {
        _mm_mask_storeu_epi8(p, first(n), _mm512_cvtsepi32_epi8(v));
    }
    PARE_INLINE static void store_saturated_partial(std::uint8_t* p, i32 v, std::size_t n) noexcept {
        _mm_mask_storeu_epi8(p, first(n), _mm512_cvtusepi32_epi8(_mm512_max_epi32(v, _mm512_setzero_si512())));
    }
    PARE_INLINE static void store_saturated_partial(std::int16_t* p, i32 v, std::size_t n) noexcept {
        _mm256_mask_storeu_epi16(p, first(n), _mm512_cvtepi32_epi16(clamped(v)));
    }

    /// A vector of numbers of 8 or 16 bits as 32-bit ones.
    PARE_INLINE static i32 load_widened(const std::uint8_t* a) noexcept {
        return i32(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a))));
    }
    PARE_INLINE static i32 load_widened(const std::int8_t* a) noexcept {
        return i32(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a))));
    }
    PARE_INLINE static i32 load_widened(const std::int16_t* a) noexcept {
        return i32(_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a))));
    }

    /// See ops<isa::avx2>.
    PARE_INLINE static std::size_t map_bytes(const std::uint8_t* table, const std::uint8_t* x, std::size_t n,
                                             std::uint8_t* y) noexcept {
#if defined(__AVX512VBMI__)
        const __m512i low[2] = {_mm512_loadu_si512(table), _mm512_loadu_si512(table + 64)};
        const __m512i high[2] = {_mm512_loadu_si512(table + 128), _mm512_loadu_si512(table + 192)};
        std::size_t i = 0;
        for (; i + 64 <= n; i += 64) {
            const __m512i at = _mm512_loadu_si512(x + i);
            const __m512i below = _mm512_permutex2var_epi8(low[0], at, low[1]);
            const __m512i above = _mm512_permutex2var_epi8(high[0], at, high[1]);
            _mm512_storeu_si512(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), below, above));
        }
        return i;
#else
        return ops<isa::avx2>::map_bytes(table, x, n, y);  // a 512-bit shuffle takes as long as two of 256 bits
#endif
    }

    // As on SSE4.1.
    using activation = std::int16_t;
    static constexpr std::size_t dot_depth = 2;
    using weights = __m512i;
    using operand = __m512i;
    PARE_INLINE static operand broadcast(const std::int16_t* a) noexcept {
        return _mm512_set1_epi32(word_at(a));
    }
    PARE_INLINE static operand broadcast(const std::uint8_t* a) noexcept {
        return _mm512_cvtepu8_epi16(_mm256_set1_epi16(pair_at(a)));
    }
    PARE_INLINE static operand broadcast(const std::int8_t* a) noexcept {
        return _mm512_cvtepi8_epi16(_mm256_set1_epi16(pair_at(a)));
    }
    PARE_INLINE static operand load_operand(const std::int16_t* a) noexcept {
        return _mm512_loadu_si512(a);
    }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::int16_t* out) noexcept {
        const __m512i even = load_widened(rows[0]);
        const __m512i odd = _mm512_slli_epi32(load_widened(rows[1]), 16);
        const __m512i both = _mm512_mask_blend_epi16(0xaaaaaaaa, even, odd);
        _mm512_storeu_si512(out, both);
    }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept {
        return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    PARE_INLINE static weights as_weights(i32 v) noexcept {
        return v;
    }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept {
        return i32(_mm512_add_epi32(sum, _mm512_madd_epi16(a, w)));
    }

protected:
    template <class A>
    PARE_INLINE static int word_at(const A* a) noexcept {
        int word;
        std::memcpy(&word, a, 4);
        return word;
    }

private:
    PARE_INLINE static __m512i words(i32 a, i32 b, std::int32_t offset) noexcept {
        return _mm512_add_epi16(_mm512_packs_epi32(a, b), _mm512_set1_epi16(static_cast<short>(offset)));
    }
    PARE_INLINE static __m512i in_order(__m512i packed) noexcept {
        return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed);
    }
    template <class Byte>
    PARE_INLINE static short pair_at(const Byte* a) noexcept {
        short pair;
        std::memcpy(&pair, a, 2);
        return pair;
    }
    PARE_INLINE static __m512i clamped(i32 v) noexcept {
        return _mm512_min_epi32(_mm512_max_epi32(v, _mm512_setzero_si512()), _mm512_set1_epi32(255));
    }
    PARE_INLINE static __mmask16 first(std::size_t n) noexcept {
        return static_cast<__mmask16>((1u << n) - 1u);
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END
PARE_NOT_UNINITIALIZED_END

#endif
