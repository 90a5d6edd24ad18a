#ifndef PARE_PRUNE_CALIBRATED_HPP
#define PARE_PRUNE_CALIBRATED_HPP

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <pare/nn/freeze.hpp>
#include <pare/prune/prune.hpp>
#include <pare/train/input_statistics.hpp>

// What prunes in one go by what weights are multiplied by on calibration data: wanda, optimal brain damage and surgeon, sparse_gpt.

PARE_NAMESPACE_BEGIN

namespace detail {

/// Patterns that need not know what rows and columns stand for, and among how many columns they choose.
template <class Pattern>
inline constexpr std::size_t pattern_columns = 0;
template <>
inline constexpr std::size_t pattern_columns<unstructured> = 1;
template <std::size_t N, std::size_t M>
inline constexpr std::size_t pattern_columns<n_of_m<N, M>> = M;
template <std::size_t R, std::size_t C>
inline constexpr std::size_t pattern_columns<block<R, C>> = C;

/// The mask that pattern and rule choose, which keeps nothing that `before` does not keep.
template <class Pattern, class Rule>
sparse_mask pruned_further(const Pattern& pattern, std::vector<float> scores, double sparsity, const Rule& rule,
                           const sparse_mask& before) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (!before.keeps(i)) {
            scores[i] = std::is_same_v<Pattern, unstructured> ? std::numeric_limits<float>::lowest() : 0.0f;
        }
    }
    sparse_mask mask = choose_mask(pattern, std::move(scores), {before.rows(), before.columns()}, sparsity, rule, before);
    for (std::size_t i = 0; i < mask.size(); ++i) {
        mask.set(i, mask.keeps(i) && before.keeps(i));
    }
    return mask;
}

/// Rows [rows, columns] of a matrix of weights that are multiplied by the same inputs, and which of them are kept: what a way to
/// prune changes.
struct calibrated_rows {
    const std::string& name;
    float* values;
    sparse_mask& mask;
    const input_statistics& inputs;

    std::size_t rows() const noexcept { return mask.rows(); }
    std::size_t columns() const noexcept { return mask.columns(); }
    float* row(std::size_t r) const noexcept { return values + r * columns(); }
};

/// Masks the weights of a model whose inputs are known; prune_rows(calibrated_rows) gives an optional error.
template <class Pattern, class PruneRows>
struct prune_by_inputs {
    const char* who;
    const model_inputs* inputs;
    const Pattern* pattern;
    double sparsity;
    const PruneRows* prune_rows;
    std::optional<error>* problem;

    using made = masked<Pattern, weight_matrix<float, full>>;

    template <class Activations>
    auto operator()(const member_path& path, const weight_matrix<float, full>& w, Activations a) const {
        return mapped_weights<made, Activations>{pruned(path, made(w)), a};
    }
    template <class Any, class Activations>
    auto operator()(const member_path& path, const masked<Any, weight_matrix<float, full>>& w, Activations a) const {
        return mapped_weights<made, Activations>{pruned(path, made(w.inner, w.mask)), a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Layout, class Activations>
    auto operator()(const member_path&, const weight_matrix<float, Layout>&, Activations) const {
        static_assert(
            std::is_same_v<Layout, void>,
            "pare: pruning with calibration data takes a model of full float weights, masked or not: sparsify() it afterwards");
        return mapped_weights<made, Activations>{};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w,
                    Activations a) const {  // of which calibration says that it cannot take them
        return mapped_weights<Weights, Activations>{w, a};
    }

private:
    made pruned(const member_path& path, made w) const {
        const storage_inputs* const own = inputs->find(path.text());
        const std::size_t groups = own == nullptr ? 0 : own->groups.size();
        if (const auto misfit = pattern_problem(*pattern, {w.rows(), w.columns()}, sparsity); misfit && !*problem) {
            *problem = error{error_code::invalid_argument, sentence(who, ": ", path.text(), ": ", *misfit)};
        }
        for (std::size_t g = 0; g < groups && !*problem; ++g) {
            const std::size_t rows = w.rows() / groups, size = rows * w.columns(), first = g * size;
            sparse_mask mask(rows, w.columns());
            for (std::size_t i = 0; i < size; ++i) {
                mask.set(i, w.mask.keeps(first + i));
            }
            *problem = (*prune_rows)(calibrated_rows{own->name, w.inner.values.data() + first, mask, own->groups[g]});
            for (std::size_t i = 0; i < size; ++i) {
                w.mask.set(first + i, mask.keeps(i));
            }
        }
        w.apply_mask();
        return w;
    }
};

/// Runs a model over calibration data, then prunes its weights by what they were multiplied by: prune_rows(calibrated_rows, count
/// rule). `options` are count rules and selections.
template <class Isa, class Model, dataset Data, class Pattern, class PruneRows, class... Options>
auto prune_with_inputs(const char* who, const Model& model, const Data& data, const Pattern& pattern, double sparsity,
                       bool second_moments, std::optional<error> problem, const PruneRows& prune_rows, const Options&... options) {
    static_assert(pattern_columns<Pattern> != 0,
                  "pare: pruning with calibration data takes the patterns unstructured, n_of_m<N, M> and block<R, C>");
    static_assert(((count_option::of<Options> || selection_option::of<Options>)&&...),
                  "pare: pruning with calibration data takes count rules and selections behind its other arguments");
    const auto rule = option_or(count_option{}, exact_count{}, options...);
    const auto prune_by_rule = [&](const calibrated_rows& w) { return prune_rows(w, rule); };
    return and_then(model, [&](const auto& m) {
        auto dense = freeze(m);
        model_inputs inputs;
        const auto pruned = [&] {
            return map_selected_weights(
                m, prune_by_inputs<Pattern, decltype(prune_by_rule)>{who, &inputs, &pattern, sparsity, &prune_by_rule, &problem},
                option_or(selection_option{}, every_layer{}, options...));
        };
        using outcome = result<decltype(pruned())>;
        if (!problem) {
            problem = sparsity_problem(who, "sparsity", sparsity);
        }
        if (const auto name = problem ? std::string() : parameter_not_finite(dense); !name.empty()) {
            problem =
                error{error_code::invalid_data, sentence(who, ": ", name, ": expected finite numbers, found NaN or an infinity")};
        }
        if (!problem) {
            problem = observe_inputs<Isa>(who, dense, data, second_moments, inputs);
        }
        if (problem) {
            return outcome(*std::move(problem));
        }
        auto made = pruned();
        return problem ? outcome(*std::move(problem)) : outcome(std::move(made));
    });
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
