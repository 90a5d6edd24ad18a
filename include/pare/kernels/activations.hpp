#ifndef PARE_KERNELS_ACTIVATIONS_HPP
#define PARE_KERNELS_ACTIVATIONS_HPP

#include <bit>

#include <pare/kernels/epilogue.hpp>
#include <pare/simd/math.hpp>

PARE_NAMESPACE_BEGIN

/// The activation functions: see map_values for what each has. Named, and at their corners defined, as in torch.nn.functional.
namespace kernels {

namespace detail {

template <class Isa>
using vector = typename simd::ops<Isa>::f32;

/// x where a > 0, else y; y where a is NaN.
template <class Isa>
PARE_INLINE vector<Isa> where_positive(vector<Isa> a, vector<Isa> x, vector<Isa> y) noexcept {
    using V = simd::ops<Isa>;
    const auto zero = V::set(std::int32_t{0});
    const auto infinity = V::set(std::int32_t{0x7f800001});
    return V::select_greater(V::bits(a), zero, V::select_greater(infinity, V::bits(a), x, y), y);
}
/// 1 where low < x < high, else 0.
template <class Isa>
PARE_INLINE vector<Isa> one_between(vector<Isa> x, float low, float high) noexcept {
    using V = simd::ops<Isa>;
    return V::where_positive(x - V::set(low), V::where_positive(V::set(high) - x, V::set(1.0f)));
}
template <class Isa>
PARE_INLINE vector<Isa> clamp(vector<Isa> x, float low, float high) noexcept {
    using V = simd::ops<Isa>;
    return simd::rounded<Isa>::keep_nan(x, V::minimum(V::maximum(x, V::set(low)), V::set(high)));
}

/// x * gate, where a gate of a negative x beyond -104 is 0: sigmoid ends at the least normal number, not there.
template <class Isa>
PARE_INLINE vector<Isa> gated(vector<Isa> x, vector<Isa> gate) noexcept {
    using V = simd::ops<Isa>;
    constexpr auto limit = std::bit_cast<std::int32_t>(-104.0f);  // negative floats order downwards as unsigned integers
    const auto y = simd::rounded<Isa>::multiply(x, gate);
    const auto kept = V::select_greater(V::bits(x), V::set(limit), V::set(0.0f), y);
    return simd::rounded<Isa>::keep_nan(x, V::select_greater(V::set(std::int32_t{0}), V::bits(x), kept, y));
}

}  // namespace detail

/// min(max(x, 0), 6).
struct relu6_function {
    static constexpr const char* name = "relu6";
    static constexpr float low = 0.0f, high = 6.0f;
    static constexpr bool slope_of_value = true;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return detail::clamp<Isa>(x, 0.0f, 6.0f);
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa>) noexcept {
        return detail::one_between<Isa>(x, 0.0f, 6.0f);
    }
};

/// x where x > 0, else negative_slope * x.
struct leaky_relu_function {
    static constexpr const char* name = "leaky_relu";
    float negative_slope = 0.01f;

    template <class Isa>
    PARE_INLINE auto value(detail::vector<Isa> x) const noexcept {
        using V = simd::ops<Isa>;
        return detail::where_positive<Isa>(x, x, simd::rounded<Isa>::multiply(x, V::set(negative_slope)));
    }
    template <class Isa>
    PARE_INLINE auto slope(detail::vector<Isa> x, detail::vector<Isa>) const noexcept {
        using V = simd::ops<Isa>;
        return detail::where_positive<Isa>(x, V::set(1.0f), V::set(negative_slope));
    }
};

/// min(max(x + 3, 0), 6) / 6.
struct hard_sigmoid_function {
    static constexpr const char* name = "hard_sigmoid";
    static constexpr float flat_below = -3.0f, flat_above = 3.0f;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        return R::multiply(detail::clamp<Isa>(R::add(x, V::set(3.0f)), 0.0f, 6.0f), V::set(1.0f / 6.0f));
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa>) noexcept {
        return detail::one_between<Isa>(x, -3.0f, 3.0f) * simd::ops<Isa>::set(1.0f / 6.0f);
    }
};

/// x hard_sigmoid(x).
struct hard_swish_function {
    static constexpr const char* name = "hard_swish";
    static constexpr float flat_below = -3.0f;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return simd::rounded<Isa>::multiply(x, hard_sigmoid_function::value<Isa>(x));
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa>) noexcept {
        using V = simd::ops<Isa>;
        const auto middle = simd::rounded<Isa>::multiply(x, V::set(1.0f / 3.0f)) + V::set(0.5f);
        return detail::where_positive<Isa>(V::set(3.0f) - x, V::where_positive(x + V::set(3.0f), middle), V::set(1.0f));
    }
};

/// x where x > 0, else alpha (e^x - 1).
struct elu_function {
    static constexpr const char* name = "elu";
    static constexpr float flat_below = -6.25f;
    float alpha = 1.0f;

    template <class Isa>
    PARE_INLINE auto value(detail::vector<Isa> x) const noexcept {
        using V = simd::ops<Isa>;
        // opaque: a multiplication by 1 that a compiler leaves out would leave signalling NaN as they are.
        return detail::where_positive<Isa>(x, x,
                                           simd::rounded<Isa>::multiply(V::set(opaque(alpha)), simd::expm1_below_zero<Isa>(x)));
    }
    template <class Isa>
    PARE_INLINE auto slope(detail::vector<Isa> x, detail::vector<Isa> y) const noexcept {
        using V = simd::ops<Isa>;
        return detail::where_positive<Isa>(x, V::set(1.0f), y + V::set(alpha));
    }
};

/// 1 / (1 + e^-x).
struct sigmoid_function {
    static constexpr const char* name = "sigmoid";
    static constexpr float flat_below = -6.25f, flat_above = 6.25f;
    static constexpr bool slope_of_value = true;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return simd::sigmoid<Isa>(x);
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa>, detail::vector<Isa> y) noexcept {
        return y * (simd::ops<Isa>::set(1.0f) - y);
    }
};

struct tanh_function {
    static constexpr const char* name = "tanh";
    static constexpr float flat_below = -3.5f, flat_above = 3.5f;
    static constexpr bool slope_of_value = true;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return simd::tanh<Isa>(x);
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa>, detail::vector<Isa> y) noexcept {
        return simd::ops<Isa>::set(1.0f) - simd::rounded<Isa>::multiply(y, y);
    }
};

/// x sigmoid(x).
struct silu_function {
    static constexpr const char* name = "silu";
    static constexpr float flat_below = -8.5f;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return detail::gated<Isa>(x, simd::sigmoid<Isa>(x));
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa> y) noexcept {
        const auto s = simd::sigmoid<Isa>(x);
        return s + simd::rounded<Isa>::multiply(y, simd::ops<Isa>::set(1.0f) - s);
    }
};

/// x (1 + erf(x / sqrt(2))) / 2, within 2^-23 |x|. Hendrycks, Gimpel 2016.
struct gelu_function {
    static constexpr const char* name = "gelu";
    static constexpr float flat_below = -3.5f;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return simd::rounded<Isa>::multiply(x, normal_distribution<Isa>(x));
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa>) noexcept {
        using V = simd::ops<Isa>;
        const auto density = V::set(0.398942280f) * simd::exp<Isa>(x * x * V::set(-0.5f));
        return normal_distribution<Isa>(x) + simd::rounded<Isa>::multiply(x, density);
    }

private:
    template <class Isa>
    PARE_INLINE static detail::vector<Isa> normal_distribution(detail::vector<Isa> x) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const auto half = V::set(0.5f);
        return R::add(half, R::multiply(half, simd::erf<Isa>(R::multiply(x, V::set(0.707106781f)))));
    }
};

/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, computed as x sigmoid of twice that argument.
struct gelu_tanh_function {
    static constexpr const char* name = "gelu_tanh";
    static constexpr float flat_below = -3.5f;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        return detail::gated<Isa>(x, gate<Isa>(x));
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa> y) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        const auto s = gate<Isa>(x);
        const auto inner = R::polynomial(R::multiply(x, x), {1.59576912f, 3.0f * 0.0713548162f});
        return s + R::multiply(y * (V::set(1.0f) - s), inner);
    }

private:
    template <class Isa>
    PARE_INLINE static detail::vector<Isa> gate(detail::vector<Isa> x) noexcept {
        using R = simd::rounded<Isa>;
        return simd::sigmoid<Isa>(R::multiply(x, R::polynomial(R::multiply(x, x), {1.59576912f, 0.0713548162f})));
    }
};

/// log(1 + e^x).
struct softplus_function {
    static constexpr const char* name = "softplus";
    static constexpr float flat_below = -6.25f;

    template <class Isa>
    PARE_INLINE static auto value(detail::vector<Isa> x) noexcept {
        using V = simd::ops<Isa>;
        using R = simd::rounded<Isa>;
        // opaque: a sum with 0 that a compiler leaves out would leave signalling NaN as they are.
        const auto above = V::opaque(detail::where_positive<Isa>(x, x, V::set(0.0f)));
        return R::add(above, simd::log1p<Isa>(simd::exp<Isa>(R::negated(R::magnitude(x)))));
    }
    template <class Isa>
    PARE_INLINE static auto slope(detail::vector<Isa> x, detail::vector<Isa>) noexcept {
        return simd::sigmoid<Isa>(x);
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
