#ifndef PARE_QUANTIZE_HISTOGRAM_HPP
#define PARE_QUANTIZE_HISTOGRAM_HPP

#include <vector>

#include <pare/quantize/observers.hpp>

PARE_NAMESPACE_BEGIN

/// How often numbers were seen, in bins of equal width from the least number to the greatest so far. Bins grow with the numbers:
/// what was counted is then spread over the new ones as if it were uniform within a sixteenth of its bin. O(n) per batch, O(bins)
/// where the range grows.
class histogram {
public:
    explicit histogram(std::size_t bins = 2048) : counts_(bins, 0.0) {
        PARE_ASSERT(bins >= 2, "expected a histogram of at least 2 bins, got %zu", bins);
    }

    void observe(std::span<const float> batch) {
        const bool first = !seen_.usable();
        const observed_range old = seen_.known();
        seen_.observe(batch);
        if (batch.empty() || !seen_.usable()) {
            return;
        }
        if (!first && seen_.known() != old) {
            spread(old);
        }
        for (const float x : batch) {
            counts_[bin_of(static_cast<double>(x))] += 1.0;
        }
        total_ += static_cast<double>(batch.size());
    }

    /// From the least number to the greatest, or an error where there are none or some are not finite.
    result<observed_range> range() const { return seen_.range(); }

    std::size_t bins() const noexcept { return counts_.size(); }
    double count(std::size_t bin) const noexcept { return counts_[bin]; }
    double total() const noexcept { return total_; }
    /// Of one bin; 0 where all numbers are the same.
    double width() const noexcept { return (greatest() - least()) / static_cast<double>(bins()); }
    /// Where bin i begins, and the one before it ends.
    double edge(std::size_t i) const noexcept { return least() + width() * static_cast<double>(i); }

    /// The number below which a fraction of all numbers lies. Linear within a bin.
    double quantile(double fraction) const noexcept {
        double below = 0.0;
        for (std::size_t i = 0; i < bins(); ++i) {
            if (counts_[i] > 0.0 && below + counts_[i] >= fraction * total_) {
                const double part = (fraction * total_ - below) / counts_[i];
                return edge(i) + width() * (part > 0.0 ? part : 0.0);
            }
            below += counts_[i];
        }
        return greatest();
    }

    /// The sum of (x - the middle of its cell)^2 where [low, high] has `cells` of equal size and numbers outside are put into the
    /// nearest: the error of a quantization, numbers being uniform in their bins. O(bins).
    double squared_error(double low, double high, std::size_t cells) const noexcept {
        const double cell = (high - low) / static_cast<double>(cells);
        if (!(cell > 0.0) || !(width() > 0.0)) {
            return 0.0;
        }
        const auto third_of_cube = [](double x) { return x * x * x / 3.0; };
        const double half = third_of_cube(cell / 2.0);
        const auto last = static_cast<double>(cells - 1);
        const auto cell_of = [&](double x) {
            const double c = x / cell;
            return c < 0.0 ? 0.0 : c > last ? last : static_cast<double>(static_cast<std::int64_t>(c));
        };
        double sum = 0.0;
        for (std::size_t i = 0; i < bins(); ++i) {
            const double begin = edge(i) - low, end = edge(i + 1) - low;
            const double from = cell_of(begin), to = cell_of(end);
            // to the end of the first cell, all between, and from the beginning of the last
            sum += counts_[i] * (half - third_of_cube(begin - (from + 0.5) * cell) + (to - from - 1.0) * 2.0 * half +
                                 third_of_cube(end - (to + 0.5) * cell) + half);
        }
        return sum / width();
    }

private:
    double least() const noexcept { return static_cast<double>(seen_.known().min); }
    double greatest() const noexcept { return static_cast<double>(seen_.known().max); }
    std::size_t bin_of(double x) const noexcept {
        if (!(greatest() > least())) {
            return bins() / 2;
        }
        const auto i = static_cast<std::size_t>((x - least()) / (greatest() - least()) * static_cast<double>(bins()));
        return i < bins() ? i : bins() - 1;
    }

    void spread(observed_range old) {
        constexpr std::size_t parts = 16;
        std::vector<double> counted(bins(), 0.0);
        counted.swap(counts_);
        const auto low = static_cast<double>(old.min), size = static_cast<double>(old.max) - low;
        const double part = size / static_cast<double>(parts * bins());
        for (std::size_t i = 0; i < parts * bins(); ++i) {
            counts_[bin_of(low + (static_cast<double>(i) + 0.5) * part)] += counted[i / parts] / static_cast<double>(parts);
        }
    }

    detail::extremes seen_;
    std::vector<double> counts_;
    double total_ = 0.0;
};

PARE_NAMESPACE_END

#endif
