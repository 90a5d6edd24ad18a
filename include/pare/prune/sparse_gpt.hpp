#ifndef PARE_PRUNE_SPARSE_GPT_HPP
#define PARE_PRUNE_SPARSE_GPT_HPP

#include <algorithm>

#include <pare/prune/calibrated.hpp>
#include <pare/train/inverse_hessian.hpp>

PARE_NAMESPACE_BEGIN

struct sparse_gpt_options {
    float damping = 0.01f;         // of the mean of the Hessian's diagonal, added to all of it
    std::size_t mask_block = 128;  // columns whose mask is chosen together, from weights that make up for all before them
    std::size_t block = 128;       // columns whose errors are passed on together, rounded up to whole mask blocks
};

namespace detail {

template <class Isa, class Pattern, class Rule>
void sparse_gpt_rows(const calibrated_rows& w, const Pattern& pattern, double sparsity, const Rule& rule,
                     const sparse_gpt_options& options, const std::vector<float>& u) {
    const std::size_t rows = w.rows(), n = w.columns(), at_once = (std::max)(options.mask_block, std::size_t{1});
    const std::size_t width = round_up(unit_pattern<Pattern> ? at_once : std::size_t{1}, pattern_columns<Pattern>);
    const std::size_t block = round_up((std::max)(options.block, std::size_t{1}), width);
    std::vector<float> errors(rows * block);
    const auto choose = [&](std::size_t first) {
        const std::size_t count = (std::min)(width, n - first);
        sparse_mask before(rows, count);
        std::vector<float> scores(before.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const std::size_t row = i / count, column = first + i % count;
            const float root = w.row(row)[column] / u[column * n + column];
            scores[i] = root * root;
            before.set(i, w.mask.keeps(row, column));
        }
        const sparse_mask kept = pruned_further(pattern, std::move(scores), sparsity, rule, before);
        for (std::size_t i = 0; i < kept.size(); ++i) {
            w.mask.set(i / count * n + first + i % count, kept.keeps(i));
        }
    };
    for (std::size_t first = 0; first < n; first += block) {
        const std::size_t end = (std::min)(first + block, n);
        for (std::size_t c = first; c < end; ++c) {
            if (c % width == 0) {
                choose(c);
            }
            const float* const to = u.data() + c * n;
            for (std::size_t r = 0; r < rows; ++r) {
                float& value = w.row(r)[c];
                const float e = w.mask.keeps(r, c) ? 0.0f : value / to[c];
                errors[r * block + c - first] = e;
                if (e != 0.0f) {
                    value = 0.0f;
                    subtract_scaled<Isa>(end - c - 1, e, to + c + 1, w.row(r) + c + 1);
                }
            }
        }
        for (std::size_t r = 0; r < rows && end < n; ++r) {
            for (std::size_t c = first; c < end; ++c) {
                if (const float e = errors[r * block + c - first]; e != 0.0f) {
                    subtract_scaled<Isa>(n - end, e, u.data() + c * n + end, w.row(r) + end);
                }
            }
        }
    }
}

}  // namespace detail

/// The model with masks on its weights and the others moved so that layers give what they gave on calibration data: columns are
/// taken one after the other, and the error of each pruned weight is made up for by those that come later in its row,
///
///     score = w_c^2 / U_cc^2;    e = w_c / U_cc, w_j -= e U_cj for j > c, where w_c is pruned;    (X^T X + damping)^-1 = U^T U,
///
/// U upper triangular, X being all rows that the weights are multiplied by (see gptq()). Which weights of the next mask_block
/// columns are pruned is chosen when the first of them comes up, from the weights as they have become: by pattern and count rule,
/// among all rows. n_of_m<N, M> chooses at every M-th column. Weights that a mask has pruned before stay so. What it takes and
/// errors as wanda(), and a damping outside of (0, 1]. Cost: a pass over the data, O(columns^2) per row of X; O(columns^3 + rows
/// columns^2) per matrix, and 12 columns^2 bytes. Frantar, Alistarh 2023, algorithm 1.
template <class Isa = isa::native, class Model, dataset Data, class Pattern, class... Options>
auto sparse_gpt(const Model& model, const Data& data, const Pattern& pattern, double sparsity,
                const sparse_gpt_options& blocks = {}, const Options&... options) {
    const auto prune_rows = [&](const detail::calibrated_rows& w, const auto& rule) -> std::optional<error> {
        const std::vector<float> u = detail::inverse_hessian_factor(w.inputs, blocks.damping);
        if (u.empty() && w.columns() != 0) {
            return detail::no_inverse_hessian("sparse_gpt", w.name, blocks.damping);
        }
        detail::sparse_gpt_rows<Isa>(w, pattern, sparsity, rule, blocks, u);
        return std::nullopt;
    };
    return detail::prune_with_inputs<Isa>("sparse_gpt", model, data, pattern, sparsity, true,
                                          detail::damping_problem("sparse_gpt", blocks.damping), prune_rows, options...);
}

PARE_NAMESPACE_END

#endif
