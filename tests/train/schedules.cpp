#include <pare/train/schedules.hpp>

#include <algorithm>
#include <vector>

#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/optimizers.hpp>
#include <pare/train/scheduled_loss.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using sequential_model = decltype(sequential(dense<2, 4>()));

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
    check(linear_decay{.steps = 10, .final_factor = 0.1}, {0, 1, 5, 9, 10, 50}, {1.0, 0.91, 0.55, 0.19, 0.1, 0.1});
}

TEST_CASE("schedules without a step end where they would") {
    check(cosine_decay{.steps = 0}, {0, 1}, {0.0, 0.0});
    check(one_cycle{.steps = 0}, {0, 1}, {1.0 / 25.0e4, 1.0 / 25.0e4});
    check(one_cycle{.steps = 4, .warm_up_fraction = 0.25}, {0}, {1.0});
    check(one_cycle{.steps = 1}, {0}, {1.0 / 25.0e4});
    check(one_cycle{.steps = 10, .warm_up_fraction = 0.0}, {0, 9}, {0.975528356, 1.0 / 25.0e4});
    check(step_decay{.every = 0}, {5}, {1.0});
    check(warm_up{0}, {0}, {1.0});
    check(linear_decay{.steps = 0, .final_factor = 0.5}, {0, 1}, {0.5, 0.5});
    check(factor_list{}, {0, 7}, {1.0, 1.0});
    check(by_epoch{0, linear_decay{.steps = 2}}, {1}, {0.5});
}

TEST_CASE("schedules of epochs and lists") {
    check(factor_list{{3.0, 2.0, 0.5}}, {0, 1, 2, 3, 100}, {3.0, 2.0, 0.5, 0.5, 0.5});
    check(by_epoch{4, factor_list{{3.0, 2.0}}}, {0, 3, 4, 7, 8}, {3.0, 3.0, 2.0, 2.0, 2.0});
    check(by_epoch{3, cosine_decay{.steps = 2}}, {0, 2, 3, 5, 6}, {1.0, 1.0, 0.5, 0.5, 0.0});
    check(warm_up{2, by_epoch{2, factor_list{{1.0, 0.1}}}}, {0, 1, 2, 3, 4, 5}, {0.0, 0.5, 1.0, 1.0, 0.1, 0.1});
}

TEST_CASE("a loss whose numbers follow schedules is, at each step, the loss of that step") {
    const auto data = quarters(40);
    auto net = initialized(sequential(dense<2, 4>()), he_normal{}, seed{1});
    struct judged {
        std::vector<float>* smoothing;
        float now = 0.3f;
        double operator()(matrix_view<const float> y, const minibatch& batch, matrix_view<float> gradient) const {
            smoothing->push_back(now);
            return cross_entropy{now}(y, batch, gradient);
        }
    };
    std::vector<float> seen;
    const scheduled_loss loss(judged{&seen}, over_steps(&judged::now, by_epoch{2, factor_list{{0.0, 1.0, 2.0}}}));
    REQUIRE(fit(net, data, loss, sgd{}, {.epochs = 3, .batch_size = 20}));
    CHECK(seen == std::vector<float>{0.0f, 0.0f, 0.3f, 0.3f, 0.6f, 0.6f});
    // What no step of the training may be is an error before the first.
    const auto before = net;
    const scheduled_loss wrong(cross_entropy{0.5f}, over_steps(&cross_entropy::label_smoothing, factor_list{{1, 2, 2, 2, 2, 3}}));
    CHECK(fit(net, data, wrong, sgd{}, {.epochs = 3, .batch_size = 20}).error().message ==
          "cross_entropy: expected a label_smoothing in [0, 1], found 1.5, at step 5");
    CHECK(std::ranges::equal(std::get<0>(net.layers).weights.values, std::get<0>(before.layers).weights.values));
    CHECK(fit(net, data, wrong, sgd{}, {.epochs = 2, .batch_size = 20}));
    // Targets that are numbers are told of the step, too.
    const scheduled_loss of_numbers(smooth_l1{.beta = 2.0f}, over_steps(&smooth_l1::beta, linear_decay{.steps = 4}));
    const float y = 0.75f, t = 0.0f;
    float slope = 0.0f;
    CHECK(of_numbers({&y, 1, 1}, target_batch{{}, {&t, 1, 1}, 2}, {&slope, 1, 1}) == Approx(0.75 * 0.75 / 2.0));
    CHECK(of_numbers({&y, 1, 1}, target_batch{{}, {&t, 1, 1}, 3}, {&slope, 1, 1}) == Approx(0.75 - 0.25));
}

TEST_CASE("losses are asked of every step, of late ones when their turn comes") {
    const auto data = quarters(20);
    struct wrong_from {
        std::size_t first;
        std::size_t* asked;
        float unused = 1.0f;
        std::optional<error> problem(std::size_t, std::size_t, std::size_t step) const {
            ++*asked;
            return step < first ? std::nullopt : std::optional(error{error_code::invalid_argument, sentence("wrong ", step)});
        }
        double operator()(matrix_view<const float> y, const minibatch& batch, matrix_view<float> gradient) const {
            return cross_entropy{}(y, batch, gradient);
        }
    };
    struct late_stop {
        std::size_t begin, last;
        void on_fit_begin(sequential_model&, training_state& state) const { state.step = state.epoch = begin; }
        void on_step_end(sequential_model&, training_state& state) const { state.stop = state.step >= last; }
    };
    constexpr std::size_t most = std::size_t{1} << 20, forever = static_cast<std::size_t>(-1);
    const auto train = [&](const auto& loss, std::size_t epochs, const late_stop& stop) {
        sequential_model net = initialized(sequential(dense<2, 4>()), he_normal{}, seed{1});
        const auto report = fit(net, data, loss, sgd{}, {.epochs = epochs, .batch_size = 20}, stop);
        return report ? std::string() : report.error().message;
    };
    std::size_t asked = 0;
    CHECK(train(wrong_from{forever, &asked}, 3, {0, forever}) == "");
    CHECK(asked == 3);
    CHECK(train(wrong_from{most - 1, &asked}, forever, {0, 0}) == "wrong 1048575");
    asked = 0;
    CHECK(train(wrong_from{most + 2, &asked}, forever, {most - 1, forever}) == "wrong 1048578");
    CHECK(asked == most + 3);
    CHECK(train(wrong_from{most, &asked}, forever, {0, 0}) == "");  // ends before
    const scheduled_loss nested(wrong_from{2, &asked}, over_steps(&wrong_from::unused, constant_rate{}));
    CHECK(train(nested, 2, {0, forever}) == "");
    CHECK(train(nested, 3, {0, forever}) == "wrong 2, at step 2");
    CHECK(train(cross_entropy{}, forever, {0, 0}) == "");
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
