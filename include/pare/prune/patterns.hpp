#ifndef PARE_PRUNE_PATTERNS_HPP
#define PARE_PRUNE_PATTERNS_HPP

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/prune/count_rules.hpp>
#include <pare/types/n_of_m.hpp>

PARE_NAMESPACE_BEGIN

/// What the rows and columns of a weight matrix stand for.
struct weight_shape {
    std::size_t rows;
    std::size_t columns;
    std::size_t channels = columns;  // of the inputs: a convolution's columns are [height, width, channels]
    std::size_t filters = rows;      // outputs: the rows of a transposed convolution are [groups, height, width, filters / groups]
    std::size_t groups = 1;
    std::string_view member{};  // what its layer calls it: "weight"

    std::size_t size() const noexcept { return rows * columns; }
};

/// A pattern says which weights are pruned together. Most divide a matrix into units:
///
///     std::size_t units(const weight_shape&) const
///     std::size_t unit_of(row, column, const weight_shape&) const
///     pooling pool = pooling::average                               the score of a unit: of those of its weights
///
/// a count rule chooses among all units, of a matrix or of all. Other patterns choose by themselves:
///
///     sparse_mask choose(scores [rows * columns], rows, columns, sparsity) const
///
/// Either may have std::optional<std::string> problem(const weight_shape&, double final_sparsity) const: "expected ..., found ...".
template <class Pattern>
concept unit_pattern = requires(const Pattern& p, const weight_shape& shape) {
    { p.units(shape) } -> std::convertible_to<std::size_t>;
    { p.unit_of(std::size_t{}, std::size_t{}, shape) } -> std::convertible_to<std::size_t>;
};

enum class pooling { average, maximum };

/// Any single weight.
struct unstructured {
    static std::size_t units(const weight_shape& s) noexcept { return s.size(); }
    static std::size_t unit_of(std::size_t row, std::size_t column, const weight_shape& s) noexcept {
        return row * s.columns + column;
    }

    /// Exactly RNE(sparsity * N) weights are pruned: see exact_count.
    sparse_mask choose(std::span<const float> scores, std::size_t rows, std::size_t columns, double sparsity) const;
};

/// Blocks of R rows x C columns from the first weight on. Where R or C do not divide the matrix, those at its edges are smaller;
/// their average is that of the weights there are.
template <std::size_t R, std::size_t C>
struct block {
    static_assert(R > 0 && C > 0, "pare: block<R, C> has at least one row and one column");
    pooling pool = pooling::average;

    static std::size_t units(const weight_shape& s) noexcept { return (s.rows + R - 1) / R * across(s); }
    static std::size_t unit_of(std::size_t row, std::size_t column, const weight_shape& s) noexcept {
        return row / R * across(s) + column / C;
    }

private:
    static std::size_t across(const weight_shape& s) noexcept { return (s.columns + C - 1) / C; }
};

/// Rows: all weights of an output, of a gate's unit in a recurrent layer, of an embedding.
struct by_row {
    pooling pool = pooling::average;

    static std::size_t units(const weight_shape& s) noexcept { return s.rows; }
    static std::size_t unit_of(std::size_t row, std::size_t, const weight_shape&) noexcept { return row; }
};

/// Columns: all weights of an input, of a convolution those of one place in the window and one channel.
struct by_column {
    pooling pool = pooling::average;

    static std::size_t units(const weight_shape& s) noexcept { return s.columns; }
    static std::size_t unit_of(std::size_t, std::size_t column, const weight_shape&) noexcept { return column; }
};

/// Filters: all weights of an output channel of a convolution; of other layers, of an output.
struct by_filter {
    pooling pool = pooling::average;

    static std::size_t units(const weight_shape& s) noexcept { return s.filters; }
    static std::size_t unit_of(std::size_t row, std::size_t, const weight_shape& s) noexcept {
        const std::size_t own = s.filters / s.groups;
        return row / (s.rows / s.groups) * own + row % own;
    }
};

/// Input channels: all weights of one, in all places of a convolution's window; in one with groups, of the same one in each group.
struct by_channel {
    pooling pool = pooling::average;

    static std::size_t units(const weight_shape& s) noexcept { return s.channels; }
    static std::size_t unit_of(std::size_t, std::size_t column, const weight_shape& s) noexcept { return column % s.channels; }
};

/// Heads of a self_attention: the rows of a head's queries, keys and values in the projection in front, [3 * inner, width]. What is
/// left of a pruned head is a constant, the biases of its values. The projection behind is left whole; weights of other layers are
/// an error: use it with only<"self_attention">.
struct by_head {
    std::size_t heads;
    pooling pool = pooling::average;

    std::size_t units(const weight_shape& s) const noexcept { return s.member == behind ? 0 : heads; }
    std::size_t unit_of(std::size_t row, std::size_t, const weight_shape& s) const noexcept {
        const std::size_t inner = s.rows / 3;
        return row % inner / (inner / heads);
    }
    std::optional<std::string> problem(const weight_shape& s, double) const {
        if (s.member != behind && (s.member != in_front || heads == 0 || s.rows % (3 * heads) != 0)) {
            return sentence("expected projections of a self_attention with ", heads, " heads, found a matrix [", s.rows, ", ",
                            s.columns, "]");
        }
        return std::nullopt;
    }

private:
    static constexpr std::string_view in_front = "in_proj_weight", behind = "out_proj.weight";
};

namespace detail {

/// The score of each unit. O(rows * columns).
template <unit_pattern Pattern>
std::vector<float> unit_scores(const Pattern& pattern, std::vector<float> scores, const weight_shape& shape) {
    if constexpr (!requires { pattern.pool; }) {
        return scores;
    } else {
        const std::size_t units = pattern.units(shape);
        std::vector<float> pooled(units);
        std::vector<double> sums(units);
        std::vector<std::size_t> counts(units);
        for (std::size_t r = 0; units != 0 && r < shape.rows; ++r) {
            for (std::size_t c = 0; c < shape.columns; ++c) {
                const std::size_t u = pattern.unit_of(r, c, shape);
                const float score = scores[r * shape.columns + c];
                PARE_ASSERT(u < units, "unit %zu of %zu", u, units);
                if (counts[u] == 0 || score_order(score) > score_order(pooled[u])) {
                    pooled[u] = score;
                }
                sums[u] += double{score};
                ++counts[u];
            }
        }
        for (std::size_t u = 0; u < units && pattern.pool == pooling::average; ++u) {
            pooled[u] = counts[u] == 0 ? 0.0f : static_cast<float>(sums[u] / static_cast<double>(counts[u]));
        }
        return pooled;
    }
}

/// Which units a mask keeps anything of, from number `first` on.
template <unit_pattern Pattern>
void set_kept_units(const Pattern& pattern, const sparse_mask& mask, const weight_shape& shape, sparse_mask& units,
                    std::size_t first) {
    const std::size_t count = pattern.units(shape);
    for (std::size_t u = 0; u < count; ++u) {
        units.set(first + u, false);
    }
    for (std::size_t r = 0; count != 0 && r < shape.rows; ++r) {
        for (std::size_t c = 0; c < shape.columns; ++c) {
            if (mask.keeps(r, c)) {
                units.set(first + pattern.unit_of(r, c, shape), true);
            }
        }
    }
}

/// The mask that keeps the weights of kept units, of which the first one has number `first`.
template <unit_pattern Pattern>
sparse_mask mask_of_units(const Pattern& pattern, const weight_shape& shape, const sparse_mask& units, std::size_t first = 0) {
    sparse_mask mask(shape.rows, shape.columns);
    for (std::size_t r = 0; pattern.units(shape) != 0 && r < shape.rows; ++r) {
        for (std::size_t c = 0; c < shape.columns; ++c) {
            mask.set(r * shape.columns + c, units.keeps(first + pattern.unit_of(r, c, shape)));
        }
    }
    return mask;
}

}  // namespace detail

inline sparse_mask unstructured::choose(std::span<const float> scores, std::size_t rows, std::size_t columns,
                                        double sparsity) const {
    return detail::mask_of_units(*this, {rows, columns}, exact_count{}.choose(scores, {}, sparsity));
}

/// The mask of one matrix by the scores of its weights. `before` is the one it has.
template <unit_pattern Pattern, class CountRule>
sparse_mask choose_mask(const Pattern& pattern, std::vector<float> scores, const weight_shape& shape, double sparsity,
                        const CountRule& rule, const sparse_mask& before) {
    if (pattern.units(shape) == 0) {  // it has nothing to do with this matrix
        return before;
    }
    sparse_mask kept(1, pattern.units(shape));
    detail::set_kept_units(pattern, before, shape, kept, 0);
    return detail::mask_of_units(pattern, shape,
                                 rule.choose(detail::unit_scores(pattern, std::move(scores), shape), kept, sparsity));
}

/// Of a pattern that chooses by itself.
template <class Pattern, class CountRule>
requires(!unit_pattern<Pattern> &&
         requires(const Pattern& p, const std::vector<float>& scores) { p.choose(scores, 1, 1, 0.5); }) sparse_mask
    choose_mask(const Pattern& pattern, std::vector<float> scores, const weight_shape& shape, double sparsity, const CountRule&,
                const sparse_mask&) {
    return pattern.choose(scores, shape.rows, shape.columns, sparsity);
}

/// N:M sparsity: of each M consecutive inputs the N with the highest scores are kept, of equal ones those that come first; of fewer
/// than N at the end of a row all. A schedule on its way there prunes RNE(sparsity * M) of each M, at most M - N. O(M) per weight.
template <std::size_t N, std::size_t M, class CountRule>
sparse_mask choose_mask(const n_of_m<N, M>&, std::vector<float> scores, const weight_shape& shape, double sparsity,
                        const CountRule&, const sparse_mask&) {
    detail::assert_sparsity(sparsity);
    const std::size_t kept = M - (std::min)(detail::rounded_count(sparsity * static_cast<double>(M)), M - N);
    sparse_mask mask(shape.rows, shape.columns);
    for (std::size_t r = 0; r < shape.rows; ++r) {
        for (std::size_t c = 0; c < shape.columns; ++c) {
            const std::size_t row = r * shape.columns, first = c / M * M, end = (std::min)(first + M, shape.columns);
            const std::uint32_t own = detail::score_order(scores[row + c]);
            std::size_t better = 0;
            for (std::size_t i = first; i < end; ++i) {
                const std::uint32_t other = detail::score_order(scores[row + i]);
                better += other > own || (other == own && i < c) ? 1u : 0u;
            }
            mask.set(row + c, better < kept);
        }
    }
    return mask;
}

/// Whether a pattern can prune such a matrix to this sparsity.
template <class Pattern>
std::optional<std::string> pattern_problem(const Pattern& pattern, const weight_shape& shape, double final_sparsity) {
    if constexpr (requires { pattern.problem(shape, final_sparsity); }) {
        return pattern.problem(shape, final_sparsity);
    } else {
        return std::nullopt;
    }
}
template <std::size_t N, std::size_t M>
std::optional<std::string> pattern_problem(const n_of_m<N, M>&, const weight_shape&, double final_sparsity) {
    constexpr double sparsity = static_cast<double>(M - N) / static_cast<double>(M);
    if (std::fabs(final_sparsity - sparsity) < 1e-3) {
        return std::nullopt;
    }
    return sentence("expected the sparsity of ", n_of_m<N, M>::name, ", ", sparsity, ", found ", final_sparsity);
}

/// What prune() takes as a pattern.
template <class Pattern>
concept pruning_pattern = requires(const Pattern& p, std::vector<float> scores, const weight_shape& shape,
                                   const sparse_mask& mask) {
    { choose_mask(p, scores, shape, 0.5, exact_count{}, mask) } -> std::convertible_to<sparse_mask>;
};

PARE_NAMESPACE_END

#endif
