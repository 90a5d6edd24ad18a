// All three techniques on one network: 784-300-100-10 distilled from a convolutional teacher, cut to fewer units, pruned while the
// teacher looks on, and stored in bytes: one file of at most 60,000 bytes, which is loaded again and runs. Beside it the same
// network in float, trained alone on the labels of as many images, shifted alike.

#include <cstdio>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/io/compressed.hpp>
#include <pare/pare.hpp>

#include "experiment.hpp"
#include "latency.hpp"

namespace reproduce {

using namespace pare;

int small_student(const options& o) {
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    thread_pool pool(o.threads);
    const std::size_t steps_per_epoch = (images->size() + 63) / 64;
    const std::size_t teaching = o.quick ? 1 : 8, learning = o.quick ? 2 : 25, cutting = o.quick ? 4 : 35;
    const auto train = [&](auto& net, const auto& loss, std::size_t epochs, std::uint64_t part) {
        return fit(net, *images, loss, scheduled(adam{.learning_rate = 1e-3f}, cosine_decay{.steps = epochs * steps_per_epoch}),
                   {.epochs = epochs, .batch_size = 64, .shuffle_seed = seed{4 * o.seed + part}}, pool, random_shift{1});
    };
    const auto student =
        initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), he_normal{}, seed{o.seed});
    auto alone = student, distilled = student;
    if (const auto trained = train(alone, cross_entropy{}, learning + cutting, 0); !trained) {
        return fail(trained.error());
    }
    auto teacher =
        initialized(sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), relu(), conv2d<20, 50, 5>(),
                               max_pool2d<2>(), relu(), flatten(), dense<800, 500>(), relu(), dropout{0.5f}, dense<500, 10>()),
                    he_normal{}, seed{o.seed});
    if (const auto trained = train(teacher, cross_entropy{}, teaching, 1); !trained) {
        return fail(trained.error());
    }
    // The teacher sees each image once, where it is; what it said of it holds for the shifted ones.
    const auto loss = distillation_loss<>::make(teacher, *images, soft_targets{.temperature = 4, .hard_weight = 0.1f}, pool);
    if (!loss) {
        return fail(loss.error());
    }
    if (const auto trained = train(distilled, *loss, learning, 2); !trained) {
        return fail(trained.error());
    }
    const auto steps = static_cast<std::int64_t>(cutting * steps_per_epoch);
    const auto pruned = freeze(
        prune(shrink<keep<"0", 192>, keep<"2", 96>>(distilled), *images, *loss,
              scheduled(adam{.learning_rate = 1e-3f}, cosine_decay{.steps = cutting * steps_per_epoch}), magnitude{},
              unstructured{}, polynomial_decay{.final_sparsity = 0.75, .end_step = steps / 2, .frequency = 50},
              {.epochs = cutting, .batch_size = 64, .shuffle_seed = seed{4 * o.seed + 3}}, pool, random_shift{1}, global_scope{}));
    const std::string path = "small_student.pack";
    const auto archive = save_compressed(quantize_dynamic(pruned), path);
    if (!archive) {
        return fail(archive.error());
    }
    auto loaded = *quantize_dynamic(sequential(dense<784, 192>(), relu(), dense<192, 96>(), relu(), dense<96, 10>()));
    if (const auto problem = load_compressed(loaded, path)) {
        return fail(*problem);
    }

    const auto whole = prepare<isa::native>(alone);
    const auto small = prepare<isa::native>(loaded);
    const auto errors_of = [&](const auto& model) { return count_errors(model, *test, pool).value(); };
    const std::size_t taught = errors_of(teacher), before = errors_of(alone), after_distilling = errors_of(distilled),
                      after_pruning = errors_of(*pruned), after = errors_of(loaded), bytes = archive->content.size();
    const auto [us_before, us_after] = latencies(whole, small, *test);
    const double ratio = us_after / us_before;
    std::printf("%-40s %6s %8s %12s\n", "", "errors", "bytes", "us, batch 1");
    std::printf("%-40s %6zu %8zu\n", "teacher, LeNet-5", taught, summarize(teacher).bytes);
    std::printf("%-40s %6zu %8zu %12.2f\n", "784-300-100-10, float, alone", before, summarize(alone).bytes, us_before);
    std::printf("%-40s %6zu\n", "distilled", after_distilling);
    std::printf("%-40s %6zu\n", "784-192-96-10 of it, pruned to 25%", after_pruning);
    std::printf("%-40s %6zu %8zu %12.2f, %.3f of the time\n", "int8, loaded from its file", after, bytes, us_after, ratio);
    const nlohmann::json json = {{"experiment", "small_student"},  {"seed", o.seed},         {"quick", o.quick},
                                 {"errors_teacher", taught},       {"errors_alone", before}, {"errors_distilled", after_distilling},
                                 {"errors_pruned", after_pruning}, {"errors", after},        {"bytes", bytes},
                                 {"us_alone", us_before},          {"us", us_after}};
    if (!write(o.json, json.dump(2) + "\n")) {
        return 1;
    }
    return missed(bytes <= 60'000 && after <= before + (o.quick ? 60 : 0) && ratio <= 0.25,
                  "at most 60,000 bytes, no more errors than alone (60 more with --quick) and a quarter of its time");
}

}  // namespace reproduce
