#ifndef PARE_KERNELS_BATCH_NORM_HPP
#define PARE_KERNELS_BATCH_NORM_HPP

#include <cmath>

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/kernels/slices.hpp>

PARE_NAMESPACE_BEGIN

/// Normalization of the columns of a matrix x [rows, columns], which are channels; rows are the pixels of all samples. No product
/// is fused with a sum, so that the bits are those of every instruction set, whatever the compiler would make of `a + b * c`.
namespace kernels {

/// Calls f(first row, rows) for pieces of the rows.
template <class Executor, class F>
void for_each_rows(Executor& executor, std::size_t rows, std::size_t columns, const F& f) {
    const std::size_t piece = elementwise_task / (columns + 1) + 1;
    const auto run = [&](std::size_t task) { f(task * piece, rows - task * piece < piece ? rows - task * piece : piece); };
    executor.for_each((rows + piece - 1) / piece, run);
}

/// y = stage(x) by columns, row stages see the row within the matrix.
template <class Isa, class Executor, class Stage>
void apply_columns(Executor& executor, std::size_t rows, std::size_t columns, const float* x, float* y, const Stage& stage) {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes;
    for_each_rows(executor, rows, columns, [&](std::size_t first, std::size_t count) {
        for (std::size_t c = 0; c < columns; c += lanes) {
            const std::size_t wide = columns - c < lanes ? columns - c : lanes;
            const auto shared = stage.template columns<Isa>(c, wide);
            for (std::size_t r = first; r < first + count; ++r) {
                const auto v = stage.template apply<Isa>(load_first<Isa>(x + r * columns + c, wide), shared, r);
                simd::ops<Isa>::store_partial(y + r * columns + c, v, wide);
            }
        }
    });
}

/// y = stage(x) for a matrix, as an operation; y may be x.
template <class Stage>
struct apply_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, std::size_t rows, std::size_t columns, const float* x, float* y, Stage stage) {
        apply_columns<Isa>(executor, rows, columns, x, y, stage);
    }
};

/// out[j] = the sum over all rows of term(r, j), see sum_terms: by slices of rows, whose sums `parts` [most_slices, columns] takes.
template <class Isa, class Executor, class Term>
void sum_columns(Executor& executor, std::size_t rows, std::size_t columns, float* parts, float* out, const Term& term) {
    const std::size_t slices = slice_count(rows);
    for_each_slice(executor, arena(), rows, slices, 0, 4 * rows * columns,
                   [&](auto&, std::size_t slice, std::size_t first, std::size_t end, arena) {
                       sum_terms<Isa>(end - first, columns, parts + slice * columns, false,
                                      [&](std::size_t r, std::size_t c, std::size_t count) { return term(first + r, c, count); });
                   });
    sum_rows<Isa>(slices, columns, parts, columns, out, false);
}

/// mean[j] and the biased variance[j] of each column, in two passes.
template <class Isa, class Executor>
PARE_NOINLINE void moments(Executor& executor, std::size_t rows, std::size_t columns, const float* x, float* parts, float* mean,
                           float* variance) {
    const float share = 1.0f / static_cast<float>(rows);
    sum_columns<Isa>(executor, rows, columns, parts, mean,
                     [&](std::size_t r, std::size_t c, std::size_t count) { return load_first<Isa>(x + r * columns + c, count); });
    for (std::size_t j = 0; j < columns; ++j) {
        mean[j] *= share;
    }
    sum_columns<Isa>(executor, rows, columns, parts, variance, [&](std::size_t r, std::size_t c, std::size_t count) {
        const auto d = load_first<Isa>(x + r * columns + c, count) - load_first<Isa>(mean + c, count);
        return simd::ops<Isa>::opaque(d * d);
    });
    for (std::size_t j = 0; j < columns; ++j) {
        variance[j] *= share;
    }
}

/// x_hat[i, j] = (x[i, j] - mean[j]) * inverse[j]. dshift = the sum of dy, dscale = that of dy * x_hat.
template <class Isa, class Executor>
PARE_NOINLINE void batch_norm_parameter_gradient(Executor& executor, std::size_t rows, std::size_t columns, const float* x,
                                                 const float* dy, const float* mean, const float* inverse, float* parts,
                                                 float* dscale, float* dshift) {
    sum_columns<Isa>(executor, rows, columns, parts, dshift,
                     [&](std::size_t r, std::size_t c, std::size_t count) { return load_first<Isa>(dy + r * columns + c, count); });
    sum_columns<Isa>(executor, rows, columns, parts, dscale, [&](std::size_t r, std::size_t c, std::size_t count) {
        const auto centered = load_first<Isa>(x + r * columns + c, count) - load_first<Isa>(mean + c, count);
        return simd::ops<Isa>::opaque(load_first<Isa>(dy + r * columns + c, count) *
                                      (centered * load_first<Isa>(inverse + c, count)));
    });
}

/// dx = scale * inverse * (dy - (dshift + x_hat * dscale) * share). Ioffe, Szegedy 2015, section 3; share = 1 / rows, or 0 where
/// mean and variance are constants.
template <class Isa, class Executor>
PARE_NOINLINE void batch_norm_gradient(Executor& executor, std::size_t rows, std::size_t columns, float share, const float* x,
                                       const float* dy, const float* mean, const float* inverse, const float* scale,
                                       const float* dscale, const float* dshift, float* dx) {
    using V = simd::ops<Isa>;
    const auto s = V::set(share);
    for_each_rows(executor, rows, columns, [&](std::size_t first, std::size_t many) {
        for (std::size_t c = 0; c < columns; c += V::lanes) {
            const std::size_t count = columns - c < V::lanes ? columns - c : V::lanes;
            const auto load = [&](const float* p) { return load_first<Isa>(p + c, count); };
            const auto m = load(mean), i = load(inverse), factor = load(scale) * i, a = V::opaque(load(dshift) * s),
                       b = load(dscale) * s * i;
            for (std::size_t r = first; r < first + many; ++r) {
                const auto centered = load(x + r * columns) - m;
                V::store_partial(dx + r * columns + c, factor * (load(dy + r * columns) - a - V::opaque(centered * b)), count);
            }
        }
    });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
