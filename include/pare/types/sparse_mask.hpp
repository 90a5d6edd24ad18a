#ifndef PARE_TYPES_SPARSE_MASK_HPP
#define PARE_TYPES_SPARSE_MASK_HPP

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <pare/core/aligned.hpp>

PARE_NAMESPACE_BEGIN

/// Which weights of a matrix are kept: one bit each, row-major. A new mask keeps all.
class sparse_mask {
public:
    sparse_mask() noexcept = default;
    sparse_mask(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns), words_((rows * columns + 63) / 64) {
        for (auto& word : words_) {
            word = ~std::uint64_t{0};
        }
        if (size() % 64 != 0) {
            words_[words_.size() - 1] = (std::uint64_t{1} << size() % 64) - 1;
        }
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t size() const noexcept { return rows_ * columns_; }

    bool keeps(std::size_t i) const noexcept { return (words_[i / 64] >> i % 64 & 1u) != 0; }
    bool keeps(std::size_t row, std::size_t column) const noexcept { return keeps(row * columns_ + column); }
    void set(std::size_t i, bool keep) noexcept {
        PARE_ASSERT(i < size(), "weight %zu of a mask of %zu", i, size());
        const std::uint64_t bit = std::uint64_t{1} << i % 64;
        words_[i / 64] = keep ? words_[i / 64] | bit : words_[i / 64] & ~bit;
    }

    std::size_t kept() const noexcept {
        std::size_t count = 0;
        for (const auto word : words_) {
            count += static_cast<std::size_t>(std::popcount(word));
        }
        return count;
    }
    /// The fraction of weights that are not kept.
    float sparsity() const noexcept { return size() == 0 ? 0.0f : 1.0f - static_cast<float>(kept()) / static_cast<float>(size()); }

    /// Sets the numbers that are not kept to zero. `values` has size() elements. No branches on single bits: compilers make vectors
    /// of it.
    template <class T>
    void apply(T* values) const noexcept {
        for (std::size_t first = 0; first < size(); first += 64) {
            const std::uint64_t word = words_[first / 64];
            if (word == ~std::uint64_t{0}) {
                continue;
            }
            if (size() - first >= 64) {
                keep_32(static_cast<std::uint32_t>(word & 0xffffffffu), values + first);
                keep_32(static_cast<std::uint32_t>(word >> 32), values + first + 32);
            } else {
                for (std::size_t i = first; i < size(); ++i) {
                    values[i] = keeps(i) ? values[i] : T{};
                }
            }
        }
    }

    bool operator==(const sparse_mask& other) const noexcept {
        return rows_ == other.rows_ && columns_ == other.columns_ && std::equal(words_.begin(), words_.end(), other.words_.begin());
    }

private:
    template <class T>
    static void keep_32(std::uint32_t bits, T* values) noexcept {
        for (std::uint32_t i = 0; i < 32; ++i) {
            values[i] = (bits & std::uint32_t{1} << i) != 0 ? values[i] : T{};
        }
    }

    std::size_t rows_ = 0;
    std::size_t columns_ = 0;
    aligned_array<std::uint64_t> words_;
};

PARE_NAMESPACE_END

#endif
