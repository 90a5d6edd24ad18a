#ifndef PARE_SIMD_ISA_NEON_HPP
#define PARE_SIMD_ISA_NEON_HPP

#include <pare/simd/isa/scalar.hpp>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

PARE_NAMESPACE_BEGIN

namespace isa {

/// 128-bit ARM, every 64-bit core.
struct neon {
    static constexpr const char* name = "neon";
#if defined(__aarch64__)
    static constexpr bool compiled = true;
#else
    static constexpr bool compiled = false;
#endif
};

}  // namespace isa

#if defined(__aarch64__)

namespace simd {

template <>
struct ops<isa::neon> : xsimd_ops<xsimd::neon64> {
    static constexpr register_tile f32_tile = {6, 4};
    static constexpr register_tile int8_tile = {4, 4};

    // xsimd 8 has estimates for these.
    PARE_INLINE static f32 sqrt(f32 x) noexcept { return f32(vsqrtq_f32(x)); }
    PARE_INLINE static f32 divide(f32 a, f32 b) noexcept { return f32(vdivq_f32(opaque(a), opaque(b))); }

    PARE_INLINE static f32 load_upper_halves(const std::uint16_t* p) noexcept {
        return f32(vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)));
    }
    PARE_INLINE static f32 load_halves(const std::uint16_t* p) noexcept {
        return f32(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))));
    }
    using table16 = uint8x16x4_t;
    PARE_INLINE static table16 load_table(const float* p) noexcept {
        return {{vreinterpretq_u8_f32(vld1q_f32(p)), vreinterpretq_u8_f32(vld1q_f32(p + 4)), vreinterpretq_u8_f32(vld1q_f32(p + 8)),
                 vreinterpretq_u8_f32(vld1q_f32(p + 12))}};
    }
    PARE_INLINE static f32 look_up(const table16& table, i32 index) noexcept {  // the four bytes of number i begin at 4 i
        const uint32x4_t code = vandq_u32(vreinterpretq_u32_s32(index), vdupq_n_u32(15));
        const uint32x4_t bytes = vmlaq_u32(vdupq_n_u32(0x03020100u), code, vdupq_n_u32(0x04040404u));
        return f32(vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(bytes))));
    }
    PARE_INLINE static i32 round(f32 x) noexcept { return i32(vcvtnq_s32_f32(x)); }
    PARE_INLINE static i32 maximum_unsigned(i32 a, i32 b) noexcept {
        return i32(vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b))));
    }
    PARE_INLINE static i32 multiply_high_rounded(i32 a, i32 b) noexcept { return i32(vqrdmulhq_s32(a, b)); }
    PARE_INLINE static i32 shift_right_rounded(i32 x, i32 e) noexcept {
        // The instruction rounds halves up: one less where x is negative, and something is shifted.
        const int32x4_t less = vandq_s32(vshrq_n_s32(x, 31), vreinterpretq_s32_u32(vcgtzq_s32(e)));
        return i32(vrshlq_s32(vaddq_s32(x, less), vnegq_s32(e)));
    }
    PARE_INLINE static i32 multiply_shift_rounded(i32 a, i32 b, i32 e) noexcept {
        const int32x4_t count = vsubq_s32(vdupq_n_s32(-31), e);
        const int64x2_t low = vrshlq_s64(vmull_s32(vget_low_s32(a), vget_low_s32(b)), vmovl_s32(vget_low_s32(count)));
        const int64x2_t high = vrshlq_s64(vmull_s32(vget_high_s32(a), vget_high_s32(b)), vmovl_s32(vget_high_s32(count)));
        return i32(vcombine_s32(vmovn_s64(low), vmovn_s64(high)));
    }
    PARE_INLINE static i32 reduce_max(i32 x) noexcept { return i32(vdupq_n_s32(vmaxvq_s32(x))); }
    PARE_INLINE static std::int32_t first(i32 x) noexcept { return vgetq_lane_s32(x, 0); }
    PARE_INLINE static float first(f32 x) noexcept { return vgetq_lane_f32(x, 0); }

    template <class A>
    PARE_INLINE static void store_saturated(A* p, i32 v) noexcept {
        store_saturated_partial(p, v, 4);
    }
    template <class A>
    PARE_INLINE static void store_saturated_partial(A* p, i32 v, std::size_t n) noexcept {
        const int16x4_t narrow = vqmovn_s32(v);
        const auto packed = saturated(vcombine_s16(narrow, narrow), p);
        std::memcpy(p, &packed, n * sizeof(A));
    }

    /// A vector of numbers of 8 or 16 bits as 32-bit ones.
    PARE_INLINE static i32 load_widened(const std::uint8_t* p) noexcept {
        return i32(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(word_at(p)))))));
    }
    PARE_INLINE static i32 load_widened(const std::int8_t* p) noexcept {
        return i32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(word_at(p))))));
    }
    PARE_INLINE static i32 load_widened(const std::int16_t* p) noexcept { return i32(vmovl_s16(vld1_s16(p))); }

    /// y[i] = table[x[i]] for i in [0, n) as far as whole vectors go; returns how far. A step looks up 64 entries, and leaves alone
    /// what points elsewhere.
    PARE_INLINE static std::size_t map_bytes(const std::uint8_t* table, const std::uint8_t* x, std::size_t n,
                                             std::uint8_t* y) noexcept {
        const uint8x16x4_t entries[4] = {vld1q_u8_x4(table), vld1q_u8_x4(table + 64), vld1q_u8_x4(table + 128),
                                         vld1q_u8_x4(table + 192)};
        std::size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            uint8x16_t at = vld1q_u8(x + i);
            uint8x16_t found = vqtbl4q_u8(entries[0], at);
            PARE_UNROLL for (std::size_t k = 1; k < 4; ++k) {
                at = vsubq_u8(at, vdupq_n_u8(64));
                found = vqtbx4q_u8(found, entries[k], at);
            }
            vst1q_u8(y + i, found);
        }
        return i;
    }

    // One 16-bit product per lane and step: the widening multiply-add is exact, and as fast as pairs of byte products.
    using activation = std::int16_t;
    static constexpr std::size_t dot_depth = 1;
    using operand = int16x4_t;
    using weights = int16x4_t;
    template <class A>
    PARE_INLINE static operand broadcast(const A* a) noexcept {
        return vdup_n_s16(*a);
    }
    PARE_INLINE static operand load_operand(const std::int16_t* a) noexcept { return vld1_s16(a); }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::int16_t* out) noexcept {
        for (std::size_t i = 0; i < lanes; ++i) {
            out[i] = rows[0][i];
        }
    }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept {
        return vget_low_s16(vmovl_s8(vreinterpret_s8_u32(word_at(p))));
    }
    PARE_INLINE static weights as_weights(i32 v) noexcept { return vmovn_s32(v); }
    PARE_INLINE static i32 dot(i32 sum, operand a, weights w) noexcept { return i32(vmlal_s16(sum, w, a)); }

private:
    template <class Byte>
    PARE_INLINE static uint32x2_t word_at(const Byte* p) noexcept {
        std::uint32_t word;
        std::memcpy(&word, p, 4);
        return vdup_n_u32(word);
    }
    PARE_INLINE static int8x8_t saturated(int16x8_t words, std::int8_t*) noexcept { return vqmovn_s16(words); }
    PARE_INLINE static uint8x8_t saturated(int16x8_t words, std::uint8_t*) noexcept { return vqmovun_s16(words); }
    PARE_INLINE static int16x8_t saturated(int16x8_t words, std::int16_t*) noexcept {
        return vminq_s16(vmaxq_s16(words, vdupq_n_s16(0)), vdupq_n_s16(255));
    }
};

}  // namespace simd

#endif

PARE_NAMESPACE_END

#endif
