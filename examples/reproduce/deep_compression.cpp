// Deep compression: Han, Mao, Dally 2016. Pruned, with the weights that are left sharing 16 values a layer, which are trained, and
// entropy coding: LeNet-300-100 and LeNet-5 in one file each, of which every byte counts, loaded again from there, and run in the
// layouts that are fastest.

#include <cstdio>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/io/compressed.hpp>
#include <pare/pare.hpp>
#include <pare/pipeline/encode.hpp>

#include "experiment.hpp"
#include "latency.hpp"

namespace reproduce {

namespace {

using namespace pare;

struct claim {
    const char* experiment;
    double sparsity;  // of all weights together; with --quick 0.94
    std::size_t epochs;
    std::size_t quick_epochs;
    std::size_t bytes;  // at most
    std::size_t errors;
};

template <class Network>
int compress_and_check(const options& o, const Network& untrained, const claim& c) {
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    thread_pool pool(o.threads);
    const std::size_t steps_per_epoch = (images->size() + 63) / 64;
    const auto run = [&](std::size_t epochs, std::uint64_t part) {
        return fit_options{.epochs = epochs, .batch_size = 64, .shuffle_seed = seed{3 * o.seed + part}};
    };
    const auto optimizer = [&](float rate, std::size_t epochs) {
        return scheduled(adam{.learning_rate = rate}, cosine_decay{.steps = epochs * steps_per_epoch});
    };
    const std::size_t epochs = o.quick ? c.quick_epochs : c.epochs, last = o.quick ? 1 : 3;
    auto net = initialized(untrained, he_normal{}, seed{o.seed});
    if (const auto trained = fit(net, *images, cross_entropy{}, optimizer(1e-3f, epochs), run(epochs, 0), pool, random_shift{1});
        !trained) {
        return fail(trained.error());
    }
    const std::string path = sentence(c.experiment, ".pack");
    const auto made = compress(
        net, *images,
        prune(cross_entropy{}, optimizer(1e-3f, epochs), magnitude{}, unstructured{},
              polynomial_decay{.initial_sparsity = 0.5,
                               .final_sparsity = o.quick ? 0.94 : c.sparsity,
                               .end_step = static_cast<std::int64_t>(epochs * steps_per_epoch / 2),
                               .frequency = 50},
              run(epochs, 1), pool, random_shift{1}, global_scope{}) |
            cluster<16>() | fine_tune(cross_entropy{}, optimizer(1e-4f, last), run(last, 2), pool, random_shift{1}) | encode(path),
        *test, pool);
    if (!made) {
        return fail(made.error());
    }
    auto loaded = *cluster<16>(untrained);
    if (const auto problem = load_compressed(loaded, path)) {
        return fail(*problem);
    }
    const auto& before = made->stages.front();
    const std::size_t dense = before.quality.errors, cut = made->stages[1].quality.errors,
                      errors = count_errors(loaded, *test, pool).value(), bytes = made->archive.content.size();
    const auto fast = sparsify(without_codebooks(loaded));
    if (!fast) {
        return fail(fast.error());
    }
    const auto [us_float, us] = latencies(prepare<isa::native>(net), prepare<isa::native>(*fast), *test);
    std::printf("%s\n%s%.1f times fewer bytes; batch 1: %.2f us, float %.2f\n", c.experiment, describe(made->stages).c_str(),
                static_cast<double>(before.bytes) / static_cast<double>(bytes), us, us_float);
    nlohmann::json json = {{"experiment", c.experiment},
                           {"seed", o.seed},
                           {"quick", o.quick},
                           {"errors_float", dense},
                           {"errors_pruned", cut},
                           {"errors", errors},
                           {"bytes_float", before.bytes},
                           {"bytes", bytes},
                           {"us_float", us_float},
                           {"us", us}};
    for (const auto& t : made->archive.tensors) {
        std::printf("    %-12s %8zu -> %6zu, entropy %8.1f\n", t.name.c_str(), t.bytes, t.packed, t.entropy_bytes);
        json["tensors"][t.name] = {{"bytes", t.bytes}, {"packed", t.packed}, {"entropy", t.entropy_bytes}};
    }
    if (!write(o.json, json.dump(2) + "\n")) {
        return 1;
    }
    return missed(bytes <= c.bytes && errors <= c.errors + (o.quick ? 60 : 0),
                  sentence("at most ", c.bytes, " bytes and ", c.errors, " errors (60 more after --quick)").c_str());
}

}  // namespace

int deep_compression_300_100(const options& o) {
    return compress_and_check(o, sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()),
                              {"deep_compression_300_100", 0.975, 20, 3, 22'000, 164});
}

int deep_compression_lenet5(const options& o) {
    return compress_and_check(o,
                              sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(),
                                         max_pool2d<2>(), flatten(), dense<800, 500>(), relu(), dense<500, 10>()),
                              {"deep_compression_lenet5", 0.96, 8, 1, 36'000, 80});
}

}  // namespace reproduce
