#include <pare/nn/dispatch.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/conv.hpp>
#include <pare/nn/embedding.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/recurrent.hpp>
#include <pare/nn/self_attention.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/bfloat16.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/embeddings.hpp>
#include <pare/quantize/float16.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../counted_allocations.hpp"
#include "mixed_networks.hpp"

// This file is compiled without flags for an instruction set, as the programs of users are.

using namespace pare;

namespace {

const auto network = initialized(sequential(relu(), dense<100, 130>(), relu(), dense<130, 33>()), he_normal{}, seed{1});

/// The network with all but every third weight at zero.
auto thinned() {
    auto net = network;
    for_each_member(net, [](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            for (std::size_t i = 0; i < member.values.size(); ++i) {
                member.values[i] = i % 3 == 0 ? member.values[i] : 0.0f;
            }
        }
    });
    return net;
}

std::vector<isa::dispatch> usable() {
    std::vector<isa::dispatch> all;
    isa::dispatch::for_each_usable([&](const char* name) { all.push_back(*isa::dispatch::named(name)); });
    return all;
}

std::vector<float> some_inputs(std::size_t count) {
    const random_numbers random(seed{2}, 0);
    std::vector<float> x(count);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    return x;
}

template <class Prepared>
std::vector<float> outputs(const Prepared& ready, std::size_t batch, std::size_t threads = 1) {
    thread_pool executor(threads);
    auto space = workspace_for(ready, batch);
    std::vector<float> y(batch * ready.output_size());
    run(ready, some_inputs(batch * ready.input_size()), y, space, executor);
    return y;
}

/// The same model on every instruction set of the table that the CPU has, against plain C++ that this file compiles itself.
template <class Model>
void check_every_isa(const Model& model, float tolerance) {
    for (const std::size_t batch : {1u, 5u, 270u}) {
        const auto expected = outputs(prepare<isa::scalar>(model), batch);
        for (const isa::dispatch chosen : usable()) {
            INFO(chosen.running() << ", batch " << batch);
            const auto ready = prepare(model, chosen);
            const auto y = outputs(ready, batch);
            float worst = 0.0f;
            for (std::size_t i = 0; i < y.size(); ++i) {
                worst = (std::max)(worst, std::abs(y[i] - expected[i]));
            }
            CHECK(worst <= tolerance);
            CHECK(outputs(ready, batch, 3) == y);
            CHECK_THAT(describe(ready), ContainsSubstring(sentence(" on ", chosen.running())));
        }
    }
}

}  // namespace

TEST_CASE("integer weights: every instruction set of the table gives the bits of isa::scalar") {
    check_every_isa(*quantize_dynamic(network), 0.0f);
    check_every_isa(*quantize_dynamic<qint4<32>>(network), 0.0f);
    check_every_isa(*quantize_dynamic<qint4<128>>(network), 0.0f);
    check_every_isa(*quantize_dynamic(sparsify<csr>(thinned())), 0.0f);
    check_every_isa(*quantize_dynamic(sparsify<n_of_m<2, 4>>(thinned())), 0.0f);
    check_every_isa(*quantize_dynamic(sparsify<bsr<16, 4>>(thinned())), 0.0f);
    auto corner = initialized(sequential(dense<8, 8>()), he_normal{}, seed{3});  // one block of two, as many numbers as weights
    for (std::size_t i = 0; i < 64; ++i) {
        std::get<0>(corner.layers).weights.values[i] *= i % 8 < 4 ? 0.0f : 1.0f;
    }
    check_every_isa(*quantize_dynamic(sparsify<bsr<16, 4>>(corner)), 0.0f);
    check_every_isa(*quantize_dynamic<ggml::q4_0>(initialized(sequential(dense<64, 70>(), relu()), he_normal{}, seed{3})), 0.0f);
    const auto wide = initialized(sequential(dense<256, 40>(), relu()), he_normal{}, seed{3});
    check_every_isa(*quantize_dynamic<ggml::q8_0>(wide), 0.0f);
    check_every_isa(*quantize_dynamic<ggml::q4_K>(wide), 0.0f);
    check_every_isa(*quantize_dynamic<qint4<64, float16>>(wide), 0.0f);
}

TEST_CASE("depthwise convolutions") {
    const auto net = initialized(
        sequential(input<7, 5, 18>(), conv2d<18, 18, 3, conv_options{.padding = 1, .groups = 18}>(), relu()), he_normal{}, seed{4});
    check_every_isa(net, 1e-5f);
    check_every_isa(*quantize_dynamic(net), 0.0f);
}

TEST_CASE("quantized tables") {
    const auto net = *quantize_embeddings<row_quint<4, float16>>(
        initialized(sequential(input<5>(), embedding<9, 21>()), he_normal{}, seed{6}));
    const auto rows = [](const auto& ready) {
        auto space = workspace_for(ready, 1);
        std::vector<float> y(5 * 21);
        run(ready, std::array{8.0f, 0.0f, 3.0f, 3.0f, 5.0f}, y, space);
        return y;
    };
    const auto expected = rows(prepare<isa::scalar>(net));
    for (const isa::dispatch chosen : usable()) {
        CHECK(rows(prepare(net, chosen)) == expected);
    }
}

TEST_CASE("branches of layers that are not fused") {
    check_every_isa(*quantize_dynamic(initialized(
                        sequential(dense<20, 24>(), residual(sequential(gelu(), dense<24, 24>())), concat(dense<24, 5>(), relu())),
                        he_normal{}, seed{5})),
                    0.0f);
}

TEST_CASE("functions, fused or not, give the bits of isa::scalar") {
    check_every_isa(
        *quantize_dynamic(initialized(sequential(gelu(), dense<100, 30>(), leaky_relu(0.2f), dense<30, 33>(), silu(), relu()),
                                      he_normal{}, seed{4})),
        0.0f);
}

TEST_CASE("convolutions and pools: every instruction set of the table gives the bits of isa::scalar") {
    const auto images = initialized(
        sequential(input<9, 7, 3>(), conv2d<3, 20, 3, conv_options{.padding = 1}>(), relu(), max_pool2d<2>(),
                   conv2d<20, 20, 3, conv_options{.padding = 1, .groups = 20}>(), gelu(), global_average_pool(), dense<20, 5>()),
        he_normal{}, seed{5});
    check_every_isa(*quantize_dynamic(images), 0.0f);
    check_every_isa(*sparsify<csr>(quantize_dynamic(images)), 0.0f);
}

TEST_CASE("mixed weights, one by one") {
    check_every_isa(as_mixed(*quantize_dynamic<qint4<64>>(initialized(
                        sequential(input<5, 4, 3>(), conv2d<3, 8, 3>(), relu(), flatten(), dense<48, 5>()), he_normal{}, seed{6}))),
                    0.0f);
}

TEST_CASE("float weights: every instruction set of the table is near isa::scalar") {
    check_every_isa(network, 1e-5f);
    check_every_isa(to_bfloat16(network), 1e-5f);
    check_every_isa(*to_float16(network), 1e-5f);
    check_every_isa(*sparsify<csr>(thinned()), 1e-5f);
    check_every_isa(*sparsify<n_of_m<2, 4>>(thinned()), 1e-5f);
    check_every_isa(sequential(dense<100, 30>(), softmax()), 1e-6f);
}

TEST_CASE("recurrent layers, normalization and attention") {
    const auto recurrent =
        initialized(sequential(input<5, 20>(), lstm<20, 24>(), gru<24, 11>(), rnn<11, 6>()), glorot_normal{}, seed{4});
    check_every_isa(recurrent, 1e-5f);
    check_every_isa(*quantize_dynamic(recurrent), 0.0f);
    check_every_isa(initialized(sequential(input<5, 20>(), layer_norm<20>(), self_attention<20, 2>()), glorot_normal{}, seed{4}),
                    1e-5f);
}

TEST_CASE("dispatched models are values, and their runs allocate nothing") {
    auto ready = prepare<isa::dispatch>(*quantize_dynamic(network));
    const auto expected = outputs(ready, 3);
    auto copy = ready;
    auto moved = std::move(ready);
    ready = moved;
    CHECK(outputs(copy, 3) == expected);
    CHECK(outputs(moved, 3) == expected);
    CHECK(outputs(ready, 3) == expected);

    auto space = workspace_for(copy, 64);
    const auto x = some_inputs(64 * copy.input_size());
    std::vector<float> y(64 * copy.output_size());
    thread_pool pool(2);
    const std::size_t before = allocations;
    run(copy, x, y, space);
    run(copy, x, y, space, pool);
    CHECK(allocations == before);
}

TEST_CASE("the size of a workspace is a constant that is enough for every instruction set") {
    const auto ready = prepare<isa::dispatch>(*quantize_dynamic(network));
    STATIC_REQUIRE(decltype(ready)::workspace_bytes(2) >=
                   decltype(prepare<isa::scalar>(*quantize_dynamic(network)))::workspace_bytes(2));
    isa::all::for_each_compiled([](auto isa) {
        const auto native = prepare<decltype(isa)>(*quantize_dynamic(sparsify<csr>(thinned())));
        CHECK(native.workspace_bytes(9) <= prepare<isa::dispatch>(*quantize_dynamic(sparsify<csr>(thinned()))).workspace_bytes(9));
    });
}

TEST_CASE("the best of what the program and the CPU have is the default, and describe() names it") {
    const auto all = usable();
    REQUIRE_FALSE(all.empty());
    CHECK(std::string(all.front().running()) == "scalar");
    CHECK(std::string(isa::dispatch().running()) == all.back().running());
    const auto text = describe(prepare<isa::dispatch>(*quantize_dynamic(network)));
    CHECK_THAT(text, ContainsSubstring(sentence("qint8 full, gemm_int8 on ", all.back().running())));
    CHECK_THAT(text, ContainsSubstring(sentence("instruction set chosen at run time: ", all.back().running())));
    CHECK_THAT(describe(prepare(*sparsify<csr>(thinned()), all.front())),
               ContainsSubstring("float csr (4334 of 13000 stored), spmm on scalar"));
}

TEST_CASE("an instruction set by name, and what is wrong with a name") {
    CHECK(std::string(isa::dispatch::named("scalar")->running()) == "scalar");
    const auto unknown = isa::dispatch::named("avx9");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == error_code::invalid_argument);
    CHECK_THAT(unknown.error().message, ContainsSubstring("isa::dispatch: expected an instruction set out of scalar, "));
    CHECK_THAT(unknown.error().message, ContainsSubstring("; found \"avx9\""));
    CHECK_FALSE(isa::dispatch::named(""));
    CHECK_FALSE(isa::dispatch::named("scalar, avx2"));
#if defined(__aarch64__)
    const char* const elsewhere = "avx2";
#else
    const char* const elsewhere = "neon";
#endif
    CHECK_THAT(isa::dispatch::named(elsewhere).error().message,
               ContainsSubstring("that pare_add_dispatch() compiled into this program"));

    const auto cpu = simd::cpu_features::detect();
    isa::all::for_each_name([&](const char* name) {
        if (!cpu.has(name)) {
            CHECK_THAT(isa::dispatch::named(name).error().message, ContainsSubstring(sentence("; found \"", name, "\"")));
        }
    });
#if defined(__x86_64__)
    if (!cpu.avx_vnni) {
        CHECK_THAT(isa::dispatch::named("avx_vnni").error().message,
                   ContainsSubstring("isa::dispatch: expected an instruction set that this CPU has, out of scalar"));
    }
#endif
}

TEST_CASE("the environment is asked only by from_environment") {
    setenv("PARE_ISA", "scalar", 1);
    CHECK(std::string(isa::dispatch().running()) == usable().back().running());
    CHECK(std::string(isa::dispatch::from_environment()->running()) == "scalar");
    setenv("PARE_ISA", "sse9", 1);
    CHECK_THAT(isa::dispatch::from_environment().error().message, ContainsSubstring("PARE_ISA in the environment: expected an"));
    CHECK_THAT(isa::dispatch::from_environment().error().message, ContainsSubstring("; found \"sse9\""));
    setenv("PARE_ISA", "", 1);
    CHECK(std::string(isa::dispatch::from_environment()->running()) == usable().back().running());
    unsetenv("PARE_ISA");
    CHECK(std::string(isa::dispatch::from_environment()->running()) == usable().back().running());
}
