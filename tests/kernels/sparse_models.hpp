#ifndef PARE_TESTS_KERNELS_SPARSE_MODELS_HPP
#define PARE_TESTS_KERNELS_SPARSE_MODELS_HPP

#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/prepare.hpp>

#include "../catch.hpp"

/// Models of 90 inputs and 10 outputs, those with sparse layers beside those with full ones.
namespace sparse_models {

using namespace pare;

constexpr std::size_t batch = 70;

inline const std::vector<float> inputs = [] {
    std::vector<float> x(batch * 90);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random_numbers(seed{2}, 0).uniform(i, -1.0f, 2.0f);
    }
    return x;
}();

template <class Isa, class Model, class Executor>
std::vector<float> outputs(const Model& model, std::size_t rows, Executor& executor) {
    const auto ready = prepare<Isa>(model);
    auto space = workspace_for(ready, rows);
    std::vector<float> y(rows * 10);
    run(ready, std::span(inputs.data(), rows * 90), y, space, executor);
    return y;
}

template <class Full, class Blocks>
void check_equal(const Full& full_model, const Blocks& blocks) {
    serial_executor serial;
    thread_pool pool(3);
    for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, batch}) {
        const auto expected = outputs<isa::native>(full_model, rows, serial);
        CHECK(outputs<isa::native>(blocks, rows, serial) == expected);
        CHECK(outputs<isa::native>(blocks, rows, pool) == expected);
        CHECK(outputs<isa::scalar>(blocks, rows, serial) == expected);
    }
}

}  // namespace sparse_models

#endif
