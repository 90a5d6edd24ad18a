#ifndef PARE_TESTS_NN_SEQUENCES_HPP
#define PARE_TESTS_NN_SEQUENCES_HPP

#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/prepare.hpp>

/// Uniform in [-1, 1].
inline std::vector<float> some_numbers(std::size_t n, std::uint64_t stream) {
    const pare::random_numbers random(pare::seed{2}, stream);
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    return x;
}

/// A model with numbers in [-0.4, 0.4] for parameters.
template <class Model>
Model filled(Model model) {
    std::uint64_t stream = 10;
    pare::for_each_member(model, [&](const pare::member_path&, auto& member) {
        const auto values = pare::trainable_values(member);
        const auto random = some_numbers(values.size(), stream++);
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = random[i] * 0.4f;
        }
    });
    return model;
}

/// What a prepared model gives for whole sequences [batch, 9, 7] to outputs of `size` numbers per sample.
template <class Prepared>
std::vector<float> whole(const Prepared& ready, const std::vector<float>& x, std::size_t batch) {
    auto space = pare::workspace_for(ready, batch);
    std::vector<float> y(batch * ready.output_size());
    pare::run(ready, x, y, space);
    return y;
}

#endif
