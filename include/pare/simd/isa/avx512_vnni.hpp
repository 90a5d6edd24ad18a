#ifndef PARE_SIMD_ISA_AVX512_VNNI_HPP
#define PARE_SIMD_ISA_AVX512_VNNI_HPP

#include <pare/simd/isa/avx512bw.hpp>

#if PARE_HAS_AVX512BW && defined(__AVX512VNNI__)
#define PARE_HAS_AVX512_VNNI 1
#else
#define PARE_HAS_AVX512_VNNI 0
#endif

PARE_NOT_UNINITIALIZED_BEGIN
PARE_NAMESPACE_BEGIN

namespace isa {

/// AVX-512 with the four-way dot product: Cascade Lake 2019, Zen 4 2022.
struct avx512_vnni {
    static constexpr const char* name = "avx512_vnni";
    static constexpr bool compiled = PARE_HAS_AVX512_VNNI;
};

}  // namespace isa

#if PARE_HAS_AVX512_VNNI

namespace simd {

template <>
struct ops<isa::avx512_vnni> : ops<isa::avx512bw> {
    static constexpr register_tile int8_tile = {6, 4};

    using activation = std::uint8_t;
    static constexpr std::size_t dot_depth = 4;
    using weights = __m512i;
    using operand = __m512i;
    PARE_INLINE static operand broadcast(const std::uint8_t* a) noexcept { return _mm512_set1_epi32(word_at(a)); }
    PARE_INLINE static operand broadcast(const std::int8_t* a) noexcept {
        return _mm512_xor_si512(_mm512_set1_epi32(word_at(a)), _mm512_set1_epi8(-128));
    }
    PARE_INLINE static operand load_operand(const std::uint8_t* a) noexcept { return _mm512_loadu_si512(a); }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::uint8_t* out) noexcept {
        const auto row = [&](std::size_t d) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[d])); };
        const __m512i all =
            _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_inserti128_si256(_mm256_castsi128_si256(row(0)), row(1), 1)),
                               _mm256_inserti128_si256(_mm256_castsi128_si256(row(2)), row(3), 1), 1);
        // A square of 4 x 4 bytes to each quarter of the register, then transposed there.
        const __m512i squares =
            _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), all);
        const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
        const __m512i shift = _mm512_set1_epi8(std::is_signed_v<A> ? -128 : 0);
        _mm512_storeu_si512(out, _mm512_xor_si512(_mm512_shuffle_epi8(squares, order), shift));
    }
    /// The operand whose lane j is the four bytes at a + 4 * index[j], index[j] < 32. Reads the 128 bytes from a on, which begin on
    /// a cache line, and 16 indices.
    PARE_INLINE static operand look_up_operand(const std::uint8_t* a, const std::uint8_t* index) noexcept {
        const __m512i lane = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(index)));
        return _mm512_permutex2var_epi32(_mm512_load_si512(a), lane, _mm512_load_si512(a + 64));
    }
    /// See simd::transpose_fours.
    PARE_INLINE static void transpose_fours(const std::uint8_t* x, std::size_t x_stride, std::uint8_t* out,
                                            std::size_t out_stride) noexcept {
        __m512i v[4];
        PARE_UNROLL for (std::size_t j = 0; j < 4; ++j) {
            const auto row = [&](std::size_t i) {
                return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + (4 * i + j) * x_stride));
            };
            v[j] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_inserti128_si256(_mm256_castsi128_si256(row(0)), row(1), 1)),
                                      _mm256_inserti128_si256(_mm256_castsi128_si256(row(2)), row(3), 1), 1);
        }
        const __m512i low01 = _mm512_unpacklo_epi32(v[0], v[1]), high01 = _mm512_unpackhi_epi32(v[0], v[1]);
        const __m512i low23 = _mm512_unpacklo_epi32(v[2], v[3]), high23 = _mm512_unpackhi_epi32(v[2], v[3]);
        _mm512_storeu_si512(out, _mm512_unpacklo_epi64(low01, low23));
        _mm512_storeu_si512(out + out_stride, _mm512_unpackhi_epi64(low01, low23));
        _mm512_storeu_si512(out + 2 * out_stride, _mm512_unpacklo_epi64(high01, high23));
        _mm512_storeu_si512(out + 3 * out_stride, _mm512_unpackhi_epi64(high01, high23));
    }
    PARE_INLINE static operand broadcast_signed(const std::int8_t* a) noexcept { return _mm512_set1_epi32(word_at(a)); }
    PARE_INLINE static i32 dot_signed(i32 sum, operand a, weights w) noexcept { return dot(sum, w, a); }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept { return _mm512_loadu_si512(p); }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept { return i32(_mm512_dpbusd_epi32(sum, a, w)); }

    template <class A>
    PARE_INLINE static operand repeat_16(const A* a) noexcept {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
        const __m128i shift = _mm_set1_epi8(std::is_signed_v<A> ? -128 : 0);
        return _mm512_maskz_broadcast_i32x4(0xffff, _mm_xor_si128(bytes, shift));
    }
    PARE_INLINE static operand byte_indices(i32 bits, i32 mask, i32 base) noexcept {
        return _mm512_ternarylogic_epi32(bits, mask, base, 0xea);  // (bits & mask) | base
    }
    PARE_INLINE static operand choose_bytes(operand repeated, operand indices) noexcept {
        return _mm512_shuffle_epi8(repeated, indices);
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END
PARE_NOT_UNINITIALIZED_END

#endif
