// Matrix products of the shapes that networks have, on every instruction set that this build has: int8 into int32, the whole
// dynamic linear layer (quantize, multiply, dequantize, add bias), and float. Each is compared with the plain loops before it is
// timed. Counters, per second: Gop, 10^9 operations, two per multiply-add; limits, the same as a share of what the registers, and
// the reads of the weights, can do on this machine, which is measured first.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <pare/kernels/conv.hpp>
#include <pare/kernels/packed_full.hpp>
#include <pare/kernels/packed_groups.hpp>
#include <pare/kernels/reference.hpp>

#include "limits.hpp"
#include "problem.hpp"

namespace {

using namespace pare;

using namespace products;

void report(benchmark::State& state, shape s, double peak, std::size_t bytes) {
    const double operations = 2.0 * static_cast<double>(s.m * s.n * s.k);
    state.counters["Gop"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
    if (const double least = limits::least_seconds(operations, peak, bytes); least > 0.0) {
        state.counters["limits"] = benchmark::Counter(least, benchmark::Counter::kIsIterationInvariantRate);
    }
}

template <class Isa>
double int8_peak() {
    static const double peak = limits::int8_gops(Isa::name);
    return peak;
}
template <class Isa>
double f32_peak() {
    static const double peak = limits::f32_gflops(Isa::name);
    return peak;
}

template <class Isa>
void u8s8(benchmark::State& state, shape s) {
    using kernel = kernels::gemm_int8_kernel<Isa>;
    problem p(s);
    aligned_array<std::uint8_t> a(s.m * s.k);
    aligned_array<std::int8_t> data(kernel::packed_size(s.n, s.k));
    aligned_array<std::int32_t> sums(kernel::layout::padded(s.n)), c(s.m * s.n);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<std::uint8_t>(i * 7919 >> 3);
    }
    const auto packed = kernel::pack(p.wq.values.data(), s.n, s.k, data.data(), sums.data());
    serial_executor serial;
    const kernels::epilogue<std::int32_t> store(c.data(), s.n);
    kernels::gemm_int8<Isa>(serial, s.m, a.data(), s.k, packed, store);
    const std::size_t rows = p.checked_rows();
    std::vector<std::int32_t> expected(rows * s.n);
    kernels::reference::multiply<std::int32_t>(matrix_view<const std::uint8_t>(a.data(), rows, s.k),
                                               matrix_view<const std::int8_t>(p.wq.values.data(), s.n, s.k),
                                               matrix_view<std::int32_t>(expected.data(), rows, s.n));
    require(std::equal(expected.begin(), expected.end(), c.begin()), "gemm_int8", s);
    for (auto _ : state) {
        kernels::gemm_int8<Isa>(serial, s.m, a.data(), s.k, packed, store);
        benchmark::ClobberMemory();
    }
    report(state, s, int8_peak<Isa>(), s.n * s.k);
}

/// A 3x3 convolution of 56x56 pixels, 64 channels to 64: as many operations as the product 3136x64x576. With `pad`, the image is
/// also copied into its border each time.
template <class Isa>
void conv(benchmark::State& state, bool pad) {
    const kernels::convolution s = {56, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1};
    std::vector<std::uint8_t> x(56 * 56 * 64);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<std::uint8_t>(i * 7919 >> 3);
    }
    std::vector<std::int8_t> w(64 * 576);
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(static_cast<int>(i * 31 % 255) - 127);
    }
    aligned_array<std::uint8_t> image(s.padded_size() + kernels::conv2d_int8_slack<Isa>);
    aligned_array<std::int32_t> y(s.output_pixels() * s.outputs);
    const auto copy = [&] {
        kernels::pad_image(s, x.data(), std::uint8_t{9}, image.data(),
                           [](const std::uint8_t* from, std::size_t n, std::uint8_t* to) { std::memcpy(to, from, n); });
    };
    copy();
    using kernel = kernels::conv2d_int8_kernel<Isa>;
    aligned_array<std::int8_t> data(kernel::packed_size(s));
    aligned_array<std::int32_t> sums(kernel::column_sums_size(s));
    const auto weights = kernel::pack(w.data(), s, data.data(), sums.data());
    serial_executor serial;
    const kernels::epilogue<std::int32_t> store(y.data(), s.outputs);
    kernels::conv2d_int8<Isa>(serial, s, image.data(), weights, store);
    std::vector<std::int32_t> expected(y.size());
    kernels::reference::convolve<std::int32_t>(s, x.data(), std::uint8_t{9}, w.data(), expected.data());
    require(std::equal(expected.begin(), expected.end(), y.begin()), "conv2d_int8", {3136, 64, 576});
    for (auto _ : state) {
        if (pad) {
            copy();
        }
        kernels::conv2d_int8<Isa>(serial, s, image.data(), weights, store);
        benchmark::ClobberMemory();
    }
    report(state, {3136, 64, 576}, int8_peak<Isa>(), w.size());
}

/// A linear layer, weights packed before, bias added.
template <class Isa, class Element, class Activations>
void linear(benchmark::State& state, shape s) {
    problem p(s);
    const auto& weights = [&]() -> decltype(auto) {
        if constexpr (std::is_same_v<Element, float>) {
            return (p.w);
        } else if constexpr (std::is_same_v<Element, qint8>) {
            return (p.wq);
        } else if constexpr (std::is_same_v<Element, codebook<16>>) {
            weight_matrix<Element, full> shared(s.n, s.k);
            for (std::size_t i = 0; i < 16; ++i) {
                shared.scales[i] = (static_cast<float>(i) - 7.5f) / 8.0f;
            }
            for (std::size_t i = 0; i < shared.values.size(); ++i) {
                shared.values[i] = static_cast<std::uint8_t>((p.w.values[i] + 1.0f) * 7.99f);
            }
            return shared;
        } else {
            auto in_groups = *quantize_weights_in_groups<Element>(p.w);
            return in_groups;
        }
    }();
    const packed<weight_matrix<Element, full>, Isa> packed_weights(weights);
    workspace space(packed_weights.scratch_bytes(Activations{}, s.m, s.n, s.k));
    serial_executor serial;
    context<Isa, serial_executor> ctx{serial, space.scratch()};
    const matrix_view<const float> x(p.x.data(), s.m, s.k);
    const matrix_view<float> y(p.y.data(), s.m, s.n);
    const auto run = [&] { packed_weights.multiply(Activations{}, ctx, x, y, kernels::add_bias{p.bias.data()}); };
    run();
    for (std::size_t i = 0; i < p.checked_rows(); ++i) {
        for (std::size_t j = 0; j < s.n; ++j) {
            double sum = static_cast<double>(p.bias[j]);
            for (std::size_t k = 0; k < s.k; ++k) {
                sum += static_cast<double>(x(i, k)) * static_cast<double>(weights.real(j, j * s.k + k));
            }
            // bytes: each activation is off by at most half of 2 / 255
            const double bound = std::is_same_v<Activations, as_float> ? 1e-5 * std::sqrt(static_cast<double>(s.k))
                                                                       : 0.02 * std::sqrt(static_cast<double>(s.k));
            require(std::abs(sum - static_cast<double>(y(i, j))) <= bound, "linear", s);
        }
    }
    for (auto _ : state) {
        run();
        benchmark::ClobberMemory();
    }
    report(state, s, std::is_same_v<Activations, as_float> ? f32_peak<Isa>() : int8_peak<Isa>(), packed_weights.bytes());
}

template <class Isa>
void add_isa() {
    const std::string image = sentence("/", Isa::name, "/56x56x64 to 64");
    benchmark::RegisterBenchmark(("conv3x3_u8s8" + image).c_str(), conv<Isa>, false);
    benchmark::RegisterBenchmark(("conv3x3_u8s8_and_border" + image).c_str(), conv<Isa>, true);
    for (const shape s : shapes) {
        const std::string size = sentence("/", Isa::name, "/", s.m, "x", s.n, "x", s.k);
        benchmark::RegisterBenchmark(("u8s8" + size).c_str(), u8s8<Isa>, s);
        benchmark::RegisterBenchmark(("dynamic_linear" + size).c_str(), linear<Isa, qint8, dynamic_range>, s);
        benchmark::RegisterBenchmark(("dynamic_linear_qint4" + size).c_str(), linear<Isa, qint4<64>, dynamic_range>, s);
        benchmark::RegisterBenchmark(("dynamic_linear_qint4_float16" + size).c_str(),
                                     linear<Isa, qint4<64, float16>, dynamic_range>, s);
        benchmark::RegisterBenchmark(("weights_only_qint4" + size).c_str(), linear<Isa, qint4<64>, as_float>, s);
        benchmark::RegisterBenchmark(("codebook_16" + size).c_str(), linear<Isa, codebook<16>, as_float>, s);
        benchmark::RegisterBenchmark(("f32_linear" + size).c_str(), linear<Isa, float, as_float>, s);
    }
}

}  // namespace

int main(int argc, char** argv) {
    isa::all::for_each_compiled([](auto isa) { add_isa<decltype(isa)>(); });
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    isa::all::for_each_compiled([](auto isa) {
        std::printf("limit on %-12s int8 %6.1f Gop/s, float %6.1f Gop/s\n", isa.name, int8_peak<decltype(isa)>(),
                    f32_peak<decltype(isa)>());
    });
    limits::print_reads();
    benchmark::RunSpecifiedBenchmarks();
}
