#ifndef PARE_TYPES_DIALECTS_HPP
#define PARE_TYPES_DIALECTS_HPP

#include <pare/types/dialect.hpp>

PARE_NAMESPACE_BEGIN

/// Whether PyTorch's scales leave out half of the integers (reduce_range: [0, 127] and [-64, 63]), as CPUs without an exact dot
/// product want it there. Of activations: in its configurations, weights have all integers either way.
enum class torch_range { full, reduced };

namespace dialect {

/// PyTorch. Scales of its observers: affine: s = max((max - min) / (qmax - qmin), 2^-23), z = clamp(qmin - RNE(min / s));
/// symmetric: s = max(max |x| / ((qmax - qmin) / 2), 2^-23), z = 0 or, unsigned, 128, and all integers. Numbers times the
/// reciprocal of the scale, halves to even.
template <torch_range Range>
struct torch_with : pare {
    static constexpr const char* name = Range == torch_range::full ? "torch" : "torch, reduced range";
    static constexpr float least_scale = 0x1p-23f;
    template <class Q>
    static constexpr std::int32_t symmetric_smallest = Q::smallest;
    template <class Q>
    static constexpr std::int32_t smallest = Range == torch_range::full ? Q::smallest : Q::smallest / 2;
    template <class Q>
    static constexpr std::int32_t largest = Range == torch_range::full ? Q::largest : Q::largest / 2;

    template <class Q>
    static quantization affine(float min, float max) noexcept {
        const auto r = detail::range_around_zero(min, max);
        const float scale = at_least(exact_divide(r.max - r.min, static_cast<float>(std::int64_t{largest<Q>} - smallest<Q>)));
        const std::int64_t zero_point = std::int64_t{smallest<Q>} - detail::nearest_integer<detail::ties::to_even>(
                                                                        exact_divide(r.min, scale), 0, -2147483647 - 1, 2147483647);
        return {scale, static_cast<std::int32_t>(zero_point > largest<Q> ? largest<Q> : zero_point)};
    }
    /// What dynamic layers of PyTorch do with a range: in double, scales of at least 6.1e-5, and the zero point from the end of the
    /// range that is nearer to zero.
    template <class Q>
    static quantization dynamic(float min, float max) noexcept {
        const auto r = detail::range_around_zero(min, max);
        auto low = static_cast<double>(r.min), high = static_cast<double>(r.max);
        constexpr double first = smallest<Q>, last = largest<Q>, least = static_cast<double>(6.1e-5f);
        double scale = quotient(opaque(high - low), last - first);
        if (scale < 1e-38) {
            scale = 0.1;
        } else if (scale < least) {
            const auto stretched = [](float x, float by) { return static_cast<double>(exact_multiply(x, by)); };
            const float by = exact_divide(6.1e-5f, static_cast<float>(scale));
            high = r.min == 0.0f ? least * (last - first) : r.max == 0.0f ? 0.0 : stretched(r.max, by);
            low = r.max == 0.0f ? -least * (last - first) : r.min == 0.0f ? 0.0 : stretched(r.min, by);
            scale = least;
        }
        const auto size = [](double x) { return x < 0.0 ? -x : x; };
        const double below = quotient(low, scale), above = quotient(high, scale);
        const double zero_point = size(first) - size(below) < size(last) - size(above) ? first - below : last - above;
        return {static_cast<float>(scale),
                detail::nearest_integer<detail::ties::to_even>(static_cast<float>(zero_point), 0, smallest<Q>, largest<Q>)};
    }
    template <class Q>
    static quantization symmetric(float magnitude) noexcept {
        magnitude = magnitude > largest_range ? largest_range : magnitude;
        const float half = static_cast<float>(std::int64_t{largest<Q>} - smallest<Q>) / 2.0f;
        return {at_least(exact_divide(magnitude, half)), detail::both_sides<Q>::middle};
    }

private:
    static float at_least(float scale) noexcept { return scale > least_scale ? scale : least_scale; }
};
using torch = torch_with<torch_range::full>;
using torch_reduced = torch_with<torch_range::reduced>;

/// ONNX. Numbers divided by the scale, halves to even: QuantizeLinear. Affine: s = (max - min) / (qmax - qmin), z = RNE(clamp(qmin
/// - min / s)): DynamicQuantizeLinear; an empty range, on which it is silent, gives {1, 0}. Symmetric as pare, for which it has no
/// rule.
struct onnx : detail::requantize_in_float {
    static constexpr const char* name = "onnx";
    static constexpr bool quantizes_in_kernels = false;
    template <class Q>
    static constexpr std::int32_t symmetric_smallest = -Q::largest;

    template <class Q>
    static quantization affine(float min, float max) noexcept {
        return detail::affine_by_division<Q, detail::ties::to_even>(min, max);
    }
    template <class Q>
    static quantization symmetric(float magnitude) noexcept {
        return detail::symmetric_around_middle<Q>(magnitude);
    }
    static std::int32_t quantize(float x, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return detail::nearest_integer<detail::ties::to_even>(exact_divide(x, q.scale), q.zero_point, smallest, largest);
    }
    /// To a float of few bits, which has no zero point.
    template <class Float>
    static Float quantize_to(float x, float scale) noexcept {
        return Float(exact_divide(x, scale));
    }
    static std::int32_t quantize_weight(float w, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return quantize(w, q, smallest, largest);
    }
};

/// TensorFlow Lite. Scales of its converter: affine: s = (max - min) / (qmax - qmin), z = clamp(qmin - min / s), rounded;
/// symmetric: s = max |x| / qmax, narrow. Numbers divided by the scale, weights times its reciprocal, halves away from zero.
/// Between layers everything is integers: multipliers are input_scale * weight_scale / output_scale in double as a
/// `fixed_multiplier`, rounded twice in older versions and on ARM, once in builds with TFLITE_SINGLE_ROUNDING. Biases are 32-bit
/// integers, quantize() with the scale input_scale * weight_scale.
template <fixed_rounding Rounding>
struct tflite_with {
    static constexpr const char* name = Rounding == fixed_rounding::twice ? "tflite" : "tflite, single rounding";
    static constexpr bool quantizes_in_kernels = false;
    static constexpr fixed_rounding rounding = Rounding;
    using multiplier = fixed_multiplier;
    template <class Q>
    static constexpr std::int32_t symmetric_smallest = -Q::largest;

    template <class Q>
    static quantization affine(float min, float max) noexcept {
        return detail::affine_by_division<Q, detail::ties::away_from_zero>(min, max);
    }
    template <class Q>
    static quantization symmetric(float magnitude) noexcept {
        return detail::symmetric_around_middle<Q>(magnitude);
    }
    static std::int32_t quantize(float x, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return detail::nearest_integer<detail::ties::away_from_zero>(exact_divide(x, q.scale), q.zero_point, smallest, largest);
    }
    static std::int32_t quantize_weight(float w, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return detail::nearest_integer<detail::ties::away_from_zero>(exact_multiply(w, exact_divide(1.0f, q.scale)), q.zero_point,
                                                                     smallest, largest);
    }
    static multiplier multiplier_of(float input_scale, float weight_scale, float output_scale) noexcept {
        const double product = opaque(static_cast<double>(input_scale) * static_cast<double>(weight_scale));
        return nearest_fixed_multiplier(quotient(product, static_cast<double>(output_scale)));
    }
    static std::int32_t requantize(std::int32_t sum, multiplier m, std::int32_t zero_point, std::int32_t smallest,
                                   std::int32_t largest) noexcept {
        const std::int64_t y = std::int64_t{multiply_fixed<Rounding>(sum, m)} + zero_point;
        return static_cast<std::int32_t>(y < smallest ? smallest : y > largest ? largest : y);
    }
};
using tflite = tflite_with<fixed_rounding::twice>;
using tflite_single = tflite_with<fixed_rounding::once>;

/// ggml, whose weights lie in blocks with a scale each (types/ggml_blocks.hpp); this is the arithmetic of q8_0 with scales that are
/// floats: s = max |x| / qmax, numbers times its reciprocal, halves away from zero. It knows no zero points but the
/// middle of bytes without a sign, and no integers between layers.
struct ggml {
    static constexpr const char* name = "ggml";
    static constexpr bool quantizes_in_kernels = false;
    template <class Q>
    static constexpr std::int32_t symmetric_smallest = -Q::largest;

    template <class Q>
    static quantization affine(float min, float max) noexcept {
        return symmetric<Q>(max > -min ? max : -min);
    }
    template <class Q>
    static quantization symmetric(float magnitude) noexcept {
        return detail::symmetric_around_middle<Q>(magnitude);
    }
    static std::int32_t quantize(float x, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return detail::nearest_integer<detail::ties::away_from_zero>(exact_multiply(x, exact_divide(1.0f, q.scale)), q.zero_point,
                                                                     smallest, largest);
    }
    static std::int32_t quantize_weight(float w, quantization q, std::int32_t smallest, std::int32_t largest) noexcept {
        return quantize(w, q, smallest, largest);
    }
};

}  // namespace dialect

namespace detail {

template <class Dialect>
struct weight_rules {
    using type = Dialect;
};
template <torch_range Range>
struct weight_rules<dialect::torch_with<Range>> {
    using type = dialect::torch;
};

}  // namespace detail

/// The dialect by which weights are quantized where activations are by this one.
template <numeric_dialect Dialect>
using dialect_of_weights = typename detail::weight_rules<Dialect>::type;

PARE_NAMESPACE_END

#endif
