// Prints the instruction sets of this CPU, separated by semicolons.
#include <cstdio>

int main() {
    __builtin_cpu_init();
    std::printf("scalar");
    if (__builtin_cpu_supports("sse4.1")) {
        std::printf(";sse4_1");
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        std::printf(";avx2");
#if defined(__GNUC__) && (__GNUC__ >= 12)
        if (__builtin_cpu_supports("avxvnni")) {
            std::printf(";avx_vnni");
        }
#endif
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl")) {
        std::printf(";avx512bw");
        if (__builtin_cpu_supports("avx512vnni")) {
            std::printf(";avx_vnni_evex;avx512_vnni");
        }
    }
}
