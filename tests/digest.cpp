// Prints a line per integer path of the library: a name and a hash of what it computes. The lines must be equal for every
// instruction set, compiler, flag and number of threads.

#include <bit>
#include <cstdio>
#include <cstring>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/depthwise.hpp>
#include <pare/kernels/quantized_pool.hpp>
#include <pare/kernels/quantized_rows.hpp>
#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize.hpp>

#include "test_isa.hpp"

using namespace pare;

namespace {

/// FNV-1a over the bytes of some numbers.
template <class T>
void print(const char* name, const T* values, std::size_t n) {
    std::vector<unsigned char> bytes(n * sizeof(T));
    std::memcpy(bytes.data(), values, bytes.size());
    std::uint64_t hash = 14695981039346656037u;
    for (const unsigned char b : bytes) {
        hash = (hash ^ b) * 1099511628211u;
    }
    std::printf("%-40s %016llx\n", name, static_cast<unsigned long long>(hash));
}

/// Uniform numbers are exact in float and need no function of the C library.
std::vector<float> numbers(std::size_t n, std::uint64_t stream, float low, float high) {
    const random_numbers random(seed{2024}, stream);
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = static_cast<float>(static_cast<int>(random.below(i, 1u << 20)) - (1 << 19)) * (high - low) * 0x1p-20f +
               (low + high) * 0.5f;
    }
    return x;
}

template <class Q>
void digest_tensor(const char* name, granularity g) {
    auto x = numbers(37 * 113, 1, -3.0f, 5.0f);
    x[5] = std::bit_cast<float>(0x7f800000u);
    x[500] = -1e30f;
    x[1000] = std::bit_cast<float>(0x7fc00000u);
    for (std::size_t i = 113 * 20; i < 113 * 21; ++i) {
        x[i] = 0.0f;
    }
    const auto q = quantize<Q, dialect::pare, test_isa>(tensor_view<const float, dyn, 113>(x.data(), 37), g);
    print(name, q.values.data(), q.values.size());
    std::vector<float> scales;
    for (const auto& p : q.parameters) {
        scales.push_back(p.scale);
        scales.push_back(static_cast<float>(p.zero_point));
    }
    print((std::string(name) + " parameters").c_str(), scales.data(), scales.size());
}

template <class A>
void digest_gemm(const char* name, std::size_t m, std::size_t n, std::size_t k, int smallest_weight) {
    const random_numbers random(seed{2025}, m * n * k);
    std::vector<A> a(m * k);
    std::vector<std::int8_t> w(n * k);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<A>(random.words(i)[0]);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(smallest_weight +
                                        static_cast<int>(random.words(i)[1] % static_cast<unsigned>(128 - smallest_weight)));
    }
    using kernel = kernels::gemm_int8_kernel<test_isa>;
    aligned_array<std::int8_t> data(kernel::packed_size(n, k));
    aligned_array<std::int32_t> sums(kernel::layout::padded(n));
    const auto packed = kernel::pack(w.data(), n, k, data.data(), sums.data());
    std::vector<std::int32_t> c(m * n);
    serial_executor serial;
    kernels::gemm_int8<test_isa>(serial, m, a.data(), k, packed, kernels::epilogue<std::int32_t>(c.data(), n));
    print(name, c.data(), c.size());
}

template <class A>
void digest_convolution(const char* name, const kernels::convolution& s) {
    const random_numbers random(seed{2026}, s.outputs);
    std::vector<A> x(s.height * s.width * s.channels);
    std::vector<std::int8_t> w(s.outputs * s.kernel_size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<A>(random.words(i)[0]);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(random.words(i)[1]);
    }
    std::vector<std::int32_t> y(s.output_pixels() * s.outputs);
    const kernels::epilogue<std::int32_t> store(y.data(), s.outputs);
    serial_executor serial;
    if (s.groups == s.channels) {
        using kernel = kernels::depthwise_kernel<test_isa, std::int8_t>;
        aligned_array<std::int8_t> data(kernel::packed_size(s));
        aligned_array<std::int32_t> sums(kernel::column_sums_size(s));
        const auto packed = kernel::pack(w.data(), s, data.data(), sums.data());
        kernels::depthwise_int8<test_isa>(serial, s, x.data(), A{99}, packed, store);
    } else {
        using kernel = kernels::conv2d_int8_kernel<test_isa>;
        aligned_array<std::int8_t> data(kernel::packed_size(s));
        aligned_array<std::int32_t> sums(kernel::column_sums_size(s));
        const auto packed = kernel::pack(w.data(), s, data.data(), sums.data());
        std::vector<A> padded(s.padded_size() + kernels::conv2d_int8_slack<test_isa>);
        kernels::pad_image(s, x.data(), A{99}, padded.data(),
                           [](const A* from, std::size_t count, A* to) { std::copy(from, from + count, to); });
        kernels::conv2d_int8<test_isa>(serial, s, padded.data(), packed, store);
    }
    print(name, y.data(), y.size());
}

/// Rows of quantized tables as floats.
void digest_tables() {
    const random_numbers random(seed{2031}, 0);
    std::vector<std::uint8_t> codes(1001);
    for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<std::uint8_t>(random.words(i)[0]);
    }
    std::vector<float> row(codes.size());
    serial_executor serial;
    for (const std::size_t bits : {4u, 8u}) {
        kernels::dequantize_row_operation::run<test_isa>(
            serial, kernels::table_row{codes.data(), row.size(), bits, 0.0123456f, -1.3579f}, row.data());
        print(bits == 4 ? "row of a table, 4 bits" : "row of a table, 8 bits", row.data(), row.size());
    }
}

/// What lies between the products of a network of bytes.
void digest_bytes() {
    using kernels::byte_output;
    constexpr std::size_t n = 5000;
    std::vector<std::uint8_t> a(n), b(n), y(n);
    const random_numbers random(seed{2027}, 0);
    for (std::size_t i = 0; i < n; ++i) {
        a[i] = static_cast<std::uint8_t>(random.words(i)[0]);
        b[i] = static_cast<std::uint8_t>(random.words(i)[1]);
    }
    const quantization qa{0.031f, 3}, qb{0.017f, 200};
    const auto out = byte_output::of<std::uint8_t>({0.04f, 9});
    kernels::add_bytes{qa, qb, out}.apply<test_isa>(n, y.data(), a.data(), b.data());
    print("sum of bytes", y.data(), n);
    kernels::requantize_bytes{qa, out}.apply<test_isa>(n, y.data(), a.data());
    print("bytes at another scale", y.data(), n);
    kernels::make_table<std::uint8_t, std::uint8_t>(kernels::gelu_function{}, qb, out).apply<test_isa>(n, y.data(), a.data());
    print("table of bytes", y.data(), n);
    kernels::softmax_bytes(0.031f).apply<test_isa>(n, y.data(), a.data());
    print("softmax of bytes", y.data(), n);
    const auto weight = numbers(n, 60, -1.0f, 2.0f), bias = numbers(n, 61, -1.0f, 1.0f);
    kernels::layer_norm_bytes{weight.data(), bias.data(), 1e-5f, 0.031f, out}.apply<test_isa>(n, y.data(), a.data());
    print("layer norm of bytes", y.data(), n);
    const kernels::convolution s{10, 10, 50, 50, 3, 3, 1, 2, 1, 1, 1, 1, 1};
    kernels::max_pool_bytes<test_isa>(s, a.data(), y.data());
    print("max pool of bytes", y.data(), s.output_pixels() * s.channels);
    kernels::average_pool_bytes<test_isa>(s, qa, out, a.data(), y.data());
    print("average pool of bytes", y.data(), s.output_pixels() * s.channels);
}

auto network() {
    auto net = sequential(dense<113, 300>(), relu(), dense<300, 70>(), relu(), dense<70, 10>());
    std::uint64_t stream = 10;
    for_each_member(net, [&](const member_path&, auto& member) {
        const auto values = trainable_values(member);
        const auto random = numbers(values.size(), stream++, -0.2f, 0.2f);
        std::copy(random.begin(), random.end(), values.begin());
    });
    return net;
}

/// The same with the weights below a threshold at zero.
auto thinned() {
    auto net = network();
    for_each_member(net, [](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            for (float& w : member.values) {
                w = w < 0.12f ? 0.0f : w;
            }
        }
    });
    return net;
}

/// A function of vectors on every 65521st number that is not so small that results are denormal, which hosts may flush.
template <class F>
void digest_function(const char* name, const F& f) {
    using V = simd::ops<test_isa>;
    std::vector<std::int32_t> results;
    for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 65521) {
        if ((bits & 0x7f800000u) > 0x08000000u) {
            alignas(64) std::int32_t lane[V::lanes];
            V::store(lane, V::bits(f(V::from_bits(V::set(static_cast<std::int32_t>(bits))))));
            results.push_back(lane[V::lanes - 1]);
        }
    }
    print(name, results.data(), results.size());
}

template <class Model, class Executor>
void digest_network(const char* name, const Model& model, std::size_t batch, Executor& executor) {
    const auto ready = prepare<test_isa>(model);
    auto space = workspace_for(ready, batch);
    const auto x = numbers(batch * 113, 30, -1.0f, 4.0f);
    std::vector<float> y(batch * 10);
    run(ready, x, y, space, executor);
    print(name, y.data(), y.size());
}

/// The layer with weights of qint8, made from random ones, that takes bytes of a given range.
template <class Layer>
auto with_bytes(Layer layer, quantization input, std::uint64_t stream) {
    const auto bias = numbers(layer.bias.size(), stream, -1.0f, 1.0f);
    std::copy(bias.begin(), bias.end(), layer.bias.begin());
    const auto values = numbers(layer.weights.values.size(), stream + 1, -0.3f, 0.3f);
    std::copy(values.begin(), values.end(), layer.weights.values.begin());
    return layer.map_weights([&](const member_path&, const auto& w, as_float, const auto&...) {
        return mapped_weights<weight_matrix<qint8, full>, static_range>{*quantize_weights(w, granularity::per_channel), {input}};
    });
}

/// Networks of bytes from end to end.
void digest_static_networks(thread_pool& pool) {
    serial_executor serial;
    const auto network = sequential(with_bytes(dense<dyn, dyn>(113, 300), {0.02f, 50}, 70), relu(),
                                    with_bytes(dense<dyn, dyn>(300, 70), {0.06f, 0}, 73), tanh(),
                                    with_bytes(dense<dyn, dyn>(70, 10), {0.0079f, 128}, 76));
    digest_network("static network, batch 1", network, 1, serial);
    digest_network("static network, batch 250", network, 250, pool);

    using conv = conv2d<dyn, dyn, dyn>;
    const quantized_values inside{{{0.04f, 120}}}, behind{{{0.05f, 110}}};
    const auto images = prepare<test_isa>(sequential(
        input<dyn, dyn, dyn>(13, 11, 3), with_bytes(conv(3, 16, 3, {.padding = 1}), {0.02f, 50}, 80), relu(), max_pool2d<dyn>(2),
        behind, residual(sequential(with_bytes(conv(16, 16, 3, {.padding = 1, .groups = 16}), {0.05f, 110}, 83), silu(), inside)),
        behind, gelu(), with_bytes(conv(16, 10, 1), {0.03f, 20}, 86)));
    auto space = workspace_for(images, 9);
    std::vector<float> y(9 * 6 * 5 * 10);
    run(images, numbers(9 * 13 * 11 * 3, 90, -1.0f, 4.0f), y, space, pool);
    print("static network of images", y.data(), y.size());
}

/// Recurrent layers of bytes: products, and gates with functions of their own.
template <class Executor>
void digest_sequences(const char* name, std::size_t batch, Executor& executor) {
    constexpr recurrent_options both_ways{.bidirectional = true};
    auto net = sequential(input<9, 20>(), lstm<20, 37, both_ways>(), gru<74, 30>(), rnn<30, 8>());
    std::uint64_t stream = 40;
    for_each_member(net, [&](const member_path&, auto& member) {
        const auto values = trainable_values(member);
        const auto random = numbers(values.size(), stream++, -0.4f, 0.4f);
        std::copy(random.begin(), random.end(), values.begin());
    });
    const auto ready = prepare<test_isa>(*quantize_dynamic(net));
    auto space = workspace_for(ready, batch);
    const auto x = numbers(batch * 9 * 20, 50, -1.0f, 4.0f);
    std::vector<float> y(batch * 9 * 8);
    run(ready, x, y, space, executor);
    print(name, y.data(), y.size());
}

/// Blocks of ggml, and their product.
template <class Block>
void digest_block(const char* name) {
    weight_matrix<float, full> w(20, 512);
    const auto values = numbers(w.values.size(), 40, -1.0f, 1.5f);
    std::copy(values.begin(), values.end(), w.values.begin());
    const auto blocks = *quantize_weights_to_blocks<Block>(w);
    print(name, blocks.values.data(), blocks.values.size());
    const auto ready = prepare<test_isa>(dense<512, 20, weight_matrix<Block, full>, dynamic_range>(blocks, tensor<float, 20>()));
    auto space = workspace_for(ready, 5);
    std::vector<float> y(5 * 20);
    run(ready, numbers(5 * 512, 41, -1.0f, 4.0f), y, space);
    print((std::string(name) + ", product").c_str(), y.data(), y.size());
}
void digest_blocks() {
    digest_block<ggml::q8_0>("blocks q8_0");
    digest_block<ggml::q5_1>("blocks q5_1");
    digest_block<ggml::q4_K>("blocks q4_K");
    digest_block<ggml::q6_K>("blocks q6_K");
}

}  // namespace

int main() {
    digest_tensor<quint8>("quantize quint8 per tensor", granularity::per_tensor);
    digest_tensor<quint8>("quantize quint8 per channel", granularity::per_channel);
    digest_tensor<qint8>("quantize qint8 per channel", granularity::per_channel);

    digest_gemm<std::uint8_t>("gemm u8s8 33x70x129", 33, 70, 129, -127);
    digest_gemm<std::int8_t>("gemm s8s8 33x70x129", 33, 70, 129, -127);
    digest_gemm<std::uint8_t>("gemm u8s8 5x17x1023 weights of -128", 5, 17, 1023, -128);
    digest_gemm<std::int8_t>("gemm s8s8 5x17x1023 weights of -128", 5, 17, 1023, -128);

    digest_function("exp", [](auto x) { return simd::exp<test_isa>(x); });
    digest_function("expm1 below zero", [](auto x) { return simd::expm1_below_zero<test_isa>(x); });
    digest_function("sigmoid", [](auto x) { return simd::sigmoid<test_isa>(x); });
    digest_function("tanh", [](auto x) { return simd::tanh<test_isa>(x); });
    digest_function("erf", [](auto x) { return simd::erf<test_isa>(x); });
    digest_function("log", [](auto x) { return simd::log<test_isa>(x); });
    digest_function("softplus", [](auto x) { return kernels::softplus_function{}.value<test_isa>(x); });
    digest_function("gelu", [](auto x) { return kernels::gelu_function{}.value<test_isa>(x); });
    digest_function("gelu_tanh", [](auto x) { return kernels::gelu_tanh_function{}.value<test_isa>(x); });
    digest_function("elu", [](auto x) { return kernels::elu_function{}.value<test_isa>(x); });
    digest_function("hard_swish", [](auto x) { return kernels::hard_swish_function{}.value<test_isa>(x); });
    digest_gemm<std::uint8_t>("gemm u8s8 2x5x140001", 2, 5, 140001, -127);
    digest_convolution<std::uint8_t>("conv 3x3 in 3 groups u8s8", {9, 11, 21, 51, 3, 3, 1, 2, 1, 1, 1, 2, 3});
    digest_convolution<std::int8_t>("conv 3x3 in 3 groups s8s8", {9, 11, 21, 51, 3, 3, 1, 2, 1, 1, 1, 2, 3});
    digest_convolution<std::uint8_t>("depthwise 5x3 u8s8", {12, 31, 37, 74, 5, 3, 1, 2, 2, 1, 1, 1, 37});
    digest_convolution<std::int8_t>("depthwise 3x3 s8s8", {12, 31, 70, 70, 3, 3, 1, 1, 1, 1, 1, 1, 70});
    digest_bytes();

    serial_executor serial;
    thread_pool pool(3);
    const auto dense = *quantize_dynamic(network());
    const auto& first = std::get<0>(dense.layers).weights;
    print("weights qint8", first.values.data(), first.values.size());
    print("weights qint8 scales", first.scales.data(), first.scales.size());
    digest_network("network qint8, batch 1", dense, 1, serial);
    digest_network("network qint8, batch 250", dense, 250, serial);
    digest_network("network qint8, batch 250", dense, 250, pool);
    digest_network("network qint8 per tensor, batch 20", *quantize_dynamic<granularity::per_tensor>(network()), 20, serial);
    digest_network("network qint8, one range, batch 250", *quantize_dynamic<dialect::pare, granularity::per_channel>(network()),
                   250, serial);
    digest_tables();
    digest_network("network qint4<64>, batch 1", *quantize_dynamic<qint4<64>>(network()), 1, serial);
    digest_network("network qint4<32>, batch 250", *quantize_dynamic<qint4<32>>(network()), 250, pool);
    digest_network("network affine qint4<32, float16>, 20", *quantize_dynamic<qint4<32, float16, qscheme::affine>>(network()), 20,
                   serial);
    digest_blocks();
    const auto sparse = *quantize_dynamic(sparsify<csr>(thinned()));
    digest_network("network qint8 csr, batch 1", sparse, 1, serial);
    digest_network("network qint8 csr, batch 250", sparse, 250, serial);
    digest_network("network qint8 csr, batch 250", sparse, 250, pool);
    digest_static_networks(pool);
    digest_sequences("recurrent qint8, batch 1", 1, serial);
    digest_sequences("recurrent qint8, batch 40", 40, pool);
}
