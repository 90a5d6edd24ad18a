#ifndef PARE_KERNELS_REDUCE_HPP
#define PARE_KERNELS_REDUCE_HPP

#include <cstddef>

#include <pare/simd/math.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// How many partial sums sum_of keeps, on every instruction set.
inline constexpr std::size_t partial_sums = 16;

/// The sum over i in [0, n) of f(in[i]...), f on vectors, with the same bits on every instruction set: number i belongs to partial
/// sum i mod 16, and these are added in pairs: i and i + 8, i and i + 4, ... O(n).
template <class Isa, class F, class... In>
PARE_INLINE float sum_of(std::size_t n, const F& f, const In*... in) noexcept {
    using V = simd::ops<Isa>;
    static_assert(partial_sums % V::lanes == 0);
    constexpr std::size_t vectors = partial_sums / V::lanes;
    typename V::f32 sums[vectors];
    PARE_UNROLL for (std::size_t v = 0; v < vectors; ++v) {
        sums[v] = V::set(0.0f);
    }
    std::size_t i = 0;
    for (; i + partial_sums <= n; i += partial_sums) {
        PARE_UNROLL for (std::size_t v = 0; v < vectors; ++v) {
            sums[v] = V::opaque(sums[v] + V::opaque(f(V::load(in + i + v * V::lanes)...)));
        }
    }
    for (std::size_t v = 0; i < n; ++v, i += V::lanes) {
        const std::size_t count = n - i < V::lanes ? n - i : V::lanes;
        alignas(64) float lane[V::lanes];
        V::store(lane, V::opaque(f(V::load_partial(in + i, count)...)));
        sums[v] = V::opaque(sums[v] + V::load_partial(lane, count));
    }
    alignas(64) float partial[partial_sums];
    PARE_UNROLL for (std::size_t v = 0; v < vectors; ++v) {
        V::store(partial + v * V::lanes, sums[v]);
    }
    for (std::size_t half = partial_sums / 2; half > 0; half /= 2) {
        for (std::size_t k = 0; k < half; ++k) {
            partial[k] = opaque(partial[k] + partial[k + half]);
        }
    }
    return partial[0];
}

/// The largest of n >= 1 numbers.
template <class T>
T largest_of(const T* x, std::size_t n) noexcept {
    T largest = x[0];
    for (std::size_t i = 1; i < n; ++i) {
        largest = x[i] > largest ? x[i] : largest;
    }
    return largest;
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
