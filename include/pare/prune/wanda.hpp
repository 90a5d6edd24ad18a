#ifndef PARE_PRUNE_WANDA_HPP
#define PARE_PRUNE_WANDA_HPP

#include <pare/prune/calibrated.hpp>

PARE_NAMESPACE_BEGIN

/// The model with masks on its weights, chosen by their size and that of the inputs that they meet on calibration data:
///
///     score = |w[j][c]| * ||x[c]||_2,    ||x[c]||_2 = sqrt(sum of x[c]^2 over all rows that the weights are multiplied by)
///
/// unstructured chooses within each output row, other patterns (n_of_m, block) as always. Weights stay as they are, and no gradient
/// is needed. All layers are calibrated with what the model, as it is, gives them; of a convolution rows are what each output pixel
/// sees. Weights of which rows are looked up stay unmasked. Takes a model of float weights or a result of one; where they have
/// masks, what these do not keep stays pruned and counts first. options: a count rule and a selection of layers, as prune().
///
/// Errors: a sparsity outside [0, 1) or not that of the pattern; weights, inputs of a layer or outputs that are not finite; a data
/// set without samples or one that does not fit the model. Cost: a pass over the data, O(weights). Sun, Liu, Bair, Kolter 2023, eq.
/// 1 and algorithm 1.
template <class Isa = isa::native, class Model, dataset Data, class Pattern, class... Options>
auto wanda(const Model& model, const Data& data, const Pattern& pattern, double sparsity, const Options&... options) {
    const auto prune_rows = [&](const detail::calibrated_rows& w, const auto& rule) -> std::optional<error> {
        std::vector<float> scores(w.mask.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
            scores[i] = std::fabs(w.values[i]) * static_cast<float>(std::sqrt(w.inputs.sum_of_squares(i % w.columns())));
        }
        const bool by_rows = std::is_same_v<Pattern, unstructured>;
        const std::size_t part = by_rows ? w.columns() : w.mask.size();
        for (std::size_t first = 0; first < w.mask.size(); first += part) {
            sparse_mask before(by_rows ? 1 : w.rows(), w.columns());
            for (std::size_t i = 0; i < part; ++i) {
                before.set(i, w.mask.keeps(first + i));
            }
            const auto* const own = scores.data() + first;
            const sparse_mask kept = detail::pruned_further(pattern, {own, own + part}, sparsity, rule, before);
            for (std::size_t i = 0; i < part; ++i) {
                w.mask.set(first + i, kept.keeps(i));
            }
        }
        return std::nullopt;
    };
    return detail::prune_with_inputs<Isa>("wanda", model, data, pattern, sparsity, false, std::nullopt, prune_rows, options...);
}

PARE_NAMESPACE_END

#endif
