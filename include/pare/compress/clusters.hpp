#ifndef PARE_COMPRESS_CLUSTERS_HPP
#define PARE_COMPRESS_CLUSTERS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>

PARE_NAMESPACE_BEGIN

/// Where the centroids of a clustering begin: evenly between the least and the greatest number; where as many numbers lie between
/// one and the next; or drawn from the numbers, each in proportion to its squared distance from those drawn before (Arthur,
/// Vassilvitskii 2007). The first keeps large weights best: Han, Mao, Dally 2016, section 3.2.
enum class cluster_start { linear, density, plus_plus };

struct cluster_options {
    cluster_start start = cluster_start::linear;
    std::size_t iterations = 300;  // at most; Lloyd's end where nothing moves any more
    bool preserve_zeros = true;    // 0 is a centroid that does not move, for all numbers that are 0 and no others
    pare::seed seed = {};          // for plus_plus
};

/// Numbers that stand for others: number i became centroids[codes[i]].
struct clustering {
    std::vector<float> centroids;  // ascending
    std::vector<std::uint8_t> codes;
};

namespace detail {

/// Lloyd's algorithm (Lloyd 1982) for numbers on a line: with the numbers in order, and their sums up to each, an iteration looks
/// for the middles between neighbouring centroids, O(k log n).
class line_clusters {
public:
    explicit line_clusters(std::vector<float> numbers) : sorted_(std::move(numbers)), sums_(sorted_.size() + 1) {
        std::sort(sorted_.begin(), sorted_.end());
        for (std::size_t i = 0; i < sorted_.size(); ++i) {
            sums_[i + 1] = sums_[i] + static_cast<double>(sorted_[i]);
        }
    }

    /// k centroids, ascending.
    std::vector<float> centroids(std::size_t k, const cluster_options& options) const {
        std::vector<float> c = start(k, options);
        for (std::size_t i = 0; i < options.iterations && improve(c); ++i) {
        }
        return c;
    }

    /// The centroid that is nearest, the lower one of two.
    static std::size_t nearest(const std::vector<float>& centroids, float x) noexcept {
        const auto above = std::lower_bound(centroids.begin(), centroids.end(), x);
        const auto j = static_cast<std::size_t>(above - centroids.begin());
        return j == centroids.size() || (j > 0 && static_cast<double>(x) <= middle(centroids[j - 1], centroids[j])) ? j - 1 : j;
    }

private:
    static double middle(float low, float high) noexcept { return (static_cast<double>(low) + static_cast<double>(high)) / 2.0; }

    std::vector<float> start(std::size_t k, const cluster_options& options) const {
        std::vector<float> c;
        for (std::size_t j = 0; j < k; ++j) {
            const double share = (static_cast<double>(j) + 0.5) / static_cast<double>(k);
            if (options.start == cluster_start::linear) {
                const auto first = static_cast<double>(sorted_.front()), last = static_cast<double>(sorted_.back());
                const double way = k == 1 ? 0.5 : static_cast<double>(j) / static_cast<double>(k - 1);
                c.push_back(static_cast<float>(first + (last - first) * way));
            } else if (options.start == cluster_start::density) {
                c.push_back(sorted_[static_cast<std::size_t>(share * static_cast<double>(sorted_.size()))]);
            } else {
                c.push_back(drawn(c, random_numbers(options.seed, 0).words(j)[0]));
            }
        }
        std::sort(c.begin(), c.end());
        return c;
    }

    /// One of the numbers, in proportion to its squared distance from the nearest centroid; any where there is none yet.
    float drawn(const std::vector<float>& centroids, std::uint64_t random) const {
        std::vector<double> up_to(sorted_.size());
        double sum = 0.0;
        for (std::size_t i = 0; i < sorted_.size(); ++i) {
            double least = centroids.empty() ? 1.0 : (std::numeric_limits<double>::max)();
            for (const float c : centroids) {
                const double d = static_cast<double>(sorted_[i]) - static_cast<double>(c);
                least = (std::min)(least, d * d);
            }
            up_to[i] = sum += least;
        }
        const double at = static_cast<double>(random >> 11) * 0x1p-53 * sum;
        const auto found = std::upper_bound(up_to.begin(), up_to.end(), at);
        return found == up_to.end() ? sorted_.back() : sorted_[static_cast<std::size_t>(found - up_to.begin())];
    }

    /// Each centroid becomes the mean of the numbers that are nearest to it; one with none stays. Whether any moved.
    bool improve(std::vector<float>& centroids) const {
        const std::vector<float> before = centroids;
        auto first = sorted_.begin();
        for (std::size_t j = 0; j < before.size(); ++j) {
            const auto last = j + 1 == before.size()
                                  ? sorted_.end()
                                  : std::upper_bound(first, sorted_.end(), middle(before[j], before[j + 1]),
                                                     [](double m, float x) { return m < static_cast<double>(x); });
            if (last != first) {
                const double sum = sums_[static_cast<std::size_t>(last - sorted_.begin())] -
                                   sums_[static_cast<std::size_t>(first - sorted_.begin())];
                centroids[j] = static_cast<float>(sum / static_cast<double>(last - first));
            }
            first = last;
        }
        return centroids != before;
    }

    std::vector<float> sorted_;
    std::vector<double> sums_;
};

}  // namespace detail

/// Finite numbers in at most k clusters, 2 <= k <= 256: Lloyd's algorithm from the given start, deterministic. O(n log n).
template <class Numbers>
clustering cluster_numbers(const Numbers& numbers, std::size_t k, const cluster_options& options = {}) {
    std::vector<float> moving;
    for (const float x : numbers) {
        if (x != 0.0f || !options.preserve_zeros) {
            moving.push_back(x);
        }
    }
    const bool zero = moving.size() < std::size(numbers);
    clustering found;
    if (!moving.empty()) {
        found.centroids = detail::line_clusters(std::move(moving)).centroids(zero ? k - 1 : k, options);
    }
    const std::vector<float> others = found.centroids;
    const auto place = std::lower_bound(others.begin(), others.end(), 0.0f) - others.begin();
    if (zero) {
        found.centroids.insert(found.centroids.begin() + place, 0.0f);
    }
    for (const float x : numbers) {
        std::size_t code = static_cast<std::size_t>(place);
        if (x != 0.0f || !zero) {
            code = detail::line_clusters::nearest(others, x);
            code += zero && code >= static_cast<std::size_t>(place) ? 1u : 0u;
        }
        found.codes.push_back(static_cast<std::uint8_t>(code));
    }
    return found;
}

PARE_NAMESPACE_END

#endif
