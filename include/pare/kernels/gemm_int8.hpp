#ifndef PARE_KERNELS_GEMM_INT8_HPP
#define PARE_KERNELS_GEMM_INT8_HPP

#include <pare/kernels/finish.hpp>
#include <pare/simd/dot4.hpp>

PARE_NAMESPACE_BEGIN

/// Products of byte matrices with exact int32 sums: C = A W^T, A unsigned or signed activations, W signed weights, and an epilogue.
namespace kernels {

/// Above this depth the sum of k products of an unsigned and a signed byte could leave int32: 65793 * 255 * 128 < 2^31. Deeper sums
/// are split and added in 64 bits.
inline constexpr std::size_t int8_largest_depth = 65793;

/// Above this one the sum of k weights could: of 2^24 * 128.
inline constexpr std::size_t int8_largest_split_depth = (std::size_t{1} << 24) - 1;

/// Weights in the order in which gemm_int8 reads them: see `panels`; along k in groups of tile_step<Isa>::depth bytes per lane,
/// zero-padded.
struct packed_int8 {
    const std::int8_t* data;
    const std::int32_t* column_sums;  // [padded n] sums of the weights of each output over k
    std::size_t n;
    std::size_t k;
};

template <class Isa>
struct gemm_int8_kernel {
    using V = simd::ops<Isa>;
    static constexpr simd::register_tile tile = V::int8_tile;
    using step_of = simd::tile_step<Isa>;
    static constexpr std::size_t depth = step_of::depth;
    using layout = panels<Isa, tile>;

    static constexpr std::size_t padded_depth(std::size_t k) noexcept { return (k + depth - 1) / depth * depth; }
    static constexpr std::size_t packed_size(std::size_t n, std::size_t k) noexcept { return layout::padded(n) * padded_depth(k); }

    /// Packs the weights [n, k] that weight(row, i) gives, and sums its rows. `data` has packed_size(n, k) bytes, `column_sums`
    /// padded(n) numbers.
    template <class Weight>
    static packed_int8 pack(std::size_t n, std::size_t k, const Weight& weight, std::int8_t* data,
                            std::int32_t* column_sums) noexcept {
        for (std::size_t p = 0; p < layout::count(n); ++p) {
            const std::size_t width = layout::vectors(n, p) * V::lanes;
            std::int8_t* const out = data + p * layout::width * padded_depth(k);
            for (std::size_t c = 0; c < width; ++c) {
                const std::size_t row = p * layout::width + c;
                std::int32_t sum = 0;
                for (std::size_t i = 0; i < padded_depth(k); ++i) {
                    const std::int8_t value = row < n && i < k ? weight(row, i) : std::int8_t{0};
                    out[(i / depth * width + c) * depth + i % depth] = value;
                    sum += value;
                }
                column_sums[row] = sum;
            }
        }
        return {data, column_sums, n, k};
    }
    static packed_int8 pack(const std::int8_t* w, std::size_t n, std::size_t k, std::int8_t* data,
                            std::int32_t* column_sums) noexcept {
        return pack(
            n, k, [&](std::size_t row, std::size_t i) { return w[row * k + i]; }, data, column_sums);
    }

    template <class A>
    using tile_function = void (*)(const A* const* rows, const row_pieces& pieces, const std::int8_t* b,
                                   const std::int32_t* column_sums, std::int32_t* out, std::size_t out_stride);

    /// sums [Rows, Panels * Vectors * lanes] = a [Rows, k] * panels of b [k / depth, Vectors * lanes, depth]. The length of
    /// several pieces is a multiple of depth.
    template <class A, std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_INLINE static void sum_tile(const A* const* rows, const row_pieces& pieces, const std::int8_t* b,
                                     const std::int32_t* column_sums, typename V::i32 (&result)[Rows][Panels * Vectors]) noexcept {
        constexpr std::int32_t correction = simd::shift_correction<Isa, A>;
        constexpr std::size_t columns = Panels * Vectors;
        const std::size_t panel_size = layout::width * padded_depth(pieces.depth());
        const std::size_t length = pieces.length;
        // A few sums would wait for themselves: they exist twice, for even and for odd steps.
        constexpr std::size_t chains = Rows * columns <= 6 ? 2 : 1;
        constexpr std::size_t sum_rows = (Rows + step_of::rows - 1) / step_of::rows * step_of::rows;
        typename V::i32 sums[chains][sum_rows][columns];
        PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
            auto start = V::set(std::int32_t{0});
            if constexpr (correction != 0 && step_of::rows == 1) {
                start = V::load(column_sums + c * V::lanes) * V::set(correction);
            }
            PARE_UNROLL for (std::size_t r = 0; r < sum_rows; ++r) {
                sums[0][r][c] = start;
                if constexpr (chains == 2) {
                    sums[1][r][c] = V::set(std::int32_t{0});
                }
            }
        }
        const auto load = [&](const std::int8_t* group, std::size_t c) {
            return step_of::load_weights(group + c / Vectors * panel_size + c % Vectors * V::lanes * depth);
        };
        const auto step = [&](auto& sum, const std::int8_t* group, const A* const(&x)[Rows], std::size_t i) {
            if constexpr (step_of::rows == 2) {
                typename step_of::operand xr[(Rows + 1) / 2];
                PARE_UNROLL for (std::size_t r = 0; r < Rows; r += 2) {
                    xr[r / 2] = step_of::load_rows(x[r] + i, x[r + 1 < Rows ? r + 1 : r] + i);
                }
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    const auto w = load(group, c);
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; r += 2) {
                        step_of::dot(sum[r][c], sum[r + 1][c], xr[r / 2], w);
                    }
                }
            } else if constexpr (Panels > 1) {  // few rows: they stay in registers while weights stream past
                typename V::operand xr[Rows];
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    xr[r] = V::broadcast(x[r] + i);
                }
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    auto w = load(group, c);
                    if constexpr (Rows > 1) {
                        w = simd::in_register(w);
                    }
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                        sum[r][c] = V::dot(sum[r][c], xr[r], w);
                    }
                }
            } else {
                typename V::weights w[columns];
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    w[c] = load(group, c);
                    if constexpr (Rows > 1) {
                        w[c] = simd::in_register(w[c]);
                    }
                }
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    const auto xr = V::broadcast(x[r] + i);
                    PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                        sum[r][c] = V::dot(sum[r][c], xr, w[c]);
                    }
                }
            }
        };
        // What is left of k goes first: behind the loop, the compiler would keep every sum twice.
        if (const std::size_t left = length % depth; left != 0) {
            A tail[Rows][depth] = {};
            const A* x[Rows];
            for (std::size_t r = 0; r < Rows; ++r) {
                for (std::size_t i = 0; i < left; ++i) {
                    tail[r][i] = rows[r][length - left + i];
                }
                x[r] = tail[r];
            }
            step(sums[0], b + length / depth * Vectors * V::lanes * depth, x, 0);
        }
        const auto multiply_piece = [&](std::size_t offset) {
            const A* x[Rows];
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                x[r] = rows[r] + offset;
            }
            constexpr std::size_t group_size = Vectors * V::lanes * depth;
            std::size_t i = 0;
            if constexpr (chains == 2) {
                for (; i + 2 * depth <= length; i += 2 * depth, b += 2 * group_size) {
                    step(sums[0], b, x, i);
                    step(sums[1], b + group_size, x, i + depth);
                }
            }
            for (; i + depth <= length; i += depth, b += group_size) {
                step(sums[0], b, x, i);
            }
        };
        for (std::size_t o = 0; o < pieces.outer; ++o) {
            for (std::size_t i = 0; i < pieces.inner; ++i) {
                multiply_piece(o * pieces.outer_stride + i * pieces.inner_stride);
            }
        }
        PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
            PARE_UNROLL for (std::size_t r = 0; r < sum_rows; ++r) {
                sums[0][r][c] = chains == 2 ? sums[0][r][c] + sums[chains - 1][r][c] : sums[0][r][c];
            }
            if constexpr (step_of::rows == 2) {
                PARE_UNROLL for (std::size_t r = 0; r < Rows; r += 2) {
                    step_of::separate(sums[0][r][c], sums[0][r + 1][c]);
                }
            }
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                result[r][c] = sums[0][r][c];
                if constexpr (correction != 0 && step_of::rows == 2) {
                    result[r][c] += V::load(column_sums + c * V::lanes) * V::set(correction);
                }
            }
        }
    }

    /// The same to memory: out [Rows, Panels * Vectors * lanes], rows out_stride apart.
    template <class A, std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_FLATTEN static void multiply_tile(const A* const* rows, const row_pieces& pieces, const std::int8_t* b,
                                           const std::int32_t* column_sums, std::int32_t* out, std::size_t out_stride) {
        typename V::i32 sums[Rows][Panels * Vectors];
        sum_tile<A, Rows, Vectors, Panels>(rows, pieces, b, column_sums, sums);
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < Panels * Vectors; ++c) {
                V::store(out + r * out_stride + c * V::lanes, sums[r][c]);
            }
        }
    }

    template <class A>
    struct shapes {
        template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
        struct pick {
            static constexpr tile_function<A> value = &multiply_tile<A, Rows, Vectors, Panels>;
        };
        using table = tile_table<tile, pick>;
    };
};

/// gemm_int8_of_pieces at depths whose sums could leave int32: the sums of parts, each exact in int32, are added in int64, and the
/// epilogue takes those number by number, which is little beside products of such depth.
template <class Isa, class A, class Executor, class Locate, class Epilogue>
PARE_NOINLINE void gemm_int8_split(Executor& executor, std::size_t m, const row_pieces& pieces, const Locate& locate,
                                   const packed_int8& w, std::size_t first_column, const Epilogue& epilogue) {
    using kernel = gemm_int8_kernel<Isa>;
    using layout = typename kernel::layout;
    constexpr std::size_t part = int8_largest_depth / kernel::depth * kernel::depth;
    PARE_ASSERT(w.k <= int8_largest_split_depth, "a depth of %zu; at most %zu", w.k, int8_largest_split_depth);
    const auto tile = [&](std::size_t row, std::size_t rows, std::size_t panel) {
        static constexpr std::int32_t no_column_sums[layout::width] = {};
        const A* begin[most_tile_rows<kernel::tile>];
        locate(row, rows, begin);
        const std::size_t column = panel * layout::width, width = layout::vectors(w.n, panel) * layout::lanes;
        const auto multiply = kernel::template shapes<A>::table::find(rows, width / layout::lanes, 1);
        const std::int8_t* b = w.data + column * kernel::padded_depth(w.k);
        std::int64_t totals[kernel::tile.rows * layout::width];
        for (std::size_t i = 0; i < rows * width; ++i) {
            totals[i] = std::int64_t{simd::shift_correction<Isa, A>} * w.column_sums[column + i % width];
        }
        for (std::size_t piece = 0; piece < pieces.outer * pieces.inner; ++piece) {
            const std::size_t offset = piece / pieces.inner * pieces.outer_stride + piece % pieces.inner * pieces.inner_stride;
            for (std::size_t first = 0; first < pieces.length; first += part) {
                const std::size_t length = pieces.length - first < part ? pieces.length - first : part;
                const A* pointers[most_tile_rows<kernel::tile>];
                for (std::size_t r = 0; r < rows; ++r) {
                    pointers[r] = begin[r] + offset + first;
                }
                alignas(64) std::int32_t sums[kernel::tile.rows * layout::width];
                multiply(pointers, {.length = length}, b, no_column_sums, sums, width);
                for (std::size_t i = 0; i < rows * width; ++i) {
                    totals[i] += sums[i];
                }
                b += kernel::padded_depth(length) * width;
            }
        }
        epilogue.finish_numbers(totals, width, row, rows, first_column + column, layout::columns(w.n, panel));
    };
    for_each_tile<Isa, kernel::tile>(executor, m, w.n, w.k,
                                     [&](std::size_t row, std::size_t rows, std::size_t panel, std::size_t panels) {
                                         for (std::size_t p = panel; p < panel + panels; ++p) {
                                             tile(row, rows, p);
                                         }
                                     });
}

/// C [m, w.n] = A [m, w.k] * W^T, in the columns of the output from `first_column` on, where locate(row, rows, pointers) says where
/// these rows of A begin.
template <class Isa, class A, class Executor, class Locate, class Epilogue>
PARE_INLINE void gemm_int8_of_pieces(Executor& executor, std::size_t m, const row_pieces& pieces, const Locate& locate,
                                     const packed_int8& w, std::size_t first_column, const Epilogue& epilogue) {
    using kernel = gemm_int8_kernel<Isa>;
    using V = simd::ops<Isa>;
    using layout = typename kernel::layout;
    if (w.k > int8_largest_depth) {
        gemm_int8_split<Isa, A>(executor, m, pieces, locate, w, first_column, epilogue);
        return;
    }
    for_each_tile<Isa, kernel::tile>(
        executor, m, w.n, w.k, [&](std::size_t row, std::size_t rows, std::size_t panel, std::size_t panels) {
            const A* pointers[most_tile_rows<kernel::tile>];
            locate(row, rows, pointers);
            const std::size_t column = panel * layout::width;
            const std::size_t vectors = layout::vectors(w.n, panel);
            const std::int8_t* const b = w.data + column * kernel::padded_depth(w.k);
            const std::int32_t* const column_sums = w.column_sums + column;
            finish_tile<Isa, kernel::tile, typename V::i32, std::int32_t>(
                epilogue, m,
                {row, rows, first_column + column, panels > 1 ? panels * layout::width : layout::columns(w.n, panel),
                 panels * vectors * V::lanes},
                [&](std::int32_t* sums, std::size_t stride) {
                    kernel::template shapes<A>::table::find(rows, vectors, panels)(pointers, pieces, b, column_sums, sums, stride);
                },
                [&]<std::size_t Rows, std::size_t Vectors>(typename V::i32(&sums)[Rows][Vectors]) {
                    kernel::template sum_tile<A, Rows, Vectors, 1>(pointers, pieces, b, column_sums, sums);
                });
        });
}

/// C [m, w.n] = A [m, w.k] * W^T, element (i, j) exactly the sum over k of a[i * a_stride + k] * w[j][k], for k <=
/// int8_largest_split_depth. A is std::uint8_t, std::int8_t, or the kind that the instruction set takes. The epilogue takes the
/// sums and stores; where it stores them as they are, those that leave int32 saturate. O(m n k); reads each element of A and W,
/// writes what the epilogue stores, nothing else.
template <class Isa, class A, class Executor, class Epilogue>
PARE_NOINLINE void gemm_int8(Executor& executor, std::size_t m, const A* a, std::size_t a_stride, const packed_int8& w,
                             const Epilogue& epilogue) {
    const auto locate = [&](std::size_t row, std::size_t rows, const A** pointers) {
        for (std::size_t r = 0; r < rows; ++r) {
            pointers[r] = a + (row + r) * a_stride;
        }
    };
    gemm_int8_of_pieces<Isa, A>(executor, m, {.length = w.k}, locate, w, 0, epilogue);
}

/// The first row of the same product for a constant shape: no calls, and no sums in memory.
template <class Isa, std::size_t N, std::size_t K, class A, class Epilogue>
PARE_INLINE void gemm_int8_row(const A* a, const packed_int8& w, const Epilogue& epilogue) noexcept {
    using kernel = gemm_int8_kernel<Isa>;
    using layout = typename kernel::layout;
    for_each_tile_of_row<Isa, kernel::tile, N>([&](auto panel, auto vectors, auto panels) {
        constexpr std::size_t column = panel * layout::width;
        typename simd::ops<Isa>::i32 sums[1][vectors * panels];
        kernel::template sum_tile<A, 1, vectors, panels>(&a, {.length = K}, w.data + column * kernel::padded_depth(K),
                                                         w.column_sums + column, sums);
        epilogue.template finish_registers<Isa>(sums, 0, column, N - column);
    });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
