#include <pare/kernels/quantized_pool.hpp>

#include <vector>

#include <pare/core/random.hpp>
#include <pare/kernels/reference_quantized.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

using kernels::byte_output;
using kernels::convolution;

/// Windows with and without border, stride and dilation; one that sees only the border in a corner; one as large as the image; one
/// that reaches beyond the border.
std::vector<convolution> windows() {
    std::vector<convolution> all;
    for (const std::size_t channels : {1u, 3u, 6u, 16u, 31u, 64u, 70u, 129u}) {
        all.push_back({7, 9, channels, channels, 2, 2, 2, 2, 0, 0, 1, 1, 1});
        all.push_back({7, 9, channels, channels, 3, 3, 1, 2, 1, 1, 1, 1, 1});
        all.push_back({5, 6, channels, channels, 2, 3, 1, 1, 1, 1, 3, 2, 1});
        all.push_back({3, 2, channels, channels, 2, 2, 1, 1, 2, 2, 1, 1, 1});
        all.push_back({8, 8, channels, channels, 8, 8, 1, 1, 0, 0, 1, 1, 1});
        all.push_back({6, 5, channels, channels, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1});
    }
    return all;
}

template <class X, class Y>
void check() {
    const random_numbers random(seed{73}, 0);
    const quantization x{0.031f, 7};
    for (const convolution& s : windows()) {
        const std::size_t in = s.height * s.width * s.channels, out = s.output_pixels() * s.channels;
        guarded<X> image(in), greatest(out), expected_greatest(out);
        guarded<Y> mean(out), expected_mean(out);
        for (std::size_t i = 0; i < in; ++i) {
            image[i] = static_cast<X>(random.words(i)[0]);
        }
        kernels::max_pool_bytes<test_isa>(s, image.data(), greatest.data());
        kernels::reference::max_pool_bytes(s, image.data(), expected_greatest.data());
        REQUIRE(std::equal(greatest.begin(), greatest.end(), expected_greatest.begin()));
        for (const quantization q : {x, quantization{0.011f, 3}}) {
            const auto y = byte_output::of<Y>(q);
            for (const bool border_counts : {true, false}) {
                kernels::average_pool_bytes<test_isa>(s, x, y, image.data(), mean.data(), border_counts);
                kernels::reference::average_pool_bytes(s, x, y, image.data(), expected_mean.data(), border_counts);
                REQUIRE(std::equal(mean.begin(), mean.end(), expected_mean.begin()));
            }
        }
    }
}

}  // namespace

TEST_CASE("pools of bytes are those of their definition") {
    check<std::uint8_t, std::uint8_t>();
    check<std::int8_t, std::int8_t>();
}

TEST_CASE("the mean of bytes rounds once, halves to even") {
    convolution s{1, 2, 1, 1, 1, 2, 1, 1, 0, 0, 1, 1, 1};
    const auto y = byte_output::of<std::uint8_t>({1.0f, 0});
    for (const auto& [a, b, mean] : {std::tuple{3, 4, 4}, {4, 5, 4}, {255, 254, 254}, {255, 255, 255}, {0, 0, 0}}) {
        guarded<std::uint8_t> image(2), out(1);
        image[0] = static_cast<std::uint8_t>(a);
        image[1] = static_cast<std::uint8_t>(b);
        kernels::average_pool_bytes<test_isa>(s, {1.0f, 0}, y, image.data(), out.data());
        CHECK(int{out[0]} == mean);
    }
}
