#ifndef PARE_PRUNE_MASKS_HPP
#define PARE_PRUNE_MASKS_HPP

#include <optional>
#include <string>
#include <vector>

#include <pare/nn/masked.hpp>
#include <pare/nn/selection.hpp>
#include <pare/prune/patterns.hpp>

PARE_NAMESPACE_BEGIN

/// Which weights of a member of a model are kept: of "0.weight", [outputs, inputs]; of a convolution [outputs, height * width *
/// inputs], as everywhere here.
struct member_mask {
    std::string path;
    sparse_mask mask;

    bool operator==(const member_mask&) const = default;
};

/// Masks by the paths of their members, in any order.
using model_masks = std::vector<member_mask>;

namespace detail {

/// What a storage keeps: its mask, where it has one, else the weights that are not zero.
template <class Weights>
sparse_mask mask_of(const Weights& w) {
    sparse_mask mask(w.rows(), w.columns());
    const auto keep_what_is_not_zero = [&](const auto& matrix) {
        for (std::size_t i = 0; i < mask.size(); ++i) {
            mask.set(i, false);
        }
        matrix.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
            mask.set(row * mask.columns() + column, matrix.real(row, i) != 0.0f);
        });
    };
    if constexpr (has_mask<const Weights>) {
        mask = masked_in(w)->mask;
    } else if constexpr (requires { w.structure; }) {
        keep_what_is_not_zero(w);
    } else if constexpr (requires { w.chosen(); }) {
        w.visit([&](auto, const auto& matrix) { keep_what_is_not_zero(matrix); });
    } else {
        keep_what_is_not_zero(w.frozen());
    }
    return mask;
}

template <class Member>
concept masked_or_matrix = requires(const Member& w) {
    w.rows();
    w.columns();
    w.describe();
};

template <class Pattern>
struct set_masks {
    const model_masks* masks;
    std::vector<bool>* taken;
    std::optional<error>* problem;

    template <class Activations>
    auto operator()(const member_path& path, const weight_matrix<float, full>& w, Activations a) const {
        return mapped_weights<masked<Pattern, weight_matrix<float, full>>, Activations>{
            with_mask(path, masked<Pattern, weight_matrix<float, full>>(w)), a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a) const {
        static_assert(has_mask<const Weights>,
                      "pare: with_masks() takes a model of float weights, or one that has masks: prune before you quantize");
        if constexpr (has_mask<const Weights>) {
            return mapped_weights<Weights, Activations>{with_mask(path, w), a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }

private:
    template <class Weights>
    Weights with_mask(const member_path& path, Weights w) const {
        bool found = false;
        const auto fail = [&](const std::string& name, const std::string& expected, const std::string& given) {
            if (!*problem) {
                *problem =
                    error{error_code::invalid_argument, sentence("with_masks: ", name, ": expected ", expected, ", found ", given)};
            }
        };
        for (std::size_t i = 0; i < masks->size(); ++i) {
            const auto& [name, mask] = (*masks)[i];
            if (name != path.text()) {
                continue;
            }
            (*taken)[i] = true;
            if (found) {
                fail(name, "one mask", "a second one");
            } else if (mask.rows() != w.rows() || mask.columns() != w.columns()) {
                fail(name, sentence("a mask of ", w.rows(), " x ", w.columns()),
                     sentence("one of ", mask.rows(), " x ", mask.columns()));
            } else {
                masked_in(w)->mask = mask;
            }
            found = true;
        }
        w.apply_mask();
        if constexpr (requires { w.template refresh<isa::scalar>(); }) {
            w.template refresh<isa::scalar>();
        }
        return w;
    }
};

}  // namespace detail

/// The masks of all weights of a model, by their paths, in the order of members: of masked ones the mask, of others (of a model
/// that is frozen, sparse, quantized) where they are not zero. O(parameters).
template <class Model>
model_masks masks_of(const Model& model) {
    model_masks masks;
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if constexpr (detail::masked_or_matrix<std::remove_cvref_t<decltype(member)>>) {
            masks.push_back({path.text(), detail::mask_of(member)});
        }
    });
    return masks;
}

/// The model with these masks on its weights: float ones become masked<Pattern, ...>, masked ones take the new mask instead of
/// theirs. What a mask does not keep is zero from here on, and fit() leaves it so. Weights without a mask in the list keep what
/// they keep.
///
///     auto ticket = with_masks(initial, masks_of(pruned));           // Frankle, Carbin 2019
///     with_masks(model, {{"0.weight", mask}}, only<"0">{})           // a mask of one's own
///
/// Takes a model or a result of one. Errors, which name the member, what was expected and what was found: a mask of another shape
/// than its weights, two for the same weights, one for weights that the model, or the selection, does not have.
template <class Pattern = unstructured, class Model, class Selection = every_layer>
auto with_masks(const Model& model, const model_masks& masks, Selection selection = {}) {
    return and_then(model, [&](const auto& m) {
        std::vector<bool> taken(masks.size());
        std::optional<error> problem;
        auto made = map_selected_weights(m, detail::set_masks<Pattern>{&masks, &taken, &problem}, selection);
        using outcome = result<decltype(made)>;
        for (std::size_t i = 0; i < masks.size() && !problem; ++i) {
            if (!taken[i]) {
                problem = error{
                    error_code::invalid_argument,
                    sentence("with_masks: expected masks of weights that the model has, found one of \"", masks[i].path, "\"")};
            }
        }
        return problem ? outcome(*std::move(problem)) : outcome(std::move(made));
    });
}

PARE_NAMESPACE_END

#endif
