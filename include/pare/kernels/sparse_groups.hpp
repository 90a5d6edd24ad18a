#ifndef PARE_KERNELS_SPARSE_GROUPS_HPP
#define PARE_KERNELS_SPARSE_GROUPS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <pare/core/aligned.hpp>
#include <pare/simd/dot4.hpp>

PARE_NAMESPACE_BEGIN

/// What products with sparse weights in groups of inputs have in common.
namespace kernels {

/// How stored weights are multiplied: a step adds `depth` products to the sum in each lane.
template <class Isa>
struct float_steps {
    using V = simd::ops<Isa>;
    using number = float;
    using value = float;
    using activation = float;
    using sum = typename V::f32;
    static constexpr std::size_t depth = 1;
    /// Sums per output, as a lone one would wait for itself: one number for every batch, so that a sample has the same bits in all.
    static constexpr std::size_t chains(std::size_t) noexcept { return 4; }
    static constexpr std::size_t most_rows = V::f32_tile.rows * V::f32_tile.vectors >= 16 ? 4 : 2;
    template <class X>
    static constexpr std::int32_t correction = 0;

    PARE_INLINE static sum zero() noexcept { return V::set(0.0f); }
    PARE_INLINE static sum add(sum s, const float* x, sum w) noexcept { return V::fma(V::set(*x), w, s); }
    PARE_INLINE static sum load(const float* w) noexcept { return V::load(w); }
};

/// Exact sums, in any order.
template <class Isa>
struct byte_steps {
    using V = simd::ops<Isa>;
    using number = std::int32_t;
    using value = std::int8_t;
    using activation = typename V::activation;
    using sum = typename V::i32;
    static constexpr std::size_t depth = V::dot_depth;
    static constexpr std::size_t chains(std::size_t rows) noexcept { return rows < 4 ? 4 / rows : 1; }
    static constexpr std::size_t most_rows = V::int8_tile.rows * V::int8_tile.vectors >= 20 ? 16 : 8;
    template <class X>
    static constexpr std::int32_t correction = simd::shift_correction<Isa, X>;

    PARE_INLINE static sum zero() noexcept { return V::set(std::int32_t{0}); }
    PARE_INLINE static sum add(sum s, const activation* x, typename V::weights w) noexcept { return V::dot(s, V::broadcast(x), w); }
    PARE_INLINE static auto load(const std::int8_t* w) noexcept { return V::load_weights(w); }
};

/// Which groups of inputs hold a weight that is not zero, for each panel of `width` outputs, in ascending order.
template <class Index>
struct sparse_groups {
    std::size_t width = 1;
    std::size_t group = 1;
    aligned_array<std::uint32_t> begin;  // [panels + 1], in stored groups
    aligned_array<Index> index;          // [stored]

    sparse_groups() noexcept = default;

    /// for_each(f) calls f(row, column, value) for the weights of a matrix [n, k].
    template <class ForEach>
    sparse_groups(std::size_t panel_width, std::size_t group_inputs, std::size_t n, std::size_t k, const ForEach& for_each)
        : width(panel_width), group(group_inputs), begin((n + width - 1) / width + 1) {
        const std::size_t panels = begin.size() - 1, groups = (k + group - 1) / group;
        aligned_array<bool> kept(panels * groups);
        for_each(
            [&](std::size_t row, std::size_t column, auto value) { kept[row / width * groups + column / group] |= value != 0; });
        for (std::size_t p = 0; p < panels; ++p) {
            const bool* const of_panel = kept.data() + p * groups;
            begin[p + 1] = begin[p] + static_cast<std::uint32_t>(std::count(of_panel, of_panel + groups, true));
        }
        index = aligned_array<Index>(begin[panels]);
        for (std::size_t p = 0, i = 0; p < panels; ++p) {
            for (std::size_t g = 0; g < groups; ++g) {
                if (kept[p * groups + g]) {
                    index[i++] = static_cast<Index>(g);
                }
            }
        }
    }

    std::size_t stored() const noexcept { return index.size(); }
    std::size_t bytes() const noexcept { return begin.size() * sizeof(std::uint32_t) + index.size() * sizeof(Index); }

    /// Where the group of this weight, which is not zero, is stored.
    std::size_t find(std::size_t row, std::size_t column) const noexcept {
        const Index* const all = index.data();
        const std::size_t panel = row / width;
        return static_cast<std::size_t>(
            std::lower_bound(all + begin[panel], all + begin[panel + 1], static_cast<Index>(column / group)) - all);
    }
};

/// out [groups, Group / depth, width, depth] = the first `rows` of `width` rows x [rows, k], in the kind that steps take; what is
/// beyond k is zero, other rows are not written.
template <class Isa, class Steps, std::size_t Group, class X>
void regroup(const X* x, std::size_t x_stride, std::size_t rows, std::size_t width, std::size_t k,
             typename Steps::activation* out) noexcept {
    using activation = typename Steps::activation;
    constexpr std::size_t depth = Steps::depth, lanes = simd::ops<Isa>::lanes;
    constexpr bool same = std::is_same_v<X, activation>;
    const std::size_t whole = k / Group;
    std::size_t row = 0, done = 0;  // groups `done` of the rows up to `row` are
    const auto put = [&](std::size_t r, std::size_t first) {
        for (std::size_t g = first; g < whole; ++g) {
            for (std::size_t s = 0; s < Group; s += depth) {
                activation* const step = out + (g * Group + s) * width + r * depth;
                if constexpr (same) {
                    std::memcpy(step, x + r * x_stride + g * Group + s, sizeof(activation) * depth);
                } else {
                    for (std::size_t d = 0; d < depth; ++d) {
                        step[d] = static_cast<activation>(x[r * x_stride + g * Group + s + d] - Steps::template correction<X>);
                    }
                }
            }
        }
        for (std::size_t c = whole * Group; c < (k + Group - 1) / Group * Group; ++c) {
            out[c / depth * depth * width + r * depth + c % depth] =
                c < k ? static_cast<activation>(x[r * x_stride + c] - static_cast<X>(Steps::template correction<X>))
                      : activation{0};
        }
    };
    if constexpr (same && std::is_same_v<X, std::uint8_t> && depth == 4 && Group == 4 && simd::transposes_fours<Isa>) {
        done = whole / 4 * 4;
        for (; row + lanes <= rows; row += lanes) {
            for (std::size_t g = 0; g < done; g += 4) {
                simd::ops<Isa>::transpose_fours(x + row * x_stride + g * Group, x_stride, out + (g * width + row) * Group,
                                                width * Group);
            }
        }
    }
    for (std::size_t r = 0; r < rows; ++r) {
        put(r, r < row ? done : 0);
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
