#ifndef PARE_PRUNE_CRITERIA_HPP
#define PARE_PRUNE_CRITERIA_HPP

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// What a criterion may look at: one weight matrix of a model, row-major. A row is what one output is computed from.
struct criterion_input {
    std::span<const float> weights;  // [rows * columns]
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t matrix = 0;                // its number among the matrices that are pruned
    std::span<const float> gathered;       // [rows * columns]: what gather() has made of the steps so far
    std::span<const float> channel_scale;  // [rows]: the weights of the batch norm behind the layer, empty where there is none
};

/// A criterion scores weights; the lowest scores are pruned. Those here round each product by itself, so that the same numbers have
/// the same scores on every machine. It is a function object with one of
///
///     float operator()(float weight) const                                     of each weight by itself
///     void operator()(const criterion_input&, std::span<float> scores) const   of a whole matrix: scores [rows * columns]
///
/// one that needs the gradients of training also
///
///     void gather(weights, gradient, gathered) const                           spans [rows * columns], after each backward pass and
///                                                                              before the update; gathered begins as zeros
///
/// and one that cannot score every layer
///
///     std::optional<std::string> problem(const criterion_input&) const         "expected ..., found ..."
template <class Criterion>
concept scores_single_weights = requires(const Criterion& c) {
    { c(1.0f) } -> std::convertible_to<float>;
};
template <class Criterion>
concept scores_matrices = requires(const Criterion& c, const criterion_input& input, std::span<float> scores) {
    c(input, scores);
};
template <class Criterion>
concept criterion = scores_single_weights<Criterion> || scores_matrices<Criterion>;
template <class Criterion>
concept gathers_gradients = requires(const Criterion& c, std::span<const float> in, std::span<float> gathered) {
    c.gather(in, in, gathered);
};

/// The scores of one matrix by a criterion.
template <criterion Criterion>
std::vector<float> scores_of(const Criterion& criterion, const criterion_input& input) {
    std::vector<float> scores(input.weights.size());
    if constexpr (scores_matrices<Criterion>) {
        criterion(input, std::span<float>(scores));
    } else {
        for (std::size_t i = 0; i < scores.size(); ++i) {
            scores[i] = criterion(input.weights[i]);
        }
    }
    return scores;
}

/// |w|. LeCun, Denker, Solla 1990, section 4; Han, Pool, Tran, Dally 2015. Averaged over a pattern's units it ranks them by their
/// L1 norm: Li, Kadav, Durdanovic, Samet, Graf 2017.
struct magnitude {
    float operator()(float w) const noexcept { return std::fabs(w); }
};

/// w^2: ranks units by their L2 norm. Squares of |w| < 2^-75 are all zero: single weights are better ranked by `magnitude`.
struct magnitude_l2 {
    float operator()(float w) const noexcept { return w * w; }
};

/// Uniform in [0, 1), the same at each step and on every machine: number i of stream 2^36 + matrix of the seed. A control.
struct random_scores {
    seed from{};

    void operator()(const criterion_input& input, std::span<float> scores) const noexcept {
        const random_numbers random(from, (std::uint64_t{1} << 36) + input.matrix);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            scores[i] = random.uniform(i);
        }
    }
};

/// |gradient * w|, by how much the loss would change if w were not there, to first order: the running average r of that,
/// r += (1 - memory) * (|g w| - r) at each step. Molchanov, Tyree, Karras, Aila, Kautz 2017, eq. 7, for single weights; memory 0.9
/// as Molchanov et al. 2019. Pruned weights are zero and score zero: they do not come back.
struct taylor {
    float memory = 0.9f;

    void operator()(const criterion_input& input, std::span<float> scores) const noexcept {
        std::copy(input.gathered.begin(), input.gathered.end(), scores.begin());
    }
    void gather(std::span<const float> weights, std::span<const float> gradient, std::span<float> gathered) const noexcept {
        for (std::size_t i = 0; i < gathered.size(); ++i) {
            gathered[i] += exact_multiply(1.0f - memory, std::fabs(exact_multiply(gradient[i], weights[i])) - gathered[i]);
        }
    }
};

/// - sum over the steps of gradient * w: high where training moves a weight away from zero, below zero where it moves it there.
/// Sanh, Wolf, Rush 2020, eq. 4, without a learning rate, which changes no order. Pruned weights are zero and keep their scores.
struct movement {
    void operator()(const criterion_input& input, std::span<float> scores) const noexcept {
        std::copy(input.gathered.begin(), input.gathered.end(), scores.begin());
    }
    void gather(std::span<const float> weights, std::span<const float> gradient, std::span<float> gathered) const noexcept {
        for (std::size_t i = 0; i < gathered.size(); ++i) {
            gathered[i] -= exact_multiply(gradient[i], weights[i]);
        }
    }
};

/// |scale| of the batch norm behind a layer, for all weights of the row that gives its channel: for by_filter. Network slimming:
/// Liu, Li, Shen, Huang, Yan, Zhang 2017. A layer without a batch norm is an error; leave it out with except<...>.
struct batch_norm_scale {
    void operator()(const criterion_input& input, std::span<float> scores) const noexcept {
        for (std::size_t i = 0; i < scores.size(); ++i) {
            scores[i] = std::fabs(input.channel_scale[i / input.columns]);
        }
    }
    std::optional<std::string> problem(const criterion_input& input) const {
        return input.channel_scale.size() == input.rows
                   ? std::nullopt
                   : std::optional<std::string>("expected a batch norm behind the layer, whose scales score its rows, found none");
    }
};

/// The sum of a row's Euclidean distances to all rows, for all of its weights: the rows nearest to the geometric median, which the
/// others can stand in for, score lowest. For by_filter. He, Liu, Wang, Hu, Yang 2019, eq. 5 (FPGM). O(rows^2 * columns), in
/// double.
struct geometric_median {
    void operator()(const criterion_input& input, std::span<float> scores) const {
        const std::size_t n = input.columns;
        std::vector<double> sums(input.rows);
        for (std::size_t a = 0; a < input.rows; ++a) {
            for (std::size_t b = a + 1; b < input.rows; ++b) {
                double squares = 0.0;
                for (std::size_t i = 0; i < n; ++i) {
                    const double d = double{input.weights[a * n + i]} - double{input.weights[b * n + i]};
                    squares += opaque(d * d);
                }
                sums[a] += std::sqrt(squares);
                sums[b] += std::sqrt(squares);
            }
        }
        for (std::size_t i = 0; i < scores.size(); ++i) {
            scores[i] = static_cast<float>(sums[i / n]);
        }
    }
};

PARE_NAMESPACE_END

#endif
