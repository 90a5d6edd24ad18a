#include <pare/quantize/observers.hpp>

#include <limits>
#include <vector>

#include "../catch.hpp"

using namespace pare;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

template <observer Observer>
Observer observed(Observer o, std::initializer_list<std::vector<float>> batches) {
    for (const auto& batch : batches) {
        o.observe(batch);
    }
    return o;
}

template <observer Observer>
void check_bad_data(const Observer& fresh) {
    CHECK(fresh.range().error().message == "observer: expected numbers to take a range from, found none");
    CHECK(observed(fresh, {{}, {}}).range().error().code == error_code::invalid_data);
    for (const float bad : {not_a_number, infinity, -infinity}) {
        const std::string message =
            std::string("observer: expected finite numbers, found ") + (is_nan(bad) ? "NaN" : "an infinity");
        CHECK(observed(fresh, {{bad}}).range().error().message == message);
        CHECK(observed(fresh, {{1.0f, 2.0f}, {0.0f, bad, 3.0f}, {4.0f}}).range().error().message == message);
    }
}

}  // namespace

TEST_CASE("an observer without numbers, or with numbers that are none, has no range") {
    check_bad_data(minmax_observer{});
    check_bad_data(moving_average_observer{});
}

TEST_CASE("a min-max observer spans all batches") {
    CHECK(observed(minmax_observer{}, {{2.0f, 3.0f}, {}, {2.5f}}).range().value() == observed_range{2.0f, 3.0f});
    CHECK(observed(minmax_observer{}, {{-1.0f}, {-4.0f, -2.0f}}).range().value() == observed_range{-4.0f, -1.0f});
    CHECK(observed(minmax_observer{}, {{0.0f, 1e30f, -1e-40f}}).range().value() == observed_range{-1e-40f, 1e30f});
}

TEST_CASE("a moving average starts with the first batch") {
    const auto quarter = moving_average_observer{.constant = 0.25f};
    CHECK(observed(quarter, {{-1.0f, 4.0f}}).range().value() == observed_range{-1.0f, 4.0f});
    CHECK(observed(quarter, {{-1.0f, 4.0f}, {}, {-3.0f, 0.0f}}).range().value() == observed_range{-1.5f, 3.0f});
    CHECK(observed(quarter, {{}, {-1.0f, 4.0f}, {-3.0f, 0.0f}}).range().value() == observed_range{-1.5f, 3.0f});
}
