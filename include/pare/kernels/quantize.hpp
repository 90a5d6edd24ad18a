#ifndef PARE_KERNELS_QUANTIZE_HPP
#define PARE_KERNELS_QUANTIZE_HPP

#include <bit>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>

#include <pare/simd/isa.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// The least and the greatest of some numbers and zero, NaN left out; `bounded` where no number is NaN or larger than
/// largest_range.
struct value_range {
    float min = 0.0f;
    float max = 0.0f;
    bool bounded = true;
};

/// The range of x [n]. Exact in any order. O(n). Compares the bits of numbers: as integers, positive floats order as they should,
/// negative ones among each other the other way around, and NaN and infinities lie beyond both, whatever -ffast-math believes.
template <class Isa>
PARE_INLINE value_range range_of(const float* x, std::size_t n) noexcept {
    using V = simd::ops<Isa>;
    constexpr std::int32_t sign = (std::numeric_limits<std::int32_t>::min)();
    constexpr auto limit = std::bit_cast<std::int32_t>(largest_range);
    const auto scan = [&](auto cleaned) {
        typename V::i32 high[2] = {V::set(std::int32_t{0}), V::set(std::int32_t{0})};
        typename V::i32 low[2] = {high[0], high[0]};
        const auto take = [&](auto v, std::size_t chain) {
            const auto bits = V::bits(cleaned(v));
            high[chain] = V::maximum(high[chain], bits);
            low[chain] = V::maximum_unsigned(low[chain], bits);
        };
        std::size_t i = 0;
        for (; i + 4 * V::lanes <= n; i += 4 * V::lanes) {
            PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
                take(V::load(x + i + u * V::lanes), u % 2);
            }
        }
        for (; i + V::lanes <= n; i += V::lanes) {
            take(V::load(x + i), 0);
        }
        if (i < n) {
            take(V::load_partial(x + i, n - i), 0);
        }
        const std::int32_t most = V::reduce_max(V::maximum(high[0], high[1]));
        const std::int32_t least = V::reduce_max(V::maximum_unsigned(low[0], low[1]) ^ V::set(sign)) ^ sign;
        return value_range{least < 0 ? std::bit_cast<float>(least) : 0.0f, std::bit_cast<float>(most),
                           most <= limit && (least & ~sign) <= limit};
    };
    const value_range range = scan([](auto v) { return v; });
    if (range.bounded) {
        return range;
    }
    const value_range known = scan([](auto v) { return V::nan_to_zero(v); });
    return {known.min, known.max, false};
}

/// out[i] = clamp(RNE(x[i] * (1 / scale)) + zero_point), the definition in quantize_value. A says where the integers go:
/// std::int8_t holds qint8, std::uint8_t holds quint8, and so does std::int16_t, with room to spare. `bounded`
/// promises that x holds neither NaN nor numbers beyond largest_range and that q was made from its range, which saves the clamps.
/// O(n).
template <class Isa, class A>
PARE_INLINE void quantize_values(const float* x, std::size_t n, quantization q, bool bounded, A* out) noexcept {
    using V = simd::ops<Isa>;
    constexpr std::int32_t smallest = std::is_same_v<A, std::int8_t> ? -128 : 0;
    const auto inverse = V::set(exact_divide(1.0f, q.scale));
    const auto zero = V::set(q.zero_point);
    const auto low = V::set(static_cast<float>(smallest - q.zero_point));
    const auto high = V::set(static_cast<float>(smallest + 255 - q.zero_point));
    const auto run = [&](auto scaled) {
        std::size_t i = 0;
        for (; i + 4 * V::lanes <= n; i += 4 * V::lanes) {
            typename V::i32 four[4];
            PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
                four[u] = V::round(scaled(V::load(x + i + u * V::lanes))) + zero;
            }
            simd::store_four_saturated<Isa>(out + i, four);
        }
        for (; i + V::lanes <= n; i += V::lanes) {
            V::store_saturated(out + i, V::round(scaled(V::load(x + i))) + zero);
        }
        if (i < n) {
            V::store_saturated_partial(out + i, V::round(scaled(V::load_partial(x + i, n - i))) + zero, n - i);
        }
    };
    if (bounded) {
        run([&](auto v) { return v * inverse; });
    } else {
        run([&](auto v) { return V::minimum(V::maximum(V::nan_to_zero(v) * inverse, low), high); });
    }
}

/// Quantizes one row by its own range, as quint8. In std::int8_t the integers and their zero point are shifted by -128, which
/// changes no real number: the kind of integer is the instruction set's choice.
template <class Isa, class A>
PARE_FLATTEN PARE_NOINLINE quantization quantize_row(const float* x, std::size_t n, A* out) noexcept {
    const value_range range = range_of<Isa>(x, n);
    quantization q = affine_quantization<quint8>(range.min, range.max);
    q.zero_point += std::is_same_v<A, std::int8_t> ? -128 : 0;
    quantize_values<Isa>(x, n, q, range.bounded, out);
    return q;
}

/// Quantizes one row by its own range, as symmetric qint8: zero point 0, integers in [-127, 127].
template <class Isa>
PARE_FLATTEN PARE_NOINLINE quantization quantize_row_symmetric(const float* x, std::size_t n, std::int8_t* out) noexcept {
    const value_range range = range_of<Isa>(x, n);
    const quantization q = symmetric_quantization<qint8>(range.max > -range.min ? range.max : -range.min);
    quantize_values<Isa>(x, n, q, range.bounded, out);
    return q;
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
