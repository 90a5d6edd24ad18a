#include <pare/kernels/conv.hpp>

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

/// Kernels, strides, padding and dilation as networks have them, and some that none has; images of every awkward number of
/// channels.
std::vector<convolution> shapes() {
    std::vector<convolution> all;
    for (const std::size_t channels : {1u, 3u, 4u, 17u, 64u}) {
        for (const std::size_t outputs : {1u, 8u, 33u, 70u}) {
            all.push_back({7, 9, channels, outputs, 3, 3, 1, 1, 1, 1, 1, 1});
            all.push_back({8, 6, channels, outputs, 3, 2, 2, 2, 0, 1, 1, 1});
        }
        all.push_back({5, 5, channels, 12, 1, 1, 1, 1, 0, 0, 1, 1});
        all.push_back({11, 10, channels, 5, 3, 3, 1, 1, 2, 2, 2, 2});
        all.push_back({9, 9, channels, 5, 5, 1, 2, 1, 2, 0, 1, 3});
        all.push_back({1, 31, channels, 9, 1, 5, 1, 2, 0, 4, 1, 2});  // 1-D
        all.push_back({3, 3, channels, 6, 3, 3, 1, 1, 0, 0, 1, 1});   // one output pixel
    }
    for (const std::size_t groups : {2u, 3u, 5u}) {
        all.push_back({7, 6, 4 * groups, 16 * groups, 3, 3, 1, 1, 1, 1, 1, 1, groups});
        all.push_back({6, 8, 7 * groups, 5 * groups, 2, 3, 2, 1, 1, 0, 1, 2, groups});
        all.push_back({5, 4, groups, 3 * groups, 3, 1, 1, 1, 1, 0, 1, 1, groups});
        all.push_back({4, 3, 17 * groups, 33 * groups, 1, 1, 1, 1, 0, 0, 1, 1, groups});
    }
    // more pieces than any network has, whole rows and taps apart
    all.push_back({70, 5, 2, 3, 67, 3, 1, 1, 0, 0, 1, 1});
    all.push_back({23, 24, 1, 2, 9, 9, 1, 1, 2, 1, 2, 2});
    return all;
}

template <class A, class Executor>
void check_bytes(const convolution& s, Executor& executor) {
    const random_numbers random(seed{71}, s.channels * 100 + s.outputs);
    std::vector<A> x(s.height * s.width * s.channels);
    std::vector<std::int8_t> w(s.outputs * s.kernel_size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<A>(random.words(i)[0] & 255);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(random.words(i)[1] & 255);  // -128 too
    }
    const A outside = 77;
    guarded<A> padded(s.padded_size() + kernels::conv2d_int8_slack<test_isa>);
    kernels::pad_image(s, x.data(), outside, padded.data(),
                       [](const A* from, std::size_t count, A* to) { std::copy(from, from + count, to); });
    using kernel = kernels::conv2d_int8_kernel<test_isa>;
    guarded<std::int8_t> data(kernel::packed_size(s));
    guarded<std::int32_t> sums(kernel::column_sums_size(s));
    const auto weights = kernel::pack(w.data(), s, data.data(), sums.data());
    guarded<std::int32_t> y(s.output_pixels() * s.outputs);
    kernels::conv2d_int8<test_isa>(executor, s, padded.data(), weights, kernels::epilogue<std::int32_t>(y.data(), s.outputs));
    std::vector<std::int32_t> expected(y.size());
    kernels::reference::convolve<std::int32_t>(s, x.data(), outside, w.data(), expected.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
        INFO(s.height << "x" << s.width << "x" << s.channels << " to " << s.outputs << ", kernel " << s.kernel_height << "x"
                      << s.kernel_width << " at " << i);
        REQUIRE(y[i] == expected[i]);
    }
}

}  // namespace

TEST_CASE("convolutions of bytes equal the plain loops to the bit") {
    serial_executor serial;
    for (const auto& s : shapes()) {
        check_bytes<std::uint8_t>(s, serial);
        check_bytes<std::int8_t>(s, serial);
    }
}

TEST_CASE("convolutions have the same bits on any number of threads") {
    thread_pool pool(3);
    check_bytes<std::uint8_t>({28, 28, 16, 40, 3, 3, 1, 1, 1, 1, 1, 1}, pool);
    check_bytes<std::uint8_t>({28, 28, 16, 80, 3, 3, 1, 1, 1, 1, 1, 1, 4}, pool);
}

TEST_CASE("convolutions of floats are as close to the exact ones as float allows") {
    serial_executor serial;
    using kernel = kernels::conv2d_f32_kernel<test_isa>;
    for (const auto& s : shapes()) {
        const std::size_t k = s.kernel_size();
        const random_numbers random(seed{72}, k);
        guarded<float> x(s.height * s.width * s.channels), w(s.outputs * k), padded(s.padded_size()),
            packed(kernel::packed_size(s)), y(s.output_pixels() * s.outputs);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = random.uniform(i, -1.0f, 1.0f);
        }
        for (std::size_t i = 0; i < w.size(); ++i) {
            w[i] = random.uniform(100000 + i, -1.0f, 1.0f);
        }
        kernel::pack(w.data(), s, packed.data());
        kernels::pad_image(s, x.data(), 0.0f, padded.data(),
                           [](const float* from, std::size_t count, float* to) { std::copy(from, from + count, to); });
        kernels::conv2d_f32<test_isa>(serial, s, padded.data(), packed.data(), kernels::epilogue<float>(y.data(), s.outputs));
        std::vector<double> expected(y.size());
        kernels::reference::convolve<double>(s, x.data(), 0.0f, w.data(), expected.data());
        for (std::size_t i = 0; i < y.size(); ++i) {
            REQUIRE(std::abs(static_cast<double>(y[i]) - expected[i]) <= 2e-7 * static_cast<double>(k) + 1e-7);
        }
    }
}

TEST_CASE("convolutions see more than sums of 32 bits hold") {
    serial_executor serial;
    check_bytes<std::uint8_t>({9, 10, 900, 3, 9, 9, 1, 1, 0, 0, 1, 1}, serial);
}

TEST_CASE("a kernel larger than its image has no output") {
    CHECK(convolution{.height = 1, .width = 8, .kernel_height = 3, .kernel_width = 3}.output_pixels() == 0);
    CHECK(convolution{.height = 2, .width = 8, .kernel_height = 3, .stride_height = 2}.output_pixels() == 0);
    serial_executor serial;
    check_bytes<std::uint8_t>({2, 8, 4, 5, 3, 3, 1, 1, 0, 0, 1, 1}, serial);
}

TEST_CASE("an image is quantized by its own range inside a border of real zeros") {
    const convolution s = {5, 7, 3, 1, 3, 3, 1, 1, 1, 2, 1, 1};
    const random_numbers random(seed{73}, 0);
    std::vector<float> x(5 * 7 * 3);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -0.5f, 2.0f);
    }
    guarded<std::uint8_t> padded(s.padded_size());
    const quantization q = kernels::quantize_image<test_isa>(s, x.data(), padded.data());
    std::vector<std::uint8_t> expected(s.padded_size(), static_cast<std::uint8_t>(q.zero_point)), row(x.size());
    kernels::reference::quantize_values<quint8>(x.data(), x.size(), q, row.data());
    for (std::size_t y = 0; y < 5; ++y) {
        std::copy_n(row.begin() + static_cast<std::ptrdiff_t>(y * 21), 21,
                    expected.begin() + static_cast<std::ptrdiff_t>((y + 1) * s.padded_row() + 6));
    }
    CHECK(std::equal(padded.begin(), padded.end(), expected.begin()));
}
