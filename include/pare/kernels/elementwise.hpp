#ifndef PARE_KERNELS_ELEMENTWISE_HPP
#define PARE_KERNELS_ELEMENTWISE_HPP

#include <cstddef>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Elements that one task of an element-wise loop takes.
inline constexpr std::size_t elementwise_task = std::size_t{1} << 14;

/// out[i] = f(in[i]...) for i in [0, n), f on vectors. `out` may be one of the inputs.
template <class Isa, class F, class... In>
PARE_FLATTEN void transform(std::size_t n, float* out, const F& f, const In*... in) noexcept {
    using V = simd::ops<Isa>;
    std::size_t i = 0;
    for (; i + V::lanes <= n; i += V::lanes) {
        V::store(out + i, f(V::load(in + i)...));
    }
    if (i < n) {
        V::store_partial(out + i, f(V::load_partial(in + i, n - i)...), n - i);
    }
}

/// f(first, count) for parts of n elements, split over an executor.
template <class Executor, class F>
PARE_INLINE void for_each_part(Executor& executor, std::size_t n, const F& f) {
    if (n <= elementwise_task) {
        f(std::size_t{0}, n);
        return;
    }
    executor.for_each((n + elementwise_task - 1) / elementwise_task, [&](std::size_t task) {
        const std::size_t first = task * elementwise_task;
        f(first, n - first < elementwise_task ? n - first : elementwise_task);
    });
}

/// The same as above with the elements split over an executor.
template <class Isa, class Executor, class F, class... In>
void transform(Executor& executor, std::size_t n, float* out, const F& f, const In*... in) {
    for_each_part(executor, n,
                  [&](std::size_t first, std::size_t count) { transform<Isa>(count, out + first, f, (in + first)...); });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
