#ifndef PARE_REPORT_WEIGHT_HISTOGRAM_HPP
#define PARE_REPORT_WEIGHT_HISTOGRAM_HPP

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <pare/types/quantization.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// How often weights have which size. Zeros are counted apart, stored or not, as pruned models consist of them; so are numbers that
/// are none. counts, zeros, nans and infinities add up to all weights of the matrix.
struct weight_histogram {
    double least = 0.0;  // of the finite weights that are not zero
    double greatest = 0.0;
    double sum = 0.0;  // of finite weights
    double sum_of_squares = 0.0;
    std::vector<std::size_t> counts;  // in bins of equal width from `least` to `greatest`
    std::size_t zeros = 0;
    std::size_t nans = 0;
    std::size_t infinities = 0;

    std::size_t in_bins() const noexcept {
        std::size_t n = 0;
        for (const std::size_t count : counts) {
            n += count;
        }
        return n;
    }
    std::size_t total() const noexcept { return in_bins() + zeros + nans + infinities; }
    std::size_t finite() const noexcept { return in_bins() + zeros; }
    double mean() const noexcept { return finite() == 0 ? 0.0 : sum / static_cast<double>(finite()); }
    double deviation() const noexcept {
        const double square = finite() == 0 ? 0.0 : sum_of_squares / static_cast<double>(finite()) - mean() * mean();
        return square > 0.0 ? std::sqrt(square) : 0.0;
    }
};

/// The numbers that the weights of a matrix stand for, in `bins` >= 1 bins. O(weights), twice.
template <class Element, class Layout>
weight_histogram histogram_of(const weight_matrix<Element, Layout>& w, std::size_t bins) {
    PARE_ASSERT(bins >= 1, "a histogram of %zu bins", bins);
    weight_histogram h;
    h.counts.resize(bins);
    bool first = true;
    std::size_t numbers = 0;
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        const float real = w.real(row, i);
        if (!is_finite(real)) {
            const bool infinite = (std::bit_cast<std::uint32_t>(real) & 0x7fffffu) == 0;
            (infinite ? h.infinities : h.nans) += 1;
        } else if (real != 0.0f) {
            const double x = static_cast<double>(real);
            h.least = first || x < h.least ? x : h.least;
            h.greatest = first || x > h.greatest ? x : h.greatest;
            h.sum += x;
            h.sum_of_squares += x * x;
            first = false;
            ++numbers;
        }
    });
    const double per_unit = h.greatest > h.least ? static_cast<double>(bins) / (h.greatest - h.least) : 0.0;
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        const float real = w.real(row, i);
        if (is_finite(real) && real != 0.0f) {
            const auto bin = static_cast<std::size_t>((static_cast<double>(real) - h.least) * per_unit);
            h.counts[bin < bins ? bin : bins - 1] += 1;
        }
    });
    h.zeros = w.rows() * w.columns() - numbers - h.nans - h.infinities;
    return h;
}

PARE_NAMESPACE_END

#endif
