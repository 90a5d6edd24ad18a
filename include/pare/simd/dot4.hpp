#ifndef PARE_SIMD_DOT4_HPP
#define PARE_SIMD_DOT4_HPP

#include <type_traits>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

namespace simd {

/// Products of activations and weights in the form that each instruction set is fastest at. A step, ops<Isa>::dot, adds dot_depth
/// products to each 32-bit lane: the same dot_depth activations (`broadcast`) meet the dot_depth weights of every lane
/// (`load_weights`, lane by lane in memory). All sums are exact for every byte, -128 included.
///
/// Activations come in the kind that a step takes, ops<Isa>::activation: unsigned or signed bytes, or 16-bit numbers. Bytes of
/// another kind are converted on the way; where that shifts them by 128, the caller adds shift_correction<Isa, A> times the sum of
/// the weights.
template <class Isa, class A>
inline constexpr std::int32_t shift_correction = std::is_same_v<A, typename ops<Isa>::activation> ||
                                                         sizeof(typename ops<Isa>::activation) > 1
                                                     ? 0
                                                 : std::is_signed_v<A> ? -128
                                                                       : 128;

/// sum[j] + a[0] w[j][0] + a[1] w[j][1] + a[2] w[j][2] + a[3] w[j][3] for each lane j, up to shift_correction: the four-way dot
/// product of bytes as one instruction where there is one. `weights` holds 4 * lanes bytes, in steps of dot_depth per lane.
template <class Isa, class A>
PARE_INLINE typename ops<Isa>::i32 dot4(typename ops<Isa>::i32 sum, const A* a, const std::int8_t* weights) noexcept {
    using V = ops<Isa>;
    for (std::size_t i = 0; i < 4; i += V::dot_depth) {
        sum = V::dot(sum, V::broadcast(a + i), V::load_weights(weights + i * V::lanes));
    }
    return sum;
}

}  // namespace simd

PARE_NAMESPACE_END

#endif
