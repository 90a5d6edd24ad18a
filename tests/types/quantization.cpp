#include <pare/types/bfloat16.hpp>
#include <pare/types/ggml_blocks.hpp>
#include <pare/types/quantization.hpp>

#include <bit>

#include <cmath>
#include <limits>

#include "../catch.hpp"

using namespace pare;

static constexpr float infinity = std::numeric_limits<float>::infinity();
static constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

TEST_CASE("rounding is half to even") {
    CHECK(round_half_even(0.5f) == 0);
    CHECK(round_half_even(1.5f) == 2);
    CHECK(round_half_even(2.5f) == 2);
    CHECK(round_half_even(-0.5f) == 0);
    CHECK(round_half_even(-1.5f) == -2);
    CHECK(round_half_even(0.49999997f) == 0);
    CHECK(round_half_even(4194303.5f) == 4194304);
    CHECK(round_half_even(-4194304.0f) == -4194304);
    for (int i = -4000; i <= 4000; ++i) {
        const float x = static_cast<float>(i) * 0.125f;
        REQUIRE(round_half_even(x) == static_cast<int>(std::nearbyint(x)));
    }
}

TEST_CASE("an affine quantization spends all integers and keeps zero") {
    const auto q = affine_quantization<quint8>(-1.0f, 3.0f);
    CHECK(q.scale == 4.0f / 255.0f);
    CHECK(q.zero_point == 64);
    CHECK(affine_quantization<quint8>(2.0f, 3.0f) == quantization{3.0f / 255.0f, 0});
    CHECK(affine_quantization<quint8>(-3.0f, -2.0f) == quantization{3.0f / 255.0f, 255});
    CHECK(affine_quantization<qint8>(0.0f, 255.0f) == quantization{1.0f, -128});
    CHECK(affine_quantization<quint8>(0.0f, 0.0f) == quantization{1.0f, 0});
    CHECK(affine_quantization<qint8>(0.0f, 0.0f) == quantization{1.0f, 0});
}

TEST_CASE("scales stay positive, finite and invertible") {
    for (const float size : {1e-45f, 1e-38f, 1e-20f, 1.0f, 3e38f, infinity}) {
        for (const auto q : {affine_quantization<quint8>(-size, size), affine_quantization<qint8>(0.0f, size),
                             affine_quantization<quint8>(-size, 0.0f), symmetric_quantization<qint8>(size)}) {
            CHECK(q.scale >= smallest_scale);
            CHECK(q.scale <= largest_range);
            CHECK(std::isfinite(1.0f / q.scale));
            CHECK((q.zero_point >= -128 && q.zero_point <= 255));
        }
    }
    CHECK(symmetric_quantization<qint8>(0.0f) == quantization{1.0f, 0});
    CHECK(symmetric_quantization<qint8>(12.7f).scale == 12.7f / 127.0f);
}

TEST_CASE("a number becomes the nearest integer in range") {
    const auto quantize = [](float x, std::int32_t zero) { return quantize_value(x, 2.0f, zero, 0, 255); };
    CHECK(quantize(1.0f, 10) == 12);
    CHECK(quantize(0.25f, 10) == 10);
    CHECK(quantize(0.75f, 10) == 12);
    CHECK(quantize(-100.0f, 10) == 0);
    CHECK(quantize(1e30f, 10) == 255);
    CHECK(quantize(infinity, 10) == 255);
    CHECK(quantize(-infinity, 10) == 0);
    CHECK(quantize(not_a_number, 10) == 10);
    CHECK(quantize(-0.0f, 10) == 10);
}

TEST_CASE("bfloat16 rounds half to even and keeps what is no number") {
    CHECK(float{bfloat16(1.0f)} == 1.0f);
    CHECK(float{bfloat16(-0.0f)} == 0.0f);
    CHECK(bfloat16(std::bit_cast<float>(0x3f808000u)).bits == 0x3f80);  // half way: to even
    CHECK(bfloat16(std::bit_cast<float>(0x3f818000u)).bits == 0x3f82);
    CHECK(bfloat16(std::bit_cast<float>(0x3f808001u)).bits == 0x3f81);
    CHECK(bfloat16(3.4e38f).bits == 0x7f80);  // beyond the largest: infinity
    CHECK(bfloat16(-infinity).bits == 0xff80);
    CHECK(std::isnan(float{bfloat16(std::bit_cast<float>(0x7f800001u))}));
}

TEST_CASE("every float16 is a float, and back") {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        float16 h;
        h.bits = static_cast<std::uint16_t>(bits);
        const float x = h;
        const bool nan = (bits & 0x7fffu) > 0x7c00u;
        REQUIRE(is_nan(x) == nan);
        REQUIRE((nan || float16(x).bits == bits));
        if (!nan && (bits & 0x7fffu) < 0x7bffu) {  // half way to the next one: to the even one
            float16 next;
            next.bits = static_cast<std::uint16_t>(bits + 1);
            const float between = (x + float{next}) / 2.0f;
            REQUIRE(float16(between).bits == (bits % 2 == 0 ? bits : bits + 1));
            REQUIRE(float16(std::nextafter(between, float{next})).bits == bits + 1);
            REQUIRE(float16(std::nextafter(between, x)).bits == bits);
        }
    }
    CHECK(float16(65519.0f).bits == 0x7bff);
    CHECK(float16(65520.0f).bits == 0x7c00);
    CHECK(float16(-1e30f).bits == 0xfc00);
    CHECK(float16(std::numeric_limits<float>::quiet_NaN()).bits == 0x7e00);
}
