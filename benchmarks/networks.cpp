// Whole networks, one thread, on every instruction set that this build has. At batch 1 and 256 the student of
// examples/shrink_digits.cpp: with float weights, with int8 weights, as bytes from end to end, and the first two with nine of ten
// weights gone. At batch 1 the small networks, and on the best instruction set two more of digits. Counters: us per sample; limits,
// the share of what the registers and the reads of the weights allow, where it is known.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <pare/pare.hpp>

#include "limits.hpp"
#include "small_networks.hpp"

namespace {

using namespace pare;

auto student() {
    return initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), he_normal{}, seed{1});
}

/// The student with its smallest weights at zero.
auto pruned_student() {
    auto net = student();
    for_each_member(net, [](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            std::vector<float> scores(member.values.size());
            std::transform(member.values.begin(), member.values.end(), scores.begin(), magnitude{});
            unstructured{}.choose(scores, member.rows(), member.columns(), 0.9).apply(member.values.data());
        }
    });
    return net;
}

/// What one sample costs at least.
struct cost {
    double operations = 0.0;  // two per weight that is stored
    std::size_t bytes = 0;    // of weights and biases
};
template <class Model>
cost cost_of(const Model& model) {
    cost sum{0.0, summarize(model).bytes};
    for_each_member(model, [&](const member_path&, const auto& member) {
        if constexpr (requires { member.structure; }) {
            sum.operations += 2.0 * static_cast<double>(member.values.size());
        }
    });
    return sum;
}

template <class Isa, class Model>
void run_network(benchmark::State& state, const Model& model, std::size_t batch, bool exact, bool weights_are_used_once = true) {
    const auto ready = prepare<Isa>(model);
    auto space = workspace_for(ready, batch);
    std::vector<float> x(batch * ready.input_size());
    std::vector<float> y(batch * ready.output_size());
    const random_numbers random(seed{2}, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i);
    }
    // The float kernels give nearly, the others exactly what plain C++ does.
    const auto plain = prepare<isa::scalar>(model);
    auto plain_space = workspace_for(plain, batch);
    std::vector<float> expected(y.size());
    run(plain, x, expected, plain_space);
    run(ready, x, y, space);
    for (std::size_t i = 0; i < y.size(); ++i) {
        if (!(std::abs(y[i] - expected[i]) <= (exact ? 0.0f : 1e-4f))) {
            state.SkipWithError("the outputs differ from those of isa::scalar");
            return;
        }
    }
    for (auto _ : state) {
        run(ready, x, y, space);
        benchmark::ClobberMemory();
    }
    state.counters["us per sample"] = benchmark::Counter(
        static_cast<double>(batch) * 1e-6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    static const double int8_peak = limits::int8_gops(Isa::name), f32_peak = limits::f32_gflops(Isa::name);
    const cost once = cost_of(model);
    const double least =
        limits::least_seconds(once.operations * static_cast<double>(batch), exact ? int8_peak : f32_peak, once.bytes);
    if (least > 0.0 && weights_are_used_once) {
        state.counters["limits"] = benchmark::Counter(least, benchmark::Counter::kIsIterationInvariantRate);
    }
}

/// As bytes from end to end, calibrated with samples like those that it runs on.
template <class Model>
auto calibrated(const Model& model) {
    std::vector<float> samples(64 * model.plan().input_shape().size());
    const random_numbers random(seed{3}, 0);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        samples[i] = random.uniform(i);
    }
    return *quantize_static(model, samples);
}

template <class Isa, bool WeightsAreUsedOnce = true>
void add_small(const char* name, auto model) {
    const auto add = [&](const char* kind, bool exact, auto made) {
        benchmark::RegisterBenchmark(sentence(kind, "_", name, "/", Isa::name, "/batch 1").c_str(), [made, exact](
                                                                                                        benchmark::State& state) {
            run_network<Isa>(state, made, 1, exact, WeightsAreUsedOnce);
        })->Unit(benchmark::kMicrosecond);
    };
    add("float", false, model);
    add("int8", true, *quantize_dynamic(model));
    if constexpr (!std::is_same_v<Isa, isa::dispatch> && WeightsAreUsedOnce) {
        add("int8_static", true, calibrated(model));
    }
}

template <class Isa>
void add_isa() {
    add_small<Isa>("64-64-64-64", networks::mlp());
    add_small<Isa>("48-256-128-12", networks::robot_policy());
    if constexpr (std::is_same_v<Isa, isa::native>) {
        add_small<Isa, false>("lenet5", networks::lenet5());
        add_small<Isa, false>("lstm_of_rows", networks::lstm_of_rows());
    }
    for (const std::size_t batch : {1u, 256u}) {
        const std::string name = sentence("/", Isa::name, "/batch ", batch);
        const auto add = [&](const char* kind, bool exact, auto model) {
            benchmark::RegisterBenchmark((kind + name).c_str(), [model, batch, exact](benchmark::State& state) {
                run_network<Isa>(state, model, batch, exact);
            })->Unit(benchmark::kMicrosecond);
        };
        add("float", false, student());
        add("int8", true, *quantize_dynamic(student()));
        if constexpr (!std::is_same_v<Isa, isa::dispatch>) {
            add("int8_static", true, calibrated(student()));
        }
        add("float_csr_90%", false, *sparsify<csr>(pruned_student()));
        add("int8_csr_90%", true, *quantize_dynamic(sparsify<csr>(pruned_student())));
    }
}

}  // namespace

int main(int argc, char** argv) {
    isa::all::for_each_compiled([](auto isa) { add_isa<decltype(isa)>(); });
    add_isa<isa::dispatch>();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    limits::print_reads();
    benchmark::RunSpecifiedBenchmarks();
}
