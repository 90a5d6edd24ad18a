#include <pare/quantize/ggml_blocks.hpp>

#include <cmath>

#include <pare/core/random.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("blocks of ggml keep what their formulas say") {
    float x[32];
    for (int i = 0; i < 32; ++i) {
        x[i] = static_cast<float>(i - 16);
    }
    const auto a = ggml::quantized<ggml::q8_0>(x);
    const auto b = ggml::quantized<ggml::q4_0>(x);
    const auto c = ggml::quantized<ggml::q4_1>(x);
    const auto d = ggml::quantized<ggml::q5_0>(x);
    CHECK(int{a.q[0]} == -127);
    CHECK(float{b.d} == 2.0f);  // -16 / -8
    CHECK(b.code(0) == 0);
    CHECK(b.code(31) == 15);
    CHECK(float{c.m} == -16.0f);
    CHECK(float{d.d} == 1.0f);
    for (std::size_t i = 0; i < 32; ++i) {
        CHECK(std::abs(ggml::real(a, i) - x[i]) <= 0.064f);
        CHECK(std::abs(ggml::real(b, i) - x[i]) <= 1.0f);
        CHECK(std::abs(ggml::real(c, i) - x[i]) <= 1.05f);
        CHECK(ggml::real(d, i) == x[i]);
        CHECK(std::abs(ggml::real(ggml::quantized<ggml::q5_1>(x), i) - x[i]) <= 0.01f);
    }
}

TEST_CASE("blocks of ggml are within half a step of what they were made of, and zeros stay zeros") {
    const random_numbers random(seed{7}, 0);
    float x[256];
    for (std::size_t i = 0; i < 256; ++i) {
        x[i] = random.uniform(i, -1.0f, 2.0f) * (i < 128 ? 1.0f : 0.5f);
    }
    const auto check = [&]<class Block>(const Block&, float bound) {
        for (std::size_t first = 0; first < 256; first += Block::size) {
            const auto block = ggml::quantized<Block>(x + first);
            CHECK(block.is_finite());
            for (std::size_t i = 0; i < Block::size; ++i) {
                INFO(Block::name << " " << first + i);
                CHECK(std::abs(ggml::real(block, i) - x[first + i]) <= bound);
            }
        }
        const float zeros[256] = {};
        CHECK(ggml::real(ggml::quantized<Block>(zeros), 5) == 0.0f);
    };
    check(ggml::q8_0{}, 0.009f);
    check(ggml::q4_0{}, 0.26f);  // the largest number is cut off on the other side of zero
    check(ggml::q4_1{}, 0.11f);
    check(ggml::q5_0{}, 0.13f);
    check(ggml::q5_1{}, 0.06f);
    check(ggml::q4_K{}, 0.13f);
    check(ggml::q6_K{}, 0.04f);
}

TEST_CASE("a square root is the nearest float to it") {
    const random_numbers random(seed{8}, 0);
    for (std::size_t i = 0; i < 1000; ++i) {
        const float x = random.uniform(i, 0.0f, 1000.0f);
        CHECK(ggml::detail::square_root(x).value == static_cast<float>(std::sqrt(static_cast<double>(x))));
    }
    CHECK(ggml::detail::square_root(0.0f).value == 0.0f);
}
