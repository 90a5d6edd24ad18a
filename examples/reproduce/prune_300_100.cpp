// Learning both weights and connections: Han, Pool, Tran, Dally 2015, table 3: LeNet-300-100 with a twelfth of its weights and no
// more errors. Here by gradual magnitude pruning (Zhu, Gupta 2017), with images shifted by up to a pixel before and during it.

#include <cstdio>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/pare.hpp>

#include "experiment.hpp"

namespace reproduce {

int prune_300_100(const options& o) {
    using namespace pare;
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    thread_pool pool(o.threads);
    const std::size_t epochs = o.quick ? 4 : 20;
    const std::size_t steps = (images->size() + 127) / 128 * epochs;
    const auto run = [&](std::uint64_t s) { return fit_options{.epochs = epochs, .batch_size = 128, .shuffle_seed = seed{s}}; };
    const auto rate = [&](float highest) { return scheduled(adam{.learning_rate = highest}, cosine_decay{.steps = steps}); };
    auto net =
        initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), he_normal{}, seed{o.seed});
    if (const auto trained = fit(net, *images, cross_entropy{}, rate(1.5e-3f), run(o.seed), pool, random_shift{1}); !trained) {
        return fail(trained.error());
    }
    // Table 3 of the paper leaves 8%, 9% and 26% of the layers, which are 8.2% of all weights.
    const auto end = static_cast<std::int64_t>(steps * 6 / 10);
    const auto pruned = freeze(prune(net, *images, cross_entropy{}, rate(1.5e-3f), magnitude{}, unstructured{},
                                     polynomial_decay{.final_sparsity = 0.92, .end_step = end, .frequency = 50}, run(o.seed + 10),
                                     layer_targets{{{"0", 0.925}, {"2", 0.91}, {"4", 0.74}}}, pool, random_shift{1}));
    if (!pruned) {
        return fail(pruned.error());
    }
    const std::size_t before = count_errors(net, *test, pool).value(), after = count_errors(*pruned, *test, pool).value();
    std::size_t weights = 0, kept = 0;
    for_each_member(*pruned, [&](const member_path&, const auto& member) {
        if constexpr (requires { member.rows(); }) {
            weights += member.values.size();
            for (const float w : member.values) {
                kept += w != 0.0f ? 1u : 0u;
            }
        }
    });
    const double left = static_cast<double>(kept) / static_cast<double>(weights);
    std::printf("dense: %zu errors of %zu. With %zu of %zu weights (%.2f%%): %zu errors\n", before, test->size(), kept, weights,
                100.0 * left, after);
    const nlohmann::json json = {{"experiment", "prune_300_100"}, {"seed", o.seed},         {"quick", o.quick},
                                 {"errors_dense", before},        {"errors_pruned", after}, {"weights_left", left}};
    if (!write(o.json, json.dump(2) + "\n")) {
        return 1;
    }
    return missed(100 * kept <= 8 * weights && after <= before + (o.quick ? 40 : 10),
                  "at most 8% of the weights, and at most 10 errors more than dense, or 40 with --quick");
}

}  // namespace reproduce
