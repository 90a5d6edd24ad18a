// Filters are removed, not zeroed: Li, Kadav, Durdanovic, Samet, Graf 2017 (L1 norm, one shot, then training again). LeNet-5 of
// train_digits without 60% of its filters (20 and 50 of 5x5) and neurons (500): fewer products, so less time on any kernel.

#include <cstdio>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/pare.hpp>

#include "experiment.hpp"
#include "latency.hpp"

namespace reproduce {

using namespace pare;

int shrink_lenet5(const options& o) {
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    thread_pool pool(o.threads);
    const auto train = [&](auto& net, std::size_t epochs, std::uint64_t s) {
        const std::size_t steps = epochs * ((images->size() + 63) / 64);
        return fit(net, *images, cross_entropy{}, scheduled(adam{.learning_rate = 1e-3f}, cosine_decay{.steps = steps}),
                   {.epochs = epochs, .batch_size = 64, .shuffle_seed = seed{s}}, pool);
    };
    auto net = initialized(sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), relu(), max_pool2d<2>(), conv2d<20, 50, 5>(), relu(),
                                      max_pool2d<2>(), flatten(), dense<800, 500>(), relu(), dropout{0.5f}, dense<500, 10>()),
                           he_normal{}, seed{o.seed});
    if (const auto trained = train(net, o.quick ? 1 : 8, o.seed); !trained) {
        return fail(trained.error());
    }
    auto small = shrink<keep<"0", 8>, keep<"3", 20>, keep<"7", 200>>(net);
    if (!small) {
        return fail(small.error());
    }
    const std::size_t before = count_errors(net, *test, pool).value(), cut = count_errors(*small, *test, pool).value();
    std::get<dropout>(small->layers).probability = 0.2f;  // 200 neurons have less to spare
    if (const auto tuned = train(*small, o.quick ? 1 : 8, o.seed + 1); !tuned) {
        return fail(tuned.error());
    }
    const std::size_t after = count_errors(*small, *test, pool).value();

    const auto whole = prepare<isa::native>(net);
    const auto left = prepare<isa::native>(*small);
    const auto [us_before, us_after] = latencies(whole, left, *test);
    const double ratio = us_after / us_before;
    const auto size_before = summarize(net), size_after = summarize(*small);
    std::printf("%-34s %8s %12s %12s\n", "LeNet-5 on MNIST, float", "errors", "parameters", "us, batch 1");
    std::printf("%-34s %8zu %12zu %12.1f\n", "20, 50 filters, 500 neurons", before, size_before.parameters, us_before);
    std::printf("%-34s %8zu %12zu %12.1f\n", "8, 20 filters, 200 neurons", cut, size_after.parameters, us_after);
    std::printf("%-34s %8zu\n", "trained again", after);
    std::printf("time: %.2f of before\n", ratio);
    const nlohmann::json json = {{"experiment", "shrink_lenet5"},
                                 {"seed", o.seed},
                                 {"quick", o.quick},
                                 {"errors_before", before},
                                 {"errors_cut", cut},
                                 {"errors_after", after},
                                 {"parameters_before", size_before.parameters},
                                 {"parameters_after", size_after.parameters},
                                 {"us_before", us_before},
                                 {"us_after", us_after}};
    if (!write(o.json, json.dump(2) + "\n")) {
        return 1;
    }
    return missed(after <= before + 20 && ratio <= 0.45, "at most 20 errors more than before, in at most 0.45 of the time");
}

}  // namespace reproduce
