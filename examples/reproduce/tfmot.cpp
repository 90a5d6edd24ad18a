// The two tutorials of TensorFlow's model optimization toolkit, "Pruning in Keras example" and "Weight clustering in Keras
// example": 12 filters of 3x3, a pool and a dense layer, pruned to 80% or clustered to 16 values, each also with int8 or with the
// other; the files that come out, of which every byte counts, are loaded again for their errors.

#include <cstdio>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/io/compressed.hpp>
#include <pare/pare.hpp>

#include "experiment.hpp"

namespace reproduce {

namespace {

using namespace pare;

struct table {
    nlohmann::json rows = nlohmann::json::array();
    std::size_t float_bytes = 0;
    std::optional<error> problem;

    void add(const char* name, std::size_t errors, std::size_t bytes) {
        rows.push_back({{"name", name}, {"errors", errors}, {"bytes", bytes}});
        std::printf("%-36s %6zu %8zu %6.1f\n", name, errors, bytes, static_cast<double>(float_bytes) / static_cast<double>(bytes));
    }
    /// Saves a model, or a result of one, and counts the errors of what is loaded again.
    template <class Model, class Data>
    std::size_t add_file(const char* experiment, const char* name, const Model& model, const Data& test) {
        const std::string path = sentence(experiment, ".pack");
        const auto archive = save_compressed(model, path);
        if (!archive) {
            problem = archive.error();
            return 0;
        }
        auto loaded = [&] {
            if constexpr (is_result<Model>) {
                return *model;
            } else {
                return model;
            }
        }();
        if (auto failed = load_compressed(loaded, path)) {
            problem = std::move(failed);
            return 0;
        }
        add(name, count_errors(loaded, test).value(), archive->content.size());
        return archive->content.size();
    }
    std::size_t errors_of_last() const { return rows.back()["errors"].get<std::size_t>(); }
};

/// Trains the tutorials' network and lets `shrink` add the files; the last of them is what is claimed to be small.
template <class Shrink>
int tutorial(const options& o, const char* experiment, const Shrink& shrink) {
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    thread_pool pool(o.threads);
    const auto train = [&](auto& net, std::size_t epochs, float rate, std::uint64_t part) {
        const std::size_t steps = epochs * ((images->size() + 127) / 128);
        return fit(net, *images, cross_entropy{}, scheduled(adam{.learning_rate = rate}, cosine_decay{.steps = steps}),
                   {.epochs = epochs, .batch_size = 128, .shuffle_seed = seed{2 * o.seed + part}}, pool);
    };
    auto net =
        initialized(sequential(input<28, 28, 1>(), conv2d<1, 12, 3>(), relu(), max_pool2d<2>(), flatten(), dense<2028, 10>()),
                    glorot_uniform{}, seed{o.seed});
    const std::size_t epochs = o.quick ? 1 : 8;
    if (const auto trained = train(net, epochs, 2e-3f, 0); !trained) {
        return fail(trained.error());
    }
    table t;
    t.float_bytes = summarize(net).bytes;
    std::printf("%-36s %6s %8s %6s\n", experiment, "errors", "bytes", "times");
    t.add("float", count_errors(net, *test, pool).value(), t.float_bytes);
    const std::size_t before = t.errors_of_last();
    const std::size_t bytes = shrink(net, *images, *test, epochs, pool, train, t);
    if (t.problem) {
        return fail(*t.problem);
    }
    const nlohmann::json json = {{"experiment", experiment}, {"seed", o.seed}, {"quick", o.quick}, {"rows", t.rows}};
    if (!write(o.json, json.dump(2) + "\n")) {
        return 1;
    }
    return missed(14 * bytes <= t.float_bytes && t.errors_of_last() <= before + 30,
                  "a file of a fourteenth of the bytes, and at most 30 errors more than float");
}

/// Pruned while it is trained on.
template <class Model, class Data>
auto pruned_to(double sparsity, const Model& net, const Data& images, std::size_t epochs, thread_pool& pool, std::uint64_t part) {
    const auto steps = static_cast<std::int64_t>(epochs * ((images.size() + 127) / 128));
    return freeze(
        prune(net, images, cross_entropy{},
              scheduled(adam{.learning_rate = 3e-3f}, cosine_decay{.steps = static_cast<std::size_t>(steps)}), magnitude{},
              unstructured{},
              polynomial_decay{.initial_sparsity = 0.5, .final_sparsity = sparsity, .end_step = steps / 2, .frequency = 20},
              {.epochs = epochs, .batch_size = 128, .shuffle_seed = seed{part}}, pool));
}

/// K values a matrix, trained for an epoch.
template <std::size_t K, class Model, class Train>
auto with_values(const Model& model, const Train& train) {
    return and_then(train_codebooks(cluster<K>(model)), [&](auto shared) {
        using outcome = result<decltype(freeze(shared))>;
        const auto trained = train(shared, 1, 1e-4f, 1);
        return trained ? outcome(freeze(shared)) : outcome(trained.error());
    });
}

}  // namespace

int tfmot_pruning(const options& o) {
    constexpr const char* name = "tfmot_pruning";
    return tutorial(
        o, name,
        [&](const auto& net, const auto& images, const auto& test, std::size_t epochs, auto& pool, const auto& train, table& t) {
            const auto pruned = pruned_to(0.8, net, images, epochs, pool, 7 * o.seed);
            t.add_file(name, "pruned to 80%", pruned, test);
            t.add_file(name, "pruned, int8", quantize_dynamic(pruned), test);
            return t.add_file(name, "pruned, 16 values", with_values<16>(pruned, train), test);
        });
}

int tfmot_clustering(const options& o) {
    constexpr const char* name = "tfmot_clustering";
    return tutorial(
        o, name,
        [&](const auto& net, const auto& images, const auto& test, std::size_t epochs, auto& pool, const auto& train, table& t) {
            const auto shared = with_values<16>(net, train);
            t.add_file(name, "16 values", shared, test);
            t.add_file(name, "16 values, int8", quantize_dynamic<dialect::torch>(without_codebooks(shared)), test);
            return t.add_file(name, "pruned to 70%, 8 values",
                              with_values<8>(pruned_to(0.7, net, images, epochs, pool, 7 * o.seed), train), test);
        });
}

}  // namespace reproduce
