#ifndef PARE_TYPES_CSR_HPP
#define PARE_TYPES_CSR_HPP

#include <cstddef>
#include <cstdint>

#include <pare/types/bsr.hpp>

PARE_NAMESPACE_BEGIN

/// Compressed sparse rows: the stored weights of each row in the order of their columns, each with its column in an Index.
template <class Index>
struct basic_csr {
    using index = Index;
    static constexpr const char* name = "csr";
    static constexpr std::size_t most_columns = basic_bsr<1, 1, Index>::most_columns;
    static constexpr std::size_t block_rows = 1;
    static constexpr std::size_t block_columns = 1;

    /// Where the values of a matrix are: stored value i belongs to column column()[i], and to row r where row_begin()[r] <= i <
    /// row_begin()[r + 1]. Blocks of one element.
    using structure = typename basic_bsr<1, 1, Index>::structure;
};

/// Compressed sparse rows of up to 65,535 columns.
using csr = basic_csr<std::uint16_t>;
/// Compressed sparse rows of any width.
using csr32 = basic_csr<std::uint32_t>;

PARE_NAMESPACE_END

#endif
