#ifndef PARE_BENCHMARKS_PROBLEM_HPP
#define PARE_BENCHMARKS_PROBLEM_HPP

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <pare/core/random.hpp>
#include <pare/quantize/weights.hpp>

/// The matrix products that are measured.
namespace products {

using namespace pare;

struct shape {
    std::size_t m, n, k;
};
constexpr shape shapes[] = {{1, 64, 64},     {1, 256, 256},    {1, 1024, 1024},   {1, 4096, 4096},
                            {4, 512, 512},   {16, 256, 256},   {16, 1024, 1024},  {64, 512, 512},
                            {128, 768, 768}, {128, 3072, 768}, {256, 1000, 1024}, {1024, 1024, 1024},
                            {3136, 64, 576}, {784, 128, 1152}, {196, 256, 2304},  {12544, 32, 64}};

/// A product that differs from its definition is not worth timing.
inline void require(bool correct, const char* what, shape s) {
    if (!correct) {
        std::fprintf(stderr, "%s is wrong at %zux%zux%zu\n", what, s.m, s.n, s.k);
        std::exit(1);
    }
}

/// Operands of one size, made of the same numbers for everyone.
struct problem {
    shape s;
    aligned_array<float> x, y, bias;
    weight_matrix<float, full> w;
    weight_matrix<qint8, full> wq;

    explicit problem(shape size) : s(size), x(s.m * s.k), y(s.m * s.n), bias(s.n), w(s.n, s.k) {
        const random_numbers random(seed{1}, 0);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.uniform(i, -1.0f, 1.0f);
        }
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            w.values[i] = random.uniform(i + x.size(), -1.0f, 1.0f);
        }
        for (std::size_t i = 0; i < bias.size(); ++i) {
            bias[i] = random.uniform(i + x.size() + w.values.size(), -1.0f, 1.0f);
        }
        wq = *quantize_weights(w, granularity::per_channel);
    }
    /// Of one layer of a network.
    problem(std::size_t m, const weight_matrix<float, full>& weights, const float* biases)
        : problem({m, weights.rows(), weights.columns()}) {
        w = weights;
        wq = *quantize_weights(w, granularity::per_channel);
        std::copy(biases, biases + s.n, bias.begin());
    }

    /// The rows that are compared with plain loops: all would take longer than the measurement.
    std::size_t checked_rows() const { return std::min<std::size_t>(s.m, 1 + 20000000 / (s.n * s.k)); }
};

}  // namespace products

#endif
