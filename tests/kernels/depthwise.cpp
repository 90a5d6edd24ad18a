#include <pare/kernels/depthwise.hpp>

#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/reference.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;
using kernels::convolution;

namespace {

/// Kernels, strides, padding, dilation and multipliers as networks have them, and some that none has, at every awkward number of
/// channels.
std::vector<convolution> shapes() {
    std::vector<convolution> all;
    const auto add = [&](convolution s, std::size_t multiplier = 1) {
        s.groups = s.channels;
        s.outputs = s.channels * multiplier;
        all.push_back(s);
    };
    for (const std::size_t channels : {1u, 3u, 4u, 8u, 17u, 32u, 64u, 70u, 130u}) {
        add({7, 9, channels, 0, 3, 3, 1, 1, 1, 1, 1, 1});
        add({8, 7, channels, 0, 3, 3, 2, 2, 1, 1, 1, 1});
        add({1, 40, channels, 0, 1, 5, 1, 2, 0, 4, 1, 2});  // 1-D
        add({5, 4, channels, 0, 3, 3, 1, 1, 0, 0, 1, 1}, 2);
    }
    for (const std::size_t channels : {5u, 65u}) {
        add({9, 60, channels, 0, 5, 5, 1, 1, 2, 2, 1, 1});
        add({11, 10, channels, 0, 7, 7, 2, 2, 3, 3, 1, 1});
        add({9, 8, channels, 0, 3, 2, 1, 3, 4, 5, 2, 3});
        add({9, 9, channels, 0, 5, 1, 2, 1, 2, 0, 1, 1});
        add({3, 3, channels, 0, 1, 1, 1, 1, 0, 0, 1, 1});
        add({3, 3, channels, 0, 3, 3, 1, 1, 0, 0, 1, 1}, 3);  // one output pixel
        add({2, 90, channels, 0, 2, 4, 1, 1, 0, 0, 1, 1});
        add({3, 300, channels, 0, 3, 90, 1, 1, 1, 40, 1, 3});  // kernels that no window holds
        add({70, 30, channels, 0, 67, 29, 1, 1, 1, 1, 1, 1});
        add({1, 400, channels, 0, 1, 3, 1, 150, 0, 0, 1, 1});
    }
    return all;
}

template <class A, class Executor>
void check_bytes(const convolution& s, Executor& executor, at place = at::end, int smallest = -128) {
    const random_numbers random(seed{71}, s.channels * 100 + s.outputs);
    guarded<A> x(s.height * s.width * s.channels, place);
    guarded<std::int8_t> w(s.outputs * s.kernel_size(), place);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<A>(random.words(i)[0] & 255);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(smallest + static_cast<int>(random.words(i)[1] % static_cast<unsigned>(128 - smallest)));
    }
    const A outside = 77;
    using kernel = kernels::depthwise_kernel<test_isa, std::int8_t>;
    guarded<std::int8_t> data(kernel::packed_size(s), place);
    guarded<std::int32_t> sums(kernel::column_sums_size(s), place);
    const auto packed = kernel::pack(w.data(), s, data.data(), sums.data());
    guarded<std::int32_t> y(s.output_pixels() * s.outputs, place);
    kernels::depthwise_int8<test_isa>(executor, s, x.data(), outside, packed, kernels::epilogue<std::int32_t>(y.data(), s.outputs));
    std::vector<std::int32_t> expected(y.size());
    kernels::reference::convolve<std::int32_t>(s, x.data(), outside, w.data(), expected.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
        INFO(s.height << "x" << s.width << "x" << s.channels << " to " << s.outputs << ", kernel " << s.kernel_height << "x"
                      << s.kernel_width << " at " << i);
        REQUIRE(y[i] == expected[i]);
    }
}

}  // namespace

TEST_CASE("depthwise convolutions of bytes equal the plain loops to the bit") {
    serial_executor serial;
    for (const auto& s : shapes()) {
        check_bytes<std::uint8_t>(s, serial);
        check_bytes<std::int8_t>(s, serial, at::begin);
    }
    check_bytes<simd::ops<test_isa>::activation>({9, 9, 33, 33, 3, 3, 1, 1, 1, 1, 1, 1, 33}, serial);
}

TEST_CASE("depthwise convolutions of bytes are exact at the extremes") {
    serial_executor serial;
    const convolution s = {9, 9, 20, 20, 9, 9, 1, 1, 0, 0, 1, 1, 20};
    using kernel = kernels::depthwise_kernel<test_isa, std::int8_t>;
    const auto check = [&](auto activation, int weight) {
        const std::vector<decltype(activation)> x(9 * 9 * 20, activation);
        const std::vector<std::int8_t> w(20 * 81, static_cast<std::int8_t>(weight));
        std::vector<std::int8_t> data(kernel::packed_size(s));
        std::vector<std::int32_t> sums(kernel::column_sums_size(s)), y(20);
        kernels::depthwise_int8<test_isa>(serial, s, x.data(), activation, kernel::pack(w.data(), s, data.data(), sums.data()),
                                          kernels::epilogue<std::int32_t>(y.data(), 20));
        for (const std::int32_t sum : y) {
            REQUIRE(sum == 81 * weight * activation);
        }
    };
    for (const int weight : {-128, -127, 127}) {
        check(std::uint8_t{255}, weight);
        check(std::int8_t{-128}, weight);
        check(std::int8_t{127}, weight);
    }
}

TEST_CASE("depthwise convolutions have the same bits on any number of threads") {
    thread_pool pool(3);
    check_bytes<std::uint8_t>({56, 56, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1, 40}, pool);
}

TEST_CASE("depthwise convolutions of floats are as close to the exact ones as float allows") {
    serial_executor serial;
    using kernel = kernels::depthwise_kernel<test_isa, float>;
    for (const auto& s : shapes()) {
        const std::size_t k = s.kernel_size();
        const random_numbers random(seed{72}, k);
        guarded<float> x(s.height * s.width * s.channels), w(s.outputs * k), packed(kernel::packed_size(s)),
            y(s.output_pixels() * s.outputs);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.uniform(i, -1.0f, 1.0f);
        }
        for (std::size_t i = 0; i < w.size(); ++i) {
            w[i] = random.uniform(100000 + i, -1.0f, 1.0f);
        }
        kernels::depthwise_f32<test_isa>(serial, s, x.data(), kernel::pack(w.data(), s, packed.data(), nullptr),
                                         kernels::epilogue<float>(y.data(), s.outputs));
        std::vector<double> expected(y.size());
        kernels::reference::convolve<double>(s, x.data(), 0.0f, w.data(), expected.data());
        for (std::size_t i = 0; i < y.size(); ++i) {
            REQUIRE(std::abs(static_cast<double>(y[i]) - expected[i]) <= 2e-7 * static_cast<double>(k) + 1e-7);
        }
    }
}

TEST_CASE("a depthwise kernel larger than its image has no output") {
    serial_executor serial;
    check_bytes<std::uint8_t>({2, 8, 4, 4, 3, 3, 1, 1, 0, 0, 1, 1, 4}, serial);
}
