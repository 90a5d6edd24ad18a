#include <pare/pare.hpp>

const char* plugin_runs_on() {
    return pare::isa::dispatch().running();
}
