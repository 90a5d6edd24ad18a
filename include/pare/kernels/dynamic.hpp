#ifndef PARE_KERNELS_DYNAMIC_HPP
#define PARE_KERNELS_DYNAMIC_HPP

#include <pare/core/context.hpp>
#include <pare/core/tensor.hpp>
#include <pare/kernels/quantize.hpp>
#include <pare/types/activations.hpp>

PARE_NAMESPACE_BEGIN

/// Quantization on the way into a product: rows of activations become bytes, block by block, in scratch memory small enough to stay
/// in the cache until the product has read them.
namespace kernels {

/// Rows of bytes, each with its own quantization.
template <class A>
struct quantized_rows {
    const A* values;
    std::size_t stride;
    const float* scales;
    const std::int32_t* zero_points;
    std::size_t rows;
};

/// Rows that are quantized at a time. A multiple of every register tile.
inline constexpr std::size_t quantized_block_rows = 240;

template <class A>
constexpr std::size_t quantized_scratch_bytes(std::size_t batch, std::size_t k) noexcept {
    const std::size_t rows = batch < quantized_block_rows ? batch : quantized_block_rows;
    return scratch_bytes_of<A>(rows * k) + scratch_bytes_of<float>(rows) + scratch_bytes_of<std::int32_t>(rows);
}

/// Makes bytes of x with quantize(rows, bytes, scales, zero_points), some rows at a time, and calls multiply(first row,
/// quantized_rows<A>, scratch that is left) for each block.
template <class A, class Context, class Quantize, class Multiply>
void for_each_block_of_bytes(Context& ctx, const matrix_view<const float>& x, const Quantize& quantize_some,
                             const Multiply& multiply) {
    constexpr std::size_t rows_per_task = 8;
    arena scratch = ctx.scratch;
    const std::size_t block = x.rows < quantized_block_rows ? x.rows : quantized_block_rows;
    A* const bytes = scratch.template take<A>(block * x.columns);
    float* const scales = scratch.template take<float>(block);
    std::int32_t* const zero_points = scratch.template take<std::int32_t>(block);
    for (std::size_t first = 0; first < x.rows; first += block) {
        const std::size_t rows = x.rows - first < block ? x.rows - first : block;
        const auto quantize = [&](std::size_t task) {
            const std::size_t row = task * rows_per_task;
            const std::size_t count = rows - row < rows_per_task ? rows - row : rows_per_task;
            quantize_some(matrix_view<const float>(x.row(first + row), count, x.columns, x.stride), bytes + row * x.columns,
                          scales + row, zero_points + row);
        };
        const std::size_t tasks = (rows + rows_per_task - 1) / rows_per_task;
        if (rows * x.columns < std::size_t{1} << 16) {
            serial_executor{}.for_each(tasks, quantize);
        } else {
            ctx.executor.for_each(tasks, quantize);
        }
        multiply(first, quantized_rows<A>{bytes, x.columns, scales, zero_points, rows}, scratch);
    }
}

/// The same, each row by its own range.
template <class Isa, class A, row_quantization Kind = row_quantization::affine, class Context, class Multiply>
void for_each_quantized_block(Context& ctx, const matrix_view<const float>& x, const Multiply& multiply) {
    for_each_block_of_bytes<A>(
        ctx, x,
        [](const matrix_view<const float>& rows, A* bytes, float* scales, std::int32_t* zero_points) {
            quantize_rows<Isa, Kind>(rows, bytes, scales, zero_points);
        },
        multiply);
}

template <class Isa, class A, class Context, class Multiply>
void for_each_quantized_block(dynamic_range, Context& ctx, const matrix_view<const float>& x, const Multiply& multiply) {
    for_each_quantized_block<Isa, A>(ctx, x, multiply);
}

/// All rows by the range that they have together. Reads x once more.
template <class Isa, class A, class Dialect, class Context, class Multiply>
void for_each_quantized_block(dynamic_tensor_range<Dialect>, Context& ctx, const matrix_view<const float>& x,
                              const Multiply& multiply) {
    value_range all;
    for (std::size_t r = 0; r < x.rows; ++r) {
        const value_range row = range_of<Isa>(x.row(r), x.columns);
        all = {row.min < all.min ? row.min : all.min, row.max > all.max ? row.max : all.max, row.bounded && all.bounded};
    }
    const quantization q = quantization_of<row_quantization::affine, A, Dialect>(all);
    for_each_block_of_bytes<A>(
        ctx, x,
        [&](const matrix_view<const float>& rows, A* bytes, float* scales, std::int32_t* zero_points) {
            for (std::size_t r = 0; r < rows.rows; ++r) {
                quantize_values_by<Isa, Dialect>(rows.row(r), rows.columns, q, all.bounded, bytes + r * rows.columns);
                scales[r] = q.scale;
                zero_points[r] = q.zero_point;
            }
        },
        multiply);
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
