// Prints the instruction sets of this CPU, separated by semicolons, for CMake: those of the library, and avx_vnni_evex for the code
// of avx_vnni with the same instruction in another encoding.

#include <cstdio>

#include <pare/simd/cpu.hpp>

int main() {
    const auto cpu = pare::simd::cpu_features::detect();
    std::printf("scalar");
    for (const char* isa : {"sse4_1", "avx2", "avx_vnni", "avx512bw", "avx512_vnni", "neon", "neon_dotprod", "neon_i8mm"}) {
        if (cpu.has(isa)) {
            std::printf(";%s", isa);
        }
    }
    if (cpu.avx512_vnni) {
        std::printf(";avx_vnni_evex");
    }
}
