#ifndef PARE_KERNELS_FINISH_HPP
#define PARE_KERNELS_FINISH_HPP

#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// The way of a tile's sums to its epilogue: in registers where the tile is a full one, which most are, else through memory. A
/// kernel is thus compiled once for every shape of tile, and together with each epilogue for the full shapes only.
namespace kernels {

/// An output of more bytes than this lies beyond the second-level cache when a tile of it is finished.
inline constexpr std::size_t far_output_bytes = std::size_t{1} << 20;

/// A tile of the output.
struct tile_place {
    std::size_t row;
    std::size_t rows;
    std::size_t column;
    std::size_t columns;
    std::size_t padded;  // columns in whole vectors
};

template <class Epilogue>
PARE_INLINE void prefetch_far_output(const Epilogue& epilogue, std::size_t m, const tile_place& place) noexcept {
    if (m * epilogue.stride * sizeof(*epilogue.output) > far_output_bytes) {
        epilogue.prefetch(place.row, place.rows, place.column, place.columns);
    }
}

template <class Isa, class Sums, std::size_t Rows, std::size_t Vectors, class Epilogue, class Sum>
PARE_FLATTEN PARE_NOINLINE void finish_full_tile(const Epilogue& epilogue, std::size_t m, const tile_place& place,
                                                 const Sum& sum) noexcept {
    prefetch_far_output(epilogue, m, place);
    Sums sums[Rows][Vectors];
    sum.template operator()<Rows, Vectors>(sums);
    epilogue.template finish_registers<Isa>(sums, place.row, place.column, Vectors * simd::ops<Isa>::lanes);
}

/// Finishes one tile of an output with m rows in all, of which store(sums, stride) computes up to MostSums sums into memory.
template <class Isa, class Number, std::size_t MostSums, class Output, class... Stages, class Store>
PARE_INLINE void finish_stored_tile(const epilogue<Output, Stages...>& finish, std::size_t m, const tile_place& place,
                                    const Store& store) noexcept {
    prefetch_far_output(finish, m, place);
    if constexpr (epilogue<Output, Stages...>::template stores_sums<Number>) {
        if (place.columns == place.padded) {
            store(finish.output + place.row * finish.stride + place.column, finish.stride);
            return;
        }
    }
    alignas(64) Number sums[MostSums];
    store(sums, place.padded);
    finish.template finish<Isa>(sums, place.padded, place.row, place.rows, place.column, place.columns);
}

/// Finishes one tile of a product with m rows in all. store(sums, stride) computes its sums into memory; sum<rows, vectors>(sums)
/// into registers, of type Sums.
template <class Isa, simd::register_tile Tile, class Sums, class Number, class Output, class... Stages, class Store, class Sum>
PARE_INLINE void finish_tile(const epilogue<Output, Stages...>& finish, std::size_t m, const tile_place& place, const Store& store,
                             const Sum& sum) noexcept {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes;
    constexpr std::size_t half = Tile.vectors / 2;
    constexpr bool registers_to_spare = Tile.rows * Tile.vectors > 12;
    if constexpr (registers_to_spare && !epilogue<Output, Stages...>::template stores_sums<Number>) {
        const auto is_full = [&](std::size_t rows, std::size_t vectors) {
            return place.rows == rows && place.padded == vectors * lanes && place.columns == place.padded;
        };
        if (is_full(Tile.rows, Tile.vectors)) {
            finish_full_tile<Isa, Sums, Tile.rows, Tile.vectors>(finish, m, place, sum);
            return;
        }
        if (is_full(tile_rows<Tile>(half), half)) {
            finish_full_tile<Isa, Sums, tile_rows<Tile>(half), half>(finish, m, place, sum);
            return;
        }
    }
    finish_stored_tile<Isa, Number, Tile.rows * Tile.vectors * lanes>(finish, m, place, store);
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
