#include <algorithm>
#include <cstdio>

#include <pare/pare.hpp>

// A file without flags for an instruction set, in a program with pare_add_dispatch(): the best of this CPU runs, and gives the bits
// of plain C++.
bool chosen_at_run_time() {
    using namespace pare;
    const auto model = *quantize_dynamic(initialized(sequential(dense<64, 40>(), relu(), dense<40, 10>()), he_normal{}, seed{1}));
    const auto chosen = isa::dispatch::from_environment();
    if (!chosen) {
        std::printf("%s\n", chosen.error().message.c_str());
        return false;
    }
    const auto ready = prepare(model, *chosen);
    const auto plain = prepare<isa::scalar>(model);
    auto space = workspace_for(ready, 1);
    float x[64], y[10], z[10];
    for (int i = 0; i < 64; ++i) {
        x[i] = static_cast<float>(i % 7) - 3.0f;
    }
    run(ready, x, y, space);
    run(plain, x, z, space);
    std::printf("%s\n", describe(ready).c_str());
    return std::equal(y, y + 10, z);
}
