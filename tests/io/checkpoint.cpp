#include <pare/io/checkpoint.hpp>

#include <cstdio>

#include <pare/core/thread_pool.hpp>
#include <pare/pare.hpp>
#include <pare/prune.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

const std::string path = "pare_test_checkpoint.safetensors";

struct stop_at {
    std::size_t step;
    void on_step_end(auto&, training_state& state) const { state.stop = state.stop || state.step == step; }
};

/// What too large a learning rate does.
struct overflow {
    void on_step_end(auto& model, training_state&) const {
        trainable_values(std::get<3>(model.layers).weights)[0] = std::numeric_limits<float>::infinity();
    }
};

/// A layer that draws random numbers in training, as dropout does, and keeps a buffer, as batch normalization does.
struct noisy {
    buffer<float, 1> steps;

    static constexpr keeps_shape plan() noexcept { return {}; }
    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        std::copy(x.begin(), x.end(), y.begin());
    }
    template <class Context, std::size_t... E>
    void forward_training(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y, std::span<float>) noexcept {
        steps(0) += 1.0f;
        for (std::size_t i = 0; i < x.size(); ++i) {
            y.data()[i] = x.data()[i] + 0.1f * ctx.random.normal(i) + 0.001f * steps(0);
        }
    }
    template <class Context, std::size_t... E>
    void backward(Context&, tensor_view<const float, E...>, tensor_view<const float, E...>, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float>, std::span<const float>) const noexcept {
        std::copy(dy.begin(), dy.end(), dx.begin());
    }
    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("steps", self.steps);
    }
};

auto fresh_network() {
    return initialized(sequential(dense<2, 16>(), noisy(), relu(), dense<16, 4>()), he_normal{}, seed{1});
}

const fit_options options{.epochs = 6, .batch_size = 32, .shuffle_seed = seed{3}, .largest_gradient_norm = 1.0f};
const auto optimizer = scheduled(adam{.learning_rate = 1e-2f}, warm_up{10, cosine_decay{.steps = 50}});

/// A callback of two tensors.
struct pair_of_numbers {
    std::array<float, 1> first{1.0f}, second{2.0f};

    void on_epoch_end(auto&, training_state&) { first[0] += 1.0f; }
    void serialize(auto& archive, const std::string& name) {
        archive.array(name + ".first", std::span(first), {1});
        archive.array(name + ".second", std::span(second), {1});
    }
};

/// The model as a file, without what belongs to the run.
template <class Model>
io::bytes saved(const Model& model) {
    const std::string file = "pare_test_checkpoint_model.safetensors";
    REQUIRE_FALSE(save(model, file));
    auto content = io::read_file(file).value();
    std::remove(file.c_str());
    return content;
}

}  // namespace

TEST_CASE("a run that was stopped anywhere goes on to the same bits") {
    const auto data = quarters(300);  // ten steps, the last of 12 samples
    const auto test = quarters(100, 1);
    auto whole = fresh_network();
    early_stopping patience(50);
    best_weights best;
    REQUIRE(fit(whole, data, cross_entropy{}, optimizer, options, validation(test), patience, best));
    const auto expected = saved(whole);
    for (const std::size_t step : {0u, 8u, 9u, 10u, 31u, 59u}) {
        std::remove(path.c_str());
        thread_pool pool(2);
        for (int part = 0; part < 2; ++part) {
            CAPTURE(step, part);
            auto net = fresh_network();  // a new process knows nothing but the file
            early_stopping other_patience(50);
            best_weights other_best;
            const stop_at stop{part == 0 ? step : 1000000};
            const auto report = fit(net, data, cross_entropy{}, optimizer, options, pool, validation(test), other_patience,
                                    other_best, stop, io::checkpoint(path, {}, other_patience, other_best));
            REQUIRE(report);
            CHECK(report->steps == (part == 0 ? step + 1 : 60));
            if (part == 1) {
                CHECK(saved(net) == expected);
                CHECK(other_best.best() == best.best());
            }
        }
    }
    std::remove(path.c_str());
}

TEST_CASE("a run whose targets follow schedules, and which teaches itself, goes on to the same bits") {
    const auto data = quarters(300);
    const scheduled_loss targets(soft_targets{.temperature = 4.0f, .hard_weight = 1.0f},
                                 over_steps(&soft_targets::temperature, linear_decay{.steps = 60, .final_factor = 0.5}),
                                 over_steps(&soft_targets::hard_weight, by_epoch{10, factor_list{{1.0, 0.8, 0.6, 0.3, 0.0}}}));
    // At the end of an epoch the file of the model is enough; within one the teacher has to be in it.
    const auto run = [&](std::size_t stop, bool with_teacher) {
        auto net = fresh_network();
        epoch_teacher teacher(data, targets);
        const auto report =
            with_teacher ? fit(net, data, teacher, optimizer, options, teacher, stop_at{stop}, io::checkpoint(path, {}, teacher))
                         : fit(net, data, teacher, optimizer, options, teacher, stop_at{stop}, io::checkpoint(path));
        return report ? result(std::move(net)) : result<decltype(net)>(report.error());
    };
    std::remove(path.c_str());
    const auto whole = saved(*run(1000, false));
    for (const std::size_t step : {4u, 9u, 19u, 31u, 58u}) {
        for (const bool with_teacher : {true, false}) {
            CAPTURE(step, with_teacher);
            std::remove(path.c_str());
            REQUIRE(run(step, with_teacher));
            const auto resumed = run(1000, with_teacher);
            if (with_teacher || step < 20) {
                REQUIRE(resumed);
                CHECK(saved(*resumed) == whole);
            } else {
                REQUIRE_FALSE(resumed);
                CHECK_THAT(resumed.error().message,
                           ContainsSubstring("epoch_teacher: expected a run that is taken up at the beginning"));
            }
        }
    }
    std::remove(path.c_str());
}

TEST_CASE("a run that ended early has ended when it is taken up again, and one with more epochs goes on") {
    const auto data = quarters(100);
    std::remove(path.c_str());
    for (int part = 0; part < 2; ++part) {
        auto net = fresh_network();
        early_stopping patience(2, 1e9);
        const auto report = fit(net, data, cross_entropy{}, sgd{}, options, patience, io::checkpoint(path, {}, patience));
        REQUIRE(report);
        CHECK(report->epochs == 3);
    }
    std::remove(path.c_str());
    auto more = options;
    for (const std::size_t epochs : {2u, 3u}) {
        more.epochs = epochs;
        auto net = fresh_network();
        CHECK(fit(net, data, cross_entropy{}, sgd{}, more, io::checkpoint(path))->steps == 4 * epochs);
    }
    auto loaded = fresh_network();
    CHECK_FALSE(load(loaded, path));  // a checkpoint is a file of the model too
    std::remove(path.c_str());
}

TEST_CASE("masks of a run that prunes are taken up again") {
    const auto data = quarters(300);
    const auto pruned = [&](std::size_t step) {
        return prune(fresh_network(), data, cross_entropy{}, optimizer, magnitude{}, unstructured{},
                     polynomial_decay{.final_sparsity = 0.6, .end_step = 40, .frequency = 7}, options, stop_at{step},
                     io::checkpoint(path, {.every_epochs = 0, .every_steps = 13}));
    };
    std::remove(path.c_str());
    const auto whole = pruned(1000);
    std::remove(path.c_str());
    REQUIRE(pruned(24));
    const auto resumed = pruned(1000);
    REQUIRE(resumed);
    CHECK(saved(*resumed) == saved(*whole));
    std::remove(path.c_str());
}

TEST_CASE("a checkpoint of another run, or one that is damaged, is an error, and the model stays as it was") {
    const auto data = quarters(300);
    std::remove(path.c_str());
    auto net = fresh_network();
    REQUIRE(fit(net, data, cross_entropy{}, adam{}, {.epochs = 1}, io::checkpoint(path)));
    const auto good = io::read_file(path).value();
    const auto message = [&](const auto& other_data, const auto& other_optimizer, const fit_options& o) {
        auto other = fresh_network();
        const auto before = saved(other);
        const auto report = fit(other, other_data, cross_entropy{}, other_optimizer, o, io::checkpoint(path));
        REQUIRE_FALSE(report);
        CHECK(saved(other) == before);
        CHECK(io::read_file(path).value() == good);
        return report.error().message;
    };
    CHECK(message(quarters(301), adam{}, {}) == path +
                                                    ": tensor \"training.run\": expected 301 samples in batches of 64 and seed 0, "
                                                    "found 300 samples in batches of 64 and seed 0");
    CHECK_THAT(message(data, adam{}, {.batch_size = 10}), ContainsSubstring("in batches of 10"));
    CHECK_THAT(message(data, sgd{}, {}), ContainsSubstring("tensor \"training.slots\": expected F32 ["));
    auto cut = good;
    cut.resize(good.size() / 2);
    REQUIRE_FALSE(io::write_file(path, cut));
    CHECK_THAT(fit(net, data, cross_entropy{}, adam{}, {}, io::checkpoint(path)).error().message, ContainsSubstring(path + ": "));
    CHECK(io::read_file(path).value() == cut);
    std::remove(path.c_str());
    CHECK_THAT(fit(net, data, cross_entropy{}, adam{}, {.epochs = 1}, io::checkpoint("no-such-directory/" + path)).error().message,
               ContainsSubstring("expected a place that can be written"));
}

TEST_CASE("parameters that are not finite do not replace a good checkpoint") {
    const auto data = quarters(300);
    std::remove(path.c_str());
    auto net = fresh_network();
    REQUIRE(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 1}, io::checkpoint(path)));
    const auto good = io::read_file(path).value();
    const io::checkpoint_options every_step{.every_epochs = 0, .every_steps = 1};
    const auto report = fit(net, data, cross_entropy{}, sgd{}, {.epochs = 2}, overflow{}, io::checkpoint(path, every_step));
    REQUIRE_FALSE(report);
    CHECK(report.error().code == error_code::diverged);
    CHECK(report.error().message == path +
                                        ": expected finite numbers to save, found a parameter that is NaN or infinite, in "
                                        "3.weight, after step 6; the file stays as it was");
    CHECK((io::read_file(path).value() == good));
    std::remove(path.c_str());
}

TEST_CASE("callbacks see where a run stands that is taken up again") {
    const auto data = quarters(300);
    std::remove(path.c_str());
    std::string csv;
    for (const std::size_t step : {14u, 1000u}) {
        auto net = fresh_network();
        REQUIRE(fit(net, data, cross_entropy{}, optimizer, options, csv_history([&](std::string_view text) { csv += text; }),
                    stop_at{step}, io::checkpoint(path)));
    }
    std::remove(path.c_str());
    std::string first_fields;  // of the lines
    for (std::size_t begin = 0; begin < csv.size(); begin = csv.find('\n', begin) + 1) {
        first_fields += csv.substr(begin, csv.find(',', begin) - begin) + " ";
    }
    CHECK(first_fields == "epoch 1 2 3 4 5 6 ");
}

TEST_CASE("best weights of another length are an error") {
    const auto data = quarters(300);
    std::remove(path.c_str());
    auto net = fresh_network();
    best_weights best;
    REQUIRE(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 1}, best, io::checkpoint(path, {}, best)));
    for (const std::size_t count : {116u, 118u}) {  // it has 117 numbers
        const auto file = io::safetensors::read(path).value();
        std::vector<io::tensor_entry> tensors(file.tensors().begin(), file.tensors().end());
        const std::vector<unsigned char> numbers(count * sizeof(float));
        for (auto& t : tensors) {
            if (t.name == "training.callbacks.0.numbers") {
                t.shape = {count};
                t.data = numbers;
            }
        }
        REQUIRE_FALSE(io::write_file(path, io::safetensors_content(tensors, {})));
        const auto report = fit(net, data, cross_entropy{}, sgd{}, {.epochs = 2}, best, io::checkpoint(path, {}, best));
        REQUIRE_FALSE(report);
        CHECK(report.error().message ==
              path + sentence(": tensor \"training.callbacks.0.numbers\": expected F32 [117], found F32 [", count, "]"));
    }
    std::remove(path.c_str());
}

TEST_CASE("callbacks are restored as a whole or not at all") {
    const auto data = quarters(300);
    std::remove(path.c_str());
    auto net = fresh_network();
    early_stopping patience(50);
    pair_of_numbers pair;
    REQUIRE(fit(net, data, cross_entropy{}, sgd{}, {.epochs = 3}, patience, pair, io::checkpoint(path, {}, patience, pair)));
    const auto file = io::safetensors::read(path).value();
    std::vector<io::tensor_entry> tensors(file.tensors().begin(), file.tensors().end());
    std::erase_if(tensors, [](const io::tensor_entry& t) { return t.name == "training.callbacks.1.second"; });
    REQUIRE_FALSE(io::write_file(path, io::safetensors_content(tensors, {})));
    const auto content_of = [](auto& callback) {
        io::state_writer writer;
        callback.serialize(writer, "it");
        return writer.content();
    };
    early_stopping other_patience(50);
    pair_of_numbers other;
    const auto before = content_of(other_patience);
    const auto report = fit(net, data, cross_entropy{}, sgd{}, {.epochs = 9}, io::checkpoint(path, {}, other_patience, other));
    REQUIRE_FALSE(report);
    CHECK(report.error().message ==
          path + ": tensor \"training.callbacks.1.second\": expected F32 [1], found no tensor of this name");
    CHECK((content_of(other_patience) == before));
    CHECK(other.first[0] == 1.0f);
    std::remove(path.c_str());
}
