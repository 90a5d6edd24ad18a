#ifndef PARE_TESTS_PRUNE_SHRINKING_HPP
#define PARE_TESTS_PRUNE_SHRINKING_HPP

#include <string>
#include <vector>

#include <pare/nn/trainable.hpp>

#include "../nn/sequences.hpp"

/// A model with numbers in [-1, 1] for parameters, half of that for weights, and running statistics that are not those of a new
/// one.
template <class Model>
Model with_numbers(Model model) {
    std::uint64_t stream = 100;
    pare::for_each_member(model, [&](const pare::member_path& path, auto& member) {
        if constexpr (requires { member.data(); }) {
            if constexpr (std::is_same_v<decltype(member.data()), float*>) {
                const auto random = some_numbers(member.size(), stream++);
                const bool variance = path.leaf() == std::string("running_var");
                for (std::size_t i = 0; i < member.size(); ++i) {
                    member.data()[i] = variance ? 1.5f + random[i] : random[i];
                }
            }
        } else {
            const auto values = pare::trainable_values(member);
            const auto random = some_numbers(values.size(), stream++);
            for (std::size_t i = 0; i < values.size(); ++i) {
                values[i] = 0.5f * random[i];
            }
        }
    });
    return model;
}

/// What a model gives for three samples.
template <class Model>
std::vector<float> outputs(const Model& model) {
    const auto ready = pare::prepare<pare::isa::native>(model);
    return whole(ready, some_numbers(3 * ready.input_size(), 7), 3);
}

inline bool close(const std::vector<float>& a, const std::vector<float>& b, float most) {
    bool all = a.size() == b.size();
    for (std::size_t i = 0; all && i < a.size(); ++i) {
        all = a[i] - b[i] <= most && b[i] - a[i] <= most;
    }
    return all;
}

inline void scale_row(pare::weight_matrix<float, pare::full>& w, std::size_t row, float factor) {
    for (std::size_t j = 0; j < w.columns(); ++j) {
        w.values[row * w.columns() + j] *= factor;
    }
}
inline void zero_row(pare::weight_matrix<float, pare::full>& w, std::size_t row) {
    scale_row(w, row, 0.0f);
}
inline void zero_column(pare::weight_matrix<float, pare::full>& w, std::size_t column) {
    for (std::size_t i = 0; i < w.rows(); ++i) {
        w.values[i * w.columns() + column] = 0.0f;
    }
}

#endif
