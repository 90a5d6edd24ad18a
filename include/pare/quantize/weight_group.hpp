#ifndef PARE_QUANTIZE_WEIGHT_GROUP_HPP
#define PARE_QUANTIZE_WEIGHT_GROUP_HPP

#include <span>

#include <pare/types/quantization.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// range / steps, 1 where the range is empty.
inline float scale_of_range(float range, std::int32_t steps) noexcept {
    if (range < smallest_range) {
        return 1.0f;
    }
    const float scale = exact_divide(range, static_cast<float>(steps));
    return scale < smallest_scale ? smallest_scale : scale;
}

}  // namespace detail

/// What a group of weights is quantized with: its scale, rounded to the type that stores it, and its zero point or minimum. Codes
/// are those of the element's format.
template <class Element>
class weight_group {
    using storage = detail::element_storage<Element>;
    using scale_type = typename storage::scale;

public:
    using format = typename storage::format;
    static constexpr std::int32_t most = (1 << Element::bits) - 1;  // steps between the least code and the largest
    static constexpr bool has_levels = format::offset == group_offset::levels;
    static constexpr bool is_symmetric = format::offset == group_offset::none;
    static constexpr std::int32_t least_code = is_symmetric ? format::middle - Element::largest : 0;
    static constexpr std::int32_t largest_code = is_symmetric ? format::middle + Element::largest : most;

    /// That which spends all codes on [min, max], which for symmetric codes and levels extends to both sides of zero, for affine
    /// ones to zero. Symmetric: scale = max |w| / (2^(bits - 1) - 1). Affine: scale = (max - min) / (2^bits - 1), zero point =
    /// RNE(-min / scale). With minima: the same scale, and min. Levels: scale = max |w|.
    static weight_group of_range(float min, float max) noexcept {
        if constexpr (format::offset == group_offset::none || has_levels) {
            const float size = max > -min ? max : -min;
            if constexpr (has_levels) {
                return weight_group(detail::scale_of_range(size, 1), 0.0f);
            } else {
                return weight_group(detail::scale_of_range(size, Element::largest), 0.0f);
            }
        } else if constexpr (format::offset == group_offset::zero_point) {
            min = min < 0.0f ? min : 0.0f;
            max = max > 0.0f ? max : 0.0f;
            const weight_group scaled(detail::scale_of_range(max - min, most), 0.0f);
            return scaled.with_offset(exact_multiply(-min, scaled.inverse_));
        } else {
            return weight_group(detail::scale_of_range(max - min, most), min);
        }
    }
    /// The same scale with another zero point, which becomes a code, or another minimum.
    weight_group with_offset(float offset) const noexcept {
        weight_group other = *this;
        other.offset_ = rounded_offset(offset);
        return other;
    }

    scale_type scale() const noexcept { return scale_; }
    /// Zero point or minimum, as the matrix stores it.
    typename storage::zero_point offset() const noexcept { return static_cast<typename storage::zero_point>(offset_); }

    /// Whether scale and minimum fit their type.
    bool fits() const noexcept { return is_finite(scale_) && is_finite(offset_); }

    /// The code nearest to w; halves to even, but of two levels to the lower one.
    std::int32_t code(float w) const noexcept {
        if constexpr (format::offset == group_offset::none) {
            return quantize_value(w, inverse_, format::middle, least_code, largest_code);
        } else if constexpr (format::offset == group_offset::zero_point) {
            return quantize_value(w, inverse_, static_cast<std::int32_t>(offset_), 0, most);
        } else if constexpr (format::offset == group_offset::minimum) {
            return quantize_value(opaque(w - offset_), inverse_, 0, 0, most);
        } else {
            const float x = exact_multiply(w, inverse_);
            std::int32_t level = 0;
            while (level < most && x > 0.5f * (nf4_levels[level] + nf4_levels[level + 1])) {
                ++level;
            }
            return level;
        }
    }
    /// Where w lies between codes, as a number that code() rounds; and what a number there stands for. Not for levels.
    float position(float w) const noexcept requires(!has_levels) {
        if constexpr (format::offset == group_offset::minimum) {
            return (w - offset_) * inverse_;
        } else {
            return w * inverse_ + zero();
        }
    }
    float real_at(float position) const noexcept requires(!has_levels) {
        if constexpr (format::offset == group_offset::minimum) {
            return position * scale_ + offset_;
        } else {
            return (position - zero()) * scale_;
        }
    }
    /// The number that a code stands for.
    float real(std::int32_t code) const noexcept { return format::real(code, scale_, offset_); }

private:
    float zero() const noexcept { return is_symmetric ? static_cast<float>(format::middle) : offset_; }

    weight_group(float scale, float offset) noexcept : scale_(scale) {
        if constexpr (std::is_same_v<scale_type, float16>) {
            scale_ = scale_ == 0.0f ? float16(0x1p-24f) : scale_;  // the smallest there is
        }
        inverse_ = exact_divide(1.0f, scale_);
        offset_ = rounded_offset(offset);
    }
    static float rounded_offset(float offset) noexcept {
        if constexpr (format::offset == group_offset::zero_point) {
            return static_cast<float>(quantize_value(offset, 1.0f, 0, 0, most));
        } else if constexpr (format::offset == group_offset::minimum) {
            return scale_type(offset);
        } else {
            return 0.0f;
        }
    }

    scale_type scale_;
    float inverse_ = 1.0f;
    float offset_ = 0.0f;
};

PARE_NAMESPACE_END

#endif
