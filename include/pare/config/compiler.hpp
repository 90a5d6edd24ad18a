#ifndef PARE_CONFIG_COMPILER_HPP
#define PARE_CONFIG_COMPILER_HPP

#include <pare/config/version.hpp>

#if defined(_MSC_VER) && !defined(__clang__)
#define PARE_INLINE __forceinline
#define PARE_NOINLINE __declspec(noinline)
#define PARE_FLATTEN
#define PARE_RESTRICT __restrict
#define PARE_UNROLL
#define PARE_PREFETCH(address) static_cast<void>(address)
#else
#define PARE_INLINE inline __attribute__((always_inline))
#define PARE_NOINLINE __attribute__((noinline))
/// Inlines everything a kernel calls, whatever the optimizer's own limits say.
#define PARE_FLATTEN __attribute__((flatten))
#define PARE_RESTRICT __restrict__
/// Asks for the cache line at an address, which need not exist.
#define PARE_PREFETCH(address) __builtin_prefetch(address)
#if defined(__clang__)
#define PARE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PARE_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

// GCC 12 takes the undefined registers inside its own AVX-512 intrinsics for uninitialized variables of whoever inlines them.
#if defined(__GNUC__) && !defined(__clang__)
#define PARE_NOT_UNINITIALIZED_BEGIN                                                           \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"") \
        _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")
#define PARE_NOT_UNINITIALIZED_END _Pragma("GCC diagnostic pop")
#else
#define PARE_NOT_UNINITIALIZED_BEGIN
#define PARE_NOT_UNINITIALIZED_END
#endif

PARE_NAMESPACE_BEGIN

/// Asks for the cache line at p, which will be written to.
PARE_INLINE void prefetch_for_writing(const void* p) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
    (void)p;
#else
    __builtin_prefetch(p, 1, 3);
#endif
}

/// Returns its argument, and hides from the optimizer where it came from. Between a product and a sum it forbids their contraction
/// into one fused multiply-add, so that a float step on an integer path rounds the same under every compiler flag. Costs no
/// instruction. Two that hide the same number may become one: see quotient() for what -ffast-math does to divisions.
PARE_INLINE float opaque(float x) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
    volatile float y = x;
    return y;
#elif defined(__x86_64__) || defined(__i386__)
    __asm__("" : "+x"(x));
    return x;
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
    return x;
#else
    volatile float y = x;
    return y;
#endif
}

/// The same for double.
PARE_INLINE double opaque(double x) noexcept {
#if (defined(__x86_64__) || defined(__i386__)) && !(defined(_MSC_VER) && !defined(__clang__))
    __asm__("" : "+x"(x));
    return x;
#elif defined(__aarch64__) && !(defined(_MSC_VER) && !defined(__clang__))
    __asm__("" : "+w"(x));
    return x;
#else
    volatile double y = x;
    return y;
#endif
}

/// a / b, rounded once whatever the compiler's flags allow: -ffast-math would multiply by a reciprocal, above all where several
/// numbers are divided by one.
PARE_INLINE float quotient(float a, float b) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
    return opaque(opaque(a) / opaque(b));
#elif defined(__AVX__)
    __asm__("{vdivss %1, %0, %0|vdivss %0, %0, %1}" : "+x"(a) : "x"(b));
    return a;
#elif defined(__x86_64__)
    __asm__("{divss %1, %0|divss %0, %1}" : "+x"(a) : "x"(b));
    return a;
#elif defined(__aarch64__)
    __asm__("fdiv %s0, %s0, %s1" : "+w"(a) : "w"(b));
    return a;
#else
    return opaque(opaque(a) / opaque(b));
#endif
}
PARE_INLINE double quotient(double a, double b) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
    return opaque(opaque(a) / opaque(b));
#elif defined(__AVX__)
    __asm__("{vdivsd %1, %0, %0|vdivsd %0, %0, %1}" : "+x"(a) : "x"(b));
    return a;
#elif defined(__x86_64__)
    __asm__("{divsd %1, %0|divsd %0, %1}" : "+x"(a) : "x"(b));
    return a;
#elif defined(__aarch64__)
    __asm__("fdiv %d0, %d0, %d1" : "+w"(a) : "w"(b));
    return a;
#else
    return opaque(opaque(a) / opaque(b));
#endif
}

PARE_NAMESPACE_END

#endif
