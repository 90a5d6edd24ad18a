#ifndef PARE_TYPES_BSR_HPP
#define PARE_TYPES_BSR_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <pare/core/aligned.hpp>
#include <pare/core/fixed_string.hpp>

PARE_NAMESPACE_BEGIN

/// Block compressed sparse rows: of the blocks of R outputs x C inputs into which a matrix divides from its first element on, those
/// that hold something, row of blocks after row of blocks, each with its place in an Index. A block is stored in full, row by row:
/// R * C values. Where R or C do not divide the matrix, the last blocks reach beyond it; values there are zero and no weights.
template <std::size_t R, std::size_t C, class Index>
struct basic_bsr {
    static_assert(R > 0 && C > 0, "pare: a block has at least one row and one column");
    using index = Index;
    static constexpr std::size_t block_rows = R;
    static constexpr std::size_t block_columns = C;
    static constexpr const char* name = template_name<"bsr", R, C>.text;
    /// That many as columns of their own, so that kernels may number inputs, or fill up with the greatest index.
    static constexpr std::size_t most_columns = (std::numeric_limits<Index>::max)();

    /// Where the values of a matrix are: stored block b, values b * R * C to (b + 1) * R * C, belongs to the inputs from
    /// column()[b] * C on, and to the outputs from r * R on where row_begin()[r] <= b < row_begin()[r + 1].
    class structure {
    public:
        structure() noexcept = default;

        /// Stores the blocks with an element for which keep(row, column) is true.
        template <class Keep>
        structure(std::size_t rows, std::size_t columns, const Keep& keep)
            : rows_(rows), columns_(columns), row_begin_((rows + R - 1) / R + 1) {
            const auto keeps_block = [&](std::size_t row, std::size_t column) {
                for (std::size_t r = row; r < row + R && r < rows; ++r) {
                    for (std::size_t c = column; c < column + C && c < columns; ++c) {
                        if (keep(r, c)) {
                            return true;
                        }
                    }
                }
                return false;
            };
            const std::size_t last = row_begin_.size() - 1;
            for (std::size_t r = 0; r < last; ++r) {
                row_begin_[r + 1] = row_begin_[r];
                for (std::size_t c = 0; c < columns; c += C) {
                    row_begin_[r + 1] += keeps_block(r * R, c) ? 1u : 0u;
                }
            }
            PARE_ASSERT(columns <= most_columns || row_begin_[last] == 0,
                        "a sparse layout with %zu-byte indices holds at most %zu columns, got %zu", sizeof(Index), most_columns,
                        columns);
            column_ = aligned_array<Index>(row_begin_[last]);
            for (std::size_t r = 0, b = 0; r < last; ++r) {
                for (std::size_t c = 0; c < columns; c += C) {
                    if (keeps_block(r * R, c)) {
                        column_[b++] = static_cast<Index>(c / C);
                    }
                }
            }
        }

        /// Takes what row_begin() and column() are, of which the caller knows that they are ones: those of a file that was checked.
        structure(std::size_t rows, std::size_t columns, aligned_array<std::uint32_t> row_begin, aligned_array<Index> column)
            : rows_(rows), columns_(columns), row_begin_(std::move(row_begin)), column_(std::move(column)) {
            PARE_ASSERT(row_begin_.size() == rows_of_blocks() + 1 && row_begin_[rows_of_blocks()] == column_.size(),
                        "%zu beginnings of %zu rows of blocks, %zu blocks", row_begin_.size(), rows_of_blocks(), column_.size());
        }

        std::size_t rows() const noexcept { return rows_; }
        std::size_t columns() const noexcept { return columns_; }
        std::size_t stored() const noexcept { return column_.size() * (R * C); }
        std::size_t bytes() const noexcept { return row_begin_.size() * sizeof(std::uint32_t) + column_.size() * sizeof(Index); }

        std::size_t blocks() const noexcept { return column_.size(); }
        std::size_t rows_of_blocks() const noexcept { return (rows_ + R - 1) / R; }
        const std::uint32_t* row_begin() const noexcept { return row_begin_.data(); }
        const Index* column() const noexcept { return column_.data(); }

        /// Calls f(row, column, index of the stored value) for every stored weight, in the order of storage.
        template <class F>
        void for_each(F&& f) const {
            for (std::size_t row = 0, first = 0; row < rows_; row += R, ++first) {
                for (std::size_t b = row_begin_[first]; b < row_begin_[first + 1]; ++b) {
                    const std::size_t column = std::size_t{column_[b]} * C;
                    for (std::size_t r = 0; r < R && row + r < rows_; ++r) {
                        for (std::size_t c = 0; c < C && column + c < columns_; ++c) {
                            f(row + r, column + c, (b * R + r) * C + c);
                        }
                    }
                }
            }
        }

    private:
        std::size_t rows_ = 0;
        std::size_t columns_ = 0;
        aligned_array<std::uint32_t> row_begin_;
        aligned_array<Index> column_;
    };
};

/// Blocks of R outputs x C inputs, of up to 65,535 inputs. Kernels multiply 16 x 4 at the best speed, 4
/// inputs being what a dot product of bytes takes; see docs/performance.md for others.
template <std::size_t R, std::size_t C>
using bsr = basic_bsr<R, C, std::uint16_t>;
/// Of any width.
template <std::size_t R, std::size_t C>
using bsr32 = basic_bsr<R, C, std::uint32_t>;

PARE_NAMESPACE_END

#endif
