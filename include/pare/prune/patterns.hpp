#ifndef PARE_PRUNE_PATTERNS_HPP
#define PARE_PRUNE_PATTERNS_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <pare/types/sparse_mask.hpp>

PARE_NAMESPACE_BEGIN

/// A pattern says which weights can be pruned together: sparse_mask choose(scores [rows * columns], rows, columns, sparsity) const.

/// Any single weight. Exactly RNE(sparsity * N) of the N weights of a matrix are pruned, those with the lowest scores; of equal
/// scores the one that comes first. A score that is NaN counts as the highest. O(N).
struct unstructured {
    template <class Scores>
    sparse_mask choose(const Scores& scores, std::size_t rows, std::size_t columns, double sparsity) const {
        sparse_mask mask(rows, columns);
        const std::size_t n = mask.size();
        PARE_ASSERT(sparsity >= 0.0 && sparsity <= 1.0, "expected a sparsity in [0, 1], got %g", sparsity);
        const auto pruned = static_cast<std::size_t>(std::nearbyint(sparsity * static_cast<double>(n)));
        if (pruned == 0) {
            return mask;
        }
        // Score and position in one integer: floats order as their bits do, once negative ones are mirrored.
        std::vector<std::uint64_t> keys(n);
        for (std::size_t i = 0; i < n; ++i) {
            const auto bits = std::bit_cast<std::uint32_t>(scores[i]);
            const std::uint32_t ordered = (bits & 0x7fffffffu) > 0x7f800000u ? 0xffffffffu
                                          : bits >> 31 != 0                  ? ~bits
                                                                             : bits | 0x80000000u;
            keys[i] = std::uint64_t{ordered} << 32 | i;
        }
        std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(pruned - 1), keys.end());
        for (std::size_t i = 0; i < pruned; ++i) {
            mask.set(static_cast<std::size_t>(keys[i] & 0xffffffffu), false);
        }
        return mask;
    }
};

PARE_NAMESPACE_END

#endif
