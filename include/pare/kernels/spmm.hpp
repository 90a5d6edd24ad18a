#ifndef PARE_KERNELS_SPMM_HPP
#define PARE_KERNELS_SPMM_HPP

#include <cstddef>
#include <cstdint>

#include <pare/core/workspace.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/sliced_rows.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// Products of dense activations and sparse weights: C = X W^T, W in slices of rows. Every output is one chain of (fused)
/// multiply-adds in the order of the columns, in every kernel here: a sample has the same bits in every batch.
namespace kernels {

/// Rows of activations that share every weight: so many that the sums of a slice for them fit the registers.
template <class Isa>
inline constexpr std::size_t spmm_panel = [] {
    using V = simd::ops<Isa>;
    const std::size_t vectors = V::f32_tile.rows * V::f32_tile.vectors / V::lanes;
    return V::lanes * (vectors < 1 ? 1 : vectors > 4 ? 4 : vectors);
}();

/// Rows that are transposed together.
template <class Isa>
inline constexpr std::size_t spmm_block = 4 * spmm_panel<Isa>;

/// For that batch or a smaller one.
template <class Isa, class Number>
constexpr std::size_t spmm_scratch_bytes(std::size_t batch, std::size_t k) noexcept {
    const std::size_t rows = round_up(batch, spmm_panel<Isa>);
    return scratch_bytes_of<Number>((k + 1) * (rows < spmm_block<Isa> ? rows : spmm_block<Isa>));
}

/// Weights of more bytes than this come from memory, not from a cache.
inline constexpr std::size_t spmm_far_bytes = std::size_t{1} << 24;

namespace detail {

template <class Isa>
PARE_INLINE auto load_numbers(const float* p) noexcept {
    return simd::ops<Isa>::load(p);
}
template <class Isa, class Byte>
PARE_INLINE auto load_numbers(const Byte* p) noexcept {
    return simd::ops<Isa>::load_widened(p);
}

/// How 32-bit numbers of either kind lie in memory while they are moved.
template <class Isa>
PARE_INLINE void store_bits(float* p, typename simd::ops<Isa>::f32 v) noexcept {
    simd::ops<Isa>::store(p, v);
}
template <class Isa>
PARE_INLINE void store_bits(float* p, typename simd::ops<Isa>::i32 v) noexcept {
    simd::ops<Isa>::store(p, simd::ops<Isa>::from_bits(v));
}
/// to [lanes, lanes] = the transpose of from [lanes, lanes].
template <class Isa, class Number>
PARE_INLINE void transpose_square(const float* from, std::size_t from_stride, Number* to, std::size_t to_stride) noexcept {
    using V = simd::ops<Isa>;
    const auto move = [&](typename V::f32 v, std::size_t row) {
        if constexpr (std::is_same_v<Number, float>) {
            V::store(to + row * to_stride, v);
        } else {
            V::store(to + row * to_stride, V::bits(v));
        }
    };
    if constexpr (V::lanes == 1) {
        move(*from, 0);
    } else {
        PARE_UNROLL for (std::size_t r = 0; r < V::lanes; r += 4) {
            typename V::f32 some[4];
            V::load_transposed(from + r, from_stride, some);
            PARE_UNROLL for (std::size_t i = 0; i < 4; ++i) {
                move(some[i], r + i);
            }
        }
    }
}

/// The sums of one slice for one row of activations x [k + 1], to the places of its rows in the window.
template <class Isa, bool Far, class Number, class Value, class Index>
PARE_FLATTEN void gather_slice(const Number* x, const sliced_rows_view<Value, Index>& w, std::size_t slice, Number* sums) noexcept {
    using V = simd::ops<Isa>;
    constexpr std::size_t lanes = V::lanes;
    [[maybe_unused]] constexpr std::size_t ahead = 8192 / sizeof(float);
    const Value* values = w.values + w.slice_begin[slice] * lanes;
    const Index* column = w.column + w.slice_begin[slice] * lanes;
    auto sum = V::set(Number{0});
    for (std::size_t i = w.slice_begin[slice]; i < w.slice_begin[slice + 1]; ++i, values += lanes, column += lanes) {
        if constexpr (Far) {
            PARE_PREFETCH(values + ahead);
            PARE_PREFETCH(column + ahead);
        }
        sum = V::fma(load_numbers<Isa>(values), V::gather(x, column), sum);
    }
    alignas(64) Number copy[lanes];
    V::store(copy, sum);
    for (std::size_t c = 0; c < lanes; ++c) {
        sums[w.output[slice * lanes + c]] = copy[c];
    }
}

/// The sums of one slice for a panel of activations xt [k + 1, spmm_panel], to sums [places of its rows in the window, spmm_panel].
template <class Isa, class Number, class Value, class Index>
PARE_FLATTEN void multiply_slice(const Number* xt, const sliced_rows_view<Value, Index>& w, std::size_t slice,
                                 float* sums) noexcept {
    using V = simd::ops<Isa>;
    using vector = decltype(V::set(Number{}));
    constexpr std::size_t lanes = V::lanes, panel = spmm_panel<Isa>, vectors = panel / lanes;
    constexpr std::size_t together = lanes < 4 ? 1 : 4;
    const Value* values = w.values + w.slice_begin[slice] * lanes;
    const Index* column = w.column + w.slice_begin[slice] * lanes;
    vector sum[lanes][vectors];
    PARE_UNROLL for (std::size_t r = 0; r < lanes; ++r) {
        PARE_UNROLL for (std::size_t v = 0; v < vectors; ++v) {
            sum[r][v] = V::set(Number{0});
        }
    }
    for (std::size_t i = w.slice_begin[slice]; i < w.slice_begin[slice + 1]; ++i, values += lanes, column += lanes) {
        PARE_UNROLL for (std::size_t first = 0; first < lanes; first += together) {
            vector value[together];
            if constexpr (together == 4) {
                V::broadcast_four(values + first, value);
            } else {
                value[0] = V::set(static_cast<Number>(*values));
            }
            PARE_UNROLL for (std::size_t r = 0; r < together; ++r) {
                const Number* const x = xt + std::size_t{column[first + r]} * panel;
                PARE_UNROLL for (std::size_t v = 0; v < vectors; ++v) {
                    sum[first + r][v] = V::fma(value[r], V::load(x + v * lanes), sum[first + r][v]);
                }
            }
        }
    }
    PARE_UNROLL for (std::size_t r = 0; r < lanes; ++r) {
        float* const out = sums + w.output[slice * lanes + r] * panel;
        PARE_UNROLL for (std::size_t v = 0; v < vectors; ++v) {
            store_bits<Isa>(out + v * lanes, sum[r][v]);
        }
    }
}

/// Slices of a window, and the outputs that they are.
struct window_place {
    std::size_t first_slice;
    std::size_t slices;
    std::size_t column;
    std::size_t columns;
};

template <class Isa>
PARE_INLINE window_place place_of(std::size_t window, std::size_t n) noexcept {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes;
    const std::size_t column = window * window_rows<Isa>;
    const std::size_t columns = n - column < window_rows<Isa> ? n - column : window_rows<Isa>;
    return {column / lanes, (columns + lanes - 1) / lanes, column, columns};
}

template <class Isa, class Number, class Value, class Index, class Epilogue>
void multiply_row(const Number* x, std::size_t row, std::size_t window, const sliced_rows_view<Value, Index>& w,
                  const Epilogue& epilogue) noexcept {
    const window_place at = place_of<Isa>(window, w.n);
    alignas(64) Number sums[window_rows<Isa>];
    const bool far = w.stored * (sizeof(Value) + sizeof(Index)) > spmm_far_bytes;
    for (std::size_t s = at.first_slice; s < at.first_slice + at.slices; ++s) {
        if (far) {
            gather_slice<Isa, true>(x, w, s, sums);
        } else {
            gather_slice<Isa, false>(x, w, s, sums);
        }
    }
    epilogue.template finish<Isa>(sums, window_rows<Isa>, row, 1, at.column, at.columns);
}

/// The outputs of one window for up to spmm_panel rows.
template <class Isa, class Number, class Value, class Index, class Epilogue>
void multiply_panel(const Number* xt, std::size_t row, std::size_t rows, std::size_t window,
                    const sliced_rows_view<Value, Index>& w, const Epilogue& epilogue) noexcept {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes, panel = spmm_panel<Isa>, group = window_rows<Isa>;
    const window_place at = place_of<Isa>(window, w.n);
    alignas(64) float sums[group * panel];
    for (std::size_t s = at.first_slice; s < at.first_slice + at.slices; ++s) {
        multiply_slice<Isa>(xt, w, s, sums);
    }
    alignas(64) Number tile[panel * group];
    for (std::size_t r = 0; r < panel; r += lanes) {
        for (std::size_t c = 0; c < at.slices * lanes; c += lanes) {
            transpose_square<Isa>(sums + c * panel + r, panel, tile + r * group + c, group);
        }
    }
    epilogue.template finish<Isa>(tile, group, row, rows, at.column, at.columns);
}

/// xt [k + 1, spmm_panel] = the transpose of up to spmm_panel rows of x, zero where there are fewer, and a row of zeros.
template <class Isa, class Number, class X>
PARE_FLATTEN void transpose_panel(const X* x, std::size_t x_stride, std::size_t rows, std::size_t k, Number* xt) noexcept {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes, panel = spmm_panel<Isa>;
    for (std::size_t first = 0; first < panel; first += lanes) {
        std::size_t i = 0;
        for (; first + lanes <= rows && i + lanes <= k; i += lanes) {
            // By way of a copy: rows that are a power of two apart share their places in the cache.
            alignas(64) float copy[lanes * lanes];
            PARE_UNROLL for (std::size_t r = 0; r < lanes; ++r) {
                store_bits<Isa>(copy + r * lanes, load_numbers<Isa>(x + (first + r) * x_stride + i));
            }
            transpose_square<Isa>(copy, lanes, xt + i * panel + first, panel);
        }
        for (; i <= k; ++i) {
            for (std::size_t r = first; r < first + lanes; ++r) {
                xt[i * panel + r] = i < k && r < rows ? static_cast<Number>(x[r * x_stride + i]) : Number{0};
            }
        }
    }
}

}  // namespace detail

/// C [m, w.n] = X [m, w.k] * W^T, summed in Number: float, or std::int32_t (exact, under the depth limit of gemm_int8) for byte
/// activations and weights. The epilogue takes the sums and stores. O(m * stored). A lone row gathers its numbers, one load each;
/// several are transposed into the scratch, so that a weight multiplies a vector of them.
template <class Isa, class Number, class Executor, class X, class Value, class Index, class Epilogue>
PARE_NOINLINE void spmm(Executor& executor, arena scratch, std::size_t m, const X* x, std::size_t x_stride,
                        const sliced_rows_view<Value, Index>& w, const Epilogue& epilogue) {
    constexpr std::size_t panel = spmm_panel<Isa>, most = spmm_block<Isa>;
    Number* const buffer = scratch.take<Number>(spmm_scratch_bytes<Isa, Number>(m, w.k) / sizeof(Number));
    const std::size_t windows = (w.n + window_rows<Isa> - 1) / window_rows<Isa>;
    for (std::size_t row = 0; row < m; row += most) {
        const std::size_t rows = m - row < most ? m - row : most;
        const X* const block = x + row * x_stride;
        const auto rows_of = [&](std::size_t first) { return rows - first < panel ? rows - first : panel; };
        const auto run = [&](std::size_t window) {
            if (rows == 1) {
                detail::multiply_row<Isa>(buffer, row, window, w, epilogue);
            } else {
                for (std::size_t first = 0; first < rows; first += panel) {
                    detail::multiply_panel<Isa>(buffer + first * (w.k + 1), row + first, rows_of(first), window, w, epilogue);
                }
            }
        };
        if (rows == 1) {
            for (std::size_t i = 0; i < w.k; ++i) {
                buffer[i] = static_cast<Number>(block[i]);
            }
            buffer[w.k] = 0;
        } else {
            for (std::size_t first = 0; first < rows; first += panel) {
                detail::transpose_panel<Isa>(block + first * x_stride, x_stride, rows_of(first), w.k, buffer + first * (w.k + 1));
            }
        }
        if (rows * w.stored < parallel_threshold) {
            serial_executor{}.for_each(windows, run);
        } else {
            executor.for_each(windows, run);
        }
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
