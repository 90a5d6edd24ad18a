#include <pare/train/callbacks.hpp>

#include <atomic>
#include <stop_token>
#include <string>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/relu.hpp>
#include <pare/train/augment.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>
#include <pare/train/report.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

auto small_network() {
    return initialized(sequential(dense<2, 16>(), relu(), dense<16, 4>()), he_normal{}, seed{1});
}

/// Moves all parameters by 1 after each epoch and says how good that was.
struct scripted {
    std::vector<double> errors;

    void on_epoch_end(auto& model, training_state& state) const {
        std::get<0>(model.layers).bias(0) = static_cast<float>(state.epoch);
        state.validation_error = errors[state.epoch];
    }
};

struct one_more_each_epoch {
    void on_epoch_end(auto&, training_state& state) const { state.report("epochs", static_cast<double>(state.epoch + 1)); }
};

struct sees_the_run {
    bool on_scalar = false;
    std::size_t threads = 0;

    template <class Model, class Context>
    void on_fit_begin(Model&, training_state&, const Context& ctx) {
        on_scalar = std::is_same_v<typename Context::isa, isa::scalar>;
        threads = ctx.executor.concurrency();
    }
};

}  // namespace

TEST_CASE("history and progress go wherever a function takes text") {
    std::string csv, line;
    auto net = small_network();
    const auto data = quarters(100);
    REQUIRE(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 2, .batch_size = 50}, validation(data),
                validation_metric("top 4", data, top_k{4}), one_more_each_epoch{},
                csv_history([&](std::string_view text) { csv += text; }),
                progress_bar("toy", [&](std::string_view text) { line += text; })));
    CHECK_THAT(csv, ContainsSubstring("epoch,steps,loss,validation_error,seconds,top 4,epochs\n1,2,"));
    CHECK_THAT(csv, ContainsSubstring("\n2,4,"));
    CHECK_THAT(csv, ContainsSubstring(",1,2\n"));
    CHECK(std::count(csv.begin(), csv.end(), ',') == 18);
    CHECK(std::count(csv.begin(), csv.end(), '\n') == 3);
    CHECK_THAT(line, ContainsSubstring("toy epoch 2/2 [====================] loss "));
    CHECK_THAT(line, ContainsSubstring(", top 4 1.0000, epochs 2.0000, 0 s left"));
    CHECK(line.back() == '\n');
}

TEST_CASE("callbacks may see the instruction set and the executor of a run") {
    const auto data = quarters(100);
    auto net = small_network();
    sees_the_run seen;
    thread_pool pool(3);
    REQUIRE(fit<isa::scalar>(net, data, cross_entropy{}, sgd{}, {.epochs = 1}, seen, validation(data), pool));
    CHECK(seen.on_scalar);
    CHECK(seen.threads == 3);
    REQUIRE(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 1}, seen));
    CHECK(seen.on_scalar == std::is_same_v<isa::native, isa::scalar>);
    CHECK(seen.threads == 1);
}

TEST_CASE("the best weights are those that are left") {
    auto net = small_network();
    best_weights best;
    const auto data = quarters(64);
    for (int run = 0; run < 2; ++run) {  // a callback may serve several runs
        REQUIRE(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 4}, scripted{{0.5, 0.2, 0.3, 0.2}}, best));
        CHECK(std::get<0>(net.layers).bias(0) == 1.0f);
        CHECK(best.best() == 0.2);
    }
}

TEST_CASE("a run is cancelled by a flag or a stop token") {
    auto net = small_network();
    const auto data = quarters(640);
    std::atomic<bool> flag{true};
    CHECK(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 2}, cancellation(flag))->steps == 1);
    flag = false;
    CHECK(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 2}, cancellation(flag))->steps == 20);
    std::stop_source source;
    source.request_stop();
    const auto token = source.get_token();
    CHECK(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 2}, cancellation(token))->epochs == 0);
}

TEST_CASE("random shifts move images and fill with zeros") {
    std::vector<float> images(64 * 3 * 4);
    for (std::size_t i = 0; i < images.size(); ++i) {
        images[i] = static_cast<float>(i % 12) + 1.0f;
    }
    const auto original = images;
    random_shift{1}.augment(tensor_view<float, dyn, 3, 4>(images.data(), 64), random_numbers(seed{1}, 5));
    std::vector<int> seen(9);
    for (std::size_t n = 0; n < 64; ++n) {
        const auto at = [&](int y, int x) {
            return y < 0 || y > 2 || x < 0 || x > 3 ? 0.0f : original[n * 12 + static_cast<std::size_t>(y * 4 + x)];
        };
        int fits = 0;
        for (int shift = 0; shift < 9; ++shift) {
            bool same = true;
            for (int i = 0; i < 12; ++i) {
                same &= images[n * 12 + static_cast<std::size_t>(i)] == at(i / 4 - (shift / 3 - 1), i % 4 - (shift % 3 - 1));
            }
            seen[static_cast<std::size_t>(shift)] += same ? 1 : 0;
            fits += same ? 1 : 0;
        }
        CHECK(fits == 1);
    }
    CHECK(std::count(seen.begin(), seen.end(), 0) == 0);
    auto again = original;
    random_shift{1}.augment(tensor_view<float, dyn, 3, 4>(again.data(), 64), random_numbers(seed{1}, 5));
    CHECK(again == images);
    std::vector<float> colours = {1.0f, 2.0f, 3.0f, 4.0f};  // one row of two pixels of two channels
    random_shift{50}.augment(tensor_view<float, dyn, 1, 2, 2>(colours.data(), 1), random_numbers(seed{1}, 6));
    for (std::size_t i = 0; i < 4; i += 2) {
        CHECK((colours[i] == 0.0f) == (colours[i + 1] == 0.0f));  // channels of a pixel stay together
    }
}

TEST_CASE("augmentation changes what a model sees") {
    const auto data = quarters(64);
    struct invert {
        void augment(tensor_view<float, dyn, 2> x, const random_numbers&) const {
            for (float& v : x) {
                v = -v;
            }
        }
    };
    auto net = small_network();
    REQUIRE(fit(net, data, cross_entropy{}, adam{.learning_rate = 1e-2f}, {.epochs = 100}, invert{}));
    CHECK(*count_errors(net, data) > 40);  // it has learned the opposite
}
