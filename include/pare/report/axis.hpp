#ifndef PARE_REPORT_AXIS_HPP
#define PARE_REPORT_AXIS_HPP

#include <algorithm>
#include <vector>

#include <pare/report/markup.hpp>

PARE_NAMESPACE_BEGIN

/// How an axis of a chart goes: in equal steps or in powers of ten, with units on its ticks.
struct axis_kind {
    std::string title;
    bool logarithmic = false;
    std::string (*tick)(double) = detail::readable;  // what stands at a tick
    double least_step = 0.0;                         // 1 for what is counted
};

namespace detail {

/// Numbers along pixels [from, to]. On a logarithmic axis only positive numbers have a place.
class axis {
public:
    axis(const axis_kind& kind, const std::vector<double>& values, double from, double to, double room_share = 0.08)
        : logarithmic_(kind.logarithmic), from_(from), to_(to) {
        bool first = true;
        for (const double v : values) {
            if (holds(v)) {
                low_ = first || scaled(v) < low_ ? scaled(v) : low_;
                high_ = first || scaled(v) > high_ ? scaled(v) : high_;
                first = false;
            }
        }
        if (first) {
            high_ = 1.0;
        }
        // Room at both ends, and where all is the same.
        const double least =
            logarithmic_ ? 0.4 : (std::max)(0.02 * (std::max)(std::abs(low_), std::abs(high_)), 3 * kind.least_step);
        const double wanted = (std::max)(room_share * (high_ - low_), (least - (high_ - low_)) / 2);
        const double room = wanted > 0.0 ? wanted : 1e-9;
        low_ -= room;
        high_ += room;
        logarithmic_ ? set_powers() : set_steps(kind.least_step);
    }

    bool holds(double v) const noexcept { return is_drawable(v) && (!logarithmic_ || v > 0.0); }
    double at(double v) const noexcept { return from_ + (scaled(v) - low_) / (high_ - low_) * (to_ - from_); }
    const std::vector<double>& ticks() const noexcept { return ticks_; }

private:
    double scaled(double v) const noexcept { return logarithmic_ ? std::log10(v) : v; }

    /// 1, 2, 5, 10, 20, ... where that is few enough, else only powers of ten, or every second, third, ... of them.
    void set_powers() {
        const auto set = [&](const std::vector<double>& digits, int stride) {
            ticks_.clear();
            for (int p = static_cast<int>(std::floor(low_ / stride)) * stride; p <= high_; p += stride) {
                for (const double d : digits) {
                    const double v = d * std::pow(10.0, p);
                    if (std::log10(v) >= low_ && std::log10(v) <= high_) {
                        ticks_.push_back(v);
                    }
                }
            }
            return ticks_.size() <= most;
        };
        bool few = set({1, 2, 5}, 1) || set({1, 3}, 1);
        for (int stride = 1; !few; ++stride) {
            few = set({1}, stride);
        }
    }
    /// Steps of 1, 2 or 5 times a power of ten, three to six of them.
    void set_steps(double least) {
        const double power = std::pow(10.0, std::floor(std::log10(high_ - low_))), count = (high_ - low_) / power;
        const double step = (std::max)(least, power * (count < 1.5 ? 0.2 : count < 3 ? 0.5 : count < 6 ? 1 : 2));
        for (double i = std::ceil(low_ / step); i * step <= high_; i += 1) {
            ticks_.push_back(i == 0.0 ? 0.0 : i * step);
        }
    }

    static constexpr std::size_t most = 6;
    bool logarithmic_;
    double from_, to_;
    double low_ = 0.0, high_ = 0.0;
    std::vector<double> ticks_;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
