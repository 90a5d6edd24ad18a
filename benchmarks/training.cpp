// Seconds per epoch of training two networks on MNIST (60,000 images of 28x28, batch 64, Adam), and the share of the machine's
// peak of float products. `training [directory of MNIST] [network] [threads] [epochs]`; without a directory the images are noise.
// With one it says how many of the 10,000 test images come out wrong.

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

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
    }
}
