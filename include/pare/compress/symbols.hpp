#ifndef PARE_COMPRESS_SYMBOLS_HPP
#define PARE_COMPRESS_SYMBOLS_HPP

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// How often each symbol, a byte, occurs.
using symbol_counts = std::array<std::uint64_t, 256>;

inline symbol_counts count_symbols(std::span<const std::uint8_t> symbols) noexcept {
    symbol_counts counts{};
    for (const std::uint8_t s : symbols) {
        ++counts[s];
    }
    return counts;
}

/// The fewest bits in which symbols of these counts can be coded one by one: - sum_s n_s log2(n_s / n). Shannon 1948, theorem 9.
inline double entropy_bits(const symbol_counts& counts) noexcept {
    double n = 0.0;
    for (const std::uint64_t count : counts) {
        n += static_cast<double>(count);
    }
    double bits = 0.0;
    for (const std::uint64_t count : counts) {
        if (count != 0) {
            bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / n);
        }
    }
    return bits;
}

namespace detail {

/// What a table of codes says of the symbols from `first` to `last`; none where first > last.
struct symbol_range {
    std::size_t first = 256;
    std::size_t last = 0;

    explicit symbol_range(const symbol_counts& counts) noexcept {
        for (std::size_t s = 0; s < counts.size(); ++s) {
            if (counts[s] != 0) {
                first = first < s ? first : s;
                last = s;
            }
        }
    }
};

/// Takes bytes from the front of what is left of them.
class byte_source {
public:
    explicit byte_source(std::span<const std::uint8_t> data) noexcept : left_(data) {}

    std::optional<std::size_t> byte() noexcept {
        if (left_.empty()) {
            return std::nullopt;
        }
        const std::size_t value = left_[0];
        left_ = left_.subspan(1);
        return value;
    }
    std::span<const std::uint8_t> left() const noexcept { return left_; }

private:
    std::span<const std::uint8_t> left_;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
