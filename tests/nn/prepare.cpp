#include <pare/nn/prepare.hpp>

#include <array>
#include <cmath>
#include <thread>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/softmax.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/bfloat16.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../counted_allocations.hpp"

using namespace pare;

namespace {

const auto network =
    initialized(sequential(dense<100, 130>(), relu(), dense<130, 70>(), relu(), dense<70, 10>(), softmax()), he_normal{}, seed{1});

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

std::vector<float> some_inputs(std::size_t batch) {
    const random_numbers random(seed{2}, 0);
    std::vector<float> x(batch * 100);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    return x;
}

template <class Prepared, class Executor>
std::vector<float> outputs(const Prepared& ready, std::size_t batch, Executor& executor) {
    auto space = workspace_for(ready, batch);
    const auto x = some_inputs(batch);
    std::vector<float> y(batch * 10);
    run(ready, x, y, space, executor);
    return y;
}

template <class Prepared>
void check_no_allocation(const Prepared& ready) {
    auto space = workspace_for(ready, 300);
    const auto x = some_inputs(300);
    std::vector<float> y(3000);
    thread_pool pool(2);
    const std::size_t before = allocations;
    for (const std::size_t batch : {1u, 2u, 33u, 300u}) {
        run(ready, {x.data(), batch * 100}, {y.data(), batch * 10}, space);
        run(ready, {x.data(), batch * 100}, {y.data(), batch * 10}, space, pool);
    }
    CHECK(allocations == before);
}

template <class Prepared>
void check_same_everywhere(const Prepared& ready) {
    serial_executor serial;
    const auto expected = outputs(ready, 300, serial);
    for (const std::size_t threads : {2u, 5u}) {
        thread_pool pool(threads);
        CHECK(outputs(ready, 300, pool) == expected);
    }
    // one prepared model, many threads, each with its own workspace
    std::vector<std::vector<float>> results(4);
    std::vector<std::thread> threads;
    for (auto& result : results) {
        threads.emplace_back([&ready, &result] {
            serial_executor own;
            result = outputs(ready, 300, own);
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    for (const auto& result : results) {
        CHECK(result == expected);
    }
}

}  // namespace

TEST_CASE("run allocates nothing, whatever the storage") {
    CHECK(allocations > 0);  // the counter counts
    check_no_allocation(prepare<isa::native>(network));
    check_no_allocation(prepare<isa::native>(*quantize_dynamic(network)));
    check_no_allocation(*prepare<isa::native>(sparsify<csr>(thinned())));
    check_no_allocation(prepare<isa::native>(*quantize_dynamic(sparsify<csr>(thinned()))));
    check_no_allocation(prepare<isa::scalar>(*quantize_dynamic(network)));
}

TEST_CASE("results do not depend on threads") {
    check_same_everywhere(prepare<isa::native>(network));
    check_same_everywhere(prepare<isa::native>(*quantize_dynamic(network)));
    check_same_everywhere(*prepare<isa::native>(sparsify<csr>(thinned())));
    check_same_everywhere(prepare<isa::native>(*quantize_dynamic(sparsify<csr>(thinned()))));
}

TEST_CASE("a sample has the same bits in every batch") {
    serial_executor serial;
    const auto check = [&](const auto& ready) {
        const auto all = outputs(ready, 50, serial);
        for (const std::size_t batch : {1u, 2u, 3u, 7u, 17u, 33u}) {
            const auto first = outputs(ready, batch, serial);
            CHECK(std::equal(first.begin(), first.end(), all.begin()));
        }
    };
    check(prepare<isa::native>(network));
    check(prepare<isa::native>(*quantize_dynamic(network)));
    check(*prepare<isa::native>(sparsify<csr>(thinned())));
    check(prepare<isa::native>(*quantize_dynamic(sparsify<csr>(thinned()))));
}

/// Runs tasks last first and counts them.
struct reversed {
    std::size_t tasks = 0;
    static std::size_t concurrency() { return 3; }
    template <class Body>
    void for_each(std::size_t count, Body&& body) {
        for (std::size_t i = count; i-- > 0; ++tasks) {
            body(i);
        }
    }
};

TEST_CASE("large products are shared out, and the order of the tasks does not matter") {
    auto wide = initialized(sequential(dense<400, 1200>(), relu(), softmax()), he_normal{}, seed{4});
    for (std::size_t i = 0; i < 400 * 1200; ++i) {
        std::get<0>(wide.layers).weights.values[i] *= i % 4 == 0 ? 1.0f : 0.0f;
    }
    const auto check = [&](const auto& ready) {
        const random_numbers random(seed{5}, 0);
        std::vector<float> x(70 * 400), y(70 * 1200), z(70 * 1200);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.uniform(i, -1.0f, 1.0f);
        }
        auto space = workspace_for(ready, 70);
        run(ready, x, y, space);
        reversed executor;
        run(ready, x, z, space, executor);
        CHECK(y == z);
        CHECK(executor.tasks > 10);
    };
    check(prepare<isa::native>(wide));
    check(prepare<isa::native>(*quantize_dynamic(wide)));
    check(*prepare<isa::native>(sparsify<csr>(wide)));
    check(prepare<isa::native>(*quantize_dynamic(sparsify<csr>(wide))));
}

TEST_CASE("huge numbers saturate and stay numbers") {
    auto net = sequential(dense<2, 1>());
    std::get<0>(net.layers).weights.values[0] = std::get<0>(net.layers).weights.values[1] = 4e18f;
    const auto ready = prepare<isa::native>(*quantize_dynamic(net));
    auto space = workspace_for(ready, 1);
    float y = -1.0f;
    run(ready, std::array{3e38f, -3e38f}, {&y, 1}, space);
    CHECK(std::abs(y) <= 4e18f * 4e18f / 100.0f);  // 0 but for the rounding of the zero point
    std::get<0>(net.layers).weights.values[1] = 5e18f;
    CHECK_THAT(quantize_dynamic(net).error().message, ContainsSubstring("0.weight: expected weights of at most 2^62, found 5e+18"));
    std::get<0>(net.layers).weights.values[1] = 1.0f;
    std::get<0>(net.layers).bias(0) = std::numeric_limits<float>::quiet_NaN();
    CHECK(quantize_dynamic(net).error().message == "quantize_dynamic: 0.bias: expected finite numbers, found NaN");
}

TEST_CASE("the size of the workspace is exact, and a constant where shapes are") {
    const auto ready = prepare<isa::native>(quantize_dynamic(sequential(dense<64, 128>(), relu(), dense<128, 10>())));
    constexpr std::size_t quantized = kernels::quantized_scratch_bytes<simd::ops<isa::native>::activation>(2, 128);
    STATIC_REQUIRE(decltype(ready)::value_type::workspace_bytes(2) == 2 * scratch_bytes_of<float>(2 * 128) + quantized);
}

TEST_CASE("every kind of weights gives nearly the same answer") {
    serial_executor serial;
    const auto expected = outputs(prepare<isa::native>(network), 50, serial);
    const auto quantized = outputs(prepare<isa::native>(*quantize_dynamic(network)), 50, serial);
    const auto thin = outputs(prepare<isa::native>(thinned()), 50, serial);
    const auto half = outputs(prepare<isa::native>(to_bfloat16(network)), 50, serial);
    const auto coarse = outputs(prepare<isa::native>(*quantize_dynamic<qint4<32>>(network)), 50, serial);
    const auto sparse = outputs(*prepare<isa::native>(sparsify<csr>(thinned())), 50, serial);
    const auto both = outputs(prepare<isa::native>(*quantize_dynamic(sparsify<csr>(thinned()))), 50, serial);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(quantized[i] == Approx(expected[i]).margin(0.02));
        CHECK(half[i] == Approx(expected[i]).margin(0.01));
        CHECK(coarse[i] == Approx(expected[i]).margin(0.1));
        CHECK(sparse[i] == Approx(thin[i]).margin(1e-5));
        CHECK(both[i] == Approx(thin[i]).margin(0.02));
    }
}

TEST_CASE("int8 results have the same bits on every instruction set") {
    serial_executor serial;
    const auto small = *quantize_dynamic(network);
    const auto sparse = *quantize_dynamic(sparsify<csr>(thinned()));
    // softmax is float: compare what it is given
    const auto logits = [](const auto& model) {
        return sequential(std::get<0>(model.layers), relu(), std::get<2>(model.layers), relu(), std::get<4>(model.layers));
    };
    const auto expected = outputs(prepare<isa::scalar>(logits(small)), 30, serial);
    const auto expected_sparse = outputs(prepare<isa::scalar>(logits(sparse)), 30, serial);
    CHECK(outputs(prepare<isa::native>(logits(small)), 30, serial) == expected);
    CHECK(outputs(prepare<isa::native>(logits(sparse)), 30, serial) == expected_sparse);
}

TEST_CASE("describe says what runs") {
    const auto text = describe(prepare<isa::native>(*quantize_dynamic(network)));
    CHECK_THAT(text, ContainsSubstring(sentence("0: dense 100 -> 130: qint8 full, gemm_int8 on ", isa::native::name,
                                                ", activations quantized per row + relu, 130 outputs")));
    CHECK_THAT(text, ContainsSubstring("3: softmax"));
    CHECK_THAT(describe(prepare<isa::scalar>(network)), ContainsSubstring("scalar code"));
    CHECK_THAT(describe(*prepare<isa::native>(sparsify<csr>(thinned()))), ContainsSubstring("float csr (4334 of 13000 stored), spmm"));
}

TEST_CASE("a result of a model prepares like a model") {
    const auto ready = prepare<isa::native>(quantize_dynamic(network));
    REQUIRE(ready);
    CHECK(ready->output_size() == 10);
    auto broken = network;
    std::get<0>(broken.layers).weights.values[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(prepare<isa::native>(quantize_dynamic(broken)));
}
