// Any bytes as a checkpoint: what is restored is a place in the run, and callbacks that end it.

#include <cstdio>
#include <cstdlib>

#include <pare/io/checkpoint.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/callbacks.hpp>

using namespace pare;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (!io::safetensors::parse(io::bytes(data, data + size), "fuzz")) {
        return 0;  // tests/fuzz/safetensors.cpp
    }
    const std::string path = "pare_fuzz_checkpoint.safetensors";
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) {
        std::abort();
    }
    auto model = sequential(dense<2, 3>());
    std::vector<float> slots(parameter_count(model));
    training_state state;  // of the run in seeds.cpp
    state.epochs = 2;
    state.steps_per_epoch = 2;
    state.samples = 4;
    state.batch_size = 2;
    state.slots = slots;
    early_stopping patience;
    best_weights best;
    io::checkpoint(path, {}, patience, best).on_fit_begin(model, state);
    if (state.slots.data() != slots.data() || state.slots.size() != slots.size()) {
        std::abort();
    }
    if (!state.problem && (state.step_in_epoch >= 2 || state.step != 2 * state.epoch + state.step_in_epoch)) {
        std::abort();
    }
    best.on_fit_end(model, state);
    return 0;
}
