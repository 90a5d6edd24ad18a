#ifndef PARE_KERNELS_TILES_HPP
#define PARE_KERNELS_TILES_HPP

#include <array>
#include <cstddef>
#include <utility>

#include <pare/config/assert.hpp>
#include <pare/core/executor.hpp>
#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

/// The one blocking loop of all matrix products, and the shape of their packed operand.
namespace kernels {

/// The packed form of an n x k matrix of weights: columns of the product in panels as wide as a register tile, the last one as
/// narrow as whole vectors allow; in a panel one row of vectors after the other along k.
template <class Isa, simd::register_tile Tile>
struct panels {
    static constexpr std::size_t lanes = simd::ops<Isa>::lanes;
    static constexpr std::size_t width = Tile.vectors * lanes;

    static constexpr std::size_t padded(std::size_t n) noexcept { return (n + lanes - 1) / lanes * lanes; }
    static constexpr std::size_t count(std::size_t n) noexcept { return (n + width - 1) / width; }
    static constexpr std::size_t vectors(std::size_t n, std::size_t panel) noexcept {
        const std::size_t left = padded(n) - panel * width;
        return left < width ? left / lanes : Tile.vectors;
    }
    static constexpr std::size_t columns(std::size_t n, std::size_t panel) noexcept {
        const std::size_t left = n - panel * width;
        return left < width ? left : width;
    }
};

/// Below this many multiply-adds a product is not worth a second thread.
inline constexpr std::size_t parallel_threshold = std::size_t{1} << 19;

/// Calls tile(row, rows, panel) for every register tile of an m x (panel_count panels) product; k is the depth. Rows are taken in
/// blocks, so that a block of the left operand stays in the second-level cache while all panels pass, and evenly: 64 rows in tiles
/// of at most 6 are nine of 6 and two of 5, not ten of 6 and one of 4.
template <std::size_t MaxRows, class Executor, class Tile>
void for_each_tile(Executor& executor, std::size_t m, std::size_t panel_count, std::size_t panel_width, std::size_t k,
                   const Tile& tile) {
    constexpr std::size_t block_rows = 240 / MaxRows * MaxRows;
    const std::size_t workers = executor.concurrency();
    const bool serial = workers == 1 || m * panel_count * panel_width * k < parallel_threshold;
    std::size_t blocks = (m + block_rows - 1) / block_rows;
    if (!serial && blocks * panel_count < 4 * workers) {
        blocks = (4 * workers + panel_count - 1) / panel_count;
        const std::size_t most = (m + MaxRows - 1) / MaxRows;
        blocks = blocks < most ? blocks : most;
    }
    const auto run = [&](std::size_t task) {
        const std::size_t block = task / panel_count;
        const std::size_t panel = task % panel_count;
        std::size_t row = m * block / blocks;
        const std::size_t end = m * (block + 1) / blocks;
        for (std::size_t tiles = (end - row + MaxRows - 1) / MaxRows; tiles > 0; --tiles) {
            const std::size_t rows = (end - row + tiles - 1) / tiles;
            tile(row, rows, panel);
            row += rows;
        }
    };
    if (serial) {
        for (std::size_t task = 0; task < blocks * panel_count; ++task) {
            run(task);
        }
    } else {
        executor.for_each(blocks * panel_count, run);
    }
}

/// A table of function pointers, table[rows - 1][vectors - 1] = Pick<rows, vectors>::value, so that a tile's shape is a run-time
/// choice between functions in which it is a constant.
template <simd::register_tile Tile, template <std::size_t, std::size_t> class Pick>
constexpr auto tile_table() noexcept {
    return []<std::size_t... I>(std::index_sequence<I...>) {
        using function = decltype(Pick<1, 1>::value);
        return std::array<function, sizeof...(I)>{Pick<I / Tile.vectors + 1, I % Tile.vectors + 1>::value...};
    }
    (std::make_index_sequence<Tile.rows * Tile.vectors>{});
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
