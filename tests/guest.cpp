// The library as a guest: no exceptions, no run-time types, and a host that has defined min and max as macros.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <xsimd/xsimd.hpp>

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

#include <pare/core/thread_pool.hpp>
#include <pare/io/idx.hpp>
#include <pare/pare.hpp>

int main() {
    using namespace pare;
    const auto net = initialized(sequential(dense<20, 30>(), relu(), dense<30, 4>()), he_normal{}, seed{1});
    const auto ready = prepare<isa::native>(quantize_dynamic(net));
    if (!ready) {
        return 1;
    }
    auto space = workspace_for(*ready, 1);
    const std::vector<float> x(20, 1.0f);
    std::vector<float> y(4);
    run(*ready, x, y, space);
    return is_finite(y[0]) ? 0 : 1;
}
