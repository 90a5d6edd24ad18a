#ifndef PARE_PIPELINE_PARETO_HPP
#define PARE_PIPELINE_PARETO_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// One model that compress_to() has made, and what it costs: the less the better, each.
struct pareto_point {
    std::string stages;         // "prune 0.9 | cluster 16 | encode"
    std::size_t bytes = 0;      // of its file
    std::size_t samples = 0;    // on which errors or the loss were counted
    std::size_t errors = 0;     // samples in the wrong class, where there are labels
    double loss = 0.0;          // mean squared difference, where there are targets; 0 where there are labels
    double latency = 0.0;       // what the host's function measured of it; 0 where there is none
    bool within_budget = true;  // of the search

    bool operator==(const pareto_point&) const = default;
};

/// Whether a is worse than b in nothing and better in something.
inline bool dominates(const pareto_point& a, const pareto_point& b) noexcept {
    return a.bytes <= b.bytes && a.errors <= b.errors && a.loss <= b.loss && a.latency <= b.latency &&
           (a.bytes < b.bytes || a.errors < b.errors || a.loss < b.loss || a.latency < b.latency);
}

namespace detail {

inline bool is_unknown(double x) noexcept {
    return is_nan(static_cast<float>(x));
}

}  // namespace detail

/// The points that no other one dominates, from the fewest bytes on; of such that cost the same, the first. One whose loss or
/// latency is NaN is not on it. O(n^2).
inline std::vector<pareto_point> pareto_front(const std::vector<pareto_point>& points) {
    std::vector<pareto_point> front;
    for (const pareto_point& p : points) {
        const auto rules_out = [&](const pareto_point& other) { return dominates(other, p); };
        const auto costs_the_same = [&](const pareto_point& f) {
            return f.bytes == p.bytes && f.errors == p.errors && f.loss == p.loss && f.latency == p.latency;
        };
        if (!detail::is_unknown(p.loss) && !detail::is_unknown(p.latency) &&
            std::none_of(points.begin(), points.end(), rules_out) && std::none_of(front.begin(), front.end(), costs_the_same)) {
            front.push_back(p);
        }
    }
    std::sort(front.begin(), front.end(), [](const pareto_point& a, const pareto_point& b) {
        return std::tie(a.bytes, a.errors, a.loss, a.latency) < std::tie(b.bytes, b.errors, b.loss, b.latency);
    });
    return front;
}

PARE_NAMESPACE_END

#endif
