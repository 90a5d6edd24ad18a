#include <pare/pare.hpp>

float other_file() {
    using namespace pare;
    const auto ready = prepare<isa::native>(initialized(sequential(dense<8, 4>(), relu()), he_normal{}, seed{1}));
    auto space = workspace_for(ready, 1);
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    float y[4];
    run(ready, x, y, space);
    return y[0];
}
