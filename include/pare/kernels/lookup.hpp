#ifndef PARE_KERNELS_LOOKUP_HPP
#define PARE_KERNELS_LOOKUP_HPP

#include <cstdint>

#include <pare/kernels/elementwise.hpp>

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

/// out [columns] = the numbers of a row, the product and the sum rounded once each: the same bits on every Isa. O(columns). Codes
/// become floats in a loop that compilers know how to vectorize, which is exact.
struct dequantize_row_operation {
    template <class Isa, class Executor>
    static void run(Executor&, table_row row, float* out) {
        using V = simd::ops<Isa>;
        if (row.bits == 8) {
            for (std::size_t j = 0; j < row.columns; ++j) {
                out[j] = static_cast<float>(row.codes[j]);
            }
        } else {
            for (std::size_t j = 0; j < row.columns / 2; ++j) {
                out[2 * j] = static_cast<float>(row.codes[j] & 15);
                out[2 * j + 1] = static_cast<float>(row.codes[j] >> 4);
            }
            if (row.columns % 2 != 0) {
                out[row.columns - 1] = static_cast<float>(row.codes[row.columns / 2] & 15);
            }
        }
        const auto scale = V::set(row.scale), minimum = V::set(row.minimum);
        transform<Isa>(
            row.columns, out, [&](auto code) { return V::opaque(code * scale) + minimum; }, static_cast<const float*>(out));
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
