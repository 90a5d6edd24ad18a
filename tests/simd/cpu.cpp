#include <pare/simd/cpu.hpp>

#include <fstream>
#include <sstream>
#include <string>

#include <pare/simd/isa.hpp>

#include "../catch.hpp"

using namespace pare;
using simd::cpu_features;

TEST_CASE("every instruction set of the list can be recognized") {
    isa::all::for_each_name([](const char* name) {
        INFO(name);
        CHECK(cpu_features::knows(name));
    });
    CHECK_FALSE(cpu_features::knows("avx9"));
    CHECK_FALSE(cpu_features{}.has("avx9"));
    CHECK(cpu_features{}.has("scalar"));
    CHECK_FALSE(cpu_features{}.has("avx2"));
}

TEST_CASE("this program runs here, so the CPU has what it is compiled for") {
    const auto cpu = cpu_features::detect();
    isa::all::for_each_compiled([&](auto isa) {
        if (std::string(isa.name) != "avx_vnni") {  // may be compiled for its AVX-512 encoding
            INFO(isa.name);
            CHECK(cpu.has(isa.name));
        }
    });
}

#if defined(__x86_64__)

TEST_CASE("the compiler's library sees the same CPU") {
    const auto cpu = cpu_features::detect();
    __builtin_cpu_init();
    CHECK(cpu.sse4_1 == (__builtin_cpu_supports("sse4.1") != 0));
    CHECK(cpu.avx2 == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
    CHECK(cpu.avx512bw ==
          (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl")));
    CHECK(cpu.avx512_vnni == (cpu.avx512bw && __builtin_cpu_supports("avx512vnni")));
}

#endif

#if defined(__linux__)

TEST_CASE("the operating system sees the same CPU") {
    std::ifstream file("/proc/cpuinfo");
    std::string line, flags;
    while (std::getline(file, line)) {
        if (line.rfind("flags", 0) == 0 || line.rfind("Features", 0) == 0) {
            flags = line.substr(line.find(':') + 1) + " ";
            break;
        }
    }
    const auto has = [&](const char* flag) { return flags.find(std::string(" ") + flag + " ") != std::string::npos; };
#if defined(__x86_64__)
    const bool same_machine = has("fpu");
#elif defined(__aarch64__)
    const bool same_machine = has("asimd");
#else
    const bool same_machine = false;
#endif
    if (!same_machine) {  // an emulator shows the machine that it runs on, or nothing
        SUCCEED("no list of flags for this architecture");
        return;
    }
    const auto cpu = cpu_features::detect();
#if defined(__x86_64__)
    CHECK(cpu.sse4_1 == has("sse4_1"));
    CHECK(cpu.avx2 == (has("avx2") && has("fma")));
    CHECK(cpu.avx_vnni == (has("avx_vnni") && has("avx2")));
    CHECK(cpu.avx512bw == (has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512cd") && has("avx512vl")));
    CHECK(cpu.avx512_vnni == (cpu.avx512bw && has("avx512_vnni")));
#elif defined(__aarch64__)
    CHECK(cpu.neon_dotprod == has("asimddp"));
    CHECK(cpu.neon_i8mm == (has("asimddp") && has("i8mm")));
#endif
}

#endif
