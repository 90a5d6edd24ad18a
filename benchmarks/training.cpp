// Seconds per epoch of training two networks on MNIST (60,000 images of 28x28, batch 64, Adam), and the share of the machine's
// peak of float products. `training [directory of MNIST] [network] [threads] [epochs]`; without a directory the images are noise.
// With one it says how many of the 10,000 test images come out wrong.
//
// The networks distill_300_100 and distill_800_800 are asked for by name: an epoch that learns from the cached logits of a teacher,
// in each form of the cache, beside an ordinary one of the same student.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/pare.hpp>

#include "limits.hpp"

using namespace pare;

namespace {

using images = labeled_data<std::uint8_t, dyn, dyn>;

images noise(std::size_t n) {
    const random_numbers random(seed{1}, 0);
    aligned_array<std::uint8_t> pixels(n * 784);
    std::vector<std::int32_t> labels(n);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<std::uint8_t>(random.words(i)[0]);
    }
    for (std::size_t i = 0; i < n; ++i) {
        labels[i] = static_cast<std::int32_t>(i % 10);
    }
    return images::make("noise", extents<dyn, dyn>(28, 28), 10, std::move(pixels), std::move(labels)).value();
}

struct epoch_clock {
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    double best = 1e9;

    template <class Model>
    void on_epoch_end(Model&, const training_state&) {
        const auto now = std::chrono::steady_clock::now();
        best = (std::min)(best, std::chrono::duration<double>(now - start).count());
        start = now;
    }
};

/// `products` are the multiply-adds of one sample, forward and backward.
template <class Model>
void measure(const char* name, const Model& untrained, double products, std::size_t threads, std::size_t epochs,
             const images& train, const images* test) {
    thread_pool pool(threads);
    auto model = untrained;
    const auto optimizer = adam{.learning_rate = 1e-3f};
    epoch_clock timer;
    const auto report = fit(model, train, cross_entropy{}, optimizer, {.epochs = epochs, .batch_size = 64}, timer, pool);
    if (!report) {
        std::fprintf(stderr, "%s\n", report.error().message.c_str());
        return;
    }
    const double gflops = 2e-9 * products * static_cast<double>(train.size()) / timer.best;
    const double peak = limits::f32_gflops(isa::native::name) * static_cast<double>(threads);
    const training_memory memory = training_memory_of(model, optimizer, 64);
    std::printf("%-14s %zu threads: %6.2f s per epoch, %6.1f GFLOP/s, %4.1f %% of the peak, loss %.4f, %.1f MB (parameters %.1f)",
                name, threads, timer.best, gflops, peak > 0.0 ? 100.0 * gflops / peak : 0.0, report->mean_loss,
                1e-6 * static_cast<double>(memory.total()), 1e-6 * static_cast<double>(memory.parameters));
    if (test != nullptr) {
        std::printf(", %zu errors", count_errors(model, *test, pool).value());
    }
    std::printf("\n");
}

/// One loss after the other, step by step.
struct losses_in_turns {
    const std::vector<distillation_loss<>>* distilling;
    mutable std::size_t step = 0;

    double operator()(matrix_view<const float> y, const minibatch& batch, matrix_view<float> gradient) const {
        const std::size_t turn = step++ % (distilling->size() + 1);
        return turn == 0 ? cross_entropy{}(y, batch, gradient) : (*distilling)[turn - 1](y, batch, gradient);
    }
};
/// What the steps of each turn took.
struct turn_clock {
    std::vector<std::vector<double>> seconds;
    std::chrono::steady_clock::time_point start = {};

    template <class Model>
    void on_step_begin(Model&, const training_state&) {
        start = std::chrono::steady_clock::now();
    }
    template <class Model>
    void on_step_end(Model&, const training_state& state) {
        seconds[state.step % seconds.size()].push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
};

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

/// What soft_targets says, in doubles: of the loss and of the first number of its gradient.
void check_distillation(const teacher_logits& logits, const soft_targets& targets, const images& train) {
    constexpr std::size_t batch = 64, classes = 10;
    std::vector<std::size_t> indices(batch);
    std::vector<std::int32_t> labels(batch);
    std::vector<float> student(batch * classes), gradient(batch * classes), teacher(classes), pixels(784);
    const random_numbers random(seed{2}, 0);
    for (std::size_t i = 0; i < batch; ++i) {
        indices[i] = random.words(i)[0] % train.size();
        train.fetch({&indices[i], 1}, pixels.data(), &labels[i]);
    }
    for (std::size_t i = 0; i < student.size(); ++i) {
        student[i] = random.uniform(i, -3.0f, 3.0f);
    }
    const auto loss = distillation_loss<>::make(logits, targets).value();
    const double found = loss({student.data(), batch, classes}, minibatch{indices, labels}, {gradient.data(), batch, classes});
    const double t = double{targets.temperature}, hard = double{targets.hard_weight};
    const auto log_softmax = [](const float* x, double temperature) {
        std::vector<double> y(classes);
        double sum = 0.0;
        for (std::size_t j = 0; j < classes; ++j) {
            sum += std::exp(double{x[j]} / temperature);
        }
        for (std::size_t j = 0; j < classes; ++j) {
            y[j] = double{x[j]} / temperature - std::log(sum);
        }
        return y;
    };
    double expected = 0.0, slope_error = 0.0;
    for (std::size_t i = 0; i < batch; ++i) {
        logits.read(indices[i], teacher.data());
        const auto p = log_softmax(&student[i * classes], 1.0), s = log_softmax(&student[i * classes], t),
                   q = log_softmax(teacher.data(), t);
        const auto label = static_cast<std::size_t>(labels[i]);
        expected -= hard * p[label];
        for (std::size_t j = 0; j < classes; ++j) {
            expected += (1.0 - hard) * t * t * std::exp(q[j]) * (q[j] - s[j]);
            const double slope =
                hard * (std::exp(p[j]) - (j == label ? 1.0 : 0.0)) + (1.0 - hard) * t * (std::exp(s[j]) - std::exp(q[j]));
            slope_error = (std::max)(slope_error, std::fabs(slope / batch - double{gradient[i * classes + j]}));
        }
    }
    if (std::fabs(found - expected / batch) > 1e-5 * std::fabs(found) || slope_error > 1e-6) {
        std::fprintf(stderr, "the loss is wrong: %g instead of %g, its gradient by %g\n", found, expected / batch, slope_error);
        std::exit(1);
    }
}

/// Steps of a student on labels and on the cached logits of a teacher, in turns: an epoch is as many times their median as it has.
template <class Model>
void measure_distillation(const char* name, const Model& untrained, std::size_t threads, std::size_t epochs, const images& train) {
    thread_pool pool(threads);
    const soft_targets targets = {.temperature = 20, .hard_weight = 0.1f};
    struct cached {
        const char* form;
        logit_cache cache;
    };
    const cached forms[] = {{"float", {.form = logit_form::float32}},
                            {"float16", {.form = logit_form::float16}},
                            {"top 4", {.form = logit_form::top_k, .k = 4}}};
    std::vector<distillation_loss<>> losses;
    for (const cached& f : forms) {  // of a teacher that has learned nothing, which takes as long
        auto logits = teacher_logits::make(untrained, train, f.cache, pool).value();
        check_distillation(logits, targets, train);
        losses.push_back(distillation_loss<>::make(std::move(logits), targets).value());
    }
    auto student = untrained;
    turn_clock turns{std::vector<std::vector<double>>(std::size(forms) + 1)};
    const auto report = fit(student, train, losses_in_turns{&losses}, adam{.learning_rate = 1e-3f},
                            {.epochs = epochs, .batch_size = 64}, turns, pool);
    if (!report) {
        std::fprintf(stderr, "%s\n", report.error().message.c_str());
        return;
    }
    const double steps = static_cast<double>((train.size() + 63) / 64), ordinary = median(turns.seconds[0]);
    std::printf("%s %zu threads: %.3f s per epoch", name, threads, steps * ordinary);
    for (std::size_t f = 0; f < std::size(forms); ++f) {
        const double seconds = median(turns.seconds[f + 1]);
        std::printf(", logits in %s %.3f (%.3f times)", forms[f].form, steps * seconds, seconds / ordinary);
    }
    std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
    const std::string directory = count > 1 ? arguments[1] : "";
    const std::string which = count > 2 ? arguments[2] : "";
    const std::size_t only = count > 3 ? std::stoul(arguments[3]) : 0, epochs = count > 4 ? std::stoul(arguments[4]) : 1;
    const auto load = [&](const char* part) {
        return io::load_mnist(directory, part, [](const std::string& path) { return io::read_gzip_file(path); });
    };
    const images train = directory.empty() ? noise(60000) : load("train").value();
    const images test = directory.empty() ? noise(64) : load("t10k").value();
    const images* const tested = directory.empty() ? nullptr : &test;

    const auto lenet_300_100 =
        initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), he_normal{}, seed{1});
    const auto lenet5 = initialized(sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(),
                                               max_pool2d<2>(), flatten(), dense<800, 500>(), relu(), dense<500, 10>()),
                                    he_normal{}, seed{1});
    // Products forward, and as many for each of the two gradients; the first layer has no gradient of its input.
    const double small_products = 3.0 * (784 * 300 + 300 * 100 + 100 * 10) - 784 * 300;
    const double first = 576.0 * 25 * 20;
    const double large_products = 3.0 * (first + 64 * 500 * 50 + 800 * 500 + 500 * 10) - first;
    for (const std::size_t threads : {1u, 2u}) {
        if (only != 0 && only != threads) {
            continue;
        }
        if (which.empty() || which == "lenet_300_100") {
            measure("lenet_300_100", lenet_300_100, small_products, threads, epochs, train, tested);
        }
        if (which.empty() || which == "lenet5") {
            measure("lenet5", lenet5, large_products, threads, epochs, train, tested);
        }
        if (which == "distill_300_100") {
            measure_distillation("784-300-100-10", lenet_300_100, threads, epochs, train);
        }
        if (which == "distill_800_800") {
            measure_distillation("784-800-800-10",
                                 initialized(sequential(dense<784, 800>(), relu(), dense<800, 800>(), relu(), dense<800, 10>()),
                                             he_normal{}, seed{1}),
                                 threads, epochs, train);
        }
    }
}
