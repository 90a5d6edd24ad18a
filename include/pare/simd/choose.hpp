#ifndef PARE_SIMD_CHOOSE_HPP
#define PARE_SIMD_CHOOSE_HPP

#include <pare/simd/dot4.hpp>

PARE_NAMESPACE_BEGIN

namespace simd {

/// Activations chosen per lane, for weights that lie in N of M inputs, by instructions that permute within a register. Where an
/// instruction set has none that is fast enough, its ops lack the functions, and the concept is false.
///
///     ops<Isa>::repeat<M>(p)             the M floats at p, again and again
///     ops<Isa>::choose<M>(r, indices)    lane i of it is the number index[i] mod M of those: higher bits do not count
template <class Isa, std::size_t M>
concept chooses_floats = requires(const float* p, typename ops<Isa>::i32 indices) {
    ops<Isa>::template choose<M>(ops<Isa>::template repeat<M>(p), indices);
};

///     ops<Isa>::repeat_16(p)                  16 activations, again and again, in the kind that a step of dot4 takes
///     ops<Isa>::byte_indices(b, mask, base)   (b & mask) | base, of four bytes per lane, each below 16
///     ops<Isa>::choose_bytes(r, indices)      four activations per lane, for one step of dot4
template <class Isa>
concept chooses_bytes = requires(const std::uint8_t* p, typename ops<Isa>::i32 bits) {
    requires ops<Isa>::dot_depth == 4;
    ops<Isa>::choose_bytes(ops<Isa>::repeat_16(p), ops<Isa>::byte_indices(bits, bits, bits));
};

}  // namespace simd

PARE_NAMESPACE_END

#endif
