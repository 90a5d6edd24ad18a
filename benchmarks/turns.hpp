#ifndef PARE_BENCHMARKS_TURNS_HPP
#define PARE_BENCHMARKS_TURNS_HPP

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

/// Measurements in turns: the speed of a machine drifts, so that only what ran in the same moments can be compared.
namespace turns {

/// Somebody who can do the job that is measured.
struct contender {
    std::string name;
    std::function<void()> run;
    double seconds = 0.0;
};

/// Of one of some calls, in a row.
inline double seconds_per_call(const contender& who, int calls) {
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    for (int i = 0; i < calls; ++i) {
        who.run();
    }
    return std::chrono::duration<double>(clock::now() - start).count() / calls;
}

/// Sets everyone's `seconds` to the median of fifteen turns of about four milliseconds.
template <class Contender>
void measure(std::vector<Contender>& all) {
    constexpr int rounds = 15;
    std::vector<std::vector<double>> times(all.size());
    std::vector<int> calls;
    for (const auto& who : all) {
        seconds_per_call(who, 3);
        calls.push_back(1 + static_cast<int>(0.004 / seconds_per_call(who, 3)));
    }
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            times[i].push_back(seconds_per_call(all[i], calls[i]));
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::nth_element(times[i].begin(), times[i].begin() + rounds / 2, times[i].end());
        all[i].seconds = times[i][rounds / 2];
    }
}

}  // namespace turns

#endif
