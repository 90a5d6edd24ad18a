#ifndef PARE_SIMD_DOT4_HPP
#define PARE_SIMD_DOT4_HPP

#include <cstddef>
#include <cstdint>
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

/// How a tile of a matrix product steps along the depth, and by how much: with one row at a time, as above, or with two, where an
/// instruction multiplies a block of two rows and two columns, which ops<Isa>::row_pairs describes. Two such sums, of the columns
/// of one vector, become those of two rows in the end (`separate`).
template <class Isa>
struct one_row_step {
    static constexpr std::size_t rows = 1;
    static constexpr std::size_t depth = ops<Isa>::dot_depth;
    PARE_INLINE static auto load_weights(const std::int8_t* p) noexcept { return ops<Isa>::load_weights(p); }
};
namespace detail {
template <class Isa>
auto tile_step_of() {
    if constexpr (requires { typename ops<Isa>::row_pairs; }) {
        return typename ops<Isa>::row_pairs{};
    } else {
        return one_row_step<Isa>{};
    }
}
}  // namespace detail
template <class Isa>
using tile_step = decltype(detail::tile_step_of<Isa>());

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

/// A step with signed activations and without any correction; its weights are unsigned bytes where the instruction wants one
/// operand unsigned, and signed ones elsewhere. They may come out of a 32-bit number in each lane, ops<Isa>::as_weights, which
/// holds dot_depth weights in 32 / dot_depth bits each.
template <class Isa>
PARE_INLINE auto broadcast_signed(const std::int8_t* a) noexcept {
    if constexpr (requires { ops<Isa>::broadcast_signed(a); }) {
        return ops<Isa>::broadcast_signed(a);
    } else {
        return ops<Isa>::broadcast(a);
    }
}
template <class Isa, class Operand>
PARE_INLINE typename ops<Isa>::i32 dot_signed(typename ops<Isa>::i32 sum, Operand a, typename ops<Isa>::weights w) noexcept {
    if constexpr (requires { ops<Isa>::dot_signed(sum, a, w); }) {
        return ops<Isa>::dot_signed(sum, a, w);
    } else {
        return ops<Isa>::dot(sum, a, w);
    }
}

/// Activations that differ from lane to lane, for one step: ops<Isa>::load_operand takes them as this function leaves them,
/// out[i * dot_depth + d] = rows[d][i] for each lane i, in the kind and with the shift that `dot4` describes.
template <class Isa, class A>
PARE_INLINE void interleave(const A* const (&rows)[ops<Isa>::dot_depth], typename ops<Isa>::activation* out) noexcept {
    ops<Isa>::interleave(rows, out);
}

/// Whether there is ops<Isa>::look_up_operand(a, index): the operand whose lane j is the four bytes at a + 4 * index[j], index[j]
/// < 32.
template <class Isa>
inline constexpr bool looks_up_operands = requires(const std::uint8_t* a) {
    ops<Isa>::look_up_operand(a, a);
};

/// out[g * out_stride + 4 * i + c] = x[i * x_stride + 4 * g + c] for c < 4, four groups g and as many rows i as there are lanes,
/// where an instruction set has it: fours of bytes of a lane each, which a step takes at once.
template <class Isa>
inline constexpr bool transposes_fours = requires(const std::uint8_t* x, std::uint8_t* out) {
    ops<Isa>::transpose_fours(x, std::size_t{}, out, std::size_t{});
};

/// Whether a byte from 128 to 255 in as_weights is that number, not a negative one.
template <class Isa>
inline constexpr bool weights_are_unsigned = ops<Isa>::dot_depth < 4 || requires(typename ops<Isa>::i32 sum, const std::int8_t* a,
                                                                                 typename ops<Isa>::weights w) {
    ops<Isa>::dot_signed(sum, ops<Isa>::broadcast_signed(a), w);
};

}  // namespace simd

PARE_NAMESPACE_END

#endif
