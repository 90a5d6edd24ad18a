#ifndef PARE_KERNELS_FAKE_QUANTIZE_HPP
#define PARE_KERNELS_FAKE_QUANTIZE_HPP

#include <pare/kernels/elementwise.hpp>
#include <pare/kernels/reduce.hpp>
#include <pare/types/fake_quantization.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Fake quantization on vectors: numbers that are quantized and at once made real again, and the gradients of that. The integer of
/// x, less the zero point, is q = RNE(x * (1 / scale)); it is kept within [low, high]. NaN counts as zero.
template <class Isa>
class fake_quantizer {
    using V = simd::ops<Isa>;
    using f32 = typename V::f32;
    using i32 = typename V::i32;

public:
    explicit fake_quantizer(const fake_quantization& f) noexcept
        : scale_(V::set(f.q.scale)),
          inverse_(V::set(exact_divide(1.0f, f.q.scale))),
          least_(V::set(f.smallest - f.q.zero_point)),
          greatest_(V::set(f.largest - f.q.zero_point)) {}

    /// y = (clamp(RNE(x * (1 / scale)) + zero_point) - zero_point) * scale.
    PARE_INLINE f32 value(f32 x) const noexcept {
        return V::to_float(V::round(kept(V::nan_to_zero(x) * inverse_, V::set(0.0f)))) * scale_;
    }
    /// dx = dy where the integer of x was not clamped, else 0: the derivative of rounding taken as 1. Bengio, Léonard, Courville
    /// 2013.
    PARE_INLINE f32 gradient(f32 x, f32 dy) const noexcept {
        return select(integer(V::nan_to_zero(x)), dy, V::set(0.0f), V::set(0.0f));
    }
    /// dscale = dy * (q - x / scale) where q was not clamped, else dy * low or dy * high. Esser et al. 2020, eq. 3.
    PARE_INLINE f32 scale_gradient(f32 x, f32 dy) const noexcept {
        const f32 known = V::nan_to_zero(x);
        const i32 q = integer(known);
        const f32 inside = (V::opaque(V::to_float(q) * scale_) - known) * inverse_;
        return select(q, inside, V::to_float(least_), V::to_float(greatest_)) * dy;
    }

private:
    PARE_INLINE f32 kept(f32 scaled, f32 beyond) const noexcept {
        return V::minimum(V::maximum(scaled, V::to_float(least_) - beyond), V::to_float(greatest_) + beyond);
    }
    /// Clamped to one more on either side than is allowed: enough to see that it would have been.
    PARE_INLINE i32 integer(f32 x) const noexcept { return V::round(kept(x * inverse_, V::set(1.0f))); }
    PARE_INLINE f32 select(i32 q, f32 inside, f32 below, f32 above) const noexcept {
        return V::select_greater(q, greatest_, above, V::select_greater(least_, q, below, inside));
    }

    f32 scale_, inverse_;
    i32 least_, greatest_;
};

/// y[i] = the real number that x[i] becomes. y may be x. O(n).
template <class Isa>
void fake_quantize(std::size_t n, const float* x, const fake_quantization& f, float* y) noexcept {
    const fake_quantizer<Isa> quantizer(f);
    transform<Isa>(
        n, y, [&](auto v) { return quantizer.value(v); }, x);
}

/// dx from dy by the straight-through estimator. dx may be dy. O(n).
template <class Isa>
void fake_quantize_gradient(std::size_t n, const float* x, const fake_quantization& f, const float* dy, float* dx) noexcept {
    const fake_quantizer<Isa> quantizer(f);
    transform<Isa>(
        n, dx, [&](auto v, auto d) { return quantizer.gradient(v, d); }, x, dy);
}

/// The gradient of the scale: a sum over all n numbers. O(n).
template <class Isa>
float fake_quantize_scale_gradient(std::size_t n, const float* x, const fake_quantization& f, const float* dy) noexcept {
    const fake_quantizer<Isa> quantizer(f);
    return sum_of<Isa>(
        n, [&](auto v, auto d) { return quantizer.scale_gradient(v, d); }, x, dy);
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
