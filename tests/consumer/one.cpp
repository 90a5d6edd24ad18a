#include <cstdio>

#include <pare/pare.hpp>

// Two files of a program include all of it: nothing may be defined twice.
float other_file();
bool chosen_at_run_time();
const char* plugin_runs_on();

int main() {
    using namespace pare;
    const auto ready = prepare<isa::native>(initialized(sequential(dense<8, 4>(), relu()), he_normal{}, seed{1}));
    auto space = workspace_for(ready, 1);
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    float y[4];
    run(ready, x, y, space);
    std::printf("%s%d\n", describe(ready).c_str(), y[0] == other_file());
    std::printf("the plugin runs on %s\n", plugin_runs_on());
    return y[0] == other_file() && chosen_at_run_time() ? 0 : 1;
}
