// Recurrent layers, one thread, on every instruction set that this build has: an LSTM over the 28 rows of an image and a classifier
// of its last step, as whole sequences and as a stream of steps, with float, bfloat16 and int8 weights; and functions of vectors.

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

#include <pare/pare.hpp>

namespace {

using namespace pare;

constexpr std::size_t steps = 28, inputs = 28, hidden = 128, classes = 10;

template <class Layer>
auto network(Layer layer) {
    return initialized(sequential(input<steps, inputs>(), std::move(layer), last_step(), dense<hidden, classes>()), glorot_normal{},
                       seed{1});
}

std::vector<float> some_inputs(std::size_t n) {
    const random_numbers random(seed{2}, 0);
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = random.uniform(i);
    }
    return x;
}

bool near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!(std::abs(a[i] - b[i]) <= tolerance)) {
            return false;
        }
    }
    return true;
}

void count_time(benchmark::State& state, const char* what, std::size_t items) {
    state.counters[what] = benchmark::Counter(static_cast<double>(items) * 1e-6,
                                              benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Isa, class Model>
void run_sequences(benchmark::State& state, const Model& model, std::size_t batch, float tolerance) {
    const auto ready = prepare<Isa>(model);
    auto space = workspace_for(ready, batch);
    const auto x = some_inputs(batch * steps * inputs);
    std::vector<float> y(batch * classes), expected(batch * classes);
    const auto plain = prepare<isa::scalar>(model);
    auto plain_space = workspace_for(plain, batch);
    run(plain, x, expected, plain_space);
    run(ready, x, y, space);
    if (!near(y, expected, tolerance)) {
        state.SkipWithError("the outputs differ from those of isa::scalar");
        return;
    }
    for (auto _ : state) {
        run(ready, x, y, space);
        benchmark::ClobberMemory();
    }
    count_time(state, "us per sequence", batch);
}

/// One step at a time, all layers included; the last must give what the whole sequence gives.
template <class Isa, class Model>
void run_stream(benchmark::State& state, const Model& model) {
    const auto ready = prepare<Isa>(model);
    auto space = workspace_for(ready, 1);
    const auto x = some_inputs(steps * inputs);
    std::vector<float> y(ready.output_size()), expected(y.size());
    run(ready, x, expected, space);
    stream s(ready);
    for (auto _ : state) {
        for (std::size_t t = 0; t < steps; ++t) {
            step(ready, s, {x.data() + t * inputs, inputs}, y);
        }
        benchmark::ClobberMemory();
    }
    s.reset();
    for (std::size_t t = 0; t < steps; ++t) {
        step(ready, s, {x.data() + t * inputs, inputs}, y);
    }
    if (y != expected) {
        state.SkipWithError("the stream differs from the sequence");
    }
    count_time(state, "us per step", steps);
}

template <class Isa, class F, class Exact>
void run_function(benchmark::State& state, const F& f, const Exact& exact) {
    constexpr std::size_t n = 4096;
    auto x = some_inputs(n);
    std::vector<float> y(n);
    for (float& value : x) {
        value = 16.0f * value - 8.0f;
    }
    kernels::transform<Isa>(n, y.data(), f, x.data());
    for (std::size_t i = 0; i < n; ++i) {
        const double expected = exact(static_cast<double>(x[i]));
        if (!(std::abs(static_cast<double>(y[i]) - expected) <= 1e-6 * std::abs(expected))) {
            state.SkipWithError("the function is wrong");
            return;
        }
    }
    for (auto _ : state) {
        kernels::transform<Isa>(n, y.data(), f, x.data());
        benchmark::ClobberMemory();
    }
    state.counters["ns per number"] = benchmark::Counter(
        static_cast<double>(n) * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Isa>
void add_isa() {
    const std::string isa = sentence("/", Isa::name);
    const auto add = [&](const std::string& name, auto f) {
        benchmark::RegisterBenchmark(name.c_str(), f)->Unit(benchmark::kMicrosecond);
    };
    const auto add_network = [&](const std::string& kind, float tolerance, auto model) {
        for (const std::size_t batch : {1u, 32u}) {
            add(kind + isa + sentence("/batch ", batch),
                [=](benchmark::State& state) { run_sequences<Isa>(state, model, batch, tolerance); });
        }
        add(kind + isa + "/stream", [=](benchmark::State& state) { run_stream<Isa>(state, model); });
    };
    const auto lstm_network = network(lstm<inputs, hidden>());
    add_network("lstm_float", 1e-4f, lstm_network);
    add_network("lstm_bfloat16", 1e-4f, to_bfloat16(lstm_network));
    add_network("lstm_int8", 0.0f, *quantize_dynamic(lstm_network));
    const auto lstm_alone =
        initialized(sequential(input<steps, inputs>(), lstm<inputs, hidden>(), last_step()), glorot_normal{}, seed{1});
    add("lstm_alone_float" + isa + "/stream", [=](benchmark::State& state) { run_stream<Isa>(state, lstm_alone); });
    add("lstm_alone_int8" + isa + "/stream",
        [=, made = *quantize_dynamic(lstm_alone)](benchmark::State& state) { run_stream<Isa>(state, made); });
    add_network("gru_int8", 0.0f, *quantize_dynamic(network(gru<inputs, hidden>())));
    const auto add_function = [&](const char* name, auto f, auto exact) {
        add(name + isa, [=](benchmark::State& state) { run_function<Isa>(state, f, exact); });
    };
    add_function(
        "exp", [](auto x) { return simd::exp<Isa>(x); }, [](double x) { return std::exp(x); });
    add_function(
        "sigmoid", [](auto x) { return simd::sigmoid<Isa>(x); }, [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
    add_function(
        "tanh", [](auto x) { return simd::tanh<Isa>(x); }, [](double x) { return std::tanh(x); });
    add_function(
        "erf", [](auto x) { return simd::erf<Isa>(x); }, [](double x) { return std::erf(x); });
}

}  // namespace

int main(int argc, char** argv) {
    isa::all::for_each_compiled([](auto isa) { add_isa<decltype(isa)>(); });
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    benchmark::RunSpecifiedBenchmarks();
}
