#include <pare/train/max_norm.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/prune/masks.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

auto network() {
    return initialized(sequential(dense<2, 33>(), relu(), dense<33, 4>()), he_normal{}, seed{1});
}

/// Keeps what the optimizer made of the weights, before the callback behind it.
struct before_limit {
    std::vector<float>* weights;

    void on_step_end(auto& model, const training_state&) const {
        const auto& values = std::get<2>(model.layers).weights.values;
        weights->assign(values.begin(), values.end());
    }
};

const fit_options one_step = {.epochs = 1, .batch_size = 100};

}  // namespace

TEST_CASE("rows of weights are not longer than their limit") {
    auto net = network();
    std::vector<float> before;
    REQUIRE(fit(net, quarters(100), cross_entropy{}, sgd{.learning_rate = 0.1f}, one_step, before_limit{&before}, max_norm{1.45f}));
    const auto& after = std::get<2>(net.layers).weights.values;
    std::size_t limited = 0;
    for (std::size_t row = 0; row < 4; ++row) {
        double squares = 0.0;
        for (std::size_t j = 0; j < 33; ++j) {
            squares += std::pow(static_cast<double>(before[row * 33 + j]), 2.0);
        }
        const double factor = std::sqrt(squares) > 1.45 ? 1.45 / std::sqrt(squares) : 1.0;
        limited += factor < 1.0 ? 1 : 0;
        for (std::size_t j = 0; j < 33; ++j) {
            const double expected = factor * static_cast<double>(before[row * 33 + j]);
            CHECK(static_cast<double>(after.data()[row * 33 + j]) == Approx(expected).epsilon(1e-6));
        }
    }
    CHECK(limited > 0);
    CHECK(limited < 4);
}

TEST_CASE("limits of norms have the same bits on any number of threads") {
    const auto trained = [](auto& exec) {
        auto net = network();
        REQUIRE(fit(net, quarters(300), cross_entropy{}, adam{.learning_rate = 0.05f}, {.epochs = 5}, exec, max_norm{1.5f}));
        const auto& values = std::get<0>(net.layers).weights.values;
        return std::vector<float>(values.begin(), values.end());
    };
    serial_executor serial;
    thread_pool pool(3);
    CHECK(trained(serial) == trained(pool));
}

TEST_CASE("what a mask prunes does not count, and rows whose squares are too large are left alone") {
    auto net = *with_masks(network(), {});
    auto& w = std::get<2>(net.layers).weights;
    for (std::size_t j = 0; j < 33; ++j) {
        w.inner.values[j] = 0.0f;
        w.inner.values[33 + j] = 3e19f;
        w.mask.set(j, j == 0);
    }
    w.inner.values[0] = 0.5f;
    w.inner.values[1] = 4.0f;
    training_state state;
    serial_executor serial;
    const context<isa::native, serial_executor> ctx{serial, arena()};
    max_norm{1.0f}.on_step_end(net, state, ctx);
    CHECK(w.inner.values[0] == 0.5f);
    CHECK(w.inner.values[1] == 4.0f);
    CHECK(w.inner.values[33] == 3e19f);
}

TEST_CASE("limits of norms that cannot be are errors") {
    const auto message = [](float limit) {
        auto net = network();
        const auto report = fit(net, quarters(100), cross_entropy{}, sgd{}, one_step, max_norm{limit});
        return report ? std::string() : report.error().message;
    };
    CHECK(message(0.0f) == "max_norm: expected a finite limit above 0, got 0");
    CHECK(message(std::numeric_limits<float>::quiet_NaN()) == "max_norm: expected a finite limit above 0, got nan");
    CHECK(message(std::numeric_limits<float>::infinity()) == "max_norm: expected a finite limit above 0, got inf");
}
