#include <pare/prune/schedules.hpp>

#include <limits>
#include <vector>

#include "../catch.hpp"

using namespace pare;

namespace {

template <class Schedule>
std::vector<int> updates(const Schedule& schedule, int steps) {
    std::vector<int> at;
    for (int step = 0; step < steps; ++step) {
        if (schedule.updates_at(step)) {
            at.push_back(step);
        }
    }
    return at;
}

}  // namespace

TEST_CASE("a linear, a cosine and a one-cycle schedule begin, bend and end as their formulas say") {
    const linear_sparsity linear = {
        .initial_sparsity = 0.2, .final_sparsity = 0.8, .begin_step = 10, .end_step = 110, .frequency = 30};
    CHECK(linear.sparsity_at(0) == Approx(0.2));
    CHECK(linear.sparsity_at(10) == Approx(0.2));
    CHECK(linear.sparsity_at(35) == Approx(0.35));
    CHECK(linear.sparsity_at(110) == 0.8);
    CHECK(linear.sparsity_at(500) == 0.8);
    CHECK(updates(linear, 200) == std::vector<int>{10, 40, 70, 100, 110});
    CHECK(linear.settles_at() == 110);

    const cosine_sparsity cosine = {.initial_sparsity = 0.2, .final_sparsity = 0.8, .begin_step = 10, .end_step = 110};
    CHECK(cosine.sparsity_at(10) == Approx(0.2));
    CHECK(cosine.sparsity_at(35) == Approx(0.2 + 0.6 * (1.0 - std::sqrt(0.5)) / 2.0));
    CHECK(cosine.sparsity_at(60) == Approx(0.5));
    CHECK(cosine.sparsity_at(110) == 0.8);

    const one_cycle_sparsity cycle = {.final_sparsity = 0.9, .begin_step = 0, .end_step = 140};
    CHECK(cycle.sparsity_at(0) == Approx(0.9 * 0.00247345).epsilon(1e-5));
    CHECK(cycle.sparsity_at(60) == Approx(0.9 * 0.5 * (1.0 + std::exp(-8.0))));
    CHECK(cycle.sparsity_at(140) == 0.9);
}

TEST_CASE("polynomials of any exponent") {
    for (const double power : {0.5, 1.0, 2.0, 4.5}) {
        const polynomial_decay s = {.final_sparsity = 0.8, .begin_step = 0, .end_step = 400, .power = power};
        CHECK(s.sparsity_at(0) == Approx(0.0).margin(1e-12));
        CHECK(s.sparsity_at(100) == Approx(0.8 - 0.8 * std::pow(0.75, power)));
        CHECK(s.sparsity_at(400) == 0.8);
    }
}

TEST_CASE("a list of sparsities holds each from its step on") {
    const sparsity_list list{{{3, 0.5}, {10, 0.75}, {11, 0.9}}};
    CHECK(updates(list, 50) == std::vector<int>{3, 10, 11});
    CHECK(list.sparsity_at(2) == 0.0);
    CHECK(list.sparsity_at(3) == 0.5);
    CHECK(list.sparsity_at(9) == 0.5);
    CHECK(list.sparsity_at(10) == 0.75);
    CHECK(list.sparsity_at(1000) == 0.9);
    CHECK(list.settles_at() == 11);
    CHECK_FALSE(list.problem());
    CHECK(sparsity_list{}.problem()->message == "sparsity_list: expected at least one step, found none");
    CHECK(sparsity_list{{{5, 0.1}, {5, 0.2}}}.problem()->message ==
          "sparsity_list: expected steps that ascend from 0 on, found 5 after 5");
    CHECK(sparsity_list{{{-1, 0.1}}}.problem());
    CHECK(sparsity_list{{{1, 1.0}}}.problem()->message == "sparsity_list: expected sparsities in [0, 1), found 1");
}

TEST_CASE("rounds prune the same fraction of what is left, or the same number, and train between") {
    const iterative_sparsity geometric = {
        .final_sparsity = sparsity_after(3, 0.2), .rounds = 3, .begin_step = 5, .steps_per_round = 100};
    CHECK(updates(geometric, 1000) == std::vector<int>{5, 105, 205});
    CHECK(geometric.settles_at() == 205);
    CHECK(geometric.sparsity_at(4) == 0.0);
    CHECK(geometric.sparsity_at(5) == Approx(0.2));
    CHECK(geometric.sparsity_at(105) == Approx(0.36));
    CHECK(geometric.sparsity_at(205) == sparsity_after(3, 0.2));
    CHECK(sparsity_after(3, 0.2) == Approx(0.488));
    const iterative_sparsity equal = {.final_sparsity = 0.9, .rounds = 3, .steps_per_round = 100, .spacing = round_spacing::equal};
    CHECK(equal.sparsity_at(0) == Approx(0.3));
    CHECK(equal.sparsity_at(199) == Approx(0.6));
    CHECK(equal.sparsity_at(200) == 0.9);
    CHECK(iterative_sparsity{.rounds = 1}.sparsity_at(0) == 0.5);
    CHECK_FALSE(geometric.problem());
    CHECK(iterative_sparsity{.rounds = 0}.problem());
    CHECK(iterative_sparsity{.steps_per_round = 0}.problem());
    CHECK(iterative_sparsity{.final_sparsity = std::numeric_limits<double>::quiet_NaN()}.problem());
}

TEST_CASE("TensorFlow's steps miss an end that is no multiple of the frequency") {
    // pruning_schedule.py of TensorFlow Model Optimization: PolynomialDecay(0.2, 0.9, 100, 350, power=3, frequency=100)
    const polynomial_decay decay = {
        .initial_sparsity = 0.2, .final_sparsity = 0.9, .begin_step = 100, .end_step = 350, .power = 3.0, .frequency = 100};
    const tfmot_steps tensorflow{decay};
    CHECK(updates(tensorflow, 1000) == std::vector<int>{100, 200, 300});
    CHECK(updates(decay, 1000) == std::vector<int>{100, 200, 300, 350});
    CHECK(tensorflow.settles_at() == 300);
    CHECK(tensorflow.sparsity_at(100) == Approx(0.2));
    CHECK(tensorflow.sparsity_at(200) == Approx(0.7488));
    CHECK(tensorflow.sparsity_at(tensorflow.settles_at()) == Approx(0.8944));
    // where it is one, both are the same
    CHECK(updates(tfmot_steps{polynomial_decay{.begin_step = 0, .end_step = 30, .frequency = 10}}, 100) ==
          std::vector<int>{0, 10, 20, 30});
    // ConstantSparsity(0.5, begin_step=10, end_step=-1, frequency=7), and with an end
    const tfmot_steps endless{constant_sparsity{.begin_step = 10, .end_step = -1, .frequency = 7}};
    CHECK(updates(endless, 40) == std::vector<int>{10, 17, 24, 31, 38});
    CHECK(endless.updates_at(10 + 7 * 1000000));
    CHECK(endless.settles_at() == 10);
    CHECK(updates(tfmot_steps{constant_sparsity{.begin_step = 10, .end_step = 35, .frequency = 10}}, 60) ==
          std::vector<int>{10, 20, 30});
    CHECK(tfmot_steps{polynomial_decay{.end_step = -1}}.problem());
    CHECK(tfmot_steps{constant_sparsity{.frequency = 0}}.problem());
}

TEST_CASE("schedules that go from one sparsity to another say what is wrong with them") {
    CHECK(linear_sparsity{.end_step = -1}.problem()->message == "linear_sparsity: expected an end_step of at least 0, found -1");
    CHECK(cosine_sparsity{.final_sparsity = 1.0}.problem()->message ==
          "cosine_sparsity: expected final_sparsity in [0, 1), found 1");
    CHECK(one_cycle_sparsity{.initial_sparsity = -1.0}.problem());
    CHECK(one_cycle_sparsity{.frequency = 0}.problem());
    CHECK(linear_sparsity{.begin_step = 7, .end_step = 6}.problem());
    CHECK_FALSE(linear_sparsity{.begin_step = 7, .end_step = 7}.problem());
    CHECK(linear_sparsity{.begin_step = 7, .end_step = 7}.sparsity_at(7) == 0.5);
}
