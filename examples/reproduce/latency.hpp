#ifndef PARE_EXAMPLES_REPRODUCE_LATENCY_HPP
#define PARE_EXAMPLES_REPRODUCE_LATENCY_HPP

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include <pare/pare.hpp>

#include "experiment.hpp"

namespace reproduce {

/// Microseconds per call of two prepared models at batch 1, on this thread: medians of rounds in turns.
template <class A, class B>
std::pair<double, double> latencies(const A& a, const B& b, const digits& data) {
    std::vector<float> image(data.sample_shape().size());
    std::int32_t label = 0;
    const std::size_t first = 0;
    data.fetch({&first, 1}, image.data(), &label);
    const auto timed = [&](const auto& model, pare::workspace& space, std::vector<double>& us) {
        using clock = std::chrono::steady_clock;
        constexpr int calls = 100;
        std::vector<float> logits(model.output_size());
        const auto start = clock::now();
        for (int i = 0; i < calls; ++i) {
            run(model, std::span<const float>(image), logits, space);
        }
        us.push_back(std::chrono::duration<double, std::micro>(clock::now() - start).count() / calls);
    };
    auto space_a = pare::workspace_for(a, 1), space_b = pare::workspace_for(b, 1);
    std::vector<double> us_a, us_b;
    for (int round = 0; round < 101; ++round) {
        timed(a, space_a, us_a);
        timed(b, space_b, us_b);
    }
    const auto median = [](std::vector<double> values) {
        std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
        return values[values.size() / 2];
    };
    return {median(us_a), median(us_b)};
}

}  // namespace reproduce

#endif
