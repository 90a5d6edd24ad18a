#ifndef PARE_KERNELS_SPMM_PANELS_HPP
#define PARE_KERNELS_SPMM_PANELS_HPP

#include <pare/core/workspace.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/sparse_groups.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// Products of dense activations and weights of which whole blocks are zero: C = X W^T. Outputs lie in panels as wide as a vector;
/// of each panel, those groups of inputs are stored in which one of its weights is not zero. A block of 16 outputs x 4 inputs of
/// bytes is one vector of AVX-512, two neighbours of AVX2.
namespace kernels {

/// Rows of activations that are brought into the order of the steps at once.
inline constexpr std::size_t spmm_panels_block = 64;

/// The stored groups of all panels, and their product. `Group` inputs are a group: 4, or what steps of floats may have: 1 or 2.
template <class Isa, class Steps, std::size_t Group, class Index>
class sparse_panels {
    using V = simd::ops<Isa>;
    using number = typename Steps::number;
    using value = typename Steps::value;
    using activation = typename Steps::activation;
    static constexpr std::size_t steps = Group / Steps::depth;
    static constexpr std::size_t vector = V::lanes * Steps::depth;
    static constexpr std::size_t panels_at_once = 4;
    static_assert(Group % Steps::depth == 0 && 4 % Group == 0);

public:
    static constexpr const char* name = "spmm_panels";

    sparse_panels() noexcept = default;

    /// for_each(f) calls f(row, column, value) for the weights of a matrix [n, k].
    template <class ForEach>
    sparse_panels(std::size_t n, std::size_t k, const ForEach& for_each)
        : n_(n),
          k_(k),
          groups_(V::lanes, Group, n, k, for_each),
          values_(groups_.stored() * steps * vector),
          column_sums_(std::is_same_v<number, float> ? 0 : padded(n)) {
        for_each([&](std::size_t row, std::size_t column, value v) {
            if (v != 0) {
                const std::size_t lane = row % V::lanes, c = column % Group;
                const std::size_t step = groups_.find(row, column) * steps + c / Steps::depth;
                values_[step * vector + lane * Steps::depth + c % Steps::depth] = v;
                if constexpr (!std::is_same_v<number, float>) {
                    column_sums_[row] += v;
                }
            }
        });
    }

    std::size_t bytes() const noexcept {
        return groups_.bytes() + values_.size() * sizeof(value) + column_sums_.size() * sizeof(std::int32_t);
    }
    const std::int32_t* column_sums() const noexcept { return column_sums_.data(); }

    static constexpr std::size_t scratch_bytes(std::size_t batch, std::size_t k) noexcept {
        return scratch_bytes_of<activation>((batch < spmm_panels_block ? batch : spmm_panels_block) * padded_depth(k));
    }

    /// C [m, n] = X [m, k] * W^T. The epilogue takes the sums and stores. O(m * stored).
    template <class Executor, class X, class Epilogue>
    PARE_NOINLINE void multiply(Executor& executor, arena scratch, std::size_t m, const X* x, std::size_t x_stride,
                                const Epilogue& epilogue) const {
        const std::size_t depth = padded_depth(k_);
        const std::size_t most = m < spmm_panels_block ? m : spmm_panels_block;
        activation* const buffer = scratch.take<activation>(most * depth);
        constexpr std::size_t width = panels_at_once * V::lanes;
        const std::size_t count = (n_ + width - 1) / width;
        for (std::size_t first = 0; first < m; first += most) {
            const std::size_t rows = m - first < most ? m - first : most;
            const std::size_t tiles = tiles_of(rows);
            const activation* xt = buffer;
            if constexpr (std::is_same_v<X, activation>) {
                if (rows == 1 && k_ == depth) {
                    xt = x + first * x_stride;
                }
            }
            if (xt == buffer) {
                for (std::size_t t = 0; t < tiles; ++t) {
                    const row_tile tile = tile_at(rows, t);
                    regroup<Isa, Steps, Group>(x + (first + tile.row) * x_stride, x_stride, tile.rows, tile.rows, k_,
                                               buffer + tile.row * depth);
                }
            }
            const auto run = [&](std::size_t task) {
                const row_tile tile = tile_at(rows, task / count);
                multiply_tile<X, Steps::most_rows>(xt + tile.row * depth, first + tile.row, tile.rows, task % count * width,
                                                   epilogue);
            };
            if (rows * values_.size() < parallel_threshold) {
                serial_executor{}.for_each(tiles * count, run);
            } else {
                executor.for_each(tiles * count, run);
            }
        }
    }

private:
    static constexpr std::size_t padded(std::size_t n) noexcept { return (n + V::lanes - 1) / V::lanes * V::lanes; }
    static constexpr std::size_t padded_depth(std::size_t k) noexcept { return (k + Group - 1) / Group * Group; }

    /// Rows are taken in tiles of most_rows, and what is left in powers of two.
    struct row_tile {
        std::size_t row;
        std::size_t rows;
    };
    static constexpr std::size_t tiles_of(std::size_t rows) noexcept {
        std::size_t tiles = rows / Steps::most_rows;
        for (std::size_t left = rows % Steps::most_rows; left != 0; left &= left - 1) {
            ++tiles;
        }
        return tiles;
    }
    static constexpr row_tile tile_at(std::size_t rows, std::size_t index) noexcept {
        const std::size_t whole = rows / Steps::most_rows;
        if (index < whole) {
            return {index * Steps::most_rows, Steps::most_rows};
        }
        std::size_t row = whole * Steps::most_rows, size = Steps::most_rows / 2;
        for (index -= whole;; row += (rows & size), size /= 2) {
            if ((rows & size) != 0 && index-- == 0) {
                return {row, size};
            }
        }
    }

    /// out [Rows, lanes] = sums of one panel. x [groups, steps, Rows, depth].
    template <std::size_t Rows>
    PARE_FLATTEN PARE_NOINLINE void sum_panel(const activation* x, std::size_t panel, number* out,
                                              std::size_t out_stride) const noexcept {
        constexpr std::size_t chains = Steps::chains(Rows);
        constexpr std::size_t groups_at_once = steps < chains ? chains / steps : 1;
        typename Steps::sum sums[chains][Rows];
        PARE_UNROLL for (std::size_t c = 0; c < chains; ++c) {
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                sums[c][r] = Steps::zero();
            }
        }
        const Index* group = groups_.index.data() + groups_.begin[panel];
        const Index* const end = groups_.index.data() + groups_.begin[panel + 1];
        const value* w = values_.data() + std::size_t{groups_.begin[panel]} * steps * vector;
        const auto add = [&](std::size_t u) {
            const activation* const xg = x + std::size_t{group[u]} * (Rows * Group);
            PARE_UNROLL for (std::size_t s = 0; s < steps; ++s) {
                auto weights = Steps::load(w + (u * steps + s) * vector);
                if constexpr (Rows > 1) {
                    weights = simd::in_register(weights);
                }
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    auto& sum = sums[(u * steps + s) % chains][r];
                    sum = Steps::add(sum, xg + (s * Rows + r) * Steps::depth, weights);
                }
            }
        };
        for (; static_cast<std::size_t>(end - group) >= groups_at_once;
             group += groups_at_once, w += groups_at_once * steps * vector) {
            PARE_UNROLL for (std::size_t u = 0; u < groups_at_once; ++u) {
                add(u);
            }
        }
        for (; group != end; ++group, w += steps * vector) {
            add(0);
        }
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            auto sum = sums[0][r];
            if constexpr (chains == 4) {
                sum = (sum + sums[1][r]) + (sums[2][r] + sums[3][r]);
            } else if constexpr (chains == 2) {
                sum = sum + sums[1][r];
            }
            V::store(out + r * out_stride, sum);
        }
    }

    /// Some panels, from `column` on, of rows in the order of regroup().
    template <class X, std::size_t Rows, class Epilogue>
    void multiply_tile(const activation* x, std::size_t row, std::size_t rows, std::size_t column,
                       const Epilogue& epilogue) const noexcept {
        if constexpr (Rows > 1) {
            if (rows < Rows) {
                multiply_tile<X, Rows / 2>(x, row, rows, column, epilogue);
                return;
            }
        }
        constexpr std::size_t width = panels_at_once * V::lanes;
        alignas(64) number tile[Rows * width];
        const std::size_t columns = n_ - column < width ? n_ - column : width;
        for (std::size_t c = 0; c < columns; c += V::lanes) {
            sum_panel<Rows>(x, (column + c) / V::lanes, tile + c, width);
            if constexpr (Steps::template correction<X> != 0) {
                const auto shift = V::load(column_sums_.data() + column + c) * V::set(Steps::template correction<X>);
                for (std::size_t r = 0; r < Rows; ++r) {
                    V::store(tile + r * width + c, V::load(tile + r * width + c) + shift);
                }
            }
        }
        epilogue.template finish<Isa>(tile, width, row, Rows, column, columns);
    }

    std::size_t n_ = 0;
    std::size_t k_ = 0;
    sparse_groups<Index> groups_;
    aligned_array<value> values_;              // [stored, steps, lanes, depth]
    aligned_array<std::int32_t> column_sums_;  // [padded n], of bytes
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
