// Whole networks at batch 1 and 256, one thread, on every instruction set that this build has: the student of
// examples/shrink_digits.cpp with float weights, with int8 weights, and both with nine of ten weights gone.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <pare/pare.hpp>

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

template <class Isa, class Model>
void run_network(benchmark::State& state, const Model& model, std::size_t batch, bool exact) {
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
}

template <class Isa>
void add_isa() {
    for (const std::size_t batch : {1u, 256u}) {
        const std::string name = sentence("/", Isa::name, "/batch ", batch);
        const auto add = [&](const char* kind, bool exact, auto model) {
            benchmark::RegisterBenchmark((kind + name).c_str(), [model, batch, exact](benchmark::State& state) {
                run_network<Isa>(state, model, batch, exact);
            })->Unit(benchmark::kMicrosecond);
        };
        add("float", false, student());
        add("int8", true, *quantize_dynamic(student()));
        add("float_csr_90%", false, *sparsify(pruned_student()));
        add("int8_csr_90%", true, *quantize_dynamic(sparsify(pruned_student())));
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
    benchmark::RunSpecifiedBenchmarks();
}
