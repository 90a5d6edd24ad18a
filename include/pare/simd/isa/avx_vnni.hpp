#ifndef PARE_SIMD_ISA_AVX_VNNI_HPP
#define PARE_SIMD_ISA_AVX_VNNI_HPP

#include <pare/simd/isa/avx2.hpp>

#if defined(__AVX2__) && defined(__FMA__) && (defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__)))
#define PARE_HAS_AVX_VNNI 1
#else
#define PARE_HAS_AVX_VNNI 0
#endif

PARE_NAMESPACE_BEGIN

namespace isa {

/// AVX2 with the four-way dot product: Alder Lake 2021, Zen 5. Compiled for a CPU with the same instruction in its AVX-512
/// encoding, it uses that one.
struct avx_vnni {
    static constexpr const char* name = "avx_vnni";
    static constexpr bool compiled = PARE_HAS_AVX_VNNI;
};

}  // namespace isa

#if PARE_HAS_AVX_VNNI

namespace simd {

template <>
struct ops<isa::avx_vnni> : ops<isa::avx2> {
    static constexpr register_tile int8_tile = {6, 2};

    using activation = std::uint8_t;
    static constexpr std::size_t dot_depth = 4;
    using weights = __m256i;
    using operand = __m256i;
    PARE_INLINE static operand broadcast(const std::uint8_t* a) noexcept { return _mm256_set1_epi32(word_at(a)); }
    PARE_INLINE static operand broadcast(const std::int8_t* a) noexcept {
        return _mm256_xor_si256(_mm256_set1_epi32(word_at(a)), _mm256_set1_epi8(-128));
    }
    PARE_INLINE static operand load_operand(const std::uint8_t* a) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
    }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::uint8_t* out) noexcept {
        const auto row = [&](std::size_t d) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(rows[d])); };
        const __m128i shift = _mm_set1_epi8(std::is_signed_v<A> ? -128 : 0);
        const __m128i first = _mm_xor_si128(_mm_unpacklo_epi8(row(0), row(1)), shift);
        const __m128i last = _mm_xor_si128(_mm_unpacklo_epi8(row(2), row(3)), shift);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi16(first, last));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm_unpackhi_epi16(first, last));
    }
    PARE_INLINE static operand broadcast_signed(const std::int8_t* a) noexcept { return _mm256_set1_epi32(word_at(a)); }
    PARE_INLINE static i32 dot_signed(i32 sum, operand a, weights w) noexcept { return dot(sum, w, a); }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept {
        const __m256i s = sum;  // the intrinsic may be a macro that casts
#if defined(__AVXVNNI__)
        return i32(_mm256_dpbusd_avx_epi32(s, a, w));
#else
        return i32(_mm256_dpbusd_epi32(s, a, w));
#endif
    }

    template <class A>
    PARE_INLINE static operand repeat_16(const A* a) noexcept {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
        return _mm256_broadcastsi128_si256(_mm_xor_si128(bytes, _mm_set1_epi8(std::is_signed_v<A> ? -128 : 0)));
    }
    PARE_INLINE static operand byte_indices(i32 bits, i32 mask, i32 base) noexcept {
        return _mm256_or_si256(_mm256_and_si256(bits, mask), base);
    }
    PARE_INLINE static operand choose_bytes(operand repeated, operand indices) noexcept {
        return _mm256_shuffle_epi8(repeated, indices);
    }

private:
    template <class Byte>
    PARE_INLINE static int word_at(const Byte* a) noexcept {
        int word;
        std::memcpy(&word, a, 4);
        return word;
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END

#endif
