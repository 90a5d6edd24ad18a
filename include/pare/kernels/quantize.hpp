#ifndef PARE_KERNELS_QUANTIZE_HPP
#define PARE_KERNELS_QUANTIZE_HPP

#include <bit>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <pare/core/tensor.hpp>
#include <pare/simd/isa.hpp>
#include <pare/types/dialect.hpp>
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

/// Looks for the range of the numbers it is given. Compares their bits: as integers, positive floats order as they should, negative
/// ones among each other the other way around, and NaN and infinities lie beyond both, whatever -ffast-math believes. Numbers go to
/// one of two chains, in any order.
template <class Isa>
class range_scan {
    using V = simd::ops<Isa>;

public:
    PARE_INLINE void take(typename V::f32 v, std::size_t chain) noexcept {
        const auto bits = V::bits(V::opaque(v));  // or the compiler would load it twice
        high_[chain] = V::maximum(high_[chain], bits);
        low_[chain] = V::maximum_unsigned(low_[chain], bits);
    }
    PARE_INLINE value_range range() const noexcept {
        constexpr std::int32_t sign = (std::numeric_limits<std::int32_t>::min)();
        constexpr auto limit = std::bit_cast<std::int32_t>(largest_range);
        const auto most = V::reduce_max(V::maximum(high_[0], high_[1]));
        const auto least = V::reduce_max(V::maximum_unsigned(low_[0], low_[1]) ^ V::set(sign)) ^ V::set(sign);
        const float low = V::first(V::from_bits(least));
        return {low < 0.0f ? low : 0.0f, V::first(V::from_bits(most)),
                V::first(most) <= limit && (V::first(least) & ~sign) <= limit};
    }

private:
    typename V::i32 high_[2] = {V::set(std::int32_t{0}), V::set(std::int32_t{0})};
    typename V::i32 low_[2] = {V::set(std::int32_t{0}), V::set(std::int32_t{0})};
};

/// The range of x [n]. Exact in any order. O(n).
template <class Isa>
PARE_INLINE value_range range_of(const float* x, std::size_t n) noexcept {
    using V = simd::ops<Isa>;
    const auto scan = [&](auto cleaned) {
        range_scan<Isa> seen;
        std::size_t i = 0;
        for (const std::size_t end = n / (4 * V::lanes) * (4 * V::lanes); i < end; i += 4 * V::lanes) {
            PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
                seen.take(cleaned(V::load(x + i + u * V::lanes)), u % 2);
            }
        }
        for (const std::size_t end = n / V::lanes * V::lanes; i < end; i += V::lanes) {
            seen.take(cleaned(V::load(x + i)), 0);
        }
        if (i < n) {
            seen.take(cleaned(V::load_partial(x + i, n - i)), 0);
        }
        return seen.range();
    };
    const value_range range = scan([](auto v) { return v; });
    if (range.bounded) {
        return range;
    }
    const value_range known = scan([](auto v) { return V::nan_to_zero(v); });
    return {known.min, known.max, false};
}

/// Does nothing with the numbers that quantize_values passes by.
struct nothing_else {
    PARE_INLINE void operator()(std::size_t, std::size_t, std::size_t) const noexcept {}
};

/// out[i] = clamp(RNE(x[i] * (1 / scale)) + zero_point), the definition in quantize_value. A says where the integers go:
/// std::int8_t holds qint8, std::uint8_t holds quint8, and so does std::int16_t, with room to spare. `bounded`
/// promises that x holds neither NaN nor numbers beyond largest_range and that q was made from its range, which saves the clamps.
/// also(first, count, chain) is called for each vector of numbers on the way. O(n).
template <class Isa, class A, class Also = nothing_else>
PARE_INLINE void quantize_values(const float* x, std::size_t n, quantization q, bool bounded, A* out, Also&& also = {}) noexcept {
    using V = simd::ops<Isa>;
    constexpr std::int32_t smallest = std::is_same_v<A, std::int8_t> ? -128 : 0;
    const auto inverse = V::set(exact_divide(1.0f, q.scale));
    const auto zero = V::set(q.zero_point);
    const auto low = V::set(static_cast<float>(smallest - q.zero_point));
    const auto high = V::set(static_cast<float>(smallest + 255 - q.zero_point));
    const auto run = [&](auto scaled) {
        std::size_t i = 0;
        for (const std::size_t end = n / (4 * V::lanes) * (4 * V::lanes); i < end; i += 4 * V::lanes) {
            typename V::i32 four[4];
            PARE_UNROLL for (std::size_t u = 0; u < 4; ++u) {
                four[u] = V::round(scaled(V::load(x + i + u * V::lanes)));
                also(i + u * V::lanes, V::lanes, u % 2);
            }
            simd::store_four_saturated<Isa>(out + i, four, q.zero_point);
        }
        for (const std::size_t end = n / V::lanes * V::lanes; i < end; i += V::lanes) {
            V::store_saturated(out + i, V::round(scaled(V::load(x + i))) + zero);
            also(i, V::lanes, 0);
        }
        if (i < n) {
            V::store_saturated_partial(out + i, V::round(scaled(V::load_partial(x + i, n - i))) + zero, n - i);
            also(i, n - i, 0);
        }
    };
    if (bounded) {
        run([&](auto v) { return v * inverse; });
    } else {
        run([&](auto v) { return V::minimum(V::maximum(V::nan_to_zero(v) * inverse, low), high); });
    }
}

/// The same by the rules of a dialect; number by number where they are not those of kernels.
template <class Isa, class Dialect, class A>
PARE_INLINE void quantize_values_by(const float* x, std::size_t n, quantization q, bool bounded, A* out) noexcept {
    if constexpr (Dialect::quantizes_in_kernels) {
        quantize_values<Isa>(x, n, q, bounded, out);
    } else {
        constexpr std::int32_t smallest = std::is_same_v<A, std::int8_t> ? -128 : 0;
        for (std::size_t i = 0; i < n; ++i) {
            out[i] = static_cast<A>(Dialect::quantize(x[i], q, smallest, smallest + 255));
        }
    }
}

/// How a row becomes bytes by its own range: as quint8, or as symmetric qint8, whose zero point is 0.
enum class row_quantization { affine, symmetric };

template <row_quantization Kind, class A, class Dialect = dialect::pare>
PARE_INLINE quantization quantization_of(const value_range& r) noexcept {
    if constexpr (Kind == row_quantization::symmetric) {
        return symmetric_quantization<qint8>(r.max > -r.min ? r.max : -r.min);
    } else {
        quantization q;
        if constexpr (requires { Dialect::template dynamic<quint8>(r.min, r.max); }) {
            q = Dialect::template dynamic<quint8>(r.min, r.max);
        } else {
            q = Dialect::template affine<quint8>(r.min, r.max);
        }
        q.zero_point += std::is_same_v<A, std::int8_t> ? -128 : 0;
        return q;
    }
}

/// Quantizes a row of n numbers by its own range. Affine integers in std::int8_t are shifted by -128, and their zero point with
/// them, which changes no real number: the kind of integer is the instruction set's choice.
template <class Isa, row_quantization Kind, class Dialect = dialect::pare, class A>
PARE_INLINE quantization quantize_row(const float* x, std::size_t n, A* out) noexcept {
    const value_range range = range_of<Isa>(x, n);
    const quantization q = quantization_of<Kind, A, Dialect>(range);
    quantize_values_by<Isa, Dialect>(x, n, q, range.bounded, out);
    return q;
}

/// quantize_row for each row of x, into `out` [rows, columns]. O(rows * columns), one pass: while a row becomes bytes, the range of
/// the second next is taken, and the divisions of the next are under way.
template <class Isa, row_quantization Kind, class A>
PARE_FLATTEN PARE_NOINLINE void quantize_rows(const matrix_view<const float>& x, A* out, float* scales,
                                              std::int32_t* zero_points) noexcept {
    using V = simd::ops<Isa>;
    const auto range_of_row = [&](std::size_t r) { return r < x.rows ? range_of<Isa>(x.row(r), x.columns) : value_range{}; };
    value_range range = range_of_row(0), next_range = range_of_row(1);
    quantization q = quantization_of<Kind, A>(range);
    for (std::size_t r = 0; r < x.rows; ++r, out += x.columns) {
        const quantization next_q = r + 1 < x.rows ? quantization_of<Kind, A>(next_range) : q;
        value_range after_next;
        if (range.bounded && r + 2 < x.rows) {
            const float* const ahead = x.row(r + 2);
            range_scan<Isa> seen;
            quantize_values<Isa>(x.row(r), x.columns, q, true, out, [&](std::size_t i, std::size_t count, std::size_t chain) {
                seen.take(count == V::lanes ? V::load(ahead + i) : V::load_partial(ahead + i, count), chain);
            });
            after_next = seen.range();
        } else {
            quantize_values<Isa>(x.row(r), x.columns, q, range.bounded, out);
            after_next.bounded = false;
        }
        scales[r] = q.scale;
        zero_points[r] = q.zero_point;
        range = next_range;
        next_range = after_next.bounded ? after_next : range_of_row(r + 2);
        q = next_q;
    }
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
