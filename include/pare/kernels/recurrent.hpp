#ifndef PARE_KERNELS_RECURRENT_HPP
#define PARE_KERNELS_RECURRENT_HPP

#include <cstddef>

#include <pare/kernels/activations.hpp>
#include <pare/kernels/operation.hpp>

PARE_NAMESPACE_BEGIN

/// Recurrent cells between their products: one pass over the gates of one step of one sample. A cell has
///
///     gates                     how many vectors of n numbers the products with its input and with its state give
///     state_vectors             how many it carries from step to step: the output h, and what else
///     saved_vectors             how many the backward pass needs beside the gates
///     same_gradients            whether the gradients of both products are one, and h has no other way to y
///     forward<Isa, Save>(n, gx, gh, h, s, extra, y)
///     backward<Isa>(n, gates, extra, h, s, dy, ds, dgx, dgh, dh)
///
/// gx, gh [gates * n] are W_ih x + b_ih and W_hh h + b_hh; h [n] is the output of the step before, or null for zeros, and so is s,
/// the rest of the state. Gates are in PyTorch's order. With Save, the gates after their functions replace gx. Every operation is
/// rounded by itself: the same bits on every instruction set. O(n).
namespace kernels {

template <class Isa>
PARE_INLINE void store_first(float* p, detail::vector<Isa> v, std::size_t count) noexcept {
    using V = simd::ops<Isa>;
    if (count == V::lanes) {
        V::store(p, v);
    } else {
        V::store_partial(p, v, count);
    }
}

/// Calls f(first index, count) for each vector of n numbers.
template <class Isa, class F>
PARE_INLINE void for_each_vector(std::size_t n, const F& f) noexcept {
    constexpr std::size_t lanes = simd::ops<Isa>::lanes;
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        f(i, lanes);
    }
    if (i < n) {
        f(i, n - i);
    }
}

/// i, f, o = sigmoid, g = tanh; s' = f s + i g; y = o tanh(s'). Gates i, f, g, o; the extra vector saved is s', which takes the
/// place of `extra` (that may be s). Hochreiter, Schmidhuber 1997; Gers et al. 2000.
struct lstm_cell {
    static constexpr const char* name = "lstm";
    static constexpr std::size_t gates = 4;
    static constexpr std::size_t state_vectors = 2;
    static constexpr std::size_t saved_vectors = 1;
    static constexpr bool same_gradients = true;

    template <class Isa, bool Save>
    PARE_FLATTEN static void forward(std::size_t n, float* gx, const float* gh, const float*, const float* s, float* extra,
                                     float* y) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        for_each_vector<Isa>(n, [&](std::size_t at, std::size_t count) {
            const auto sum = [&](std::size_t gate) {
                return R::add(load_first<Isa>(gx + gate * n + at, count), load_first<Isa>(gh + gate * n + at, count));
            };
            const auto i = simd::sigmoid<Isa>(sum(0));
            const auto f = simd::sigmoid<Isa>(sum(1));
            const auto g = simd::tanh<Isa>(sum(2));
            const auto o = simd::sigmoid<Isa>(sum(3));
            const auto before = s != nullptr ? load_first<Isa>(s + at, count) : V::set(0.0f);
            const auto cell = R::add(R::multiply(f, before), R::multiply(i, g));
            store_first<Isa>(extra + at, cell, count);
            store_first<Isa>(y + at, R::multiply(o, simd::tanh<Isa>(cell)), count);
            if constexpr (Save) {
                store_first<Isa>(gx + at, i, count);
                store_first<Isa>(gx + n + at, f, count);
                store_first<Isa>(gx + 2 * n + at, g, count);
                store_first<Isa>(gx + 3 * n + at, o, count);
            }
        });
    }

    /// dy: gradient of y; ds: that of s', replaced by that of s; dgx: that of both products. That of h comes from the product
    /// alone.
    template <class Isa>
    PARE_FLATTEN static void backward(std::size_t n, const float* gate, const float* extra, const float*, const float* s,
                                      const float* dy, float* ds, float* dgx, float*, float*) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const auto one = V::set(1.0f);
        for_each_vector<Isa>(n, [&](std::size_t at, std::size_t count) {
            const auto i = load_first<Isa>(gate + at, count);
            const auto f = load_first<Isa>(gate + n + at, count);
            const auto g = load_first<Isa>(gate + 2 * n + at, count);
            const auto o = load_first<Isa>(gate + 3 * n + at, count);
            const auto before = s != nullptr ? load_first<Isa>(s + at, count) : V::set(0.0f);
            const auto t = simd::tanh<Isa>(load_first<Isa>(extra + at, count));
            const auto d = load_first<Isa>(dy + at, count);
            const auto dcell = load_first<Isa>(ds + at, count) + R::multiply(d * o, one - R::multiply(t, t));
            store_first<Isa>(dgx + at, dcell * g * i * (one - i), count);
            store_first<Isa>(dgx + n + at, dcell * before * f * (one - f), count);
            store_first<Isa>(dgx + 2 * n + at, dcell * i * (one - R::multiply(g, g)), count);
            store_first<Isa>(dgx + 3 * n + at, d * t * o * (one - o), count);
            store_first<Isa>(ds + at, dcell * f, count);
        });
    }
};

/// r, z = sigmoid; m = tanh(gx + r gh); y = m + z (h - m). Gates r, z, m; the extra vector saved is gh of m. Cho et al. 2014, with
/// the bias inside as in cuDNN and PyTorch.
struct gru_cell {
    static constexpr const char* name = "gru";
    static constexpr std::size_t gates = 3;
    static constexpr std::size_t state_vectors = 1;
    static constexpr std::size_t saved_vectors = 1;
    static constexpr bool same_gradients = false;

    template <class Isa, bool Save>
    PARE_FLATTEN static void forward(std::size_t n, float* gx, const float* gh, const float* h, const float*, float* extra,
                                     float* y) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        for_each_vector<Isa>(n, [&](std::size_t at, std::size_t count) {
            const auto x = [&](std::size_t gate) { return load_first<Isa>(gx + gate * n + at, count); };
            const auto state = [&](std::size_t gate) { return load_first<Isa>(gh + gate * n + at, count); };
            const auto r = simd::sigmoid<Isa>(R::add(x(0), state(0)));
            const auto z = simd::sigmoid<Isa>(R::add(x(1), state(1)));
            const auto m = simd::tanh<Isa>(R::add(x(2), R::multiply(r, state(2))));
            const auto before = h != nullptr ? load_first<Isa>(h + at, count) : V::set(0.0f);
            store_first<Isa>(y + at, R::add(m, R::multiply(z, R::subtract(before, m))), count);
            if constexpr (Save) {
                store_first<Isa>(extra + at, state(2), count);
                store_first<Isa>(gx + at, r, count);
                store_first<Isa>(gx + n + at, z, count);
                store_first<Isa>(gx + 2 * n + at, m, count);
            }
        });
    }

    /// dh: what the gradient of h gets besides the product.
    template <class Isa>
    PARE_FLATTEN static void backward(std::size_t n, const float* gate, const float* extra, const float* h, const float*,
                                      const float* dy, float*, float* dgx, float* dgh, float* dh) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const auto one = V::set(1.0f);
        for_each_vector<Isa>(n, [&](std::size_t at, std::size_t count) {
            const auto r = load_first<Isa>(gate + at, count);
            const auto z = load_first<Isa>(gate + n + at, count);
            const auto m = load_first<Isa>(gate + 2 * n + at, count);
            const auto before = h != nullptr ? load_first<Isa>(h + at, count) : V::set(0.0f);
            const auto d = load_first<Isa>(dy + at, count);
            const auto dm = d * (one - z) * (one - R::multiply(m, m));
            const auto dr = dm * load_first<Isa>(extra + at, count) * r * (one - r);
            const auto dz = d * (before - m) * z * (one - z);
            store_first<Isa>(dgx + at, dr, count);
            store_first<Isa>(dgx + n + at, dz, count);
            store_first<Isa>(dgx + 2 * n + at, dm, count);
            store_first<Isa>(dgh + at, dr, count);
            store_first<Isa>(dgh + n + at, dz, count);
            store_first<Isa>(dgh + 2 * n + at, dm * r, count);
            store_first<Isa>(dh + at, d * z, count);
        });
    }
};

/// y = f(gx + gh). Elman 1990.
template <class Function>
struct rnn_cell {
    static constexpr const char* name = "rnn";
    static constexpr std::size_t gates = 1;
    static constexpr std::size_t state_vectors = 1;
    static constexpr std::size_t saved_vectors = 0;
    static constexpr bool same_gradients = true;

    template <class Isa, bool Save>
    PARE_FLATTEN static void forward(std::size_t n, float* gx, const float* gh, const float*, const float*, float*,
                                     float* y) noexcept {
        for_each_vector<Isa>(n, [&](std::size_t at, std::size_t count) {
            const auto sum = simd::rounded<Isa>::add(load_first<Isa>(gx + at, count), load_first<Isa>(gh + at, count));
            const auto value = Function{}.template value<Isa>(sum);
            store_first<Isa>(y + at, value, count);
            if constexpr (Save) {
                store_first<Isa>(gx + at, value, count);
            }
        });
    }

    /// Functions whose slope follows from their value.
    template <class Isa>
    PARE_FLATTEN static void backward(std::size_t n, const float* gate, const float*, const float*, const float*, const float* dy,
                                      float*, float* dgx, float*, float*) noexcept {
        for_each_vector<Isa>(n, [&](std::size_t at, std::size_t count) {
            const auto value = load_first<Isa>(gate + at, count);
            store_first<Isa>(dgx + at, load_first<Isa>(dy + at, count) * Function{}.template slope<Isa>(value, value), count);
        });
    }
};

/// forward() of a cell for one step of some sequences: row r of each argument lies its stride after row r - 1.
struct cell_rows {
    std::size_t rows;
    std::size_t n;
    float* gx;
    std::size_t gx_stride;
    const float* gh;  // [rows, gates * n]
    const float* h;
    std::size_t h_stride;
    const float* s;  // as extra
    float* extra;
    std::size_t extra_stride;
    float* y;
    std::size_t y_stride;
};
template <class Cell, bool Save>
struct cell_operation {
    template <class Isa, class Executor>
    static void run(Executor&, cell_rows a) {
        for (std::size_t r = 0; r < a.rows; ++r) {
            Cell::template forward<Isa, Save>(
                a.n, a.gx + r * a.gx_stride, a.gh + r * Cell::gates * a.n, a.h == nullptr ? nullptr : a.h + r * a.h_stride,
                a.s == nullptr ? nullptr : a.s + r * a.extra_stride, a.extra + r * a.extra_stride, a.y + r * a.y_stride);
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
