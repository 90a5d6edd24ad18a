#ifndef PARE_SIMD_CPU_HPP
#define PARE_SIMD_CPU_HPP

#include <initializer_list>
#include <string_view>

#include <pare/config/version.hpp>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#define PARE_CPU_X86 1
#elif defined(_M_X64) || defined(_M_IX86)
#include <intrin.h>
#define PARE_CPU_X86 1
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

PARE_NAMESPACE_BEGIN

namespace simd {

/// The instruction sets of the CPU that runs this, by the names of their tags: those whose kernels it can execute and whose
/// registers its operating system saves. Each stands for everything that the flags of its kernels allow the compiler to use (see
/// cmake/pare_dispatch.cmake).
struct cpu_features {
    bool sse4_1 = false;
    bool avx2 = false;
    bool avx_vnni = false;
    bool avx512bw = false;
    bool avx512_vnni = false;
    bool neon = false;
    bool neon_dotprod = false;
    bool neon_i8mm = false;

    /// Asks the CPU, and keeps nothing: some microseconds in a virtual machine, where each question is a trap.
    static cpu_features detect() noexcept;

    static constexpr bool knows(std::string_view isa) noexcept { return isa == "scalar" || member(isa) != nullptr; }
    constexpr bool has(std::string_view isa) const noexcept {
        return isa == "scalar" || (member(isa) != nullptr && this->*member(isa));
    }

private:
    static constexpr bool cpu_features::*member(std::string_view isa) noexcept {
        return isa == "sse4_1"         ? &cpu_features::sse4_1
               : isa == "avx2"         ? &cpu_features::avx2
               : isa == "avx_vnni"     ? &cpu_features::avx_vnni
               : isa == "avx512bw"     ? &cpu_features::avx512bw
               : isa == "avx512_vnni"  ? &cpu_features::avx512_vnni
               : isa == "neon"         ? &cpu_features::neon
               : isa == "neon_dotprod" ? &cpu_features::neon_dotprod
               : isa == "neon_i8mm"    ? &cpu_features::neon_i8mm
                                       : nullptr;
    }
};

#if defined(PARE_CPU_X86)

namespace detail {

/// What CPUID answers: four registers, bit by bit.
struct cpuid_answer {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;

    static cpuid_answer of(unsigned leaf, unsigned subleaf = 0) noexcept {
        cpuid_answer a;
#if defined(_MSC_VER) && !defined(__clang__)
        int registers[4];
        __cpuid(registers, static_cast<int>(leaf & 0x80000000u));
        if (static_cast<unsigned>(registers[0]) >= leaf) {
            __cpuidex(registers, static_cast<int>(leaf), static_cast<int>(subleaf));
            a = {static_cast<unsigned>(registers[0]), static_cast<unsigned>(registers[1]), static_cast<unsigned>(registers[2]),
                 static_cast<unsigned>(registers[3])};
        }
#else
        __get_cpuid_count(leaf, subleaf, &a.eax, &a.ebx, &a.ecx, &a.edx);  // leaves zeros where the CPU has no such leaf
#endif
        return a;
    }
};

constexpr bool all_bits(unsigned word, std::initializer_list<unsigned> bits) noexcept {
    for (const unsigned bit : bits) {
        if ((word >> bit & 1u) == 0) {
            return false;
        }
    }
    return true;
}

/// The registers that the operating system saves: XCR0, which may be read where it has enabled XSAVE.
inline unsigned saved_registers(const cpuid_answer& leaf1) noexcept {
    if (!all_bits(leaf1.ecx, {27})) {
        return 0;
    }
#if defined(_MSC_VER) && !defined(__clang__)
    return static_cast<unsigned>(_xgetbv(0));
#else
    unsigned low, high;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

}  // namespace detail

inline cpu_features cpu_features::detect() noexcept {
    using detail::all_bits;
    const auto leaf1 = detail::cpuid_answer::of(1);
    const auto leaf7 = detail::cpuid_answer::of(7, 0);
    const auto leaf7_1 = leaf7.eax >= 1 ? detail::cpuid_answer::of(7, 1) : detail::cpuid_answer{};
    const auto extended = detail::cpuid_answer::of(0x80000001u);
    const unsigned saved = detail::saved_registers(leaf1);
    cpu_features cpu;
    cpu.sse4_1 = all_bits(leaf1.ecx, {0, 9, 19});                                          // SSE3, SSSE3, SSE4.1
    cpu.avx2 = cpu.sse4_1 && all_bits(leaf1.ecx, {12, 20, 23, 28}) &&                      // FMA, SSE4.2, POPCNT, AVX
               all_bits(leaf7.ebx, {5}) && all_bits(saved, {1, 2});                        // AVX2; XMM, YMM
    cpu.avx_vnni = cpu.avx2 && all_bits(leaf7_1.eax, {4});                                 // AVX-VNNI
    cpu.avx512bw = cpu.avx2 && all_bits(leaf7.ebx, {3, 8, 16, 17, 28, 30, 31})             // BMI1, BMI2, AVX-512 F, DQ, CD, BW, VL
                   && all_bits(leaf1.ecx, {13, 22, 29}) && all_bits(extended.ecx, {0, 5})  // CX16, MOVBE, F16C; LAHF, LZCNT
                   && all_bits(saved, {5, 6, 7});                                          // masks, ZMM
    cpu.avx512_vnni = cpu.avx512bw && all_bits(leaf7.ecx, {11});                           // AVX-512 VNNI
    return cpu;
}

#else

inline cpu_features cpu_features::detect() noexcept {
    cpu_features cpu;
#if defined(__aarch64__) || defined(_M_ARM64)
    cpu.neon = true;
#endif
#if defined(__aarch64__) && defined(__linux__)
    cpu.neon_dotprod = (getauxval(AT_HWCAP) >> 20 & 1) != 0;                    // HWCAP_ASIMDDP
    cpu.neon_i8mm = cpu.neon_dotprod && (getauxval(AT_HWCAP2) >> 13 & 1) != 0;  // HWCAP2_I8MM
#else  // elsewhere, what the compiler may use anyway
#if defined(__ARM_FEATURE_DOTPROD)
    cpu.neon_dotprod = true;
#endif
#if defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
    cpu.neon_i8mm = true;
#endif
#endif
    return cpu;
}

#endif

}  // namespace simd

PARE_NAMESPACE_END

#endif
