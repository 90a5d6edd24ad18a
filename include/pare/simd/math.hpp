#ifndef PARE_SIMD_MATH_HPP
#define PARE_SIMD_MATH_HPP

#include <cstdint>

#include <pare/simd/isa.hpp>

PARE_NAMESPACE_BEGIN

/// Elementary functions of vectors, with the same bits on every instruction set and under every compiler flag: each step is one
/// operation rounded by itself and hidden from the optimizer, and infinities and NaN are told apart as integers. NaN gives NaN.
/// Where an argument or a result is denormal, hosts that flush denormals get zero. Errors over every float, against float64:
///
/// | function         | error in ulp | range                                                      |
/// |------------------|--------------|------------------------------------------------------------|
/// | exp              | 1.1          | 0 below -87.3, where it would soon be denormal             |
/// | expm1_below_zero | 1.0          | arguments up to 0                                          |
/// | sigmoid          | 2.5          | stays at 1.2e-38 below -87.3                               |
/// | tanh             | 2.5          |                                                            |
/// | erf              | 1.8          |                                                            |
/// | log              | 0.9          | -inf at zero and denormals, NaN below                      |
/// | log1p            | 1.5          | arguments from 0 to 1                                      |
///
/// Multiply-adds that are fused would take a fifth to a third less time, and give every instruction set its own bits.
namespace simd {

/// Arithmetic in which every operation rounds by itself.
template <class Isa>
struct rounded {
    using V = ops<Isa>;
    using f32 = typename V::f32;
    using i32 = typename V::i32;

    PARE_INLINE static f32 add(f32 a, f32 b) noexcept { return V::opaque(a + b); }
    PARE_INLINE static f32 subtract(f32 a, f32 b) noexcept { return V::opaque(a - b); }
    PARE_INLINE static f32 multiply(f32 a, f32 b) noexcept { return V::opaque(a * b); }

    /// c[0] + c[1] x + c[2] x^2 + ..., from the last on.
    template <std::size_t N>
    PARE_INLINE static f32 polynomial(f32 x, const float (&c)[N]) noexcept {
        f32 y = V::set(c[N - 1]);
        PARE_UNROLL for (std::size_t i = N - 1; i > 0; --i) {
            y = add(multiply(y, x), V::set(c[i - 1]));
        }
        return y;
    }
    PARE_INLINE static i32 magnitude_bits(f32 x) noexcept { return V::bits(x) & V::set(std::int32_t{0x7fffffff}); }
    PARE_INLINE static f32 magnitude(f32 x) noexcept { return V::from_bits(magnitude_bits(x)); }
    PARE_INLINE static f32 negated(f32 x) noexcept { return V::from_bits(V::bits(x) ^ V::set(sign_bit)); }
    PARE_INLINE static f32 with_sign_of(f32 magnitude, f32 x) noexcept {
        return V::from_bits(magnitude_bits(magnitude) | (V::bits(x) & V::set(sign_bit)));
    }
    /// x where it is NaN, else y.
    PARE_INLINE static f32 keep_nan(f32 x, f32 y) noexcept {
        return V::select_greater(magnitude_bits(x), V::set(std::int32_t{0x7f800000}), x, y);
    }

    /// e^x = 2^exponent * (1 + fraction), fraction in [-0.3, 0.42]; for |x| <= 89.
    struct power {
        i32 exponent;
        f32 fraction;
    };
    PARE_INLINE static power exp_parts(f32 x) noexcept {
        const i32 n = V::round(multiply(x, V::set(1.44269504f)));
        const f32 whole = V::to_float(n);
        // ln 2 in two parts, of which the first has so few bits that its multiples are exact.
        const f32 r = subtract(subtract(x, multiply(whole, V::set(0.693359375f))), multiply(whole, V::set(-2.12194440e-4f)));
        const f32 q = polynomial(r, {0.5f, 0.16666542f, 0.0416674279f, 0.00836687628f, 0.00138722092f});
        return {n, add(r, multiply(multiply(r, r), q))};
    }
    /// e^x for x in [-87.3, 88.72].
    PARE_INLINE static f32 exp_in_range(f32 x) noexcept {
        const power p = exp_parts(x);
        return V::from_bits(V::bits(add(V::set(1.0f), p.fraction)) + V::template shift_left<23>(p.exponent));
    }
    /// log(1 + f) for f in [-0.2929, 0.4143].
    PARE_INLINE static f32 log1p_near_zero(f32 f) noexcept {
        const f32 p = polynomial(f, {0.333333135f, -0.250000089f, 0.20002073f, -0.166679934f, 0.142203212f, -0.124061145f,
                                     0.118837424f, -0.116708957f, 0.0674971491f});
        const f32 square = multiply(f, f);
        return add(f, subtract(multiply(multiply(square, f), p), multiply(square, V::set(0.5f))));
    }

    static constexpr std::int32_t sign_bit = -2147483647 - 1;
};

/// Below this argument e^x would be denormal, or nearly.
inline constexpr float exp_smallest = -87.3f;

/// e^x.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 exp(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto y = R::exp_in_range(V::maximum(V::minimum(x, V::set(88.7228317f)), V::set(exp_smallest)));
    const auto infinity = V::set(std::int32_t{0x7f800000});
    const auto bounded = V::select_greater(V::bits(x), V::set(std::int32_t{0x42b17217}), V::from_bits(infinity), y);
    // Negative floats grow as integers the more negative they are.
    const auto below = V::select_greater(R::magnitude_bits(x), V::set(std::int32_t{0x42ae999a}), V::set(0.0f), bounded);
    return R::keep_nan(x, V::select_greater(V::set(std::int32_t{0}), V::bits(x), below, bounded));
}

/// e^x - 1 for x <= 0.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 expm1_below_zero(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto p = R::exp_parts(V::maximum(V::minimum(x, V::set(0.0f)), V::set(exp_smallest)));
    const auto scale = V::from_bits(V::template shift_left<23>(p.exponent + V::set(std::int32_t{127})));
    return R::keep_nan(x, R::add(R::multiply(scale, p.fraction), R::subtract(scale, V::set(1.0f))));
}

/// 1 / (1 + e^-x).
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 sigmoid(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto bounded = V::maximum(V::minimum(x, V::set(-exp_smallest)), V::set(exp_smallest));
    const auto one = V::set(1.0f);
    return R::keep_nan(x, V::divide(one, R::add(one, R::exp_in_range(R::negated(bounded)))));
}

/// (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 tanh(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto bounded = V::minimum(R::magnitude(x), V::set(10.0f));  // beyond, it is 1
    const auto t = expm1_below_zero<Isa>(R::multiply(bounded, V::set(-2.0f)));
    return R::keep_nan(x, R::with_sign_of(V::divide(t, R::add(t, V::set(2.0f))), x));
}

/// 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 erf(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto p = R::polynomial(R::multiply(x, x), {0.128379166f, -0.37612626f, 0.112835787f, -0.0268533472f, 0.0051871622f,
                                                     -0.00079978531f, 7.80690316e-05f});
    const auto near = R::multiply(x, R::add(p, V::set(1.0f)));
    // 1 - e^-q beyond 1, q = -log(1 - erf) as a polynomial; beyond 4 it is 1.
    const auto t = V::minimum(R::magnitude(x), V::set(4.0f));
    const auto q = R::multiply(t, R::polynomial(t, {1.12868857f, 0.634991884f, 0.10649547f, -0.0239808038f, 0.00374416169f,
                                                    -0.000347432913f, 1.36572398e-05f}));
    const auto far = R::with_sign_of(R::subtract(V::set(1.0f), R::exp_in_range(R::negated(q))), x);
    return R::keep_nan(x, V::select_greater(R::magnitude_bits(x), V::set(std::int32_t{0x3f800000}), far, near));
}

/// The natural logarithm.
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 log(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto infinity = V::set(std::int32_t{0x7f800000});
    // x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
    const auto bits = V::maximum(V::bits(x), V::set(std::int32_t{0x00800000}));
    const auto e = V::template shift_right<23>(bits - V::set(std::int32_t{0x3f3504f3}));
    const auto f = R::subtract(V::from_bits(bits - V::template shift_left<23>(e)), V::set(1.0f));
    const auto whole = V::to_float(e);
    const auto small = R::add(R::log1p_near_zero(f), R::multiply(whole, V::set(-2.12194440e-4f)));
    const auto y = R::add(R::multiply(whole, V::set(0.693359375f)), small);
    const auto finite = V::select_greater(infinity, V::bits(x), y, x);
    const auto positive =
        V::select_greater(V::bits(x), V::set(std::int32_t{0x007fffff}), finite, V::from_bits(infinity ^ V::set(R::sign_bit)));
    // As integers, -0 is the least of all.
    const auto negative =
        V::select_greater(V::bits(x), V::set(R::sign_bit), V::from_bits(V::set(std::int32_t{0x7fc00000})), positive);
    return V::select_greater(V::set(std::int32_t{0}), V::bits(x), negative, positive);
}

/// log(1 + x) for x in [0, 1].
template <class Isa>
PARE_INLINE typename ops<Isa>::f32 log1p(typename ops<Isa>::f32 x) noexcept {
    using V = ops<Isa>;
    using R = rounded<Isa>;
    const auto half = V::set(0.5f);
    const auto halved = R::multiply(R::subtract(x, V::set(1.0f)), half);  // (1 + x) / 2 = 1 + halved
    const auto large = V::set(std::int32_t{0x3ed413cd});                  // sqrt(2) - 1
    const auto y = R::log1p_near_zero(V::select_greater(V::bits(x), large, halved, x));
    return R::keep_nan(x, V::select_greater(V::bits(x), large, R::add(y, V::set(0.693147181f)), y));
}

}  // namespace simd

PARE_NAMESPACE_END

#endif
