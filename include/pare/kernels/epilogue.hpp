#ifndef PARE_KERNELS_EPILOGUE_HPP
#define PARE_KERNELS_EPILOGUE_HPP

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include <pare/core/tuple.hpp>
#include <pare/kernels/stages.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Stages in order, then a store to output[i * stride + j]: floats, 32-bit integers, or bytes, which integers saturate to.
template <class Output, class... Stages>
struct epilogue {
    Output* output;
    std::size_t stride;
    std::tuple<Stages...> stages;

    epilogue(Output* out, std::size_t row_stride, Stages... s) noexcept : output(out), stride(row_stride), stages(s...) {}

    /// Whether sums are stored as they are, which a tile can do itself.
    template <class Sum>
    static constexpr bool stores_sums = sizeof...(Stages) == 0 && std::is_same_v<Output, Sum>;

    /// Asks for the cache lines that finish() will write.
    PARE_INLINE void prefetch(std::size_t row, std::size_t rows, std::size_t column, std::size_t columns) const noexcept {
        for (std::size_t r = row; r < row + rows; ++r) {
            for (std::size_t i = 0; i < columns; i += 64 / sizeof(Output)) {
                prefetch_for_writing(output + r * stride + column + i);
            }
        }
    }

    /// The same as finish() for sums that no vector holds, one by one.
    void finish_numbers(const std::int64_t* sums, std::size_t sums_stride, std::size_t row, std::size_t rows, std::size_t column,
                        std::size_t columns) const noexcept {
        for (std::size_t r = row; r < row + rows; ++r, sums += sums_stride) {
            for (std::size_t c = 0; c < columns; ++c) {
                const auto y =
                    pare::detail::apply([&](const auto&... s) { return finish_number(sums[c], r, column + c, s...); }, stages);
                output[r * stride + column + c] = saturated<Output>(y);
            }
        }
    }

    /// Finishes rows x columns sums, which begin at (row, column) of the output and lie in `tile`, `tile_stride` apart.
    template <class Isa, class Sum>
    PARE_FLATTEN PARE_NOINLINE void finish(const Sum* tile, std::size_t tile_stride, std::size_t row, std::size_t rows,
                                           std::size_t column, std::size_t columns) const noexcept {
        constexpr std::size_t lanes = simd::ops<Isa>::lanes;
        const epilogue here = *this;  // a copy, whose numbers no store of bytes can change
        for (std::size_t c = 0; c < columns; c += lanes) {
            const std::size_t count = columns - c < lanes ? columns - c : lanes;
            here.template finish_columns<Isa>(tile + c, tile_stride, row, rows, column + c, count);
        }
    }

    /// The same for sums that are still in registers.
    template <class Isa, class Sums, std::size_t Rows, std::size_t Vectors>
    PARE_INLINE void finish_registers(const Sums (&sums)[Rows][Vectors], std::size_t row, std::size_t column,
                                      std::size_t columns) const noexcept {
        constexpr std::size_t lanes = simd::ops<Isa>::lanes;
        PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
            const std::size_t count = columns - v * lanes < lanes ? columns - v * lanes : lanes;
            const auto together = shared<Isa>(column + v * lanes, count);
            Output* out = output + row * stride + column + v * lanes;
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r, out += stride) {
                store<Isa>(out, chain<Isa, 0>(sums[r][v], together, row + r), count);
            }
        }
    }

private:
    template <class Isa>
    PARE_INLINE auto shared(std::size_t column, std::size_t count) const noexcept {
        return pare::detail::apply([&](const auto&... s) { return std::tuple(s.template columns<Isa>(column, count)...); }, stages);
    }

    template <class Isa, class Sum>
    PARE_INLINE void finish_columns(const Sum* tile, std::size_t tile_stride, std::size_t row, std::size_t rows, std::size_t column,
                                    std::size_t count) const noexcept {
        const auto columns = shared<Isa>(column, count);
        Output* out = output + row * stride + column;
        for (std::size_t r = 0; r < rows; ++r, tile += tile_stride, out += stride) {
            store<Isa>(out, chain<Isa, 0>(simd::ops<Isa>::load(tile), columns, row + r), count);
        }
    }

    template <class Isa, class X>
    PARE_INLINE static void store(Output* out, X y, std::size_t count) noexcept {
        using V = simd::ops<Isa>;
        if constexpr (sizeof(Output) < sizeof(float)) {
            if (count == V::lanes) {
                V::store_saturated(out, y);
            } else {
                V::store_saturated_partial(out, y, count);
            }
        } else if (count == V::lanes) {
            V::store(out, y);
        } else {
            V::store_partial(out, y, count);
        }
    }

    template <class Isa, std::size_t Stage, class X, class Shared>
    PARE_INLINE auto chain(X x, const Shared& shared, std::size_t row) const noexcept {
        if constexpr (Stage == sizeof...(Stages)) {
            return x;
        } else {
            return chain<Isa, Stage + 1>(std::get<Stage>(stages).template apply<Isa>(x, std::get<Stage>(shared), row), shared, row);
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
