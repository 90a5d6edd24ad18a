#include <pare/train/schedules.hpp>

#include <vector>

#include <pare/train/optimizers.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

template <class Schedule>
void check(const Schedule& schedule, const std::vector<std::size_t>& steps, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
        CAPTURE(steps[i]);
        CHECK(schedule.factor_at(steps[i]) == Approx(expected[i]).epsilon(1e-7).margin(1e-9));
    }
}

}  // namespace

TEST_CASE("schedules of the learning rate give PyTorch's numbers") {
    check(constant_rate{}, {0, 1000}, {1.0, 1.0});
    check(step_decay{.every = 3, .factor = 0.5}, {0, 2, 3, 5, 6, 9}, {1.0, 1.0, 0.5, 0.5, 0.25, 0.125});
    check(cosine_decay{.steps = 10, .final_factor = 0.1}, {0, 1, 5, 9, 10, 50}, {1.0, 0.977975432, 0.55, 0.122024568, 0.1, 0.1});
    check(one_cycle{.steps = 20}, {0, 1, 4, 5, 6, 12, 18, 19, 30},
          {0.04, 0.131671843, 0.908328157, 1.0, 0.987464006, 0.500002, 0.0125399938, 4e-06, 4e-06});
    check(warm_up{4, cosine_decay{.steps = 6}, 0.1}, {0, 1, 3, 4, 5, 9}, {0.1, 0.325, 0.775, 1.0, 0.933012702, 0.0669872981});
    check(warm_up{2, warm_up{2}}, {0, 1, 2, 3, 4}, {0.0, 0.0, 0.0, 0.5, 1.0});
}

TEST_CASE("schedules without a step end where they would") {
    check(cosine_decay{.steps = 0}, {0, 1}, {0.0, 0.0});
    check(one_cycle{.steps = 0}, {0, 1}, {1.0 / 25.0e4, 1.0 / 25.0e4});
    check(one_cycle{.steps = 4, .warm_up_fraction = 0.25}, {0}, {1.0});
    check(one_cycle{.steps = 1}, {0}, {1.0 / 25.0e4});
    check(one_cycle{.steps = 10, .warm_up_fraction = 0.0}, {0, 9}, {0.975528356, 1.0 / 25.0e4});
    check(step_decay{.every = 0}, {5}, {1.0});
    check(warm_up{0}, {0}, {1.0});
}

TEST_CASE("a scheduled optimizer moves by the rate of the step") {
    const scheduled optimizer(sgd{.learning_rate = 0.5f}, step_decay{.every = 1, .factor = 0.5});
    float w = 0.0f, v = 0.0f;
    const float g = 1.0f;
    optimizer.update<isa::native>(1, &w, &g, {&v}, 1);
    CHECK(w == -0.5f);
    optimizer.update<isa::native>(1, &w, &g, {&v}, 2);
    CHECK(w == -0.75f);
}
