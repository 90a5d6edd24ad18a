#ifndef PARE_KERNELS_SOFTMAX_HPP
#define PARE_KERNELS_SOFTMAX_HPP

#include <cstddef>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// y[j] = exp(x[j] - max x) / sum over k of exp(x[k] - max x), for n >= 1 finite numbers. `y` may be `x`. O(n).
template <class Isa>
PARE_FLATTEN void softmax_row(const float* x, std::size_t n, float* y) noexcept {
    using V = simd::ops<Isa>;
    float largest = x[0];
    for (std::size_t i = 1; i < n; ++i) {
        largest = x[i] > largest ? x[i] : largest;
    }
    const auto shift = V::set(largest);
    for (std::size_t i = 0; i < n; i += V::lanes) {
        const std::size_t count = n - i < V::lanes ? n - i : V::lanes;
        if (count == V::lanes) {
            V::store(y + i, V::exp(V::load(x + i) - shift));
        } else {
            V::store_partial(y + i, V::exp(V::load_partial(x + i, count) - shift), count);
        }
    }
    float sum = 0.0f;
    for (std::size_t i = 0; i < n; ++i) {
        sum += y[i];
    }
    const float inverse = 1.0f / sum;
    for (std::size_t i = 0; i < n; ++i) {
        y[i] *= inverse;
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
