#ifndef PARE_TYPES_N_OF_M_HPP
#define PARE_TYPES_N_OF_M_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <pare/core/aligned.hpp>
#include <pare/core/fixed_string.hpp>
#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

/// N:M sparsity: N weights of each M consecutive inputs are stored, each with its place among them in the fewest bits. A group with
/// fewer that are not zero stores zeros too: those that come first. The last group of a row whose inputs M does not divide has
/// fewer inputs; it stores N, or all that there are. 2:4 is that of NVIDIA's sparse tensor cores: Mishra et al. 2021.
template <std::size_t N, std::size_t M>
struct n_of_m {
    static_assert(N > 0 && N < M && M <= 256, "pare: n_of_m<N, M> keeps N of each M inputs: 0 < N < M <= 256");
    static constexpr std::size_t kept = N;
    static constexpr std::size_t group = M;
    static constexpr std::size_t index_bits = std::bit_width(M - 1);
    static constexpr const char* name = template_name<"n_of_m", N, M>.text;
    static constexpr std::size_t most_columns = (std::numeric_limits<std::size_t>::max)();

    /// What keeps a matrix from being stored so: the first group with more than N elements for which keep(row, column) is true.
    template <class Keep>
    static std::optional<std::string> misfit(std::size_t rows, std::size_t columns, const Keep& keep) {
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t first = 0; first < columns; first += M) {
                std::size_t count = 0;
                for (std::size_t c = first; c < first + M && c < columns; ++c) {
                    count += keep(r, c) ? 1u : 0u;
                }
                if (count > N) {
                    return sentence("expected at most ", N, " of ", M, " weights that are not zero, found ", count, " in row ", r,
                                    ", group ", first / M, " (inputs ", first, " to ",
                                    (first + M < columns ? first + M : columns) - 1, ")");
                }
            }
        }
        return std::nullopt;
    }

    /// Where the values of a matrix are: those of a row lie together, group after group, in the order of their columns.
    class structure {
    public:
        structure() noexcept = default;

        /// Stores the elements for which keep(row, column) is true, of which no group has more than N.
        template <class Keep>
        structure(std::size_t rows, std::size_t columns, const Keep& keep)
            : rows_(rows), columns_(columns), indices_(rows * index_bytes_per_row()) {
            for (std::size_t r = 0; r < rows; ++r) {
                std::size_t next = 0;
                for (std::size_t first = 0; first < columns; first += M) {
                    const std::size_t inputs = columns - first < M ? columns - first : M, stores = inputs < N ? inputs : N;
                    std::size_t wanted = 0;
                    for (std::size_t c = 0; c < inputs; ++c) {
                        wanted += keep(r, first + c) ? 1u : 0u;
                    }
                    PARE_ASSERT(wanted <= N, "at most %zu of %zu weights, got %zu in row %zu, group %zu", N, M, wanted, r,
                                first / M);
                    std::size_t zeros = wanted < stores ? stores - wanted : 0;
                    for (std::size_t c = 0, stored = 0; c < inputs && stored < stores; ++c) {
                        const bool kept_one = keep(r, first + c);
                        if (kept_one || zeros > 0) {
                            zeros -= kept_one ? 0u : 1u;
                            set_index(r, next++, c);
                            ++stored;
                        }
                    }
                }
            }
        }
        /// By the indices themselves: see indices().
        structure(std::size_t rows, std::size_t columns, aligned_array<std::uint8_t> indices)
            : rows_(rows), columns_(columns), indices_(std::move(indices)) {
            PARE_ASSERT(indices_.size() == rows * index_bytes_per_row(), "expected %zu bytes of indices, got %zu",
                        rows * index_bytes_per_row(), indices_.size());
        }

        std::size_t rows() const noexcept { return rows_; }
        std::size_t columns() const noexcept { return columns_; }
        std::size_t stored() const noexcept { return rows_ * stored_per_row(); }
        std::size_t bytes() const noexcept { return indices_.size(); }

        std::size_t stored_per_row() const noexcept {
            const std::size_t rest = columns_ % M;
            return columns_ / M * N + (rest < N ? rest : N);
        }
        std::size_t index_bytes_per_row() const noexcept { return (stored_per_row() * index_bits + 7) / 8; }

        /// The places of stored weights in their groups: index_bits each, from the lowest bit of a byte on; rows begin with a byte.
        const aligned_array<std::uint8_t>& indices() const noexcept { return indices_; }

        /// The place in its group of stored value i.
        std::size_t index(std::size_t i) const noexcept { return index(i / stored_per_row(), i % stored_per_row()); }
        /// The column of stored value i.
        std::size_t column(std::size_t i) const noexcept { return i % stored_per_row() / N * M + index(i); }

        template <class F>
        void for_each(F&& f) const {
            const std::size_t count = stored_per_row();
            for (std::size_t r = 0, i = 0; r < rows_; ++r) {
                for (std::size_t j = 0; j < count; ++j, ++i) {
                    f(r, j / N * M + index(r, j), i);
                }
            }
        }

    private:
        struct bit_place {
            std::size_t byte;
            std::size_t shift;
        };
        bit_place place(std::size_t row, std::size_t j) const noexcept {
            return {row * index_bytes_per_row() + j * index_bits / 8, j * index_bits % 8};
        }
        std::size_t index(std::size_t row, std::size_t j) const noexcept {
            const auto [byte, shift] = place(row, j);
            const std::size_t high = shift + index_bits > 8 ? indices_[byte + 1] : 0u;
            return (indices_[byte] | high << 8) >> shift & ((std::size_t{1} << index_bits) - 1);
        }
        void set_index(std::size_t row, std::size_t j, std::size_t index) noexcept {
            const auto [byte, shift] = place(row, j);
            indices_[byte] = static_cast<std::uint8_t>(indices_[byte] | index << shift);
            if (shift + index_bits > 8) {
                indices_[byte + 1] = static_cast<std::uint8_t>(indices_[byte + 1] | index << shift >> 8);
            }
        }

        std::size_t rows_ = 0;
        std::size_t columns_ = 0;
        aligned_array<std::uint8_t> indices_;
    };
};

PARE_NAMESPACE_END

#endif
