#ifndef PARE_KERNELS_GEMM_F32_HPP
#define PARE_KERNELS_GEMM_F32_HPP

#include <pare/core/workspace.hpp>
#include <pare/kernels/finish.hpp>

PARE_NAMESPACE_BEGIN

/// Products of float matrices: C = A B with an epilogue. Every element of C is one chain of (fused) multiply-adds along k, in
/// order, whatever the tile it falls into: the bits do not depend on the number of rows or threads.
namespace kernels {

/// Element (i, j) is data[i * row_stride + j * column_stride]; transposing swaps the strides.
template <class T>
struct strided {
    const T* data;
    std::size_t row_stride;
    std::size_t column_stride;
};
using strided_f32 = strided<float>;

/// `Stored` is how the packed operand is kept: float, or bfloat16 or float16, which become float on the way into the registers.
template <class Isa, class Stored = float>
struct gemm_f32_kernel {
    using V = simd::ops<Isa>;
    static constexpr simd::register_tile tile = V::f32_tile;
    using layout = panels<Isa, tile>;

    static constexpr std::size_t packed_size(std::size_t n, std::size_t k) noexcept { return layout::padded(n) * k; }

    /// Packs columns [first, first + columns) of the k x n right operand b, which are one panel. In whole vectors where a row of b
    /// or a column is contiguous.
    static void pack_panel(strided<Stored> b, std::size_t k, std::size_t first, std::size_t columns, Stored* out) noexcept {
        const std::size_t width = layout::padded(columns);
        const Stored* source = b.data + first * b.column_stride;
        for (std::size_t c = 0; c < width; c += V::lanes) {
            const std::size_t count = columns - c < V::lanes ? columns - c : V::lanes;
            pack_vectors(b, k, count, source + c * b.column_stride, width, out + c);
        }
    }

    static void pack(strided<Stored> b, std::size_t n, std::size_t k, Stored* out) noexcept {
        for (std::size_t p = 0; p < layout::count(n); ++p) {
            pack_panel(b, k, p * layout::width, layout::columns(n, p), out + p * layout::width * k);
        }
    }

    /// k vectors of `count` columns of b, `width` apart.
    static void pack_vectors(strided<Stored> b, std::size_t k, std::size_t count, const Stored* source, std::size_t width,
                             Stored* out) noexcept {
        std::size_t row = 0;
        if constexpr (std::is_same_v<Stored, float>) {
            if (b.column_stride == 1) {
                for (; row < k; ++row) {
                    V::store(out + row * width, load_first<Isa>(source + row * b.row_stride, count));
                }
            } else if (b.row_stride == 1 && count == V::lanes) {
                for (; row + 4 <= k; row += 4) {
                    typename V::f32 rows[4];
                    V::load_transposed(source + row, b.column_stride, rows);
                    for (std::size_t r = 0; r < 4; ++r) {
                        V::store(out + (row + r) * width, rows[r]);
                    }
                }
            }
        }
        for (; row < k; ++row) {
            for (std::size_t c = 0; c < V::lanes; ++c) {
                out[row * width + c] = c < count ? source[row * b.row_stride + c * b.column_stride] : Stored{};
            }
        }
    }

    using tile_function = void (*)(const float* const* rows, std::size_t column_stride, const row_pieces& pieces, const Stored* b,
                                   float* out, std::size_t out_stride);

    /// sum [Rows, Panels * Vectors * lanes] = a [Rows, k] * panels of b [k, Vectors * lanes]. The numbers of a piece of a row are
    /// column_stride apart.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_INLINE static void sum_tile(const float* const* rows, std::size_t column_stride, const row_pieces& pieces, const Stored* b,
                                     typename V::f32 (&sum)[Rows][Panels * Vectors]) noexcept {
        constexpr std::size_t columns = Panels * Vectors;
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                sum[r][c] = V::set(0.0f);
            }
        }
        const std::size_t panel_size = layout::width * pieces.depth();
        const auto load = [&](std::size_t c) {
            return simd::load_as_float<Isa>(b + c / Vectors * panel_size + c % Vectors * V::lanes);
        };
        const auto step = [&](const float* const(&x)[Rows], std::size_t i) {
            if constexpr (Panels > 1) {  // few rows: they stay in registers while weights stream past
                typename V::f32 xr[Rows];
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    xr[r] = V::set(x[r][i]);
                }
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    const auto w = Rows > 1 ? V::opaque(load(c)) : load(c);
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                        sum[r][c] = V::fma(xr[r], w, sum[r][c]);
                    }
                }
            } else {
                typename V::f32 w[columns];
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    w[c] = Rows > 1 ? V::opaque(load(c)) : load(c);  // see simd::in_register
                }
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    const auto xr = V::set(x[r][i]);
                    PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                        sum[r][c] = V::fma(xr, w[c], sum[r][c]);
                    }
                }
            }
        };
        const auto multiply_piece = [&](std::size_t offset) {
            const float* x[Rows];
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                x[r] = rows[r] + offset;
            }
            for (std::size_t i = 0; i < pieces.length; ++i, b += Vectors * V::lanes) {
                step(x, i * column_stride);
            }
        };
        for (std::size_t o = 0; o < pieces.outer; ++o) {
            for (std::size_t i = 0; i < pieces.inner; ++i) {
                multiply_piece(o * pieces.outer_stride + i * pieces.inner_stride);
            }
        }
    }

    /// The same to memory: out [Rows, Panels * Vectors * lanes], rows out_stride apart.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_FLATTEN static void multiply_tile(const float* const* rows, std::size_t column_stride, const row_pieces& pieces,
                                           const Stored* b, float* out, std::size_t out_stride) {
        typename V::f32 sum[Rows][Panels * Vectors];
        sum_tile<Rows, Vectors, Panels>(rows, column_stride, pieces, b, sum);
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < Panels * Vectors; ++c) {
                V::store(out + r * out_stride + c * V::lanes, sum[r][c]);
            }
        }
    }

    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    struct pick {
        static constexpr tile_function value = &multiply_tile<Rows, Vectors, Panels>;
    };

    /// C [m, n] with columns from `first_column` on = A [m, pieces.depth()] * B, packed at b; locate(row, rows, pointers) says
    /// where these rows of A begin.
    template <class Executor, class Locate, class Epilogue>
    static PARE_INLINE void multiply_pieces(Executor& executor, std::size_t m, std::size_t n, const row_pieces& pieces,
                                            std::size_t column_stride, const Locate& locate, const Stored* b,
                                            std::size_t first_column, const Epilogue& epilogue) {
        const std::size_t k = pieces.depth();
        for_each_tile<Isa, tile>(executor, m, n, k, [&](std::size_t row, std::size_t rows, std::size_t panel, std::size_t panels) {
            const float* pointers[most_tile_rows<tile>];
            locate(row, rows, pointers);
            const std::size_t column = panel * layout::width;
            const std::size_t vectors = layout::vectors(n, panel);
            const Stored* const panel_data = b + column * k;
            finish_tile<Isa, tile, typename V::f32, float>(
                epilogue, m,
                {row, rows, first_column + column, panels > 1 ? panels * layout::width : layout::columns(n, panel),
                 panels * vectors * V::lanes},
                [&](float* sums, std::size_t stride) {
                    tile_table<tile, pick>::find(rows, vectors, panels)(pointers, column_stride, pieces, panel_data, sums, stride);
                },
                [&]<std::size_t Rows, std::size_t Vectors>(typename V::f32(&sums)[Rows][Vectors]) {
                    sum_tile<Rows, Vectors, 1>(pointers, column_stride, pieces, panel_data, sums);
                });
        });
    }

    /// The same for a matrix A [m, k].
    template <class Executor, class Epilogue>
    static void multiply(Executor& executor, std::size_t m, std::size_t n, std::size_t k, const strided_f32& a, const Stored* b,
                         std::size_t first_column, const Epilogue& epilogue) {
        const auto locate = [&](std::size_t row, std::size_t rows, const float** pointers) {
            for (std::size_t r = 0; r < rows; ++r) {
                pointers[r] = a.data + (row + r) * a.row_stride;
            }
        };
        multiply_pieces(executor, m, n, {.length = k}, a.column_stride, locate, b, first_column, epilogue);
    }
};

/// C [m, n] = A [m, k] * B [k, n], B packed by gemm_f32_kernel<Isa, Stored>::pack. The epilogue stores C.
template <class Isa, class Stored, class Executor, class Epilogue>
PARE_NOINLINE void gemm_f32_packed(Executor& executor, std::size_t m, std::size_t n, std::size_t k, const strided_f32& a,
                                   const Stored* b, const Epilogue& epilogue) {
    gemm_f32_kernel<Isa, Stored>::multiply(executor, m, n, k, a, b, 0, epilogue);
}

/// The first row of the same product for a constant shape: no calls, and no sums in memory.
template <class Isa, std::size_t N, std::size_t K, class Stored, class Epilogue>
PARE_INLINE void gemm_f32_row(const float* a, const Stored* b, const Epilogue& epilogue) noexcept {
    using kernel = gemm_f32_kernel<Isa, Stored>;
    using layout = typename kernel::layout;
    for_each_tile_of_row<Isa, kernel::tile, N>([&](auto panel, auto vectors, auto panels) {
        constexpr std::size_t column = panel * layout::width;
        typename simd::ops<Isa>::f32 sums[1][vectors * panels];
        kernel::template sum_tile<1, vectors, panels>(&a, 1, {.length = K}, b + column * K, sums);
        epilogue.template finish_registers<Isa>(sums, 0, column, N - column);
    });
}

/// How many numbers gemm_f32 packs at a time, about a megabyte, and how many columns of B that is: at least four panels.
inline constexpr std::size_t gemm_f32_chunk = std::size_t{1} << 18;
inline constexpr std::size_t gemm_f32_most_columns = 320;
template <class Isa>
constexpr std::size_t gemm_f32_chunk_columns(std::size_t n, std::size_t k) noexcept {
    using layout = typename gemm_f32_kernel<Isa>::layout;
    const std::size_t fitting = gemm_f32_chunk / (k + 1) / layout::width * layout::width;
    const std::size_t most = round_up(gemm_f32_most_columns, layout::width), fewest = 4 * layout::width;
    const std::size_t chunk = fitting > most ? most : fitting < fewest ? fewest : fitting;
    return chunk < n ? chunk : layout::padded(n);
}

/// Enough for every depth up to k: a batch may be smaller than the one that the scratch was made for.
template <class Isa>
constexpr std::size_t gemm_f32_scratch_bytes(std::size_t n, std::size_t k) noexcept {
    using layout = typename gemm_f32_kernel<Isa>::layout;
    const std::size_t all = layout::padded(n) * k;
    const std::size_t most = round_up(gemm_f32_most_columns, layout::width) * k, fewest = 4 * layout::width * k;
    const std::size_t chunk = most < gemm_f32_chunk ? most : fewest < gemm_f32_chunk ? gemm_f32_chunk : fewest;
    return scratch_bytes_of<float>(all < chunk ? all : chunk);
}

/// C [m, n] = A [m, k] * B [k, n], either operand transposed by its strides. Packs B into the scratch as it goes, O(nk) moves
/// beside O(mnk) multiply-adds. The epilogue stores C.
template <class Isa, class Executor, class Epilogue>
PARE_NOINLINE void gemm_f32(Executor& executor, arena scratch, std::size_t m, std::size_t n, std::size_t k, const strided_f32& a,
                            const strided_f32& b, const Epilogue& epilogue) {
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
        kernel::multiply(executor, m, columns, k, a, packed, first, epilogue);
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
