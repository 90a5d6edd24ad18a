#ifndef PARE_TYPES_SPARSE_MASK_HPP
#define PARE_TYPES_SPARSE_MASK_HPP

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

    /// Sets the numbers that are not kept to zero. `values` has size() elements.
    template <class T>
    void apply(T* values) const noexcept {
        for (std::size_t first = 0; first < size(); first += 64) {
            const std::uint64_t word = words_[first / 64];
            const std::size_t count = size() - first < 64 ? size() - first : 64;
            for (std::size_t i = 0; word != ~std::uint64_t{0} && i < count; ++i) {
                values[first + i] = (word >> i & 1u) != 0 ? values[first + i] : T{};
            }
        }
    }

private:
    std::size_t rows_ = 0;
    std::size_t columns_ = 0;
    aligned_array<std::uint64_t> words_;
};

PARE_NAMESPACE_END

#endif
