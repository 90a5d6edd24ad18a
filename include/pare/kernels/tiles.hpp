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

/// A row of a left operand whose depth consists of pieces that lie apart, in the same way for every row: outer * inner pieces of
/// `length` numbers, piece (o, i) at o * outer_stride + i * inner_stride from where the row begins. A matrix has one.
struct row_pieces {
    std::size_t length;
    std::size_t inner = 1;
    std::size_t inner_stride = 0;
    std::size_t outer = 1;
    std::size_t outer_stride = 0;

    constexpr std::size_t depth() const noexcept { return outer * inner * length; }
};

/// Below this many multiply-adds a product is not worth a second thread.
inline constexpr std::size_t parallel_threshold = std::size_t{1} << 19;

/// How many whole panels a tile of few rows takes at once, at most: a lone row of sums would wait for itself. Twelve sums are
/// enough; more panels, which are streams of memory, are too many for some prefetchers.
template <simd::register_tile Tile>
constexpr std::size_t panels_at_once(std::size_t rows) noexcept {
    constexpr std::size_t most = Tile.vectors < 12 ? 12 / Tile.vectors : 1;
    return Tile.rows / rows < most ? Tile.rows / rows : most;
}

/// Panels of at most half the width take tiles of twice as many rows, so that as many sums are in flight and as much work is done
/// between two visits to the epilogue.
template <simd::register_tile Tile>
constexpr std::size_t tile_rows(std::size_t vectors) noexcept {
    return 2 * vectors <= Tile.vectors ? 2 * Tile.rows : Tile.rows;
}
template <simd::register_tile Tile>
inline constexpr std::size_t most_tile_rows = tile_rows<Tile>(1);

/// Calls tile(row, rows, panel, panels) for every register tile of an m x n product; k is the depth. Rows are taken in blocks, so
/// that a block of the left operand stays in the second-level cache while all panels pass, and evenly: 64 rows in tiles of at most
/// 6 are nine of 6 and two of 5, not ten of 6 and one of 4. `panels` is 1, or up to panels_at_once(rows) whole panels.
template <class Isa, simd::register_tile Tile, class Executor, class Function>
PARE_INLINE void for_each_tile(Executor& executor, std::size_t m, std::size_t n, std::size_t k, const Function& tile) {
    using layout = panels<Isa, Tile>;
    constexpr std::size_t block_rows = 240 / Tile.rows * Tile.rows;
    const std::size_t count = layout::count(n);
    const std::size_t workers = executor.concurrency();
    const bool serial = workers == 1 || m * n * k < parallel_threshold;
    if (m <= Tile.rows && serial) {
        const std::size_t most = m == 0 ? 1 : panels_at_once<Tile>(m);
        const std::size_t whole = n / layout::width;
        std::size_t panel = 0;
        while (m != 0 && panel < whole) {
            const std::size_t together = whole - panel < most ? whole - panel : most;
            tile(0, m, panel, together);
            panel += together;
        }
        if (m != 0 && panel < count) {
            tile(0, m, panel, 1);
        }
        return;
    }
    std::size_t blocks = (m + block_rows - 1) / block_rows;
    if (!serial && blocks * count < 4 * workers) {
        blocks = (4 * workers + count - 1) / count;
        const std::size_t most = (m + Tile.rows - 1) / Tile.rows;
        blocks = blocks < most ? blocks : most;
    }
    const auto run = [&](std::size_t task) {
        const std::size_t block = task / count;
        std::size_t row = m * block / blocks;
        const std::size_t end = m * (block + 1) / blocks;
        const std::size_t panel = task % count;
        for (const std::size_t tall = tile_rows<Tile>(layout::vectors(n, panel)); tall > Tile.rows && end - row >= tall;
             row += tall) {
            tile(row, tall, panel, 1);
        }
        for (std::size_t tiles = (end - row + Tile.rows - 1) / Tile.rows; tiles > 0; --tiles) {
            const std::size_t rows = (end - row + tiles - 1) / tiles;
            tile(row, rows, panel, 1);
            row += rows;
        }
    };
    if (serial) {
        for (std::size_t task = 0; task < blocks * count; ++task) {
            run(task);
        }
    } else {
        executor.for_each(blocks * count, run);
    }
}

/// The tiles of a single row of N columns, all constants: calls tile(panel, vectors, panels) with integral constants.
template <class Isa, simd::register_tile Tile, std::size_t N, class Function>
PARE_INLINE void for_each_tile_of_row(const Function& tile) {
    using layout = panels<Isa, Tile>;
    constexpr std::size_t whole = N / layout::width;
    constexpr std::size_t visits = (whole + panels_at_once<Tile>(1) - 1) / panels_at_once<Tile>(1);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (tile(std::integral_constant<std::size_t, whole * I / visits>{}, std::integral_constant<std::size_t, Tile.vectors>{},
              std::integral_constant<std::size_t, whole*(I + 1) / visits - whole * I / visits>{}),
         ...);
    }
    (std::make_index_sequence<visits>{});
    if constexpr (whole < layout::count(N)) {
        tile(std::integral_constant<std::size_t, whole>{}, std::integral_constant<std::size_t, layout::vectors(N, whole)>{},
             std::integral_constant<std::size_t, 1>{});
    }
}

/// Function pointers, so that a tile's shape is a run-time choice between functions in which it is a constant: Pick<rows, vectors,
/// panels>::value for one panel of any width, and for up to panels_at_once(rows) whole ones.
template <simd::register_tile Tile, template <std::size_t, std::size_t, std::size_t> class Pick>
struct tile_table {
    using function = decltype(Pick<1, 1, 1>::value);

    static PARE_INLINE function find(std::size_t rows, std::size_t vectors, std::size_t panels) noexcept {
        if (rows > Tile.rows) {
            return tall[vectors - 1];
        }
        return panels == 1 ? one[(rows - 1) * Tile.vectors + vectors - 1] : several[(rows - 1) * most + panels - 1];
    }

private:
    static constexpr auto one = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<function, sizeof...(I)>{Pick<I / Tile.vectors + 1, I % Tile.vectors + 1, 1>::value...};
    }
    (std::make_index_sequence<Tile.rows * Tile.vectors>{});
    static constexpr auto tall = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<function, sizeof...(I)>{Pick<tile_rows<Tile>(I + 1), I + 1, 1>::value...};
    }
    (std::make_index_sequence<Tile.vectors>{});
    static constexpr std::size_t most = panels_at_once<Tile>(1);
    static constexpr std::size_t possible(std::size_t rows, std::size_t panels) noexcept {
        return panels < panels_at_once<Tile>(rows) ? panels : panels_at_once<Tile>(rows);
    }
    static constexpr auto several = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<function, sizeof...(I)>{Pick<I / most + 1, Tile.vectors, possible(I / most + 1, I % most + 1)>::value...};
    }
    (std::make_index_sequence<Tile.rows * most>{});
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
