#ifndef PARE_PRUNE_PRUNING_HPP
#define PARE_PRUNE_PRUNING_HPP

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <pare/nn/fold.hpp>
#include <pare/nn/masked.hpp>
#include <pare/prune/criteria.hpp>
#include <pare/prune/patterns.hpp>
#include <pare/prune/schedules.hpp>
#include <pare/prune/scopes.hpp>
#include <pare/train/hooks.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Weights with a mask, somewhere in a model.
struct prunable {
    criterion_input input;
    weight_shape shape;
    sparse_mask* mask;
    std::string path;
};

/// The shape of weights, of which a state dict has the axes `axes`, where it orders them otherwise.
template <class Weights, class... Axes>
weight_shape shape_of_weights(const member_path& path, const Weights& w, const Axes&... axes) noexcept {
    weight_shape shape{w.rows(), w.columns()};
    shape.member = path.leaf();
    [[maybe_unused]] const auto look = [&](const auto& a) {
        if constexpr (std::is_same_v<decltype(a), const file_axes&>) {
            if (a.order[a.rank - 1] == 0) {  // a transposed convolution
                shape.groups = a.groups;
                shape.filters = a.shape[1] * a.groups;
            } else {
                shape.channels = a.shape[a.order[a.rank - 1]];
            }
        }
    };
    (look(axes), ...);
    return shape;
}

/// Calls f(weights, scale) for weights of which the outputs, channel by channel, are those that a batch norm stands behind.
template <class Layer, class F>
void for_each_scaled(Layer& layer, F& f) {
    if constexpr (has_parts<std::remove_const_t<Layer>>) {
        constexpr bool one_after_another = !maps_layers<std::remove_const_t<Layer>>;
        const void* before = nullptr;
        Layer::parts(layer).for_each([&]<auto>(auto& inner) {
            using type = std::remove_cvref_t<decltype(inner)>;
            if constexpr (is_batch_norm<type>) {
                if (before != nullptr && one_after_another) {
                    f(before, std::span<const float>(inner.weight.data(), inner.weight.size()));
                }
                before = nullptr;
            } else if constexpr (!passes_through<type>) {
                before = nullptr;
                for_each_scaled(inner, f);
                if constexpr (requires { inner.weights.rows(); }) {
                    before = &inner.weights;
                }
            }
        });
    }
}

/// Whether a member's weights are among those of these names; of any, where there is no list.
inline bool is_among(const std::vector<std::string>* names, const std::string& name) {
    return names == nullptr || std::find(names->begin(), names->end(), name) != names->end();
}

/// All weights of a model that have masks, or those of some names, in the order of members.
template <class Model>
std::vector<prunable> prunables_of(Model& model, const std::vector<std::string>* names = nullptr) {
    std::vector<prunable> all;
    std::vector<const void*> places;
    for_each_member(model, [&](const member_path& path, auto& member, const auto&... axes) {
        if constexpr (has_mask<std::remove_reference_t<decltype(member)>>) {
            if (!is_among(names, path.text())) {
                return;
            }
            const auto values = trainable_values(member);
            all.push_back({{{values.data(), values.size()}, member.rows(), member.columns(), all.size(), {}, {}},
                           shape_of_weights(path, member, axes...),
                           &masked_in(member)->mask,
                           path.text()});
            places.push_back(&member);
        }
    });
    const auto set_scale = [&](const void* weights, std::span<const float> scale) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (places[i] == weights && all[i].shape.rows == scale.size()) {
                all[i].input.channel_scale = scale;
            }
        }
    };
    for_each_scaled(model, set_scale);
    return all;
}

/// The sparsity of one matrix where that of the schedule is `sparsity` and ends at `final_sparsity`.
template <class Scope>
double sparsity_in_scope([[maybe_unused]] const Scope& scope, [[maybe_unused]] const std::string& path, double sparsity,
                         [[maybe_unused]] double final_sparsity) {
    if constexpr (std::is_same_v<Scope, layer_targets>) {
        if (const auto* const target = scope.of(path)) {
            return target->sparsity * (final_sparsity > 0.0 ? (std::min)(1.0, sparsity / final_sparsity) : 1.0);
        }
    }
    return sparsity;
}

inline error prune_error(const std::string& path, const std::string& what) {
    return {error_code::invalid_argument, sentence("prune: ", path, path.empty() ? "" : ": ", what)};
}

/// What keeps a model from being pruned so.
template <class Criterion, class Pattern, class Scope>
std::optional<error> pruning_problem(const std::vector<prunable>& matrices, const Criterion& criterion, const Pattern& pattern,
                                     const Scope& scope, double final_sparsity) {
    if (auto problem = sparsity_problem("prune", "a sparsity", final_sparsity)) {
        return problem;
    }
    if constexpr (std::is_same_v<Scope, layer_targets>) {
        for (const auto& t : scope.targets) {
            if (auto problem = sparsity_problem("prune: layer_targets", t.name.c_str(), t.sparsity)) {
                return problem;
            }
            if (std::none_of(matrices.begin(), matrices.end(), [&](const prunable& m) { return scope.of(m.path) == &t; })) {
                return prune_error("",
                                   sentence("expected in layer_targets names of weights that are pruned, or of layers that have "
                                            "some, each once, found \"",
                                            t.name, "\""));
            }
        }
    }
    for (const prunable& m : matrices) {
        if (auto problem = pattern_problem(pattern, m.shape, sparsity_in_scope(scope, m.path, final_sparsity, final_sparsity))) {
            return prune_error(m.path, *problem);
        }
        if constexpr (requires { criterion.problem(m.input); }) {
            if (auto problem = criterion.problem(m.input)) {
                return prune_error(m.path, *problem);
            }
        }
    }
    return std::nullopt;
}

/// The mask that was chosen; with torch_count, without what the one before does not keep, as torch.nn.utils.prune stacks them.
template <class CountRule>
sparse_mask stacked(const sparse_mask& before, sparse_mask chosen) {
    for (std::size_t i = 0; std::is_same_v<CountRule, torch_count> && i < chosen.size(); ++i) {
        chosen.set(i, chosen.keeps(i) && before.keeps(i));
    }
    return chosen;
}

/// Chooses the masks of matrices anew.
template <class Criterion, class Pattern, class Scope, class CountRule>
void choose_masks(const std::vector<prunable>& matrices, const Criterion& criterion, const Pattern& pattern, const Scope& scope,
                  const CountRule& rule, double sparsity, double final_sparsity) {
    if constexpr (std::is_same_v<Scope, global_scope> && unit_pattern<Pattern>) {
        std::vector<float> scores;
        for (const prunable& m : matrices) {
            const auto own = unit_scores(pattern, scores_of(criterion, m.input), m.shape);
            scores.insert(scores.end(), own.begin(), own.end());
        }
        sparse_mask kept(1, scores.size());
        std::size_t first = 0;
        for (const prunable& m : matrices) {
            set_kept_units(pattern, *m.mask, m.shape, kept, std::exchange(first, first + pattern.units(m.shape)));
        }
        kept = rule.choose(scores, kept, sparsity);
        first = 0;
        for (const prunable& m : matrices) {
            if (const std::size_t units = pattern.units(m.shape); units != 0) {
                *m.mask = stacked<CountRule>(*m.mask, mask_of_units(pattern, m.shape, kept, std::exchange(first, first + units)));
            }
        }
    } else {
        for (const prunable& m : matrices) {
            sparse_mask mask = choose_mask(pattern, scores_of(criterion, m.input), m.shape,
                                           sparsity_in_scope(scope, m.path, sparsity, final_sparsity), rule, *m.mask);
            PARE_ASSERT(mask.rows() == m.shape.rows && mask.columns() == m.shape.columns,
                        "%s: expected from the pattern a mask [%zu, %zu], found one [%zu, %zu]", m.path.c_str(), m.shape.rows,
                        m.shape.columns, mask.rows(), mask.columns());
            *m.mask = stacked<CountRule>(*m.mask, std::move(mask));
        }
    }
}

/// weights *= mask, for all weights that have one.
template <class Model>
void apply_masks(Model& model) noexcept {
    for_each_member(model, [](const member_path&, auto& member) {
        if constexpr (requires { member.apply_mask(); }) {
            member.apply_mask();
        }
    });
}

}  // namespace detail

/// The callback that prunes during fit what has masks, or of that the weights of some names ("0.weight"): before a step, where the
/// schedule says so, new masks from the weights as they are; then, at every step, weights *= mask. One for one run: what a
/// criterion has gathered is not part of a checkpoint. The run fails where the schedule is wrong, its last change comes after the
/// end of the training or, for criteria that gather gradients, its first before there are any, and where a pattern, a criterion or
/// a name in the scope does not fit the model: the error names the weights, what was expected and what was found.
template <class Criterion, class Pattern, class Schedule, class Scope = per_layer, class CountRule = exact_count>
class pruning {
public:
    pruning(Criterion criterion, Pattern pattern, Schedule schedule, Scope scope = {}, CountRule rule = {},
            std::optional<std::vector<std::string>> names = std::nullopt)
        : criterion_(std::move(criterion)),
          pattern_(std::move(pattern)),
          schedule_(std::move(schedule)),
          scope_(std::move(scope)),
          rule_(std::move(rule)),
          names_(std::move(names)) {}

    template <class Model>
    void on_fit_begin(Model& model, training_state& state) {
        if (auto problem = problem_of(model, state)) {
            state.problem = std::move(problem);
        }
    }

    template <class Model>
    void on_step_begin(Model& model, const training_state& state) const {
        const auto step = static_cast<std::int64_t>(state.step);
        if (schedule_.updates_at(step)) {
            auto matrices = detail::prunables_of(model, names());
            for (std::size_t i = 0; i < gathered_.size(); ++i) {
                matrices[i].input.gathered = gathered_[i];
            }
            detail::choose_masks(matrices, criterion_, pattern_, scope_, rule_, schedule_.sparsity_at(step), final_sparsity());
        }
        detail::apply_masks(model);
    }

    template <class Model>
    void on_gradient(Model& model, const training_state& state) requires gathers_gradients<Criterion> {
        std::size_t offset = 0, matrix = 0;
        for_each_member(model, [&](const member_path& path, auto& member) {
            using type = std::remove_reference_t<decltype(member)>;
            if constexpr (has_mask<type>) {
                if (detail::is_among(names(), path.text())) {
                    const auto values = trainable_values(member);
                    gathered_.resize((std::max)(gathered_.size(), matrix + 1));
                    gathered_[matrix].resize(values.size());
                    criterion_.gather(std::span<const float>(values), state.gradient.subspan(offset, values.size()),
                                      std::span<float>(gathered_[matrix]));
                    ++matrix;
                }
            }
            if constexpr (trained_member<type>) {
                offset += trained_count(member);
            }
        });
    }

private:
    const std::vector<std::string>* names() const noexcept { return names_ ? &*names_ : nullptr; }
    double final_sparsity() const noexcept { return schedule_.sparsity_at(schedule_.settles_at()); }

    template <class Model>
    std::optional<error> problem_of(Model& model, const training_state& state) const {
        if (auto problem = schedule_.problem()) {
            return problem;
        }
        const std::size_t steps = state.steps_per_epoch * state.epochs;
        if (steps > 0 && schedule_.settles_at() >= static_cast<std::int64_t>(steps)) {
            return detail::prune_error("",
                                       sentence("expected a schedule that reaches its sparsity within the ", steps,
                                                " steps of the training, found one that does at step ", schedule_.settles_at()));
        }
        const auto first = static_cast<std::int64_t>(state.step);  // not 0 where a checkpoint goes on
        if (gathers_gradients<Criterion> && schedule_.updates_at(first) && schedule_.sparsity_at(first) > 0.0) {
            return detail::prune_error("", sentence("expected a schedule that begins after step ", first,
                                                    ", for a criterion that scores by the "
                                                    "gradients of the steps before, found one that prunes at step ",
                                                    first));
        }
        return detail::pruning_problem(detail::prunables_of(model, names()), criterion_, pattern_, scope_, final_sparsity());
    }

    Criterion criterion_;
    Pattern pattern_;
    Schedule schedule_;
    Scope scope_;
    CountRule rule_;
    std::optional<std::vector<std::string>> names_;
    std::vector<std::vector<float>> gathered_;  // by matrix
};

PARE_NAMESPACE_END

#endif
