#ifndef PARE_BENCHMARKS_LIMITS_HPP
#define PARE_BENCHMARKS_LIMITS_HPP

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string_view>

#include <pare/core/aligned.hpp>

/// What this machine can do at most, measured: the instructions that multiply, on registers alone, and those that read memory,
/// written in assembly so that no compiler has a part in it. Benchmarks print their figures as shares of it. Zero where it is not
/// known how to measure it.
namespace limits {

/// The best of some rounds of a function, in seconds.
template <class F>
double best_seconds(const F& f) {
    using clock = std::chrono::steady_clock;
    double best = 1e9;
    for (int round = 0; round < 9; ++round) {
        const auto start = clock::now();
        f();
        best = std::min(best, std::chrono::duration<double>(clock::now() - start).count());
    }
    return best;
}

#if defined(__x86_64__)

// Twelve independent sums: enough to hide the latency of one. `step` is one multiply-add into register n, others are registers 13
// to 15. All begin as zero: what registers happen to hold may be denormal, which is slow.
#define PARE_ALL_REGISTERS                                                                                                       \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", \
        "xmm15"
#define PARE_TWELVE(step) step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7) step(8) step(9) step(10) step(11)
#if defined(__AVX__)
#define PARE_ZERO(n) "vpxor %%xmm" #n ", %%xmm" #n ", %%xmm" #n "\n"
#else
#define PARE_ZERO(n) "pxor %%xmm" #n ", %%xmm" #n "\n"
#endif
#define PARE_LIMIT(step)                                                                                          \
    best_seconds([] {                                                                                             \
        __asm__ volatile(PARE_TWELVE(PARE_ZERO) PARE_ZERO(13) PARE_ZERO(14) PARE_ZERO(15)::: PARE_ALL_REGISTERS); \
        for (int i = 0; i < 100000; ++i) {                                                                        \
            __asm__ volatile(PARE_TWELVE(step)::: PARE_ALL_REGISTERS);                                            \
        }                                                                                                         \
    }) / (12 * 100000)
#define PARE_ZMM_DOT(n) "vpdpbusd %%zmm13, %%zmm14, %%zmm" #n "\n"
#define PARE_YMM_DOT(n) "vpdpbusd %%ymm13, %%ymm14, %%ymm" #n "\n"
#define PARE_ZMM_PAIRS(n) "vpmaddwd %%zmm13, %%zmm14, %%zmm15\nvpaddd %%zmm15, %%zmm" #n ", %%zmm" #n "\n"
#define PARE_YMM_PAIRS(n) "vpmaddwd %%ymm13, %%ymm14, %%ymm15\nvpaddd %%ymm15, %%ymm" #n ", %%ymm" #n "\n"
#define PARE_XMM_PAIRS(n) "movdqa %%xmm13, %%xmm15\npmaddwd %%xmm14, %%xmm15\npaddd %%xmm15, %%xmm" #n "\n"
#define PARE_ZMM_FMA(n) "vfmadd231ps %%zmm13, %%zmm14, %%zmm" #n "\n"
#define PARE_YMM_FMA(n) "vfmadd231ps %%ymm13, %%ymm14, %%ymm" #n "\n"
#define PARE_XMM_MUL_ADD(n) "movaps %%xmm13, %%xmm15\nmulps %%xmm14, %%xmm15\naddps %%xmm15, %%xmm" #n "\n"

/// 10^9 operations per second, two per multiply-add, of exact int8 products into int32.
inline double int8_gops(std::string_view isa) {
    const auto gops = [](double products, double seconds) { return 2e-9 * products / seconds; };
    if (isa == "avx512_vnni") {
        return gops(64, PARE_LIMIT(PARE_ZMM_DOT));
    }
    if (isa == "avx_vnni") {
        return gops(32, PARE_LIMIT(PARE_YMM_DOT));
    }
    if (isa == "avx512bw") {
        return gops(32, PARE_LIMIT(PARE_ZMM_PAIRS));
    }
    if (isa == "avx2") {
        return gops(16, PARE_LIMIT(PARE_YMM_PAIRS));
    }
    return isa == "sse4_1" ? gops(8, PARE_LIMIT(PARE_XMM_PAIRS)) : 0.0;
}

/// The same of float multiply-adds.
inline double f32_gflops(std::string_view isa) {
    const auto gflops = [](double products, double seconds) { return 2e-9 * products / seconds; };
    if (isa == "avx512bw" || isa == "avx512_vnni") {
        return gflops(16, PARE_LIMIT(PARE_ZMM_FMA));
    }
    if (isa == "avx2" || isa == "avx_vnni") {
        return gflops(8, PARE_LIMIT(PARE_YMM_FMA));
    }
    return isa == "sse4_1" ? gflops(4, PARE_LIMIT(PARE_XMM_MUL_ADD)) : 0.0;
}

// Eight cache lines into eight registers.
#if defined(__AVX512F__)
#define PARE_READ_LINE(n) "vmovaps " #n "*64(%0), %%zmm" #n "\n"
#elif defined(__AVX__)
#define PARE_READ_LINE(n) "vmovaps " #n "*64(%0), %%ymm" #n "\nvmovaps " #n "*64+32(%0), %%ymm" #n "\n"
#else
#define PARE_READ_LINE(n)                                                                                                       \
    "movaps " #n "*64(%0), %%xmm" #n "\nmovaps " #n "*64+16(%0), %%xmm" #n "\nmovaps " #n "*64+32(%0), %%xmm" #n "\nmovaps " #n \
    "*64+48(%0), %%xmm" #n "\n"
#endif

/// 10^9 bytes per second, read again and again from so many: those of the smallest cache that holds them, or of the memory.
inline double read_gbps(std::size_t bytes) {
    static std::map<std::size_t, double> known;
    bytes = pare::round_up(bytes, 512);
    if (const auto found = known.find(bytes); found != known.end()) {
        return found->second;
    }
    pare::aligned_array<char> data(bytes);
    const std::size_t passes = 1 + (std::size_t{1} << 22) / bytes;
    const double seconds = best_seconds([&] {
        for (std::size_t pass = 0; pass < passes; ++pass) {
            for (const char* line = data.data(); line != data.data() + bytes; line += 512) {
                __asm__ volatile(PARE_READ_LINE(0) PARE_READ_LINE(1) PARE_READ_LINE(2) PARE_READ_LINE(3) PARE_READ_LINE(4)
                                     PARE_READ_LINE(5) PARE_READ_LINE(6) PARE_READ_LINE(7)
                                 :
                                 : "r"(line)
                                 : PARE_ALL_REGISTERS);
            }
        }
    });
    return known[bytes] = 1e-9 * static_cast<double>(bytes * passes) / seconds;
}

#else

inline double int8_gops(std::string_view) {
    return 0.0;
}
inline double f32_gflops(std::string_view) {
    return 0.0;
}
inline double read_gbps(std::size_t) {
    return 0.0;
}

#endif

/// The least seconds for so many operations, `peak` 10^9 of them per second, that need each of so many bytes once. Zero: unknown.
inline double least_seconds(double operations, double peak, std::size_t bytes) {
    const double gbps = read_gbps(bytes);
    return peak == 0.0 || gbps == 0.0 ? 0.0 : std::max(1e-9 * operations / peak, 1e-9 * static_cast<double>(bytes) / gbps);
}

/// A line about the memory of this machine, from the first level of its caches outwards.
inline void print_reads() {
    std::printf("limits of reads:");
    for (const std::size_t kib : {16u, 512u, 8u * 1024u, 256u * 1024u}) {
        std::printf(" %zu KiB %.0f GB/s%s", kib, read_gbps(kib * 1024), kib == 256 * 1024 ? "\n" : ",");
    }
}

}  // namespace limits

#endif
