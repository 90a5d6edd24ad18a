#ifndef PARE_SIMD_ISA_SCALAR_HPP
#define PARE_SIMD_ISA_SCALAR_HPP

#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include <pare/simd/batch.hpp>

PARE_NAMESPACE_BEGIN

namespace isa {

/// Standard C++, one number at a time: what every other instruction set must equal, and what runs where no flag allows better.
struct scalar {
    static constexpr const char* name = "scalar";
    static constexpr bool compiled = true;
};

}  // namespace isa

namespace simd {

template <>
struct ops<isa::scalar> {
    using f32 = float;
    using i32 = std::int32_t;
    static constexpr std::size_t lanes = 1;
    static constexpr register_tile f32_tile = {4, 4};
    static constexpr register_tile int8_tile = {2, 4};

    PARE_INLINE static f32 set(float x) noexcept { return x; }
    PARE_INLINE static i32 set(std::int32_t x) noexcept { return x; }
    PARE_INLINE static f32 load(const float* p) noexcept { return *p; }
    PARE_INLINE static i32 load(const std::int32_t* p) noexcept { return *p; }
    PARE_INLINE static void store(float* p, f32 v) noexcept { *p = v; }
    PARE_INLINE static void store(std::int32_t* p, i32 v) noexcept { *p = v; }
    PARE_INLINE static void load_transposed(const float* p, std::size_t, f32 (&rows)[4]) noexcept {
        for (std::size_t r = 0; r < 4; ++r) {
            rows[r] = p[r];
        }
    }
    template <class T, class Index>
    PARE_INLINE static T gather(const T* x, const Index* index) noexcept {
        return x[*index];
    }
    PARE_INLINE static f32 load_partial(const float* p, std::size_t n) noexcept { return n != 0 ? *p : 0.0f; }
    PARE_INLINE static i32 load_partial(const std::int32_t* p, std::size_t n) noexcept { return n != 0 ? *p : 0; }
    PARE_INLINE static void store_partial(float* p, f32 v, std::size_t n) noexcept {
        if (n != 0) {
            *p = v;
        }
    }
    PARE_INLINE static void store_partial(std::int32_t* p, i32 v, std::size_t n) noexcept {
        if (n != 0) {
            *p = v;
        }
    }

    static constexpr std::size_t byte_lanes = 1;
    template <class Byte>
    PARE_INLINE static Byte set_bytes(Byte x) noexcept {
        return x;
    }
    template <class Byte>
    PARE_INLINE static Byte load_bytes(const Byte* p) noexcept {
        return *p;
    }
    template <class Byte>
    PARE_INLINE static Byte load_bytes_partial(const Byte* p, std::size_t n) noexcept {
        return n != 0 ? *p : Byte{0};
    }
    template <class Byte>
    PARE_INLINE static void store_bytes(Byte* p, Byte v) noexcept {
        *p = v;
    }
    template <class Byte>
    PARE_INLINE static void store_bytes_partial(Byte* p, Byte v, std::size_t n) noexcept {
        if (n != 0) {
            *p = v;
        }
    }
    template <class Byte>
    PARE_INLINE static Byte maximum_bytes(Byte a, Byte b) noexcept {
        return a > b ? a : b;
    }
    /// A vector of numbers of 8 or 16 bits as 32-bit ones.
    template <class A>
    PARE_INLINE static i32 load_widened(const A* p) noexcept {
        return *p;
    }

    PARE_INLINE static f32 fma(f32 a, f32 b, f32 c) noexcept { return pare::opaque(a * b) + c; }
    PARE_INLINE static i32 fma(i32 a, i32 b, i32 c) noexcept { return a * b + c; }
    PARE_INLINE static f32 minimum(f32 a, f32 b) noexcept { return a < b ? a : b; }
    PARE_INLINE static f32 maximum(f32 a, f32 b) noexcept { return (bits(b) & 0x7fffffff) > 0x7f800000 || !(a > b) ? b : a; }
    PARE_INLINE static i32 maximum(i32 a, i32 b) noexcept { return a > b ? a : b; }
    PARE_INLINE static f32 where_positive(f32 x, f32 y) noexcept { return x > 0.0f ? y : 0.0f; }
    PARE_INLINE static f32 where_equal(f32 a, f32 b, f32 x, f32 y) noexcept { return a == b ? x : y; }
    PARE_INLINE static f32 sqrt(f32 x) noexcept { return std::sqrt(x); }
    PARE_INLINE static f32 divide(f32 a, f32 b) noexcept { return pare::quotient(a, b); }
    template <int N>
    PARE_INLINE static i32 shift_left(i32 x) noexcept {
        return x << N;
    }
    template <int N>
    PARE_INLINE static i32 shift_right(i32 x) noexcept {
        return x >> N;
    }
    PARE_INLINE static f32 select_greater(i32 a, i32 b, f32 x, f32 y) noexcept { return from_bits(a > b ? bits(x) : bits(y)); }
    PARE_INLINE static f32 to_float(i32 x) noexcept { return static_cast<float>(x); }
    /// Sixteen floats, in registers where there are vectors, and in each lane the one that the low four bits of `index` name.
    using table16 = const float*;
    PARE_INLINE static table16 load_table(const float* p) noexcept { return p; }
    PARE_INLINE static f32 look_up(table16 table, i32 index) noexcept { return table[index & 15]; }
    PARE_INLINE static i32 bits(f32 x) noexcept { return std::bit_cast<std::int32_t>(x); }
    PARE_INLINE static f32 from_bits(i32 x) noexcept { return std::bit_cast<float>(x); }
    PARE_INLINE static f32 nan_to_zero(f32 x) noexcept { return (bits(x) & 0x7fffffff) > 0x7f800000 ? 0.0f : x; }
    PARE_INLINE static f32 opaque(f32 x) noexcept { return pare::opaque(x); }

    /// Floats of which only the upper halves are stored.
    PARE_INLINE static f32 load_upper_halves(const std::uint16_t* p) noexcept {
        return std::bit_cast<float>(static_cast<std::uint32_t>(*p) << 16);
    }
    /// Round half to even, for |x| <= 2^22: adding 1.5 * 2^23 leaves the integer in the low bits of the sum.
    PARE_INLINE static i32 round(f32 x) noexcept {
        return std::bit_cast<std::int32_t>(pare::opaque(pare::opaque(x) + 12582912.0f)) - 0x4B400000;
    }
    PARE_INLINE static i32 maximum_unsigned(i32 a, i32 b) noexcept {
        return static_cast<std::uint32_t>(a) > static_cast<std::uint32_t>(b) ? a : b;
    }
    /// (a * b + 2^30) >> 31.
    PARE_INLINE static i32 multiply_high_rounded(i32 a, i32 b) noexcept {
        return static_cast<i32>((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
    }
    /// x / 2^e, to the nearest integer, halves away from zero; 0 <= e < 32, x above the least integer.
    PARE_INLINE static i32 shift_right_rounded(i32 x, i32 e) noexcept {
        const std::int64_t half = (std::int64_t{1} << e) >> 1;
        return static_cast<i32>((x + half - (x < 0 && e > 0 ? 1 : 0)) >> e);
    }
    /// (a * b + 2^(30 + e)) >> (31 + e); 0 <= e < 32.
    PARE_INLINE static i32 multiply_shift_rounded(i32 a, i32 b, i32 e) noexcept {
        return static_cast<i32>((std::int64_t{a} * b + (std::int64_t{1} << (30 + e))) >> (31 + e));
    }
    /// The largest of all lanes, in the first.
    PARE_INLINE static i32 reduce_max(i32 x) noexcept { return x; }
    PARE_INLINE static std::int32_t first(i32 x) noexcept { return x; }
    PARE_INLINE static float first(f32 x) noexcept { return x; }

    template <class A>
    PARE_INLINE static void store_saturated(A* p, i32 v) noexcept {
        constexpr i32 low = std::is_same_v<A, std::int8_t> ? -128 : 0;
        *p = static_cast<A>(v < low ? low : v > low + 255 ? low + 255 : v);
    }
    template <class A>
    PARE_INLINE static void store_saturated_partial(A* p, i32 v, std::size_t n) noexcept {
        if (n != 0) {
            store_saturated(p, v);
        }
    }

    // See simd/dot4.hpp.
    using activation = std::uint8_t;
    static constexpr std::size_t dot_depth = 4;
    struct operand {
        std::int32_t a[4];
    };
    struct weights {
        std::int32_t w[4];
    };
    template <class A>
    PARE_INLINE static operand broadcast(const A* a) noexcept {
        constexpr std::int32_t shift = std::is_signed_v<A> ? 128 : 0;
        return {{a[0] + shift, a[1] + shift, a[2] + shift, a[3] + shift}};
    }
    PARE_INLINE static operand load_operand(const std::uint8_t* a) noexcept { return broadcast(a); }
    template <class A>
    PARE_INLINE static void interleave(const A* const* rows, std::uint8_t* out) noexcept {
        for (std::size_t d = 0; d < dot_depth; ++d) {
            out[d] = static_cast<std::uint8_t>(*rows[d] + (std::is_signed_v<A> ? 128 : 0));
        }
    }
    PARE_INLINE static operand broadcast_signed(const std::int8_t* a) noexcept { return {{a[0], a[1], a[2], a[3]}}; }
    PARE_INLINE static i32 dot_signed(i32 sum, const operand& x, const weights& y) noexcept { return dot(sum, x, y); }
    PARE_INLINE static weights load_weights(const std::int8_t* p) noexcept { return {{p[0], p[1], p[2], p[3]}}; }
    PARE_INLINE static weights as_weights(i32 v) noexcept { return {{v & 255, v >> 8 & 255, v >> 16 & 255, v >> 24 & 255}}; }
    PARE_INLINE static i32 dot(i32 sum, const operand& x, const weights& y) noexcept {
        return sum + x.a[0] * y.w[0] + x.a[1] * y.w[1] + x.a[2] * y.w[2] + x.a[3] * y.w[3];
    }
};

}  // namespace simd

PARE_NAMESPACE_END

#endif
