#include <pare/types/ggml_blocks.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("blocks of 32 weights keep nibbles in halves, and a fifth bit apart") {
    ggml::q4_0 a = {};
    a.d = float16(0.5f);
    a.pairs[3] = 0x2f;
    CHECK(ggml::real(a, 3) == 0.5f * (15 - 8));
    CHECK(ggml::real(a, 19) == 0.5f * (2 - 8));
    ggml::q5_1 b = {};
    b.d = float16(0.5f);
    b.m = float16(-3.0f);
    b.pairs[3] = 0x2f;
    b.high[0] = 1 << 3;
    b.high[2] = 1 << 3;
    CHECK(ggml::real(b, 3) == 0.5f * 31 - 3);
    CHECK(ggml::real(b, 19) == 0.5f * (16 + 2) - 3);
    CHECK(ggml::real(b, 4) == -3.0f);
    ggml::q8_0 c = {};
    c.d = float16(2.0f);
    c.q[31] = -128;
    CHECK(ggml::real(c, 31) == -256.0f);
    CHECK(c.code(31) == 0);
}

TEST_CASE("blocks of 256 weights have scales of a few bits") {
    ggml::q4_K a = {};
    a.d = float16(0.5f);
    a.dmin = float16(0.25f);
    a.scales[1] = 3 | 2 << 6;  // factor of group 1, two bits of that of group 5
    a.scales[5] = 7 | 1 << 6;  // least of group 1, two bits of that of group 5
    a.scales[9] = 4 | 5 << 4;  // the rest of both
    a.pairs[32 * 0 + 6] = 0x90;
    a.pairs[32 * 2 + 6] = 0x80;
    CHECK(ggml::real(a, 38) == 0.5f * 3 * 9 - 0.25f * 7);
    CHECK(ggml::real(a, 166) == 0.5f * (4 + 32) * 8 - 0.25f * (5 + 16));
    ggml::q6_K b = {};
    b.d = float16(0.5f);
    b.scales[8 + 5] = -3;
    b.low[64 + 16] = 0xa0;
    b.high[32 + 16] = 1 << 4;
    CHECK(ggml::real(b, 128 + 64 + 16) == 0.5f * -3 * ((10 | 1 << 4) - 32));
}
