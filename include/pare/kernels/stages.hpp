#ifndef PARE_KERNELS_STAGES_HPP
#define PARE_KERNELS_STAGES_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <pare/simd/isa.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// What happens to a sum of products on its way from the registers to memory: an `epilogue` is a chain of stages and a place to
/// store. A stage has two functions per instruction set, and one in plain numbers that defines them:
///
///     auto columns<Isa>(column, count)            what a vector of columns shares, loaded once per tile
///     auto apply<Isa>(sums, columns, row)         one row of these columns
///     auto operator()(sum, row, column)           the same for one number; sums are 64-bit ones where they are too deep for 32
namespace kernels {

/// x, or the nearest number that an integer Output holds.
template <class Output, class T>
constexpr Output saturated(T x) noexcept {
    if constexpr (std::is_integral_v<Output> && sizeof(T) > sizeof(Output)) {
        using limits = std::numeric_limits<Output>;
        return x < T{(limits::min)()} ? (limits::min)() : x > T{(limits::max)()} ? (limits::max)() : static_cast<Output>(x);
    } else {
        return static_cast<Output>(x);
    }
}

/// The chain of stages for one number: what `epilogue` stores.
template <class Sum>
auto finish_number(Sum sum, std::size_t, std::size_t) noexcept {
    return sum;
}
template <class Sum, class Stage, class... Rest>
auto finish_number(Sum sum, std::size_t row, std::size_t column, const Stage& stage, const Rest&... rest) noexcept {
    return finish_number(stage(sum, row, column), row, column, rest...);
}

template <class Isa, class T>
PARE_INLINE auto load_first(const T* p, std::size_t count) noexcept {
    using V = simd::ops<Isa>;
    return count == V::lanes ? V::load(p) : V::load_partial(p, count);
}

/// y = float(sum - row_zero_point[i] * column_sum[j]) * (row_scale[i] * column_scale[j]), each product rounded by itself: int32
/// sums of affine activations times symmetric weights to real numbers. Jacob et al. 2018, eq. 7.
struct dequantize {
    const float* row_scale;
    const std::int32_t* row_zero_point;
    const float* column_scale;
    const std::int32_t* column_sum;
    std::size_t row_step = 1;  // 0 where all rows share one scale and zero point

    template <class Isa>
    struct shared {
        typename simd::ops<Isa>::f32 scale;
        typename simd::ops<Isa>::i32 sum;
    };
    template <class Isa>
    PARE_INLINE shared<Isa> columns(std::size_t column, std::size_t count) const noexcept {
        return {load_first<Isa>(column_scale + column, count), load_first<Isa>(column_sum + column, count)};
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::i32 sums, const shared<Isa>& c, std::size_t row) const noexcept {
        using V = simd::ops<Isa>;
        const auto centered = V::to_float(sums - V::set(row_zero_point[row * row_step]) * c.sum);
        return V::opaque(centered * V::opaque(V::set(row_scale[row * row_step]) * c.scale));
    }
    template <class Sum>
    float operator()(Sum sum, std::size_t row, std::size_t column) const noexcept {
        const auto centered = static_cast<float>(sum - Sum{row_zero_point[row * row_step]} * column_sum[column]);
        return exact_multiply(centered, exact_multiply(row_scale[row * row_step], column_scale[column]));
    }
};

/// y = x * row_scale[i].
struct scale_rows {
    const float* row_scale;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t, std::size_t) const noexcept {
        return 0;
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::f32 x, int, std::size_t row) const noexcept {
        using V = simd::ops<Isa>;
        return V::opaque(x * V::set(row_scale[row]));
    }
    float operator()(float x, std::size_t row, std::size_t) const noexcept { return exact_multiply(x, row_scale[row]); }
};

/// y = sum + offset[j], in int32: a bias at the scale of the sums, and -zero_point * column_sum[j] for affine activations.
struct add_offsets {
    const std::int32_t* offset;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t column, std::size_t count) const noexcept {
        return load_first<Isa>(offset + column, count);
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::i32 sums, const typename simd::ops<Isa>::i32& o, std::size_t) const noexcept {
        return sums + o;
    }
    template <class Sum>
    Sum operator()(Sum sum, std::size_t, std::size_t column) const noexcept {
        return sum + offset[column];
    }
};

/// y = float(sum) * scale[j]: sums with everything in them to real numbers.
struct scale_sums {
    const float* scale;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t column, std::size_t count) const noexcept {
        return load_first<Isa>(scale + column, count);
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::i32 sums, const typename simd::ops<Isa>::f32& s, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        return V::opaque(V::to_float(sums) * s);
    }
    template <class Sum>
    float operator()(Sum sum, std::size_t, std::size_t column) const noexcept {
        return exact_multiply(static_cast<float>(sum), scale[column]);
    }
};

/// y = clamp(RNE(x * inverse_scale) + zero_point) to [0, largest], see quantize_value: real numbers to an epilogue whose output is
/// bytes.
struct quantize_numbers {
    float inverse_scale;
    std::int32_t zero_point;
    std::int32_t largest;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t, std::size_t) const noexcept {
        return 0;
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::f32 x, int, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        const auto low = V::set(static_cast<float>(quint8::smallest - zero_point));
        const auto high = V::set(static_cast<float>(largest - zero_point));
        const auto scaled = V::opaque(V::nan_to_zero(x) * V::set(inverse_scale));
        return V::round(V::minimum(V::maximum(scaled, low), high)) + V::set(zero_point);
    }
    std::int32_t operator()(float x, std::size_t, std::size_t) const noexcept {
        return quantize_value(x, inverse_scale, zero_point, quint8::smallest, largest);
    }
};

/// y = clamp(RNE(float(sum) * multiplier[j]) + zero_point) to [smallest, largest], integers for an epilogue whose output is bytes.
/// A ReLU is a larger `smallest`. Multipliers are at most 2^62.
struct requantize {
    const float* multiplier;
    std::int32_t zero_point;
    std::int32_t smallest;
    std::int32_t largest;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t column, std::size_t count) const noexcept {
        return load_first<Isa>(multiplier + column, count);
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::i32 sums, const typename simd::ops<Isa>::f32& m, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        const auto low = V::set(static_cast<float>(smallest - zero_point));
        const auto high = V::set(static_cast<float>(largest - zero_point));
        return V::round(V::minimum(V::maximum(V::to_float(sums) * m, low), high)) + V::set(zero_point);
    }
    template <class Sum>
    std::int32_t operator()(Sum sum, std::size_t, std::size_t column) const noexcept {
        return quantize_value(static_cast<float>(sum), multiplier[column], zero_point, smallest, largest);
    }
};

/// y = clamp(sum * multiplier[j] / 2^(31 + shift[j]) + zero_point) to [smallest, largest], in integers throughout; multipliers are
/// positive, shifts are to the right, from 0 to 31. See quantized_multiplier() and multiply_fixed().
template <fixed_rounding Rounding>
struct requantize_fixed {
    const std::int32_t* multiplier;
    const std::int32_t* shift;
    std::int32_t zero_point;
    std::int32_t smallest;
    std::int32_t largest;

    template <class Isa>
    struct shared {
        typename simd::ops<Isa>::i32 multiplier;
        typename simd::ops<Isa>::i32 shift;
    };
    template <class Isa>
    PARE_INLINE shared<Isa> columns(std::size_t column, std::size_t count) const noexcept {
        return {load_first<Isa>(multiplier + column, count), load_first<Isa>(shift + column, count)};
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::i32 sums, const shared<Isa>& c, std::size_t) const noexcept {
        using V = simd::ops<Isa>;
        const auto lower = V::set(smallest - zero_point);
        const auto scaled = multiply<Isa>(sums, c.multiplier, c.shift);
        const auto above = V::maximum(scaled, lower);
        return V::set(largest) - V::maximum(V::set(largest - zero_point) - above, V::set(std::int32_t{0}));
    }
    template <class Sum>
    std::int32_t operator()(Sum sum, std::size_t, std::size_t column) const noexcept {
        const std::int32_t y = multiply_fixed<Rounding>(saturated<std::int32_t>(sum), {multiplier[column], shift[column]});
        return (y < smallest - zero_point  ? smallest - zero_point
                : y > largest - zero_point ? largest - zero_point
                                           : y) +
               zero_point;
    }

private:
    template <class Isa>
    PARE_INLINE static auto multiply(typename simd::ops<Isa>::i32 sum, typename simd::ops<Isa>::i32 m,
                                     typename simd::ops<Isa>::i32 e) noexcept {
        using V = simd::ops<Isa>;
        if constexpr (Rounding == fixed_rounding::twice) {
            return V::shift_right_rounded(V::multiply_high_rounded(sum, m), e);
        } else {
            return V::multiply_shift_rounded(sum, m, e);
        }
    }
};

/// y = x + bias[j].
struct add_bias {
    const float* bias;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t column, std::size_t count) const noexcept {
        return load_first<Isa>(bias + column, count);
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::f32 x, const typename simd::ops<Isa>::f32& b, std::size_t) const noexcept {
        return x + b;
    }
    float operator()(float x, std::size_t, std::size_t column) const noexcept { return x + bias[column]; }
};

/// y = x * scale[j] + shift[j], rounded twice.
struct scale_columns {
    const float* scale;
    const float* shift;

    template <class Isa>
    struct shared {
        typename simd::ops<Isa>::f32 scale;
        typename simd::ops<Isa>::f32 shift;
    };
    template <class Isa>
    PARE_INLINE shared<Isa> columns(std::size_t column, std::size_t count) const noexcept {
        return {load_first<Isa>(scale + column, count), load_first<Isa>(shift + column, count)};
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::f32 x, const shared<Isa>& c, std::size_t) const noexcept {
        return simd::ops<Isa>::opaque(x * c.scale) + c.shift;
    }
    float operator()(float x, std::size_t, std::size_t column) const noexcept {
        return exact_multiply(x, scale[column]) + shift[column];
    }
};

/// y = f(x). A function on numbers has
///
///     auto value<Isa>(x) const        f(x), for a vector of an instruction set
///     auto slope<Isa>(x, y) const     f'(x), where y = f(x)
///     static constexpr const char* name
///     static constexpr float low, high  where it does no more than to bound numbers: by which
///     static constexpr float flat_below, flat_above  where it changes by less than 1/500 below, above: for tables of bytes
///     static constexpr bool slope_of_value = true     where slope(y, y) is the same
///
/// and computes the same bits on every instruction set.
template <class Function>
struct map_values {
    Function f;

    template <class Isa>
    PARE_INLINE auto columns(std::size_t, std::size_t) const noexcept {
        return 0;
    }
    template <class Isa>
    PARE_INLINE auto apply(typename simd::ops<Isa>::f32 x, int, std::size_t) const noexcept {
        return f.template value<Isa>(x);
    }
    float operator()(float x, std::size_t, std::size_t) const noexcept { return f.template value<isa::scalar>(x); }
};

/// max(x, 0); NaN stays NaN.
struct relu_function {
    static constexpr const char* name = "relu";
    static constexpr float low = 0.0f, high = largest_range;
    static constexpr bool slope_of_value = true;

    template <class Isa>
    PARE_INLINE static auto value(typename simd::ops<Isa>::f32 x) noexcept {
        return simd::ops<Isa>::maximum(simd::ops<Isa>::set(0.0f), x);
    }
    template <class Isa>
    PARE_INLINE static auto slope(typename simd::ops<Isa>::f32 x, typename simd::ops<Isa>::f32) noexcept {
        return simd::ops<Isa>::where_positive(x, simd::ops<Isa>::set(1.0f));
    }
};
using rectify = map_values<relu_function>;

}  // namespace kernels

PARE_NAMESPACE_END

#endif
