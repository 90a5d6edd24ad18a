#ifndef PARE_QUANTIZE_OBSERVERS_HPP
#define PARE_QUANTIZE_OBSERVERS_HPP

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include <pare/core/result.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// What a quantization shall represent: the numbers from min to max. Need not contain zero; affine_quantization() extends it.
struct observed_range {
    float min = 0.0f;
    float max = 0.0f;

    bool operator==(const observed_range&) const = default;
};

/// Looks at batches of numbers and says from where to where they shall be represented. A value: one with the options that are
/// wanted is copied for each tensor. range() is an error where no number was seen, or one that is not finite; a batch of no numbers
/// changes nothing.
template <class T>
concept observer = std::copyable<T> && requires(T& observing, const T& seen, std::span<const float> batch) {
    { observing.observe(batch) } -> std::same_as<void>;
    { seen.range() } -> std::same_as<result<observed_range>>;
};

namespace detail {

/// The least and the greatest of some numbers, and whether there were any and all were finite, whatever -ffast-math believes.
class extremes {
public:
    void observe(std::span<const float> batch) noexcept {
        std::uint32_t magnitude = 0;
        for (const float x : batch) {
            const std::uint32_t bits = std::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
            magnitude = bits > magnitude ? bits : magnitude;
        }
        largest_bits_ = magnitude > largest_bits_ ? magnitude : largest_bits_;
        if (batch.empty() || !all_finite()) {
            return;
        }
        float min = any_ ? range_.min : batch[0];
        float max = any_ ? range_.max : batch[0];
        for (const float x : batch) {
            min = x < min ? x : min;
            max = x > max ? x : max;
        }
        range_ = {min, max};
        any_ = true;
    }
    /// As if these were the extremes. Only where there are some.
    void replace(observed_range r) noexcept { range_ = r; }
    /// Where there is nothing that usable() calls an error.
    observed_range known() const noexcept { return range_; }

    bool all_finite() const noexcept { return largest_bits_ < 0x7f800000u; }
    bool usable() const noexcept { return any_ && all_finite(); }

    result<observed_range> range() const {
        if (!all_finite()) {
            return error{error_code::invalid_data, sentence("observer: expected finite numbers, found ",
                                                            largest_bits_ > 0x7f800000u ? "NaN" : "an infinity")};
        }
        if (!any_) {
            return error{error_code::invalid_data, "observer: expected numbers to take a range from, found none"};
        }
        return range_;
    }

private:
    observed_range range_;
    std::uint32_t largest_bits_ = 0;
    bool any_ = false;
};

}  // namespace detail

/// From the least number to the greatest. O(n). torch.ao.quantization.MinMaxObserver.
struct minmax_observer {
    detail::extremes seen{};

    void observe(std::span<const float> batch) noexcept { seen.observe(batch); }
    result<observed_range> range() const { return seen.range(); }
};

/// The average of the batches' ranges, of which newer ones count more: m += constant * (x - m) for the least and for the greatest
/// number x of a batch; the first batch gives the first m. torch.ao.quantization.MovingAverageMinMaxObserver.
struct moving_average_observer {
    float constant = 0.01f;
    detail::extremes seen{};

    void observe(std::span<const float> batch) noexcept {
        detail::extremes now;
        now.observe(batch);
        if (seen.usable() && now.usable()) {
            const auto average = [&](float m, float x) { return opaque(m + exact_multiply(constant, opaque(x - m))); };
            const observed_range old = seen.known(), next = now.known();
            seen.replace({average(old.min, next.min), average(old.max, next.max)});
        } else if (seen.usable()) {
            seen.observe(batch);  // nothing, or what is not finite
        } else if (seen.all_finite()) {
            seen = now;
        }
    }
    result<observed_range> range() const { return seen.range(); }
};

static_assert(observer<minmax_observer> && observer<moving_average_observer>);

PARE_NAMESPACE_END

#endif
