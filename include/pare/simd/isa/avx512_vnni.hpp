#ifndef PARE_SIMD_ISA_AVX512_VNNI_HPP
#define PARE_SIMD_ISA_AVX512_VNNI_HPP

#include <pare/simd/isa/avx512bw.hpp>

#if PARE_HAS_AVX512BW && defined(__AVX512VNNI__)
#define PARE_HAS_AVX512_VNNI 1
#else
#define PARE_HAS_AVX512_VNNI 0
#endif

PARE_INTRINSICS_BEGIN
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
    PARE_INLINE static operand broadcast_signed(const std::int8_t* a) noexcept { return _mm512_set1_epi32(word_at(a)); }
    PARE_INLINE static i32 dot_signed(i32 sum, operand a, weights w) noexcept { return dot(sum, w, a); }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept { return _mm512_loadu_si512(p); }
    PARE_INLINE static void load_nibbles(const std::uint8_t* p, weights& low, weights& high) noexcept {
        const __m512i bytes = _mm512_loadu_si512(p);
        low = _mm512_and_si512(bytes, _mm512_set1_epi8(15));
        high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), _mm512_set1_epi8(15));
    }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept { return i32(_mm512_dpbusd_epi32(sum, a, w)); }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END
PARE_INTRINSICS_END

#endif
