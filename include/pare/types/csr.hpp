#ifndef PARE_TYPES_CSR_HPP
#define PARE_TYPES_CSR_HPP

#include <cstddef>
#include <cstdint>
#include <limits>

#include <pare/core/aligned.hpp>

PARE_NAMESPACE_BEGIN

/// Compressed sparse rows: the stored weights of each row in the order of their columns, each with its column in an Index.
template <class Index>
struct basic_csr {
    using index = Index;
    static constexpr const char* name = "csr";
    static constexpr std::size_t most_columns = std::size_t{(std::numeric_limits<Index>::max)()} + 1;

    /// Where the values of a matrix are: stored value i belongs to column column()[i], and to row r where row_begin()[r] <= i <
    /// row_begin()[r + 1].
    class structure {
    public:
        structure() noexcept = default;

        /// Stores the elements for which keep(row, column) is true.
        template <class Keep>
        structure(std::size_t rows, std::size_t columns, const Keep& keep) : rows_(rows), columns_(columns), row_begin_(rows + 1) {
            for (std::size_t r = 0; r < rows; ++r) {
                row_begin_[r + 1] = row_begin_[r];
                for (std::size_t c = 0; c < columns; ++c) {
                    row_begin_[r + 1] += keep(r, c) ? 1u : 0u;
                }
            }
            PARE_ASSERT(columns <= most_columns || row_begin_[rows] == 0,
                        "a csr layout with %zu-byte indices holds at most %zu columns, got %zu; use csr32", sizeof(Index),
                        most_columns, columns);
            column_ = aligned_array<Index>(row_begin_[rows]);
            for (std::size_t r = 0, i = 0; r < rows; ++r) {
                for (std::size_t c = 0; c < columns; ++c) {
                    if (keep(r, c)) {
                        column_[i++] = static_cast<Index>(c);
                    }
                }
            }
        }

        std::size_t rows() const noexcept { return rows_; }
        std::size_t columns() const noexcept { return columns_; }
        std::size_t stored() const noexcept { return column_.size(); }
        std::size_t bytes() const noexcept { return row_begin_.size() * sizeof(std::uint32_t) + column_.size() * sizeof(Index); }

        const std::uint32_t* row_begin() const noexcept { return row_begin_.data(); }
        const Index* column() const noexcept { return column_.data(); }

        template <class F>
        void for_each(F&& f) const {
            for (std::size_t r = 0; r < rows_; ++r) {
                for (std::size_t i = row_begin_[r]; i < row_begin_[r + 1]; ++i) {
                    f(r, std::size_t{column_[i]}, i);
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

/// Compressed sparse rows of up to 65,536 columns.
using csr = basic_csr<std::uint16_t>;
/// Compressed sparse rows of any width.
using csr32 = basic_csr<std::uint32_t>;

PARE_NAMESPACE_END

#endif
