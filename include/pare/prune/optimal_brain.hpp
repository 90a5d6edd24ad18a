#ifndef PARE_PRUNE_OPTIMAL_BRAIN_HPP
#define PARE_PRUNE_OPTIMAL_BRAIN_HPP

#include <pare/prune/calibrated.hpp>
#include <pare/train/inverse_hessian.hpp>

PARE_NAMESPACE_BEGIN

/// Optimal brain damage with the Hessian of each layer's own squared error: the model with masks that leave out the weights by
/// which the outputs of their layer change least, taken one by one,
///
///     saliency = h[c] w[j][c]^2 / 2,    h[c] = (X^T X)[c][c] = sum of x[c]^2,
///
/// X being all rows that the weights are multiplied by on calibration data. The pattern chooses within a
/// matrix. Weights stay as they are. What it takes, errors and cost as wanda(). LeCun,
/// Denker, Solla 1990, eq. 5, where the Hessian is that of the loss.
template <class Isa = isa::native, class Model, dataset Data, class Pattern, class... Options>
auto optimal_brain_damage(const Model& model, const Data& data, const Pattern& pattern, double sparsity,
                          const Options&... options) {
    const auto prune_rows = [&](const detail::calibrated_rows& w, const auto& rule) -> std::optional<error> {
        std::vector<float> saliency(w.mask.size());
        for (std::size_t i = 0; i < saliency.size(); ++i) {
            const auto value = static_cast<double>(w.values[i]);
            saliency[i] = static_cast<float>(0.5 * w.inputs.sum_of_squares(i % w.columns()) * value * value);
        }
        w.mask = detail::pruned_further(pattern, std::move(saliency), sparsity, rule, w.mask);
        return std::nullopt;
    };
    return detail::prune_with_inputs<Isa>("optimal_brain_damage", model, data, pattern, sparsity, false, std::nullopt, prune_rows,
                                          options...);
}

namespace detail {

/// Prunes `count` of the weights of a row that `kept` keeps, by the inverse of their Hessian [n, n], which is that of the remaining
/// ones afterwards.
inline void surgeon_row(float* row, sparse_mask& kept, std::vector<double> inverse, std::size_t count) {
    const std::size_t n = kept.size();
    std::vector<double> w(row, row + n);
    const auto remove = [&](std::size_t q) {
        const double pivot = inverse[q * n + q], e = w[q] / pivot;
        const std::vector<double> column(inverse.begin() + static_cast<std::ptrdiff_t>(q * n),
                                         inverse.begin() + static_cast<std::ptrdiff_t>((q + 1) * n));
        for (std::size_t i = 0; i < n; ++i) {
            w[i] -= e * column[i];
            const double factor = column[i] / pivot;
            for (std::size_t j = 0; factor != 0.0 && j < n; ++j) {
                inverse[i * n + j] -= factor * column[j];
            }
        }
        for (std::size_t i = 0; i < n; ++i) {  // exactly, so that nothing comes back
            inverse[q * n + i] = inverse[i * n + q] = 0.0;
        }
        w[q] = 0.0;
    };
    for (std::size_t q = 0; q < n; ++q) {
        if (!kept.keeps(q)) {
            remove(q);
        }
    }
    for (; count > 0; --count) {
        std::size_t least = n;
        double least_error = 0.0;
        for (std::size_t q = 0; q < n; ++q) {
            const double e = kept.keeps(q) ? w[q] * w[q] / inverse[q * n + q] : 0.0;
            if (kept.keeps(q) && (least == n || e < least_error)) {
                least = q;
                least_error = e;
            }
        }
        remove(least);
        kept.set(least, false);
    }
    for (std::size_t c = 0; c < n; ++c) {
        row[c] = static_cast<float>(w[c]);
    }
}

}  // namespace detail

struct surgeon_options {
    float damping = 0.01f;  // of the mean of the Hessian's diagonal, added to all of it
};

/// Optimal brain surgeon on each output row: the weight by which the outputs of the layer change least is pruned, with the others
/// moved so that they make up for it as well as they can, and again,
///
///     q = argmin w_q^2 / (2 [H^-1]_qq);    w -= w_q / [H^-1]_qq * H^-1[:, q];    H^-1 -= H^-1[:, q] H^-1[q, :] / [H^-1]_qq,
///
/// with H = X^T X + damping, X being all rows that the weights are multiplied by on calibration data; of equals the first. How many
/// are pruned of a row is what a count rule prunes of one. sparse_gpt() comes close for a fraction of the cost, O(columns^3) a row:
/// this is for small layers. What it takes and errors as wanda(), and a damping outside of (0, 1]. Hassibi, Stork 1993; per row as
/// Frantar, Alistarh 2022, algorithm 1.
template <class Isa = isa::native, class Model, dataset Data, class... Options>
auto optimal_brain_surgeon(const Model& model, const Data& data, double sparsity, const surgeon_options& surgeon = {},
                           const Options&... options) {
    const char* const who = "optimal_brain_surgeon";
    const auto prune_rows = [&](const detail::calibrated_rows& w, const auto& rule) -> std::optional<error> {
        const std::vector<double> inverse = detail::inverse_hessian(w.inputs, surgeon.damping);
        if (inverse.empty() && w.columns() != 0) {
            return detail::no_inverse_hessian(who, w.name, surgeon.damping);
        }
        for (std::size_t r = 0; r < w.rows(); ++r) {
            sparse_mask row(1, w.columns());
            for (std::size_t c = 0; c < w.columns(); ++c) {
                row.set(c, w.mask.keeps(r, c));
            }
            std::vector<float> different(w.columns());  // only how many are kept counts; of equals a rule may keep all
            for (std::size_t c = 0; c < different.size(); ++c) {
                different[c] = static_cast<float>(c + 1);
            }
            const std::size_t kept = detail::pruned_further(unstructured{}, different, sparsity, rule, row).kept();
            detail::surgeon_row(w.row(r), row, inverse, row.kept() - kept);
            for (std::size_t c = 0; c < w.columns(); ++c) {
                w.mask.set(r * w.columns() + c, row.keeps(c));
            }
        }
        return std::nullopt;
    };
    return detail::prune_with_inputs<Isa>(who, model, data, unstructured{}, sparsity, true,
                                          detail::damping_problem(who, surgeon.damping), prune_rows, options...);
}

PARE_NAMESPACE_END

#endif
