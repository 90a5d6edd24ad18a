#include <pare/types/small_float.hpp>

#include <cmath>
#include <limits>

#include "../catch.hpp"

using namespace pare;

namespace {

/// Every number of the format is itself, and what lies between two goes to the nearer one, from half way to the even one.
template <class F>
void check_all(std::uint8_t largest) {
    const int sign = 1 << (F::bits_per_number - 1);
    F number, next;
    for (std::uint8_t bits = 0; bits <= largest; ++bits) {
        number.bits = bits;
        REQUIRE(F(float{number}).bits == bits);
        REQUIRE(F(-float{number}).bits == (bits | sign));
        if (bits < largest) {
            next.bits = static_cast<std::uint8_t>(bits + 1);
            REQUIRE(float{next} > float{number});
            const float between = (float{number} + float{next}) / 2.0f;
            REQUIRE(F(between).bits == bits + bits % 2);
            REQUIRE(F(std::nextafter(between, 0.0f)).bits == bits);
            REQUIRE(F(std::nextafter(between, 1e30f)).bits == bits + 1);
        }
    }
    for (const float x : {1.1f * float{number}, 1e30f, 3e38f, std::numeric_limits<float>::infinity()}) {
        CHECK(F(x).bits == largest);
        CHECK(F(-x).bits == (largest | sign));
    }
    CHECK(F(1e-40f).bits == 0);
}

}  // namespace

TEST_CASE("floats of few bits, every one") {
    check_all<float8_e4m3>(0x7e);
    check_all<float8_e5m2>(0x7b);
    check_all<float4_e2m1>(0x7);
    CHECK(float{float8_e4m3(448.0f)} == 448.0f);
    CHECK(float{float8_e4m3(0x1p-9f)} == 0x1p-9f);
    CHECK(float{float8_e5m2(57344.0f)} == 57344.0f);
    CHECK(float{float8_e5m2(0x1p-16f)} == 0x1p-16f);
    CHECK(float{float4_e2m1(6.0f)} == 6.0f);
    CHECK(float{float4_e2m1(0.5f)} == 0.5f);
}

TEST_CASE("and what is no number") {
    constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
    CHECK(float8_e4m3(not_a_number).bits == 0x7f);
    CHECK(is_nan(float8_e4m3(not_a_number)));
    CHECK(is_nan(float8_e5m2(-not_a_number)));
    CHECK(float4_e2m1(not_a_number).bits == 0);
    float8_e5m2 infinite;
    infinite.bits = 0xfc;
    CHECK(float{infinite} == -std::numeric_limits<float>::infinity());
}
