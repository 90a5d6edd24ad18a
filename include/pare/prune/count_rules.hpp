#ifndef PARE_PRUNE_COUNT_RULES_HPP
#define PARE_PRUNE_COUNT_RULES_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <pare/types/quantization.hpp>
#include <pare/types/sparse_mask.hpp>

PARE_NAMESPACE_BEGIN

/// A count rule says how many of N units are pruned at a sparsity, and which of equal ones: systems disagree.
///
///     sparse_mask choose(std::span<const float> scores, const sparse_mask& before, double sparsity) const
///
/// `before` is what the last mask keeps. Masks are of N numbers. Scores that are NaN count as the highest, -0 as 0.

namespace detail {

/// Integers order as the scores do.
inline std::uint32_t score_order(float score) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(score);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    return magnitude > 0x7f800000u ? 0xffffffffu : magnitude == 0 ? 0x80000000u : bits != magnitude ? ~bits : bits | 0x80000000u;
}

/// Sparsities as counts: round half to even.
inline std::size_t rounded_count(double count) noexcept {
    return static_cast<std::size_t>(std::nearbyint(count));
}

/// Takes the `count` lowest scores, of equal ones the first, out of what the mask keeps. O(N).
inline void prune_lowest(std::span<const float> scores, std::size_t count, sparse_mask& mask) {
    if (count == 0) {
        return;
    }
    PARE_ASSERT(scores.size() <= 0xffffffffu, "at most 2^32 - 1 units, got %zu", scores.size());
    std::vector<std::uint64_t> keys;  // score and position in one integer
    keys.reserve(scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (mask.keeps(i)) {
            keys.push_back(std::uint64_t{score_order(scores[i])} << 32 | i);
        }
    }
    const auto last = static_cast<std::ptrdiff_t>(count - 1);
    std::nth_element(keys.begin(), keys.begin() + last, keys.end());
    for (std::size_t i = 0; i < count; ++i) {
        mask.set(static_cast<std::size_t>(keys[i] & 0xffffffffu), false);
    }
}

inline void assert_sparsity([[maybe_unused]] double sparsity) noexcept {
    PARE_ASSERT(sparsity >= 0.0 && sparsity <= 1.0, "expected a sparsity in [0, 1], got %g", sparsity);
}

}  // namespace detail

/// Exactly RNE(sparsity * N) are pruned, those with the lowest scores; of equal ones those that come first. O(N).
struct exact_count {
    sparse_mask choose(std::span<const float> scores, const sparse_mask&, double sparsity) const {
        detail::assert_sparsity(sparsity);
        sparse_mask mask(1, scores.size());
        detail::prune_lowest(scores, detail::rounded_count(sparsity * static_cast<double>(scores.size())), mask);
        return mask;
    }
};

/// RNE(sparsity * K) of the K that are kept so far are pruned, the lowest first, of equal ones those that come first: 20% twice
/// prunes 36%. torch.nn.utils.prune.
struct torch_count {
    sparse_mask choose(std::span<const float> scores, const sparse_mask& before, double sparsity) const {
        detail::assert_sparsity(sparsity);
        sparse_mask mask = before;
        detail::prune_lowest(scores, detail::rounded_count(sparsity * static_cast<double>(mask.kept())), mask);
        return mask;
    }
};

/// Kept are all scores that are at least the k-th highest, k = max(RNE(N * (1 - sparsity)), 1) in float32: of equal ones all stay,
/// and one is always left. _update_mask in TensorFlow Model Optimization's pruning_impl.py.
struct tfmot_count {
    sparse_mask choose(std::span<const float> scores, const sparse_mask&, double sparsity) const {
        detail::assert_sparsity(sparsity);
        const std::size_t n = scores.size();
        sparse_mask mask(1, n);
        if (n == 0) {
            return mask;
        }
        const float kept = exact_multiply(static_cast<float>(n), opaque(1.0f - static_cast<float>(sparsity)));
        const auto k = (std::min)((std::max)(detail::rounded_count(double{kept}), std::size_t{1}), n);
        std::vector<std::uint32_t> keys(n);
        std::transform(scores.begin(), scores.end(), keys.begin(), detail::score_order);
        const auto nth = keys.begin() + static_cast<std::ptrdiff_t>(k - 1);
        std::nth_element(keys.begin(), nth, keys.end(), [](auto a, auto b) { return a > b; });
        for (std::size_t i = 0; i < n; ++i) {
            mask.set(i, detail::score_order(scores[i]) >= *nth);
        }
        return mask;
    }
};

PARE_NAMESPACE_END

#endif
