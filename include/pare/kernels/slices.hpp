#ifndef PARE_KERNELS_SLICES_HPP
#define PARE_KERNELS_SLICES_HPP

#include <cstddef>

#include <pare/core/executor.hpp>
#include <pare/core/workspace.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// A batch in slices of consecutive samples: pieces of work that each have memory of their own, such as a sum over their samples.
/// Their number depends on shapes alone, so sums over slices have the same bits on any number of threads.
namespace kernels {

inline constexpr std::size_t most_slices = 16;

constexpr std::size_t slice_count(std::size_t batch) noexcept {
    return batch < most_slices ? batch : most_slices;
}

/// Calls f(executor, slice, first sample, end, arena) for each slice; each has `bytes` (a multiple of the alignment) of memory,
/// taken from `scratch`. A lone slice gets the executor for itself; `work` is about how many multiply-adds all of it takes.
template <class Executor, class F>
void for_each_slice(Executor& executor, arena scratch, std::size_t batch, std::size_t slices, std::size_t bytes, std::size_t work,
                    const F& f) {
    std::byte* const memory = scratch.take<std::byte>(slices * bytes);
    if (slices == 1) {
        f(executor, std::size_t{0}, std::size_t{0}, batch, arena(memory, bytes));
        return;
    }
    const auto run = [&](std::size_t slice) {
        serial_executor serial;
        f(serial, slice, batch * slice / slices, batch * (slice + 1) / slices, arena(memory + slice * bytes, bytes));
    };
    if (work < parallel_threshold) {
        serial_executor().for_each(slices, run);
    } else {
        executor.for_each(slices, run);
    }
}

/// out[j] (+)= the sum over rows r of term(r, j), which is asked for vectors of columns: term(row, column, count). Four sums of
/// every fourth row, then their sum.
template <class Isa, class Term>
PARE_INLINE void sum_terms(std::size_t rows, std::size_t columns, float* out, bool add, const Term& term) noexcept {
    using V = simd::ops<Isa>;
    for (std::size_t c = 0; c < columns; c += V::lanes) {
        const std::size_t count = columns - c < V::lanes ? columns - c : V::lanes;
        typename V::f32 sum[4] = {add ? load_first<Isa>(out + c, count) : V::set(0.0f), V::set(0.0f), V::set(0.0f), V::set(0.0f)};
        std::size_t r = 0;
        for (; r + 4 <= rows; r += 4) {
            for (std::size_t i = 0; i < 4; ++i) {
                sum[i] = sum[i] + term(r + i, c, count);
            }
        }
        for (; r < rows; ++r) {
            sum[0] = sum[0] + term(r, c, count);
        }
        V::store_partial(out + c, (sum[0] + sum[1]) + (sum[2] + sum[3]), count);
    }
}

/// out[j] (+)= the sum of column j of a matrix.
template <class Isa>
PARE_FLATTEN PARE_NOINLINE void sum_rows(std::size_t rows, std::size_t columns, const float* data, std::size_t stride, float* out,
                                         bool add) noexcept {
    sum_terms<Isa>(rows, columns, out, add,
                   [&](std::size_t r, std::size_t c, std::size_t count) { return load_first<Isa>(data + r * stride + c, count); });
}

/// out[i] = the sum of number i of all slices, in order; slice s begins at parts + s * stride.
template <class Isa, class Executor>
void sum_slices(Executor& executor, std::size_t slices, std::size_t count, const float* parts, std::size_t stride, float* out) {
    constexpr std::size_t piece = 1024;
    executor.for_each((count + piece - 1) / piece, [&](std::size_t task) {
        const std::size_t first = task * piece;
        sum_rows<Isa>(slices, count - first < piece ? count - first : piece, parts + first, stride, out + first, false);
    });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
