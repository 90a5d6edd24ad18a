#ifndef PARE_KERNELS_SPMM_HPP
#define PARE_KERNELS_SPMM_HPP

#include <cstddef>
#include <cstdint>

#include <pare/core/workspace.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// Products of dense activations and sparse weights: C = X W^T, W in compressed sparse rows.
namespace kernels {

template <class Value, class Index>
struct csr_view {
    const std::uint32_t* row_begin;  // [n + 1]
    const Index* column;             // [stored]
    const Value* values;             // [stored]
    std::size_t n;
    std::size_t k;
};

/// Rows of activations that spmm multiplies at once: two vectors of them share every weight.
template <class Isa>
inline constexpr std::size_t spmm_block = 2 * simd::ops<Isa>::lanes;

template <class Isa, class Number>
constexpr std::size_t spmm_scratch_bytes(std::size_t k) noexcept {
    return scratch_bytes_of<Number>(k * spmm_block<Isa>);
}

namespace detail {

/// The sum over the stored weights of one row of step(sum, i), in four chains: a lone one would wait for itself. One order for
/// every kernel here, so that a sample has the same bits in every batch.
template <class Sum, class Value, class Index, class Step>
PARE_INLINE Sum sparse_sum(const csr_view<Value, Index>& w, std::size_t row, Sum zero, const Step& step) noexcept {
    Sum sum[4] = {zero, zero, zero, zero};
    std::size_t i = w.row_begin[row];
    const std::size_t end = w.row_begin[row + 1];
    for (; i + 4 <= end; i += 4) {
        PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
            sum[u] = step(sum[u], i + u);
        }
    }
    for (; i < end; ++i) {
        sum[0] = step(sum[0], i);
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// One row of activations times one row of weights.
template <class Isa, class Number, class X, class Value, class Index>
PARE_FLATTEN Number sparse_dot(const X* x, const csr_view<Value, Index>& w, std::size_t row) noexcept {
    return sparse_sum(w, row, Number{0}, [&](Number sum, std::size_t i) {
        return simd::ops<Isa>::fma(static_cast<Number>(w.values[i]), static_cast<Number>(x[w.column[i]]), sum);
    });
}

/// out [spmm_block] = sums of one row of weights times the columns of xt [k, spmm_block].
template <class Isa, class Number, class Value, class Index>
PARE_FLATTEN void sparse_times_block(const Number* xt, const csr_view<Value, Index>& w, std::size_t row, Number* out) noexcept {
    using V = simd::ops<Isa>;
    struct two_vectors {
        decltype(V::set(Number{})) a, b;
        PARE_INLINE two_vectors operator+(const two_vectors& other) const noexcept { return {a + other.a, b + other.b}; }
    };
    const auto sum =
        sparse_sum(w, row, two_vectors{V::set(Number{0}), V::set(Number{0})}, [&](const two_vectors& s, std::size_t i) {
            const Number* x = xt + std::size_t{w.column[i]} * spmm_block<Isa>;
            const auto value = V::set(static_cast<Number>(w.values[i]));
            return two_vectors{V::fma(value, V::load(x), s.a), V::fma(value, V::load(x + V::lanes), s.b)};
        });
    V::store(out, sum.a);
    V::store(out + V::lanes, sum.b);
}

/// Outputs that are finished together.
template <class Isa>
inline constexpr std::size_t spmm_group = 4 * simd::ops<Isa>::lanes;

/// Up to spmm_group outputs, from `column` on, of up to spmm_block rows. xt is their transposed form, or null where there are too
/// few of them to be worth it.
template <class Isa, class Number, class X, class Value, class Index, class Epilogue>
void multiply_group(const X* x, std::size_t x_stride, const Number* xt, std::size_t row, std::size_t rows, std::size_t column,
                    const csr_view<Value, Index>& w, const Epilogue& epilogue) noexcept {
    constexpr std::size_t group = spmm_group<Isa>;
    alignas(64) Number tile[spmm_block<Isa> * group];
    const std::size_t columns = w.n - column < group ? w.n - column : group;
    for (std::size_t c = 0; c < columns; ++c) {
        if (xt != nullptr) {
            alignas(64) Number sums[spmm_block<Isa>];
            sparse_times_block<Isa>(xt, w, column + c, sums);
            for (std::size_t r = 0; r < rows; ++r) {
                tile[r * group + c] = sums[r];
            }
        } else {
            for (std::size_t r = 0; r < rows; ++r) {
                tile[r * group + c] = sparse_dot<Isa, Number>(x + r * x_stride, w, column + c);
            }
        }
    }
    for (std::size_t c = columns; c % simd::ops<Isa>::lanes != 0; ++c) {  // the epilogue works on whole vectors
        for (std::size_t r = 0; r < rows; ++r) {
            tile[r * group + c] = 0;
        }
    }
    epilogue.template finish<Isa>(tile, group, row, rows, column, columns);
}

/// xt [k, spmm_block] = the transpose of rows of x, zero where there are fewer.
template <class Isa, class Number, class X>
void transpose_block(const X* x, std::size_t x_stride, std::size_t rows, std::size_t k, Number* xt) noexcept {
    constexpr std::size_t block = spmm_block<Isa>;
    for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t r = 0; r < block; ++r) {
            xt[i * block + r] = r < rows ? static_cast<Number>(x[r * x_stride + i]) : Number{0};
        }
    }
}

}  // namespace detail

/// C [m, w.n] = X [m, w.k] * W^T, summed in Number: float, or std::int32_t (exact, under the depth limit of gemm_int8) for byte
/// activations and weights. The epilogue takes the sums and stores. O(m * stored). Large batches are transposed into the scratch, a
/// block at a time.
template <class Isa, class Number, class Executor, class X, class Value, class Index, class Epilogue>
PARE_NOINLINE void spmm(Executor& executor, arena scratch, std::size_t m, const X* x, std::size_t x_stride,
                        const csr_view<Value, Index>& w, const Epilogue& epilogue) {
    Number* const buffer = scratch.take<Number>(w.k * spmm_block<Isa>);
    const std::size_t groups = (w.n + detail::spmm_group<Isa> - 1) / detail::spmm_group<Isa>;
    for (std::size_t row = 0; row < m; row += spmm_block<Isa>) {
        const std::size_t rows = m - row < spmm_block<Isa> ? m - row : spmm_block<Isa>;
        const X* const block = x + row * x_stride;
        const Number* xt = nullptr;
        if (rows > 1 && rows > spmm_block<Isa> / 4) {
            detail::transpose_block<Isa>(block, x_stride, rows, w.k, buffer);
            xt = buffer;
        }
        const auto run = [&](std::size_t g) {
            detail::multiply_group<Isa>(block, x_stride, xt, row, rows, g * detail::spmm_group<Isa>, w, epilogue);
        };
        if (rows * w.row_begin[w.n] < parallel_threshold) {
            serial_executor{}.for_each(groups, run);
        } else {
            executor.for_each(groups, run);
        }
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
