#ifndef PARE_SIMD_ISA_HPP
#define PARE_SIMD_ISA_HPP

#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>

#include <pare/simd/isa/avx2.hpp>
#include <pare/simd/isa/avx512_vnni.hpp>
#include <pare/simd/isa/avx512bw.hpp>
#include <pare/simd/isa/avx_vnni.hpp>
#include <pare/simd/isa/neon.hpp>
#include <pare/simd/isa/neon_dotprod.hpp>
#include <pare/simd/isa/neon_i8mm.hpp>
#include <pare/simd/isa/scalar.hpp>
#include <pare/simd/isa/sse4_1.hpp>
#include <pare/types/bfloat16.hpp>
#include <pare/types/float16.hpp>

PARE_NAMESPACE_BEGIN

namespace isa {

template <class... Isa>
struct list {
    /// Calls f(tag) for each instruction set that this translation unit is compiled for.
    template <class F>
    static constexpr void for_each_compiled(F&& f) {
        (
            [&] {
                if constexpr (Isa::compiled) {
                    f(Isa{});
                }
            }(),
            ...);
    }

    /// Calls f(name) for each, compiled or not.
    template <class F>
    static constexpr void for_each_name(F&& f) {
        (f(Isa::name), ...);
    }
};

/// Every instruction set, worst first.
using all = list<scalar, sse4_1, avx2, avx_vnni, avx512bw, avx512_vnni, neon, neon_dotprod, neon_i8mm>;

namespace detail {

template <class Best, class... Rest>
struct last_compiled {
    using type = Best;
};
template <class Best, class Next, class... Rest>
struct last_compiled<Best, Next, Rest...> : last_compiled<std::conditional_t<Next::compiled, Next, Best>, Rest...> {};
template <class... Isa>
last_compiled<scalar, Isa...> best(list<Isa...>);

}  // namespace detail

/// The best instruction set that the compiler's flags allow.
using native = decltype(detail::best(all{}))::type;

}  // namespace isa

namespace simd {

/// p[i] = v[i] + offset, saturated to what A holds, of four vectors one after the other; |v[i]| and |offset| are at most 2^14.
template <class Isa, class A>
PARE_INLINE void store_four_saturated(A* p, const typename ops<Isa>::i32 (&v)[4], std::int32_t offset) noexcept {
    using V = ops<Isa>;
    if constexpr (requires { V::store_four_saturated(p, v, offset); }) {
        V::store_four_saturated(p, v, offset);
    } else {
        for (std::size_t i = 0; i < 4; ++i) {
            V::store_saturated(p + i * V::lanes, v[i] + V::set(offset));
        }
    }
}

/// The first n of a vector of numbers of 8 or 16 bits as 32-bit ones, zero in the other lanes; touches n elements.
template <class Isa, class A>
PARE_INLINE typename ops<Isa>::i32 load_widened_partial(const A* p, std::size_t n) noexcept {
    alignas(64) A lane[ops<Isa>::lanes] = {};
    std::memcpy(lane, p, n * sizeof(A));
    return ops<Isa>::load_widened(lane);
}

/// y[i] = table[x[i]] for i in [0, n), where the table has 256 entries. y may be x.
template <class Isa>
PARE_INLINE void map_bytes(const std::uint8_t* table, const std::uint8_t* x, std::size_t n, std::uint8_t* y) noexcept {
    std::size_t i = 0;
    if constexpr (requires { ops<Isa>::map_bytes(table, x, n, y); }) {
        i = ops<Isa>::map_bytes(table, x, n, y);
    }
    for (; i < n; ++i) {
        y[i] = table[x[i]];
    }
}

/// A vector of numbers as float.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 load_as_float(const float* p) noexcept {
    return ops<Isa>::load(p);
}
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 load_as_float(const bfloat16* p) noexcept {
    return ops<Isa>::load_upper_halves(&p->bits);
}
/// Exact, denormal halves too, also on hosts that flush denormal floats. NaN stays NaN.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 load_as_float(const float16* p) noexcept {
    using V = ops<Isa>;
    if constexpr (V::lanes == 1) {
        return float{*p};
    } else if constexpr (requires { V::load_halves(&p->bits); }) {
        return V::load_halves(&p->bits);
    } else {
        const auto bits = V::bits(V::load_upper_halves(&p->bits));
        const auto magnitude = V::template shift_right<3>(bits & V::set(std::int32_t{0x7fff0000}));
        const auto denormal = V::bits(V::to_float(V::template shift_right<13>(magnitude)) * V::set(0x1p-24f));
        const auto bias = V::set(std::int32_t{112 << 23});  // the exponent's grows from 15 to 127
        const auto finite = magnitude + bias;
        const auto normal = xsimd::select(magnitude < V::set(std::int32_t{31 << 23}), finite, finite + bias);
        const auto sign = bits & V::set((std::numeric_limits<std::int32_t>::min)());
        return V::from_bits(xsimd::select(magnitude < V::set(std::int32_t{1 << 23}), denormal, normal) | sign);
    }
}

}  // namespace simd

/// An instruction set tag that this translation unit is compiled for.
template <class Isa>
concept compiled_isa = requires {
    requires Isa::compiled;
};

PARE_NAMESPACE_END

#endif
