#ifndef PARE_KERNELS_GEMM_F32_HPP
#define PARE_KERNELS_GEMM_F32_HPP

#include <pare/core/workspace.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// Products of float matrices: C = A B with an epilogue. Every element of C is one chain of (fused) multiply-adds along k, in
/// order, whatever the tile it falls into: the bits do not depend on the number of rows or threads.
namespace kernels {

/// Element (i, j) is data[i * row_stride + j * column_stride]; transposing swaps the strides.
struct strided_f32 {
    const float* data;
    std::size_t row_stride;
    std::size_t column_stride;
};

template <class Isa>
struct gemm_f32_kernel {
    using V = simd::ops<Isa>;
    static constexpr simd::register_tile tile = V::f32_tile;
    using layout = panels<Isa, tile>;

    static constexpr std::size_t packed_size(std::size_t n, std::size_t k) noexcept { return layout::padded(n) * k; }

    /// Packs columns [first, first + columns) of the k x n right operand b, which are one panel.
    static void pack_panel(strided_f32 b, std::size_t k, std::size_t first, std::size_t columns, float* out) noexcept {
        const std::size_t width = layout::padded(columns);
        const float* source = b.data + first * b.column_stride;
        for (std::size_t row = 0; row < k; ++row) {
            for (std::size_t c = 0; c < width; ++c) {
                out[row * width + c] = c < columns ? source[row * b.row_stride + c * b.column_stride] : 0.0f;
            }
        }
    }

    static void pack(strided_f32 b, std::size_t n, std::size_t k, float* out) noexcept {
        for (std::size_t p = 0; p < layout::count(n); ++p) {
            pack_panel(b, k, p * layout::width, layout::columns(n, p), out + p * layout::width * k);
        }
    }

    using tile_function = void (*)(strided_f32 a, const float* b, std::size_t k, float* out);

    /// out [Rows, Vectors * lanes] = a [Rows, k] * one panel b [k, Vectors * lanes].
    template <std::size_t Rows, std::size_t Vectors>
    PARE_FLATTEN static void multiply_tile(strided_f32 a, const float* b, std::size_t k, float* out) {
        typename V::f32 sum[Rows][Vectors];
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                sum[r][v] = V::set(0.0f);
            }
        }
        const float* x = a.data;
        for (std::size_t i = 0; i < k; ++i, x += a.column_stride, b += Vectors * V::lanes) {
            typename V::f32 w[Vectors];
            PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                w[v] = V::load(b + v * V::lanes);
            }
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                const auto xr = V::set(x[r * a.row_stride]);
                PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                    sum[r][v] = V::fma(xr, w[v], sum[r][v]);
                }
            }
        }
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                V::store(out + (r * Vectors + v) * V::lanes, sum[r][v]);
            }
        }
    }

    template <std::size_t Rows, std::size_t Vectors>
    struct pick {
        static constexpr tile_function value = &multiply_tile<Rows, Vectors>;
    };

    /// One register tile with its epilogue: rows [row, row + rows), columns of `panel`, which lies packed at b.
    template <class Epilogue>
    static void run_tile(strided_f32 a, const float* b, std::size_t k, std::size_t row, std::size_t rows, std::size_t column,
                         std::size_t columns, const Epilogue& epilogue) noexcept {
        static constexpr auto functions = tile_table<tile, pick>();
        alignas(64) float sums[tile.rows * tile.vectors * V::lanes];
        const std::size_t vectors = layout::padded(columns) / V::lanes;
        a.data += row * a.row_stride;
        functions[(rows - 1) * tile.vectors + vectors - 1](a, b, k, sums);
        epilogue.template finish<Isa>(sums, vectors * V::lanes, row, rows, column, columns);
    }
};

/// C [m, n] = A [m, k] * B [k, n], B packed by gemm_f32_kernel<Isa>::pack. The epilogue stores C.
template <class Isa, class Executor, class Epilogue>
PARE_NOINLINE void gemm_f32_packed(Executor& executor, std::size_t m, std::size_t n, std::size_t k, strided_f32 a, const float* b,
                                   const Epilogue& epilogue) {
    using kernel = gemm_f32_kernel<Isa>;
    using layout = typename kernel::layout;
    for_each_tile<kernel::tile.rows>(
        executor, m, layout::count(n), layout::width, k, [&](std::size_t row, std::size_t rows, std::size_t p) {
            kernel::run_tile(a, b + p * layout::width * k, k, row, rows, p * layout::width, layout::columns(n, p), epilogue);
        });
}

/// How many numbers gemm_f32 packs at a time, about a megabyte, and how many columns of B that is.
inline constexpr std::size_t gemm_f32_chunk = std::size_t{1} << 18;
template <class Isa>
constexpr std::size_t gemm_f32_chunk_columns(std::size_t n, std::size_t k) noexcept {
    using layout = typename gemm_f32_kernel<Isa>::layout;
    const std::size_t fitting = gemm_f32_chunk / (k + 1) / layout::width * layout::width;
    const std::size_t chunk = fitting < 4 * layout::width ? 4 * layout::width : fitting;
    return chunk < n ? chunk : layout::padded(n);
}

/// Enough for every depth up to k: a batch may be smaller than the one that the scratch was made for.
template <class Isa>
constexpr std::size_t gemm_f32_scratch_bytes(std::size_t n, std::size_t k) noexcept {
    using layout = typename gemm_f32_kernel<Isa>::layout;
    const std::size_t all = layout::padded(n) * k;
    const std::size_t four_panels = 4 * layout::width * k;
    const std::size_t most = four_panels < gemm_f32_chunk ? gemm_f32_chunk : four_panels;
    return scratch_bytes_of<float>(all < most ? all : most);
}

/// C [m, n] = A [m, k] * B [k, n], either operand transposed by its strides. Packs B into the scratch as it goes, O(nk) moves
/// beside O(mnk) multiply-adds. The epilogue stores C.
template <class Isa, class Executor, class Epilogue>
PARE_NOINLINE void gemm_f32(Executor& executor, arena scratch, std::size_t m, std::size_t n, std::size_t k, strided_f32 a,
                            strided_f32 b, const Epilogue& epilogue) {
    using kernel = gemm_f32_kernel<Isa>;
    using layout = typename kernel::layout;
    const std::size_t chunk = gemm_f32_chunk_columns<Isa>(n, k);
    float* packed = scratch.take<float>(chunk * k);
    for (std::size_t first = 0; first < n; first += chunk) {
        const std::size_t columns = n - first < chunk ? n - first : chunk;
        strided_f32 part = b;
        part.data += first * b.column_stride;
        const auto pack = [&](std::size_t p) {
            kernel::pack_panel(part, k, p * layout::width, layout::columns(columns, p), packed + p * layout::width * k);
        };
        if (m * n * k < parallel_threshold) {
            serial_executor{}.for_each(layout::count(columns), pack);
        } else {
            executor.for_each(layout::count(columns), pack);
        }
        for_each_tile<kernel::tile.rows>(executor, m, layout::count(columns), layout::width, k,
                                         [&](std::size_t row, std::size_t rows, std::size_t p) {
                                             kernel::run_tile(a, packed + p * layout::width * k, k, row, rows,
                                                              first + p * layout::width, layout::columns(columns, p), epilogue);
                                         });
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
