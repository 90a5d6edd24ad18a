#ifndef PARE_SIMD_ISA_NEON_DOTPROD_HPP
#define PARE_SIMD_ISA_NEON_DOTPROD_HPP

#include <pare/simd/isa/neon.hpp>

PARE_NAMESPACE_BEGIN

namespace isa {

/// ARM with the four-way dot product: ARMv8.2 with dotprod, ARMv8.4.
struct neon_dotprod {
    static constexpr const char* name = "neon_dotprod";
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
    static constexpr bool compiled = true;
#else
    static constexpr bool compiled = false;
#endif
};

}  // namespace isa

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)

namespace simd {

template <>
struct ops<isa::neon_dotprod> : ops<isa::neon> {
    static constexpr register_tile int8_tile = {6, 4};

    using activation = std::int8_t;
    static constexpr std::size_t dot_depth = 4;
    using operand = int8x16_t;
    using weights = int8x16_t;
    template <class A>
    PARE_INLINE static operand broadcast(const A* a) noexcept {
        std::uint32_t word;
        std::memcpy(&word, a, 4);
        const int8x16_t bytes = vreinterpretq_s8_u32(vdupq_n_u32(word));
        if constexpr (!std::is_signed_v<A>) {
            return veorq_s8(bytes, vdupq_n_s8(-128));
        }
        return bytes;
    }
    PARE_INLINE static operand load_operand(const std::int8_t* a) noexcept { return vld1q_s8(a); }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::int8_t* out) noexcept {
        const int8x16_t bytes = vreinterpretq_s8_u8(transposed(rows));
        vst1q_s8(out, std::is_signed_v<A> ? bytes : veorq_s8(bytes, vdupq_n_s8(-128)));
    }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept { return vld1q_s8(p); }
    PARE_INLINE static weights as_weights(i32 v) noexcept { return vreinterpretq_s8_s32(v); }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept { return i32(vdotq_s32(sum, w, a)); }

    template <class A>
    PARE_INLINE static operand repeat_16(const A* a) noexcept {
        const int8x16_t bytes = vld1q_s8(reinterpret_cast<const std::int8_t*>(a));
        return std::is_signed_v<A> ? bytes : veorq_s8(bytes, vdupq_n_s8(-128));
    }
    PARE_INLINE static uint8x16_t byte_indices(i32 bits, i32 mask, i32 base) noexcept {
        return vreinterpretq_u8_s32(vorrq_s32(vandq_s32(bits, mask), base));
    }
    PARE_INLINE static operand choose_bytes(operand repeated, uint8x16_t indices) noexcept {
        return vqtbl1q_s8(repeated, indices);
    }

protected:
    /// Four bytes of each of four rows, column by column.
    template <class A>
    PARE_INLINE static uint8x16_t transposed(const A* const* rows) noexcept {
        std::uint32_t words[4];
        for (std::size_t d = 0; d < 4; ++d) {
            std::memcpy(&words[d], rows[d], 4);
        }
        static constexpr std::uint8_t order[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
        return vqtbl1q_u8(vreinterpretq_u8_u32(vld1q_u32(words)), vld1q_u8(order));
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END

#endif
