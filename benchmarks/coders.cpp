// Entropy coders on symbols of a known entropy: bytes of symbols per second, and the size beside the bound. Whole archives of
// 784-300-100-10 in several storages: bytes of tensors per second, from the bytes of a file to a model.
//     bench_coders [Google Benchmark options]

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include <pare/compress/huffman.hpp>
#include <pare/compress/rans.hpp>
#include <pare/core/random.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <pare/io/compressed.hpp>
#include <pare/pare.hpp>
#define PARE_BENCHMARK_ARCHIVES 1
#else
#define PARE_BENCHMARK_ARCHIVES 0
#endif

using namespace pare;

namespace {

/// Geometric: half of the symbols are below half_life.
std::vector<std::uint8_t> symbols(double half_life) {
    std::vector<std::uint8_t> s(100'000);
    const random_numbers random(seed{1}, 0);
    for (std::size_t i = 0; i < s.size(); ++i) {
        s[i] = static_cast<std::uint8_t>((std::min)(255.0, -half_life * std::log2(1.0 - static_cast<double>(random.uniform(i)))));
    }
    return s;
}

template <class Coder>
void decode(benchmark::State& state, double half_life) {
    const auto expected = symbols(half_life);
    const auto content = Coder::encode(expected);
    std::vector<std::uint8_t> decoded(expected.size());
    for (auto _ : state) {
        if (Coder::decode(content, decoded)) {
            std::abort();
        }
        benchmark::DoNotOptimize(decoded.data());
    }
    if (decoded != expected) {
        std::abort();
    }
    const double bound = entropy_bits(count_symbols(expected)) / 8.0;
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(expected.size()));
    state.counters["bits per symbol"] = static_cast<double>(content.size()) * 8.0 / static_cast<double>(expected.size());
    state.counters["of entropy"] = static_cast<double>(content.size()) / bound;
}

template <class Coder>
void encode(benchmark::State& state, double half_life) {
    const auto s = symbols(half_life);
    for (auto _ : state) {
        benchmark::DoNotOptimize(Coder::encode(s).data());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(s.size()));
}

#if PARE_BENCHMARK_ARCHIVES

auto network(double kept) {
    auto net =
        initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), he_normal{}, seed{1});
    for_each_member(net, [&](const member_path&, auto& member, const auto&...) {
        if constexpr (requires { member.rows(); }) {
            for (std::size_t i = 0; i < member.values.size(); ++i) {
                member.values[i] *= static_cast<double>(random_numbers(seed{2}, 0).uniform(i)) < kept ? 1.0f : 0.0f;
            }
        }
    });
    return net;
}

template <class Model>
void load(benchmark::State& state, const Model& model) {
    io::state_writer writer;
    io::serialize_members(writer, const_cast<Model&>(model), io::state_names{});
    const auto archive = io::pack(writer.tensors(), writer.metadata());
    Model loaded = model;
    for (auto _ : state) {
        const auto file = io::unpack(archive.content, "archive");
        if (!file || io::fill_members(loaded, *file, {})) {
            std::abort();
        }
    }
    const auto report = io::report_archive(archive.content, "archive");
    io::state_writer again;
    io::serialize_members(again, loaded, io::state_names{});
    if (!report || again.content() != writer.content()) {
        std::abort();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(report->whole.bytes));
    state.counters["bytes"] = static_cast<double>(archive.content.size());
    state.counters["of entropy"] = static_cast<double>(archive.content.size()) / report->whole.entropy_bytes;
    state.counters["unpack MB/s"] = 1e-6 * report->decode_bytes_per_second();
}

void register_archives() {
    const auto add = [](const char* name, const auto& model) {
        benchmark::RegisterBenchmark(name, [&model](benchmark::State& state) { load(state, model); });
    };
    static const auto floats = network(1.0);
    static const auto bytes = *quantize_dynamic(network(0.25));
    static const auto shared = *cluster<16>(network(0.05));
    static const auto sparse = *cluster<16>(sparsify<csr>(network(0.05)));
    add("archive/load/float", floats);
    add("archive/load/qint8, a quarter of the weights", bytes);
    add("archive/load/16 values, 5% of the weights", shared);
    add("archive/load/16 values, 5% of the weights, csr", sparse);
}

#else

void register_archives() {}

#endif

}  // namespace

int main(int argc, char** argv) {
    for (const double half_life : {0.3, 1.0, 4.0, 20.0}) {
        const std::string of = "/half_life:" + std::to_string(half_life).substr(0, 4);
        benchmark::RegisterBenchmark(("rans/decode" + of).c_str(), decode<rans>, half_life);
        benchmark::RegisterBenchmark(("huffman/decode" + of).c_str(), decode<huffman>, half_life);
        benchmark::RegisterBenchmark(("rans/encode" + of).c_str(), encode<rans>, half_life);
        benchmark::RegisterBenchmark(("huffman/encode" + of).c_str(), encode<huffman>, half_life);
    }
    register_archives();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
