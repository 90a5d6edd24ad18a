#ifndef PARE_CONFIG_VERSION_HPP
#define PARE_CONFIG_VERSION_HPP

#define PARE_VERSION_MAJOR 0
#define PARE_VERSION_MINOR 1
#define PARE_VERSION_PATCH 0

#if !defined(PARE_CHECKED)
#if defined(NDEBUG)
#define PARE_CHECKED 0
#else
#define PARE_CHECKED 1
#endif
#endif

#define PARE_JOIN_NOW(a, b) a##b
#define PARE_JOIN(a, b) PARE_JOIN_NOW(a, b)

#define PARE_ABI_VERSION v0_1
#if PARE_CHECKED
#define PARE_ABI_CHECKED _checked
#else
#define PARE_ABI_CHECKED
#endif
#if defined(__AVX512VNNI__)
#define PARE_ABI_FLAGS _avx512_vnni
#elif defined(__AVX512BW__)
#define PARE_ABI_FLAGS _avx512bw
#elif defined(__AVXVNNI__)
#define PARE_ABI_FLAGS _avx_vnni
#elif defined(__AVX2__)
#define PARE_ABI_FLAGS _avx2
#elif defined(__SSE4_1__)
#define PARE_ABI_FLAGS _sse4_1
#elif defined(__ARM_FEATURE_MATMUL_INT8)
#define PARE_ABI_FLAGS _i8mm
#elif defined(__ARM_FEATURE_DOTPROD)
#define PARE_ABI_FLAGS _dotprod
#else
#define PARE_ABI_FLAGS
#endif

// The inline namespace names what would change a type or a function body: the version, whether assertions are compiled in, and
// which instructions the compiler may use. Two translation units that differ in it link together without sharing a symbol, so that
// no function that needs an instruction takes the place of one that does not. In a unit of isa::dispatch it has no name, and no
// symbol leaves the unit.
#define PARE_ABI PARE_JOIN(PARE_JOIN(PARE_ABI_VERSION, PARE_ABI_CHECKED), PARE_ABI_FLAGS)

#if defined(PARE_DISPATCH_UNIT)
#define PARE_NAMESPACE_BEGIN \
    namespace pare {         \
    inline namespace {
#else
#define PARE_NAMESPACE_BEGIN \
    namespace pare {         \
    inline namespace PARE_ABI {
#endif
#define PARE_NAMESPACE_END \
    }                      \
    }

#endif
