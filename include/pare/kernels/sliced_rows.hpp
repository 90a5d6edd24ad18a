#ifndef PARE_KERNELS_SLICED_ROWS_HPP
#define PARE_KERNELS_SLICED_ROWS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <pare/core/aligned.hpp>
#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Compressed sparse rows as a model has them.
template <class Value, class Index>
struct csr_view {
    const std::uint32_t* row_begin;  // [n + 1]
    const Index* column;             // [stored]
    const Value* values;             // [stored]
    std::size_t n;
    std::size_t k;
};

/// The same weights in slices: as many rows as a vector has lanes, side by side, each in a lane of its own. The rows of a window of
/// some slices are sorted by their lengths, so that those of a slice are about as long: SELL-C-sigma, Kreutzer et al. 2014. A lane
/// whose row has ended holds -0.0 for column k, which the kernels set to zero: adding the product changes no sum, whatever the
/// activations are. Slice s is steps [slice_begin[s], slice_begin[s + 1]).
template <class Value, class Index>
struct sliced_rows_view {
    const std::uint32_t* slice_begin;  // [slices + 1]
    const std::uint8_t* output;        // [slices, lanes], which row of its window it is
    const Index* column;               // [steps, lanes]
    const Value* values;               // [steps, lanes]
    std::size_t n;
    std::size_t k;
    std::size_t stored;
};

/// Rows that are sorted, and finished, together.
template <class Isa>
inline constexpr std::size_t window_rows = 8 * simd::ops<Isa>::lanes;

template <class Isa, class Value, class Index>
class sliced_rows {
public:
    static constexpr std::size_t lanes = simd::ops<Isa>::lanes;

    explicit sliced_rows(const csr_view<Value, Index>& w)
        : n_(w.n),
          k_(w.k),
          stored_(w.row_begin[w.n]),
          slice_begin_((w.n + lanes - 1) / lanes + 1),
          output_((slice_begin_.size() - 1) * lanes) {
        PARE_ASSERT(w.k <= static_cast<Index>(-1), "indices of %zu bytes number fewer than %zu columns", sizeof(Index), w.k);
        const auto length_of = [&](std::size_t row) { return row < w.n ? w.row_begin[row + 1] - w.row_begin[row] : 0u; };
        std::vector<std::size_t> order(output_.size());  // of rows in the lanes
        for (std::size_t i = 0; i < order.size(); ++i) {
            order[i] = i;
        }
        for (std::size_t first = 0; first < order.size(); first += window_rows<Isa>) {
            const std::size_t end = (std::min)(first + window_rows<Isa>, order.size());
            std::sort(order.begin() + static_cast<std::ptrdiff_t>(first), order.begin() + static_cast<std::ptrdiff_t>(end),
                      [&](std::size_t a, std::size_t b) {
                          const auto length_a = length_of(a), length_b = length_of(b);
                          return length_a != length_b ? length_a > length_b : a < b;
                      });
        }
        for (std::size_t i = 0; i < order.size(); ++i) {
            output_[i] = static_cast<std::uint8_t>(order[i] % window_rows<Isa>);
        }
        for (std::size_t s = 0; s + 1 < slice_begin_.size(); ++s) {
            slice_begin_[s + 1] = slice_begin_[s] + length_of(order[s * lanes]);
        }
        column_ = aligned_array<Index>(std::size_t{slice_begin_[slice_begin_.size() - 1]} * lanes);
        values_ = aligned_array<Value>(column_.size());
        std::fill(column_.begin(), column_.end(), static_cast<Index>(w.k));
        std::fill(values_.begin(), values_.end(), static_cast<Value>(-0.0f));
        for (std::size_t i = 0; i < order.size(); ++i) {
            std::size_t at = std::size_t{slice_begin_[i / lanes]} * lanes + i % lanes;
            for (std::size_t j = 0; j < length_of(order[i]); ++j, at += lanes) {
                column_[at] = w.column[w.row_begin[order[i]] + j];
                values_[at] = w.values[w.row_begin[order[i]] + j];
            }
        }
    }

    std::size_t rows() const noexcept { return n_; }
    std::size_t columns() const noexcept { return k_; }
    std::size_t stored() const noexcept { return stored_; }
    std::size_t bytes() const noexcept {
        return slice_begin_.size() * sizeof(std::uint32_t) + output_.size() + column_.size() * sizeof(Index) +
               values_.size() * sizeof(Value);
    }
    sliced_rows_view<Value, Index> view() const noexcept {
        return {slice_begin_.data(), output_.data(), column_.data(), values_.data(), n_, k_, stored_};
    }

private:
    std::size_t n_, k_, stored_;
    aligned_array<std::uint32_t> slice_begin_;
    aligned_array<std::uint8_t> output_;
    aligned_array<Index> column_;
    aligned_array<Value> values_;
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
