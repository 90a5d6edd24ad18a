// Makes a digit classifier small and fast: trains a teacher, distills a student from it, prunes and quantizes the student, and
// prints what each step cost and gained.
//
//   g++ -std=c++20 -O3 -march=native -Iinclude examples/shrink_digits.cpp -o shrink_digits -lz -pthread
//   ./shrink_digits --data directory-of-mnist --json table.json
//
// Without --data the program draws its own digits.

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/pare.hpp>

#include "drawn_digits.hpp"

namespace {

using digits = pare::labeled_data<std::uint8_t, pare::dyn, pare::dyn>;

struct options {
    std::string data;
    std::string json;
    bool quick = false;
    std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
};

struct row {
    std::string name;
    std::size_t errors;
    pare::model_summary size;
    double us_batch1;
    double us_batch256;
};

/// Microseconds per call, the median of some rounds of about five milliseconds each.
template <class Prepared>
double microseconds(const Prepared& model, const digits& data, std::size_t batch) {
    using clock = std::chrono::steady_clock;
    std::vector<std::size_t> indices(batch);
    std::vector<std::int32_t> labels(batch);
    for (std::size_t i = 0; i < batch; ++i) {
        indices[i] = i % data.size();
    }
    pare::tensor<float, pare::dyn, pare::dyn> inputs(batch, model.input_size());
    pare::tensor<float, pare::dyn, pare::dyn> outputs(batch, model.output_size());
    data.fetch(indices, inputs.data(), labels.data());
    auto space = pare::workspace_for(model, batch);
    const auto timed = [&](int calls) {
        const auto start = clock::now();
        for (int i = 0; i < calls; ++i) {
            pare::run(model, inputs, outputs, space);
        }
        return std::chrono::duration<double, std::micro>(clock::now() - start).count() / calls;
    };
    const int calls = 1 + static_cast<int>(5000.0 / (timed(3) + 0.01));
    std::vector<double> rounds;
    for (int i = 0; i < 15; ++i) {
        rounds.push_back(timed(calls));
    }
    std::nth_element(rounds.begin(), rounds.begin() + 7, rounds.end());
    return rounds[7];
}

template <class Model>
row measure(const char* name, const Model& model, const digits& test) {
    const auto ready = pare::prepare<pare::isa::native>(model);
    return {name, *pare::count_errors(ready, test), pare::summarize(model), microseconds(ready, test, 1),
            microseconds(ready, test, 256)};
}

int fail(const pare::error& problem) {
    std::fprintf(stderr, "%s\n", problem.message.c_str());
    return 1;
}

void print(const std::vector<row>& rows, std::size_t test_size, const row& baseline) {
    std::printf("%-20s %8s %8s %11s %9s %9s %11s %11s %9s\n", "", "errors", "of", "parameters", "nonzero", "bytes", "us, batch 1",
                "us, 256", "speed-up");
    for (const row& r : rows) {
        std::printf("%-20s %8zu %8zu %11zu %9zu %9zu %11.2f %11.1f %8.2fx\n", r.name.c_str(), r.errors, test_size,
                    r.size.parameters, r.size.nonzero, r.size.bytes, r.us_batch1, r.us_batch256, baseline.us_batch1 / r.us_batch1);
    }
    std::printf("speed-up: at batch 1, over %s\n", baseline.name.c_str());
}

int shrink(const options& o) {
    using namespace pare;
    thread_pool pool(o.threads);

    const auto load = [&](const char* part, std::uint64_t first, std::size_t count) {
        return o.data.empty() ? drawn_digits::make(seed{7}, first, count, pool)
                              : io::load_mnist(o.data, part, [](const std::string& path) { return io::read_gzip_file(path); });
    };
    const auto train = load("train", 0, o.quick ? 10000 : 60000);
    if (!train) {
        return fail(train.error());
    }
    const auto test = load("t10k", 1000000, o.quick ? 2000 : 10000);
    if (!test) {
        return fail(test.error());
    }

    if (train->sample_shape() != test->sample_shape()) {
        return fail({error_code::malformed,
                     sentence(o.data, ": expected training and test images of the same size, found ", train->sample_shape()[0],
                              " x ", train->sample_shape()[1], " and ", test->sample_shape()[0], " x ", test->sample_shape()[1])});
    }
    std::ofstream json;
    if (!o.json.empty()) {
        json.open(o.json);
        if (!json) {
            return fail({error_code::not_found, sentence(o.json, ": expected a file that can be written")});
        }
    }

    // Most epochs at Adam's own rate, the last ones at a tenth of it.
    const fit_options teaching = {.epochs = o.quick ? 4u : 16u, .batch_size = 128};
    const fit_options learning = {.epochs = 16, .batch_size = 128};
    const fit_options settling = {.epochs = o.quick ? 2u : 6u, .batch_size = 128, .shuffle_seed = seed{1}};
    const adam fast = {.learning_rate = 1e-3f};
    const adam slow = {.learning_rate = 1e-4f};

    auto teacher =
        initialized(sequential(dense<784, 1200>(), relu(), dense<1200, 1200>(), relu(), dense<1200, 10>()), he_normal{}, seed{1});
    auto scratch =
        initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), he_normal{}, seed{2});
    const auto student = scratch;

    const auto train_alone = [&](auto& model, const fit_options& first, const char* title) {
        auto report = fit(model, *train, cross_entropy{}, fast, first, pool, progress_bar(title));
        return report ? fit(model, *train, cross_entropy{}, slow, settling, pool, progress_bar(title)) : report;
    };
    if (auto report = train_alone(teacher, teaching, "teacher"); !report) {
        return fail(report.error());
    }
    if (auto report = train_alone(scratch, learning, "student from scratch"); !report) {
        return fail(report.error());
    }
    const soft_targets targets = {.temperature = 8, .hard_weight = 0.1f};
    const auto distilled =
        distill(distill(student, teacher, *train, targets, fast, learning, pool, progress_bar("student distilled")), teacher,
                *train, targets, slow, settling, pool, progress_bar("student distilled"));
    // Pruned with the teacher still looking on: its outputs say more than the labels.
    const auto loss = distillation_loss::make(teacher, *train, targets, pool);
    if (!loss) {
        return fail(loss.error());
    }
    const auto steps = static_cast<std::int64_t>((train->size() + 127) / 128 * learning.epochs);
    const auto in_training = prune(distilled, *train, *loss, adam{.learning_rate = 5e-4f}, magnitude{}, unstructured{},
                                   polynomial_decay{.final_sparsity = 0.9, .end_step = steps / 2, .frequency = 50}, learning, pool,
                                   progress_bar("student pruned"));
    const auto pruned = sparsify(freeze(in_training));
    const auto int8 = quantize_dynamic(distilled);
    const auto pruned_int8 = quantize_dynamic(pruned);
    if (!pruned_int8) {
        return fail(pruned_int8.error());
    }
    if (!int8) {
        return fail(int8.error());
    }

    std::vector<row> rows;
    rows.push_back(measure("teacher", teacher, *test));
    rows.push_back(measure("student_scratch", scratch, *test));
    rows.push_back(measure("student_distilled", *distilled, *test));
    rows.push_back(measure("student_pruned", *pruned, *test));
    rows.push_back(measure("student_int8", *int8, *test));
    rows.push_back(measure("student_pruned_int8", *pruned_int8, *test));
    print(rows, test->size(), rows[2]);
    if (const auto report = compare_models(*distilled, *int8, *test)) {
        std::printf("\nstudent_int8 against student_distilled\n%s", describe(*report).c_str());
    }
    std::printf("\nstudent_int8 runs as\n%s", describe(prepare<isa::native>(*int8)).c_str());
    std::printf("student_pruned_int8 runs as\n%s", describe(prepare<isa::native>(*pruned_int8)).c_str());

    if (!o.json.empty()) {
        nlohmann::json table = {
            {"dataset", o.data.empty() ? "drawn digits" : "MNIST"}, {"isa", isa::native::name}, {"threads", o.threads}};
        for (const row& r : rows) {
            table["rows"].push_back({{"name", r.name},
                                     {"errors", r.errors},
                                     {"test_size", test->size()},
                                     {"parameters", r.size.parameters},
                                     {"nonzero", r.size.nonzero},
                                     {"bytes", r.size.bytes},
                                     {"us_batch1", r.us_batch1},
                                     {"us_batch256", r.us_batch256}});
        }
        json << table.dump(2) << std::endl;
        if (!json) {
            return fail({error_code::not_found, sentence(o.json, ": expected room for the table")});
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    options o;
    CLI::App app("Trains, distills, prunes and quantizes a digit classifier, and prints what each step cost and gained.");
    app.add_option("--data", o.data, "directory of the MNIST files, plain or gzip'd; without it the program draws digits");
    app.add_option("--json", o.json, "file for the table");
    app.add_option("--threads", o.threads, "threads for training")->check(CLI::Range(1, 1024));
    app.add_flag("--quick", o.quick, "less data and fewer epochs: about 20 seconds");
    CLI11_PARSE(app, argc, argv);
    return shrink(o);
}
