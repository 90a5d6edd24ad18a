#ifndef PARE_KERNELS_LOOKUP_HPP
#define PARE_KERNELS_LOOKUP_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// One row of a table of row_quint: number j is codes[j] * scale + minimum, where codes have 8 bits, or 4.
struct table_row {
    const std::uint8_t* codes;
    std::size_t columns;
    std::size_t bits;
    float scale;
    float minimum;
};

/// out [columns] = the numbers of a row, the product and the sum rounded once each: the same bits on every Isa. O(columns), some
/// codes at a time, of 4 bits made bytes first.
struct dequantize_row_operation {
    template <class Isa, class Executor>
    static void run(Executor&, table_row row, float* out) {
        using V = simd::ops<Isa>;
        constexpr std::size_t block = 64;
        const auto scale = V::set(row.scale), minimum = V::set(row.minimum);
        for (std::size_t first = 0; first < row.columns; first += block) {
            const std::size_t count = row.columns - first < block ? row.columns - first : block;
            alignas(64) std::uint8_t copy[block] = {};
            const std::uint8_t* codes = row.codes + first * row.bits / 8;
            if (row.bits == 4) {
                for (std::size_t j = 0; j < (count + 1) / 2; ++j) {
                    copy[2 * j] = codes[j] & 15;
                    copy[2 * j + 1] = static_cast<std::uint8_t>(codes[j] >> 4);
                }
                codes = copy;
            } else if (count < block) {
                std::memcpy(copy, codes, count);
                codes = copy;
            }
            for (std::size_t j = 0; j < count; j += V::lanes) {
                const auto numbers = V::opaque(V::to_float(V::load_widened(codes + j)) * scale) + minimum;
                if (j + V::lanes <= count) {
                    V::store(out + first + j, numbers);
                } else {
                    V::store_partial(out + first + j, numbers, count - j);
                }
            }
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
