#ifndef PARE_TYPES_FULL_HPP
#define PARE_TYPES_FULL_HPP

#include <cstddef>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// The layout that stores every weight, row after row.
struct full {
    static constexpr const char* name = "full";

    /// Where the values of a matrix are: stored value i belongs to row i / columns, column i % columns.
    class structure {
    public:
        structure() noexcept = default;
        structure(std::size_t rows, std::size_t columns) noexcept : rows_(rows), columns_(columns) {}
        /// As other layouts; this one keeps every element.
        template <class Keep>
        structure(std::size_t rows, std::size_t columns, const Keep&) noexcept : structure(rows, columns) {}

        std::size_t rows() const noexcept { return rows_; }
        std::size_t columns() const noexcept { return columns_; }
        std::size_t stored() const noexcept { return rows_ * columns_; }
        static constexpr std::size_t bytes() noexcept { return 0; }

        /// Calls f(row, column, index of the stored value) for every stored value, in the order of storage.
        template <class F>
        void for_each(F&& f) const {
            for (std::size_t r = 0, i = 0; r < rows_; ++r) {
                for (std::size_t c = 0; c < columns_; ++c, ++i) {
                    f(r, c, i);
                }
            }
        }

    private:
        std::size_t rows_ = 0;
        std::size_t columns_ = 0;
    };
};

PARE_NAMESPACE_END

#endif
