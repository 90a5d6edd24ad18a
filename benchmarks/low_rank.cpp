// What low ranks cost and save: LeNet-300-100 of PyTorch, factorized at shares of its energy, as it is and after two epochs of
// training, float and int8; then microseconds per call at batch 1, and how long singular values take. Without a directory only the
// times.
//
//     bench_low_rank lenet_300_100.safetensors [directory of MNIST]

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/io/model.hpp>
#include <pare/pare.hpp>

#include "turns.hpp"

namespace {

using namespace pare;

/// A prepared model, called at batch 1.
template <class Model>
turns::contender at_batch_1(const std::string& name, const Model& model) {
    const auto ready = prepare<isa::native>(model);
    return {name, [ready, x = std::vector<float>(784, 0.5f), y = std::vector<float>(10),
                   space = std::make_shared<workspace>(ready.workspace_bytes(1))]() mutable {
                run(ready, std::span<const float>(x), std::span<float>(y), *space);
            }};
}

int fail(const error& problem) {
    std::fprintf(stderr, "%s\n", problem.message.c_str());
    return 1;
}

void time_singular_values(std::size_t rows, std::size_t columns) {
    using clock = std::chrono::steady_clock;
    std::vector<double> a(rows * columns);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = double{random_numbers(seed{1}, 0).normal(i)};
    }
    const auto start = clock::now();
    const auto s = singular_value_decomposition(a, rows, columns);
    std::printf("singular values of %zu x %zu: %.2f s, the largest %.3f\n", rows, columns,
                std::chrono::duration<double>(clock::now() - start).count(), s.values[0]);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::fprintf(stderr, "usage: %s lenet_300_100.safetensors [directory of MNIST]\n", argv[0]);
        return 1;
    }
    auto net = sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>());
    if (const auto problem = load(net, argv[1])) {
        return fail(*problem);
    }
    using digits = labeled_data<std::uint8_t, dyn, dyn>;
    std::optional<digits> images, test;
    for (auto* const set : {&images, &test}) {
        if (argc == 3) {
            auto read = io::load_mnist(argv[2], set == &images ? "train" : "t10k",
                                       [](const std::string& path) { return io::read_gzip_file(path); });
            if (!read) {
                return fail(read.error());
            }
            *set = std::move(*read);
        }
    }
    std::vector<turns::contender> runners;
    const auto measure = [&](const std::string& name, auto model, const low_rank_report& report) {
        std::printf("%s: %zu parameters, int8 in %zu bytes\n", name.c_str(), summarize(model).parameters,
                    summarize(*quantize_dynamic(model)).bytes);
        std::printf("%s", report.layers.empty() ? "" : describe(report).c_str());
        if (images) {
            std::printf("    %zu errors", *count_errors(model, *test));
            const auto rate = scheduled(adam{.learning_rate = 5e-4f}, cosine_decay{.steps = 2 * ((images->size() + 63) / 64)});
            if (!fit(model, *images, cross_entropy{}, rate, {.epochs = 2, .batch_size = 64, .shuffle_seed = seed{1}})) {
                std::printf(", training failed\n");
            }
            std::printf(", trained %zu, then int8 %zu\n", *count_errors(model, *test),
                        *count_errors(*quantize_dynamic(model), *test));
        }
        runners.push_back(at_batch_1(name + ", float", model));
        runners.push_back(at_batch_1(name + ", int8", *quantize_dynamic(model)));
    };
    measure("whole", net, {});
    for (const double share : {0.95, 0.9, 0.8, 0.7, 0.6, 0.5}) {
        low_rank_report report;
        const auto small = *factorize(net, energy_share{share}, except<"4">{}, &report);
        measure(sentence("energy ", share), small, report);
    }
    const auto fixed = *factorize<low_rank<"0", 51>, low_rank<"2", 12>>(net);
    runners.push_back(at_batch_1("ranks 51 and 12 as constants, float", fixed));
    runners.push_back(at_batch_1("ranks 51 and 12 as constants, int8", *quantize_dynamic(fixed)));
    turns::measure(runners);
    for (const auto& r : runners) {
        std::printf("%s: %.2f us\n", r.name.c_str(), 1e6 * r.seconds);
    }
    time_singular_values(300, 784);
    time_singular_values(1200, 784);
}
