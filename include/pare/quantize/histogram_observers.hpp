#ifndef PARE_QUANTIZE_HISTOGRAM_OBSERVERS_HPP
#define PARE_QUANTIZE_HISTOGRAM_OBSERVERS_HPP

#include <algorithm>
#include <cmath>
#include <iterator>

#include <pare/quantize/histogram.hpp>

PARE_NAMESPACE_BEGIN

/// Observers that leave out numbers which are so rare that a smaller scale for all others is worth more. They all keep a histogram;
/// they differ in what they call a good range. `levels` is how many integers the range will be represented by.

/// As much of the range as makes the squared error least: narrows it from both ends, the one first where fewer numbers are, until
/// the error would grow. torch.ao.quantization.HistogramObserver; the search is that of caffe2's norm minimization. O(bins) per
/// step, at most 100,000 steps.
struct histogram_observer {
    std::size_t levels = 256;
    histogram seen{};

    void observe(std::span<const float> batch) { seen.observe(batch); }

    result<observed_range> range() const {
        if (auto all = seen.range(); !all) {
            return all;
        }
        std::vector<double> counted(seen.bins());  // up to and with a bin
        double sum = 0.0;
        for (std::size_t i = 0; i < seen.bins(); ++i) {
            counted[i] = sum += seen.count(i);
        }
        constexpr double step = 1e-5;
        std::size_t first = 0, last = seen.bins() - 1;
        double least_error = -1.0;
        for (double alpha = 0.0, beta = 1.0; alpha < beta;) {
            std::size_t left = first, right = last;
            while (left < last && counted[left] < (alpha + step) * sum) {
                ++left;
            }
            while (right > first && counted[right] > (beta - step) * sum) {
                --right;
            }
            std::size_t next_first = first, next_last = last;
            if (left - first > last - right) {
                next_first = left;
                alpha += step;
            } else {
                next_last = right;
                beta -= step;
            }
            if (next_first == first && next_last == last) {
                continue;
            }
            const double error = seen.squared_error(seen.edge(next_first), seen.edge(next_last + 1), levels);
            if (least_error >= 0.0 && error > least_error) {
                break;
            }
            least_error = error;
            first = next_first;
            last = next_last;
        }
        return observed_range{static_cast<float>(seen.edge(first)), static_cast<float>(seen.edge(last + 1))};
    }
};

/// From the number below which 100 - percentile percent of all lie to the one below which percentile percent do. 100 is min-max.
struct percentile_observer {
    double percentile = 99.99;
    histogram seen{};

    void observe(std::span<const float> batch) { seen.observe(batch); }

    result<observed_range> range() const {
        if (!(percentile > 50.0 && percentile <= 100.0)) {
            return error{error_code::invalid_argument,
                         sentence("observer: expected a percentile above 50 and at most 100, found ", percentile)};
        }
        if (auto all = seen.range(); !all) {
            return all;
        }
        return observed_range{static_cast<float>(seen.quantile(1.0 - percentile / 100.0)),
                              static_cast<float>(seen.quantile(percentile / 100.0))};
    }
};

namespace detail {

/// A histogram of all numbers but zeros, which every quantization represents exactly: behind a ReLU they are so many that they
/// would decide alone.
struct histogram_without_zeros {
    extremes all{};
    histogram seen{};

    void observe(std::span<const float> batch) {
        all.observe(batch);
        std::vector<float> rest;
        std::copy_if(batch.begin(), batch.end(), std::back_inserter(rest), [](float x) { return x != 0.0f; });
        seen.observe(rest);
    }
};

}  // namespace detail

/// Of the ranges that leave out |x| above some size, the one whose squared error is least. 340 sizes, each 2% smaller than the one
/// before: down to a thousandth of the largest number. O(bins) for each.
struct mse_observer {
    std::size_t levels = 256;
    detail::histogram_without_zeros numbers{};

    void observe(std::span<const float> batch) { numbers.observe(batch); }

    result<observed_range> range() const {
        const histogram& seen = numbers.seen;
        auto best = numbers.all.range();
        if (!best || !seen.range()) {
            return best;
        }
        const observed_range all = *best;
        double least_error = seen.squared_error(static_cast<double>(all.min), static_cast<double>(all.max), levels);
        float size = all.max > -all.min ? all.max : -all.min;
        for (int i = 0; i < 340; ++i) {
            size *= 0.98f;
            const observed_range clipped = {all.min < -size ? -size : all.min, all.max > size ? size : all.max};
            if (!(clipped.min < clipped.max)) {
                break;
            }
            const double error = seen.squared_error(static_cast<double>(clipped.min), static_cast<double>(clipped.max), levels);
            if (error < least_error) {
                least_error = error;
                best = clipped;
            }
        }
        return best;
    }
};

/// Of the ranges that leave out |x| above some size, the one after which the numbers' distribution differs least: the relative
/// entropy (Kullback-Leibler divergence) of the histogram inside, with what was left out in its outermost bins, and itself in
/// `levels` steps. At least `levels` bins are kept. O(bins^2 / 16). Migacz 2017, "8-bit inference with TensorRT".
struct entropy_observer {
    std::size_t levels = 256;
    detail::histogram_without_zeros numbers{};

    void observe(std::span<const float> batch) { numbers.observe(batch); }

    result<observed_range> range() const {
        const histogram& seen = numbers.seen;
        auto best = numbers.all.range();
        if (!best || !seen.range() || !(seen.width() > 0.0)) {
            return best;
        }
        const double least = seen.edge(0), greatest = seen.edge(seen.bins()), width = seen.width();
        const auto bin = [&](double x) {
            const auto i = static_cast<std::size_t>(x <= least ? 0.0 : (x - least) / width);
            return i < seen.bins() ? i : seen.bins() - 1;
        };
        double least_divergence = divergence(seen, 0, seen.bins() - 1);
        for (double size = (greatest > -least ? greatest : -least) - 16.0 * width; size > 0.0; size -= 16.0 * width) {
            const std::size_t first = bin(-size), last = bin(size);
            if (last - first + 1 < levels) {
                break;
            }
            const double d = divergence(seen, first, last);
            if (d < least_divergence) {
                least_divergence = d;
                best = observed_range{static_cast<float>(seen.edge(first)), static_cast<float>(seen.edge(last + 1))};
            }
        }
        return best;
    }

private:
    /// sum of p * log(p / q) over bins [first, last]: p as counted, the rest in both ends; q the same for all bins of a step in
    /// which p is not 0. Where numbers were only left out, q is a ten-thousandth of a number. Less what drawing so few numbers
    /// makes of a divergence of 0, which is 1 / (2 n) for each bin that a step merges (Miller 1955).
    double divergence(const histogram& seen, std::size_t first, std::size_t last) const {
        double outside[2] = {0.0, 0.0};
        for (std::size_t i = 0; i < first; ++i) {
            outside[0] += seen.count(i);
        }
        for (std::size_t i = last + 1; i < seen.bins(); ++i) {
            outside[1] += seen.count(i);
        }
        const double inside = seen.total() - outside[0] - outside[1];
        const auto p = [&](std::size_t i) {
            return seen.count(i) + (i == first ? outside[0] : 0.0) + (i == last ? outside[1] : 0.0);
        };
        const std::size_t count = last - first + 1;
        double sum = 0.0;
        for (std::size_t level = 0; level < levels; ++level) {
            const std::size_t begin = first + level * count / levels, end = first + (level + 1) * count / levels;
            double counted = 0.0, present = 0.0;
            for (std::size_t i = begin; i < end; ++i) {
                counted += seen.count(i);
                present += p(i) > 0.0 ? 1.0 : 0.0;
            }
            for (std::size_t i = begin; i < end; ++i) {
                if (p(i) > 0.0) {
                    const double q = counted > 0.0 ? counted / present : 1e-4;
                    sum += p(i) / seen.total() * std::log(p(i) / seen.total() * inside / q);
                }
            }
            sum -= present > 1.0 ? (present - 1.0) / (2.0 * seen.total()) : 0.0;
        }
        return sum;
    }
};

static_assert(observer<histogram_observer> && observer<percentile_observer> && observer<mse_observer> &&
              observer<entropy_observer>);

PARE_NAMESPACE_END

#endif
