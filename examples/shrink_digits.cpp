// Makes a digit classifier small and fast: trains a teacher, distills a student from it, prunes and quantizes the student, and
// prints what each step cost and gained; with --report, also as a page with charts.
//
//   g++ -std=c++20 -O3 -march=native -Iinclude examples/shrink_digits.cpp -o shrink_digits -lz -pthread
//   ./shrink_digits --data directory-of-mnist --json table.json --report report.html
//
// Without --data the program draws its own digits.

#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/io/energy_counters.hpp>
#include <pare/io/gzip.hpp>
#include <pare/io/idx.hpp>
#include <pare/pare.hpp>
#include <pare/report.hpp>

#include "drawn_digits.hpp"

namespace {

using digits = pare::labeled_data<std::uint8_t, pare::dyn, pare::dyn>;

struct options {
    std::string data;
    std::string json;
    std::string report;
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

using energy_counters = pare::result<pare::io::energy_counters>;

/// What one call took.
struct cost {
    double microseconds;                  // the median of some rounds of about five milliseconds each
    std::optional<double> microjoules{};  // the mean of them, of the whole machine; where it has counters
};

template <class Prepared>
cost measure_run(const Prepared& model, const digits& data, std::size_t batch, const energy_counters& counters) {
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
    const auto before = pare::and_then(counters, [](const auto& c) { return c.read(); });
    for (int i = 0; i < 15; ++i) {
        rounds.push_back(timed(calls));
    }
    cost one{};
    if (before) {
        if (const auto uj = counters->since(*before)) {
            one.microjoules = static_cast<double>(*uj) / (15.0 * calls);
        }
    }
    std::nth_element(rounds.begin(), rounds.begin() + 7, rounds.end());
    one.microseconds = rounds[7];
    return one;
}

/// A row of the table, and the same model in the report.
template <class Model>
row measure(pare::model_report& report, const char* name, const char* made_from, const Model& model, const digits& test,
            const energy_counters& counters) {
    const auto ready = pare::prepare<pare::isa::native>(model);
    const std::size_t errors = *pare::count_errors(ready, test);
    const cost one = measure_run(ready, test, 1, counters), many = measure_run(ready, test, 256, counters);
    report.models.push_back({name, made_from, errors, one.microseconds, pare::costs_of(model), one.microjoules});
    return {name, errors, pare::summarize(model), one.microseconds, many.microseconds};
}

int fail(const pare::error& problem) {
    std::fprintf(stderr, "%s\n", problem.message.c_str());
    return 1;
}

void print_energy(const pare::model_report& report) {
    std::printf("\nenergy of a run at batch 1: %s\n", report.energy_note.c_str());
    for (const pare::reported_model& m : report.models) {
        const auto e = pare::estimate_energy(m.costs);
        std::printf("%-20s estimated %9.2f uJ (arithmetic %.2f, memory %.2f: %s)", m.name.c_str(), 1e-6 * e.total_pj(),
                    1e-6 * e.arithmetic_pj, 1e-6 * (e.weights_pj + e.activations_pj), e.memory);
        std::printf(m.measured_uj ? ", measured %.1f uJ\n" : "\n", m.measured_uj.value_or(0.0));
    }
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

    if (!o.report.empty()) {
        if (const auto problem = io::write_file(o.report, {})) {  // now, not when all is trained
            return fail(*problem);
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
    const auto loss = distillation_loss<>::make(teacher, *train, targets, pool);
    if (!loss) {
        return fail(loss.error());
    }
    const auto steps = static_cast<std::int64_t>((train->size() + 127) / 128 * learning.epochs);
    const auto in_training = prune(distilled, *train, *loss, adam{.learning_rate = 5e-4f}, magnitude{}, unstructured{},
                                   polynomial_decay{.final_sparsity = 0.9, .end_step = steps / 2, .frequency = 50}, learning, pool,
                                   progress_bar("student pruned"));
    const auto frozen = freeze(in_training);
    const auto pruned = sparsify<csr>(frozen);  // the smallest; sparsify(frozen) chooses the fastest layout for each layer
    const auto int8 = quantize_dynamic(distilled);
    const auto frozen_int8 = quantize_dynamic(frozen);
    const auto pruned_int8 = sparsify<csr>(frozen_int8);
    if (!pruned_int8) {
        return fail(pruned_int8.error());
    }
    if (!int8) {
        return fail(int8.error());
    }

    const auto counters = io::energy_counters::open();
    model_report report{sentence("A digit classifier made small: ", o.data.empty() ? "drawn digits" : "MNIST"),
                        sentence("A teacher of 784-1200-1200-10 and students of 784-300-100-10, trained on ", train->size(),
                                 " images. Run on ", isa::native::name, " by one thread; times are medians."),
                        test->size(),
                        counters ? sentence("Measured by the counters of the machine's packages: ", counters->packages(),
                                            ", with all that runs on them.")
                                 : sentence("Not measured: ", counters.error().message, "."),
                        {}};
    std::vector<row> rows;
    const auto add = [&](const char* name, const char* made_from, const auto& model) {
        rows.push_back(measure(report, name, made_from, model, *test, counters));
    };
    add("teacher", "", teacher);
    add("student_scratch", "", scratch);
    add("student_distilled", "", *distilled);
    add("student_pruned", "student_distilled", *pruned);
    add("student_int8", "student_distilled", *int8);
    add("student_pruned_int8", "student_distilled", *pruned_int8);
    print(rows, test->size(), rows[2]);
    print_energy(report);
    if (const auto comparison = compare_models(*distilled, *int8, *test)) {
        std::printf("\nstudent_int8 against student_distilled\n%s", describe(*comparison).c_str());
    }
    std::printf("\nstudent_int8 runs as\n%s", describe(prepare<isa::native>(*int8)).c_str());
    std::printf("student_pruned_int8 runs as\n%s", describe(prepare<isa::native>(*pruned_int8)).c_str());
    std::printf("because: %s", describe(predict_layouts(*frozen_int8)).c_str());

    if (!o.json.empty()) {
        nlohmann::json table = {
            {"dataset", o.data.empty() ? "drawn digits" : "MNIST"}, {"isa", isa::native::name}, {"threads", o.threads}};
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const row& r = rows[i];
            table["rows"].push_back({{"name", r.name},
                                     {"errors", r.errors},
                                     {"test_size", test->size()},
                                     {"parameters", r.size.parameters},
                                     {"nonzero", r.size.nonzero},
                                     {"bytes", r.size.bytes},
                                     {"us_batch1", r.us_batch1},
                                     {"us_batch256", r.us_batch256},
                                     {"uj_batch1_estimated", 1e-6 * estimate_energy(report.models[i].costs).total_pj()}});
            if (report.models[i].measured_uj) {
                table["rows"].back()["uj_batch1_measured"] = *report.models[i].measured_uj;
            }
        }
        json << table.dump(2) << std::endl;
        if (!json) {
            return fail({error_code::not_found, sentence(o.json, ": expected room for the table")});
        }
    }
    if (!o.report.empty()) {
        const std::string html = to_html(report);
        if (const auto problem = io::write_file(o.report, io::bytes(html.begin(), html.end()))) {
            return fail(*problem);
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
    app.add_option("--report", o.report, "file for a page with tables and charts (HTML)");
    app.add_option("--threads", o.threads, "threads for training")->check(CLI::Range(1, 1024));
    app.add_flag("--quick", o.quick, "less data and fewer epochs: about 20 seconds");
    CLI11_PARSE(app, argc, argv);
    return shrink(o);
}
