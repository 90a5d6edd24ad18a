#ifndef PARE_SIMD_BATCH_HPP
#define PARE_SIMD_BATCH_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <xsimd/xsimd.hpp>

#include <pare/config/compiler.hpp>

PARE_NOT_UNINITIALIZED_BEGIN
PARE_NAMESPACE_BEGIN

namespace simd {

/// How many rows and how many vectors of columns of the output a kernel keeps in registers at once.
struct register_tile {
    std::size_t rows;
    std::size_t vectors;
};

/// What the kernels may do with vectors on one instruction set; `simd::ops<isa::avx2>` and so on, one specialization per file in
/// simd/isa/. The primary template stays undefined: an instruction set that this translation unit is not compiled for is an error,
/// not a slow path.
template <class Isa>
struct ops;

/// x, which the compiler now keeps in a register: it would rather load what several instructions use several times.
template <class Register>
PARE_INLINE Register in_register(Register x) noexcept {
#if defined(__x86_64__)
    if constexpr (!std::is_class_v<Register>) {
        __asm__("" : "+v"(x));
    }
#elif defined(__aarch64__)
    if constexpr (!std::is_class_v<Register>) {
        __asm__("" : "+w"(x));
    }
#endif
    return x;
}

/// The part of `ops` that xsimd provides, for one of its architectures.
template <class Arch>
struct xsimd_ops {
    using f32 = xsimd::batch<float, Arch>;
    using i32 = xsimd::batch<std::int32_t, Arch>;
    static constexpr std::size_t lanes = f32::size;

    PARE_INLINE static f32 set(float x) noexcept { return f32(x); }
    PARE_INLINE static i32 set(std::int32_t x) noexcept { return i32(x); }
    PARE_INLINE static f32 load(const float* p) noexcept { return f32::load_unaligned(p); }
    PARE_INLINE static i32 load(const std::int32_t* p) noexcept { return i32::load_unaligned(p); }
    PARE_INLINE static void store(float* p, f32 v) noexcept { v.store_unaligned(p); }
    PARE_INLINE static void store(std::int32_t* p, i32 v) noexcept { v.store_unaligned(p); }

    /// The first n lanes from memory, zero in the others; touches n elements.
    PARE_INLINE static f32 load_partial(const float* p, std::size_t n) noexcept { return load_through_copy<f32>(p, n); }
    PARE_INLINE static i32 load_partial(const std::int32_t* p, std::size_t n) noexcept { return load_through_copy<i32>(p, n); }
    PARE_INLINE static void store_partial(float* p, f32 v, std::size_t n) noexcept { store_through_copy(p, v, n); }
    PARE_INLINE static void store_partial(std::int32_t* p, i32 v, std::size_t n) noexcept { store_through_copy(p, v, n); }

    /// Vectors of bytes: byte_lanes of std::uint8_t or std::int8_t.
    static constexpr std::size_t byte_lanes = xsimd::batch<std::uint8_t, Arch>::size;
    template <class Byte>
    PARE_INLINE static auto set_bytes(Byte x) noexcept {
        return xsimd::batch<Byte, Arch>(x);
    }
    template <class Byte>
    PARE_INLINE static auto load_bytes(const Byte* p) noexcept {
        return xsimd::batch<Byte, Arch>::load_unaligned(p);
    }
    template <class Byte>
    PARE_INLINE static auto load_bytes_partial(const Byte* p, std::size_t n) noexcept {
        return load_through_copy<xsimd::batch<Byte, Arch>>(p, n);
    }
    template <class Byte>
    PARE_INLINE static void store_bytes(Byte* p, xsimd::batch<Byte, Arch> v) noexcept {
        v.store_unaligned(p);
    }
    template <class Byte>
    PARE_INLINE static void store_bytes_partial(Byte* p, xsimd::batch<Byte, Arch> v, std::size_t n) noexcept {
        store_through_copy(p, v, n);
    }
    template <class Byte>
    PARE_INLINE static auto maximum_bytes(xsimd::batch<Byte, Arch> a, xsimd::batch<Byte, Arch> b) noexcept {
        return (xsimd::max)(a, b);
    }

    /// Four rows of a transposed matrix: lane c of rows[r] is p[c * stride + r].
    PARE_INLINE static void load_transposed(const float* p, std::size_t stride, f32 (&rows)[4]) noexcept {
        alignas(64) float copy[4][lanes];
        for (std::size_t c = 0; c < lanes; ++c) {
            for (std::size_t r = 0; r < 4; ++r) {
                copy[r][c] = p[c * stride + r];
            }
        }
        for (std::size_t r = 0; r < 4; ++r) {
            rows[r] = f32::load_aligned(copy[r]);
        }
    }

    /// Each of four numbers in all lanes of a vector.
    template <class Number, class Vector>
    PARE_INLINE static void broadcast_four(const Number* p, Vector (&out)[4]) noexcept {
        for (std::size_t i = 0; i < 4; ++i) {
            out[i] = set(static_cast<typename Vector::value_type>(p[i]));
        }
    }

    /// x[index[c]] in lane c.
    template <class T, class Index>
    PARE_INLINE static auto gather(const T* x, const Index* index) noexcept {
        alignas(64) T copy[lanes];
        for (std::size_t c = 0; c < lanes; ++c) {
            copy[c] = x[index[c]];
        }
        return xsimd::batch<T, Arch>::load_aligned(copy);
    }

    /// a * b + c, rounded once where the instruction set has the instruction, else twice.
    PARE_INLINE static f32 fma(f32 a, f32 b, f32 c) noexcept { return xsimd::fma(a, b, c); }
    PARE_INLINE static i32 fma(i32 a, i32 b, i32 c) noexcept { return a * b + c; }
    PARE_INLINE static float fma(float a, float b, float c) noexcept { return std::fma(a, b, c); }
    PARE_INLINE static std::int32_t fma(std::int32_t a, std::int32_t b, std::int32_t c) noexcept { return a * b + c; }
    /// For operands that are not NaN; but maximum(a, NaN) is NaN.
    PARE_INLINE static f32 minimum(f32 a, f32 b) noexcept { return (xsimd::min)(a, b); }
    PARE_INLINE static f32 maximum(f32 a, f32 b) noexcept { return (xsimd::max)(a, b); }
    PARE_INLINE static i32 maximum(i32 a, i32 b) noexcept { return (xsimd::max)(a, b); }
    /// y where x > 0, else 0.
    PARE_INLINE static f32 where_positive(f32 x, f32 y) noexcept { return xsimd::select(x > set(0.0f), y, set(0.0f)); }
    /// x where a == b, else y.
    PARE_INLINE static f32 where_equal(f32 a, f32 b, f32 x, f32 y) noexcept { return xsimd::select(a == b, x, y); }
    PARE_INLINE static f32 sqrt(f32 x) noexcept { return xsimd::sqrt(x); }
    /// a / b, rounded once under every compiler flag: -ffast-math would multiply by an approximate reciprocal.
    PARE_INLINE static f32 divide(f32 a, f32 b) noexcept {
#if defined(__x86_64__) && !(defined(_MSC_VER) && !defined(__clang__))
        typename f32::register_type quotient = a;
        const typename f32::register_type divisor = b;
#if defined(__AVX__)
        __asm__("{vdivps %1, %0, %0|vdivps %0, %0, %1}" : "+v"(quotient) : "v"(divisor));
#else
        __asm__("{divps %1, %0|divps %0, %1}" : "+x"(quotient) : "x"(divisor));
#endif
        return f32(quotient);
#else
        return opaque(opaque(a) / opaque(b));
#endif
    }
    template <int N>
    PARE_INLINE static i32 shift_left(i32 x) noexcept {
        return x << N;
    }
    /// With the sign.
    template <int N>
    PARE_INLINE static i32 shift_right(i32 x) noexcept {
        return x >> N;
    }
    /// x where a > b, else y, lane by lane.
    PARE_INLINE static f32 select_greater(i32 a, i32 b, f32 x, f32 y) noexcept {
        return from_bits(xsimd::select(a > b, bits(x), bits(y)));
    }
    PARE_INLINE static f32 to_float(i32 x) noexcept { return xsimd::to_float(x); }
    PARE_INLINE static i32 bits(f32 x) noexcept {
#if XSIMD_VERSION_MAJOR < 9
        return xsimd::bitwise_cast<i32>(x);
#else
        return xsimd::bitwise_cast<std::int32_t>(x);
#endif
    }
    PARE_INLINE static f32 from_bits(i32 x) noexcept {
#if XSIMD_VERSION_MAJOR < 9
        return xsimd::bitwise_cast<f32>(x);
#else
        return xsimd::bitwise_cast<float>(x);
#endif
    }
    /// `x` where it is not NaN, else zero. In integers: -ffast-math deletes comparisons with NaN.
    PARE_INLINE static f32 nan_to_zero(f32 x) noexcept {
        const i32 b = bits(x);
        return from_bits(
            xsimd::select((b & set(std::int32_t{0x7fffffff})) > set(std::int32_t{0x7f800000}), set(std::int32_t{0}), b));
    }
    /// x, of unknown origin to the optimizer: see pare::opaque.
    PARE_INLINE static f32 opaque(f32 x) noexcept {
        typename f32::register_type r = x;
#if defined(_MSC_VER) && !defined(__clang__)
        alignas(64) volatile float hidden[lanes];
        std::memcpy(const_cast<float*>(hidden), &r, sizeof r);
        std::memcpy(&r, const_cast<float*>(hidden), sizeof r);
#elif defined(__aarch64__)
        __asm__("" : "+w"(r));
#else
        __asm__("" : "+v"(r));
#endif
        return f32(r);
    }

protected:
    template <class V, class T>
    PARE_INLINE static V load_through_copy(const T* p, std::size_t n) noexcept {
        alignas(64) T lane[V::size] = {};
        std::memcpy(lane, p, n * sizeof(T));
        return V::load_aligned(lane);
    }
    template <class V, class T>
    PARE_INLINE static void store_through_copy(T* p, V v, std::size_t n) noexcept {
        alignas(64) T lane[V::size];
        v.store_aligned(lane);
        std::memcpy(p, lane, n * sizeof(T));
    }
};

}  // namespace simd

PARE_NAMESPACE_END
PARE_NOT_UNINITIALIZED_END

#endif
