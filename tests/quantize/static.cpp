#include <pare/quantize/static.hpp>

#include <limits>

#include <pare/core/thread_pool.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/histogram_observers.hpp>

#include "../catch.hpp"
#include "../counted_allocations.hpp"
#include "static_reference.hpp"

using namespace pare;
using namespace static_reference;

namespace {

auto perceptron() {
    auto net = sequential(dense<dyn, dyn>(37, 50), relu(), dense<dyn, dyn>(50, 21), tanh(), dense<dyn, dyn>(21, 9), relu6(),
                          dense<dyn, dyn>(9, 4));
    fill(net);
    return net;
}

}  // namespace

TEST_CASE("a static network of dense layers is bytes between its ends, and equal to plain loops") {
    const auto net = perceptron();
    const auto seen = numbers(37 * 600, 1, -1.0f, 3.0f);
    std::vector<std::size_t> progress;
    const auto q = quantize_static(net, seen, minmax_observer{}, [&](std::size_t done, std::size_t total) {
        CHECK(total == 600);
        progress.push_back(done);
    });
    REQUIRE(q);
    CHECK(progress == std::vector<std::size_t>{256, 512, 600});
    const auto& [first, relu_, second, middle, tanh_, third, relu6_, last] = q->layers;
    CHECK(first.activations.input ==
          affine_quantization<quint8>(*std::min_element(seen.begin(), seen.end()), *std::max_element(seen.begin(), seen.end())));
    CHECK(second.activations.input.zero_point == 0);
    CHECK(middle.activations.input == affine_quantization<quint8>(-3.5f, 3.5f));  // where tanh is not flat

    const auto ready = prepare<isa::native>(*q);
    const auto text = describe(ready);
    CHECK_THAT(text, ContainsSubstring("0: floats to bytes"));
    CHECK_THAT(text, ContainsSubstring("activations quantized by calibration + relu, bytes to bytes"));
    CHECK_THAT(text, ContainsSubstring("tanh by a table, bytes to bytes"));
    CHECK_THAT(text, ContainsSubstring("bytes to floats"));

    const std::size_t batch = 70;
    const auto x = numbers(37 * batch, 2, -1.5f, 3.5f);
    const auto y = outputs(ready, x);
    CHECK(outputs(ready, x, thread_pool(3)) == y);
    for (std::size_t i = 0; i < batch; ++i) {
        const std::vector<float> sample(x.begin() + static_cast<std::ptrdiff_t>(37 * i),
                                        x.begin() + static_cast<std::ptrdiff_t>(37 * (i + 1)));
        auto values =
            requantized(sums(to_bytes(sample, first.activations), first, one_pixel(37, 50)), first, second.activations, true);
        values = requantized(sums(values, second, one_pixel(50, 21)), second, middle.activations, false);
        const quantization& q_middle = middle.activations.input;
        for (std::uint8_t& v : values) {
            const float real = static_cast<float>(v - q_middle.zero_point) * q_middle.scale;
            v = to_bytes({kernels::tanh_function::value<isa::scalar>(real)}, third.activations)[0];
        }
        static_range six = last.activations;
        six.largest = byte_of(6.0f * (1.0f / six.input.scale), six);
        values = requantized(sums(values, third, one_pixel(21, 9)), third, six, true);
        const auto expected = static_reference::as_floats(sums(values, last, one_pixel(9, 4)), last);
        CHECK(std::vector<float>(y.begin() + static_cast<std::ptrdiff_t>(4 * i),
                                 y.begin() + static_cast<std::ptrdiff_t>(4 * (i + 1))) == expected);
    }

    auto space = workspace_for(ready, batch);
    std::vector<float> again(y.size());
    const std::size_t before = allocations;
    run(ready, x, again, space);
    CHECK(allocations == before);
}

TEST_CASE("a small static network takes single rows by code of its own, with the same bits") {
    auto net = sequential(dense<20, 33>(), relu(), dense<33, 5>());
    fill(net);
    const auto q = quantize_static<granularity::per_tensor>(net, numbers(20 * 50, 1, -1.0f, 3.0f), percentile_observer{});
    REQUIRE(q);
    const auto ready = prepare<isa::native>(*q);
    const auto x = numbers(20 * 3, 2, -1.0f, 3.0f);
    const auto y = outputs(ready, x);
    for (std::size_t i = 0; i < 3; ++i) {
        const auto row = outputs(ready, std::vector<float>(x.begin() + static_cast<std::ptrdiff_t>(20 * i),
                                                           x.begin() + static_cast<std::ptrdiff_t>(20 * (i + 1))));
        CHECK(std::equal(row.begin(), row.end(), y.begin() + static_cast<std::ptrdiff_t>(5 * i)));
    }
}

TEST_CASE("layers that are not selected stay floats; sparse ones stay sparse") {
    auto net = sequential(dense<dyn, dyn>(20, 16), relu(), dense<dyn, dyn>(16, 12), relu(), dense<dyn, dyn>(12, 3));
    fill(net);
    const auto seen = numbers(20 * 50, 1, -1.0f, 3.0f);
    const auto some = quantize_static(
        net, seen, minmax_observer{}, [](std::size_t, std::size_t) {}, except<"2">{});
    REQUIRE(some);
    static_assert(std::is_same_v<std::tuple_element_t<2, decltype(some->layers)>, dense<dyn, dyn>>);
    const auto text = describe(prepare<isa::native>(*some));
    CHECK_THAT(text, ContainsSubstring("+ relu, bytes to floats"));
    CHECK_THAT(text, ContainsSubstring("3: floats to bytes"));

    for_each_member(net, [](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            for (float& w : member.values) {
                w = w < 0.25f ? 0.0f : w;
            }
        }
    });
    const auto full_bytes = quantize_static(net, seen);
    const auto sparse_bytes = quantize_static(sparsify<csr>(net), seen);
    REQUIRE(sparse_bytes);
    const auto sparse = prepare<isa::native>(*sparse_bytes);
    CHECK_THAT(describe(sparse), ContainsSubstring("spmm on"));
    const auto x = numbers(20 * 40, 2, -1.0f, 3.0f);
    // Sums of floats are taken in another order, so what calibration sees may differ by a rounding: the ranges of one for both.
    auto same = *sparse_bytes;
    std::get<2>(same.layers).activations = std::get<2>(full_bytes->layers).activations;
    std::get<4>(same.layers).activations = std::get<4>(full_bytes->layers).activations;
    CHECK(outputs(prepare<isa::native>(same), x) == outputs(prepare<isa::native>(*full_bytes), x));
}

TEST_CASE("what cannot be calibrated is an error that names the layer") {
    const auto net = perceptron();
    CHECK(quantize_static(net, std::vector<float>()).error().message ==
          "quantize_static: expected samples to calibrate with, found none");
    CHECK(quantize_static(net, std::vector<float>(40)).error().message ==
          "quantize_static: expected samples of 37 numbers each; found 40 numbers in all");
    auto x = numbers(37 * 5, 1, 0.0f, 1.0f);
    x[40] = std::numeric_limits<float>::quiet_NaN();
    CHECK(quantize_static(net, x).error().message == "quantize_static: 0.input: observer: expected finite numbers, found NaN");
    auto broken = net;
    std::get<2>(broken.layers).bias(3) = std::numeric_limits<float>::infinity();
    CHECK(quantize_static(broken, std::vector<float>(37)).error().message ==
          "quantize_static: 2.bias: expected finite numbers, found an infinity");
    broken = net;
    std::get<4>(broken.layers).weights.values[21] = std::numeric_limits<float>::quiet_NaN();
    CHECK(quantize_static(broken, std::vector<float>(37)).error().message ==
          "quantize: 4.weight: expected finite weights, found NaN at row 1, column 0");
    CHECK(quantize_static(result<decltype(broken)>(error{error_code::invalid_data, "found before"}), x).error().message ==
          "found before");
}
