#ifndef PARE_SIMD_ISA_NEON_I8MM_HPP
#define PARE_SIMD_ISA_NEON_I8MM_HPP

#include <pare/simd/isa/neon_dotprod.hpp>

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
#define PARE_HAS_NEON_I8MM 1
#else
#define PARE_HAS_NEON_I8MM 0
#endif

PARE_NAMESPACE_BEGIN

namespace isa {

/// ARM with products of unsigned and signed bytes: ARMv8.6, Neoverse V1 2020, Apple M2.
struct neon_i8mm {
    static constexpr const char* name = "neon_i8mm";
    static constexpr bool compiled = PARE_HAS_NEON_I8MM;
};

}  // namespace isa

#if PARE_HAS_NEON_I8MM

namespace simd {

template <>
struct ops<isa::neon_i8mm> : ops<isa::neon_dotprod> {
    static constexpr register_tile int8_tile = {6, 3};  // with the weights and rows of a step, what 32 registers hold

    using activation = std::uint8_t;
    using operand = uint8x16_t;
    template <class A>
    PARE_INLINE static operand broadcast(const A* a) noexcept {
        std::uint32_t word;
        std::memcpy(&word, a, 4);
        const operand bytes = vreinterpretq_u8_u32(vdupq_n_u32(word));
        return std::is_signed_v<A> ? veorq_u8(bytes, vdupq_n_u8(128)) : bytes;
    }
    PARE_INLINE static int8x16_t broadcast_signed(const std::int8_t* a) noexcept { return ops<isa::neon_dotprod>::broadcast(a); }
    PARE_INLINE static operand load_operand(const std::uint8_t* a) noexcept { return vld1q_u8(a); }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::uint8_t* out) noexcept {
        vst1q_u8(out, std::is_signed_v<A> ? veorq_u8(transposed(rows), vdupq_n_u8(128)) : transposed(rows));
    }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept { return i32(vusdotq_s32(sum, a, w)); }
    template <class A>
    PARE_INLINE static operand repeat_16(const A* a) noexcept {
        const operand bytes = vld1q_u8(reinterpret_cast<const std::uint8_t*>(a));
        return std::is_signed_v<A> ? veorq_u8(bytes, vdupq_n_u8(128)) : bytes;
    }
    PARE_INLINE static operand choose_bytes(operand repeated, uint8x16_t indices) noexcept {
        return vqtbl1q_u8(repeated, indices);
    }
    /// Tiles of products take two rows and two columns at a time, eight deep. See simd/dot4.hpp.
    struct row_pairs {
        static constexpr std::size_t rows = 2;
        static constexpr std::size_t depth = 8;
        using operand = uint8x16_t;
        struct weights {
            int8x16_t first, last;  // two columns each
        };
        template <class A>
        PARE_INLINE static operand load_rows(const A* a, const A* b) noexcept {
            const operand bytes =
                vcombine_u8(vld1_u8(reinterpret_cast<const std::uint8_t*>(a)), vld1_u8(reinterpret_cast<const std::uint8_t*>(b)));
            return std::is_signed_v<A> ? veorq_u8(bytes, vdupq_n_u8(128)) : bytes;
        }
        PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept { return {vld1q_s8(p), vld1q_s8(p + 16)}; }
        PARE_INLINE static void dot(i32& first, i32& last, operand rows, const weights& w) noexcept {
            first = i32(vusmmlaq_s32(first, rows, w.first));
            last = i32(vusmmlaq_s32(last, rows, w.last));
        }
        PARE_INLINE static void separate(i32& first, i32& last) noexcept {
            const int32x4_t a = first, b = last;
            first = i32(vcombine_s32(vget_low_s32(a), vget_low_s32(b)));
            last = i32(vcombine_s32(vget_high_s32(a), vget_high_s32(b)));
        }
    };
    PARE_INLINE static i32 dot_signed(i32 sum, int8x16_t a, weights w) noexcept {
        return i32(vusdotq_s32(sum, vreinterpretq_u8_s8(w), a));
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END

#endif
