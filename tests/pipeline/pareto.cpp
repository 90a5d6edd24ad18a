#include <pare/pipeline/pareto.hpp>

#include <limits>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("a front has what nothing else beats, each cost once, from the fewest bytes on") {
    const auto point = [](const char* stages, std::size_t bytes, std::size_t errors, double latency = 0.0) {
        return pareto_point{stages, bytes, 100, errors, 0.0, latency};
    };
    const std::vector<pareto_point> seen = {point("large", 900, 3), point("worse", 900, 4),  point("small", 100, 9),
                                            point("again", 100, 9), point("middle", 500, 3), point("slow", 500, 3, 2.0)};
    CHECK(dominates(seen[0], seen[1]));
    CHECK_FALSE(dominates(seen[2], seen[3]));
    CHECK_FALSE(dominates(seen[0], seen[2]));
    CHECK(pareto_front(seen) == std::vector<pareto_point>{seen[2], seen[4]});

    // what costs more bytes and errors stays, where it is faster
    const std::vector<pareto_point> timed = {point("slow", 100, 3, 8.0), point("fast", 500, 5, 2.0), point("neither", 600, 5, 8.0)};
    CHECK(pareto_front(timed) == std::vector<pareto_point>{timed[0], timed[1]});
    CHECK(pareto_front({}).empty());
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(pareto_front({point("unknown", 1, 1, nan), timed[0]}) == std::vector<pareto_point>{timed[0]});
}
