#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/simd/isa.hpp>
#include <pare/types/quantization.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;
using V = simd::ops<test_isa>;

static_assert(compiled_isa<test_isa>);
static_assert(compiled_isa<isa::native>);

TEST_CASE("partial loads and stores touch what they are told and nothing else") {
    for (std::size_t n = 0; n <= V::lanes; ++n) {
        guarded<float> in(n), out(n);
        guarded<std::int32_t> int_in(n), int_out(n);
        for (std::size_t i = 0; i < n; ++i) {
            in[i] = static_cast<float>(i) + 0.5f;
            int_in[i] = static_cast<std::int32_t>(i) - 3;
        }
        V::store_partial(out.data(), V::load_partial(in.data(), n), n);
        V::store_partial(int_out.data(), V::load_partial(int_in.data(), n), n);
        CHECK(std::equal(in.begin(), in.end(), out.begin()));
        CHECK(std::equal(int_in.begin(), int_in.end(), int_out.begin()));

        float all[V::lanes];
        V::store(all, V::load_partial(in.data(), n));
        for (std::size_t i = n; i < V::lanes; ++i) {
            CHECK(all[i] == 0.0f);
        }
    }
}

TEST_CASE("four rows of a transposed matrix") {
    constexpr std::size_t stride = 7;
    guarded<float> in((V::lanes - 1) * stride + 4);
    for (std::size_t i = 0; i < in.size(); ++i) {
        in[i] = static_cast<float>(i);
    }
    typename V::f32 rows[4];
    V::load_transposed(in.data(), stride, rows);
    for (std::size_t r = 0; r < 4; ++r) {
        float lanes[V::lanes];
        V::store(lanes, rows[r]);
        for (std::size_t c = 0; c < V::lanes; ++c) {
            CHECK(lanes[c] == static_cast<float>(c * stride + r));
        }
    }
}

template <class T, class Index>
void check_gather() {
    guarded<T> in(300);
    guarded<Index> index(V::lanes);
    for (std::size_t i = 0; i < in.size(); ++i) {
        in[i] = static_cast<T>(i) - T{7};
    }
    for (std::size_t c = 0; c < V::lanes; ++c) {
        index[c] = static_cast<Index>(299 - c * c);
    }
    T lanes[V::lanes];
    V::store(lanes, V::gather(in.data(), index.data()));
    for (std::size_t c = 0; c < V::lanes; ++c) {
        CHECK(lanes[c] == in[index[c]]);
    }
}

TEST_CASE("numbers gathered by their indices") {
    check_gather<float, std::uint16_t>();
    check_gather<float, std::uint32_t>();
    check_gather<std::int32_t, std::uint16_t>();
    check_gather<std::int32_t, std::uint32_t>();
}

TEST_CASE("rounding is half to even on every lane") {
    for (int i = -600; i <= 600; ++i) {
        const float x = static_cast<float>(i) * 0.25f;
        std::int32_t lanes[V::lanes];
        V::store(lanes, V::round(V::set(x)));
        for (const std::int32_t lane : lanes) {
            REQUIRE(lane == static_cast<std::int32_t>(std::nearbyint(x)));
        }
    }
}

TEST_CASE("the greatest of all lanes, and the greater of two without their signs") {
    for (std::size_t special = 0; special < V::lanes; ++special) {
        std::int32_t ints[V::lanes];
        for (std::size_t i = 0; i < V::lanes; ++i) {
            ints[i] = i == special ? 9 : -2;
        }
        CHECK(V::first(V::reduce_max(V::load(ints))) == 9);
        V::store(ints, V::maximum_unsigned(V::load(ints), V::set(std::int32_t{100})));
        for (std::size_t i = 0; i < V::lanes; ++i) {
            CHECK(ints[i] == (i == special ? 100 : -2));
        }
    }
}

template <class A>
static void check_four() {
    constexpr int low = std::is_same_v<A, std::int8_t> ? -128 : 0;
    guarded<A> out(4 * V::lanes);
    V::i32 v[4];
    std::int32_t numbers[4 * V::lanes];
    for (std::size_t i = 0; i < 4 * V::lanes; ++i) {
        numbers[i] = static_cast<std::int32_t>(i) * 37 - 300;
    }
    for (std::size_t u = 0; u < 4; ++u) {
        v[u] = V::load(numbers + u * V::lanes);
    }
    for (const int offset : {0, 255, -128, 77}) {
        simd::store_four_saturated<test_isa>(out.data(), v, offset);
        for (std::size_t i = 0; i < 4 * V::lanes; ++i) {
            CHECK(int{out[i]} == std::clamp(int{numbers[i]} + offset, low, low + 255));
        }
    }
}

TEST_CASE("four vectors are stored in order, saturated") {
    check_four<std::uint8_t>();
    check_four<std::int8_t>();
    check_four<std::int16_t>();
}

template <class Byte>
static void check_saturation() {
    constexpr int low = std::numeric_limits<Byte>::min();
    constexpr int high = std::numeric_limits<Byte>::max();
    for (const int value : {-1000000, -300, -129, -128, -1, 0, 1, 127, 128, 255, 256, 1000000}) {
        for (std::size_t n = 1; n <= V::lanes; ++n) {
            guarded<Byte> out(n);
            if (n == V::lanes) {
                V::store_saturated(out.data(), V::set(value));
            } else {
                V::store_saturated_partial(out.data(), V::set(value), n);
            }
            for (const Byte b : out) {
                REQUIRE(int{b} == std::clamp(value, low, high));
            }
        }
    }
}

TEST_CASE("bytes saturate") {
    check_saturation<std::uint8_t>();
    check_saturation<std::int8_t>();
}

TEST_CASE("NaN becomes zero and nothing else changes") {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float x :
         {0.0f, -1.0f, infinity, -infinity, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()}) {
        float lanes[V::lanes];
        V::store(lanes, V::nan_to_zero(V::set(x)));
        CHECK(lanes[0] == x);
    }
    for (const float x : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
        float lanes[V::lanes];
        V::store(lanes, V::nan_to_zero(V::set(x)));
        CHECK(lanes[V::lanes - 1] == 0.0f);
    }
}

TEST_CASE("a fused multiply-add rounds once where the instruction set has it, else twice, for vectors as for numbers") {
    const bool fused = !std::is_same_v<test_isa, isa::scalar> && !std::is_same_v<test_isa, isa::sse4_1>;
    const random_numbers random(seed{9}, 0);
    std::size_t differ = 0;
    for (std::size_t i = 0; i < 1000; ++i) {
        const float a = random.uniform(3 * i, -1.0f, 1.0f);
        const float b = random.uniform(3 * i + 1, -1.0f, 1.0f);
        const float c = random.uniform(3 * i + 2, -1.0f, 1.0f);
        const float twice = exact_multiply(a, b) + c;
        const float expected = fused ? std::fma(a, b, c) : twice;
        alignas(64) float lanes[V::lanes];
        V::store(lanes, V::fma(V::set(a), V::set(b), V::set(c)));
        REQUIRE(lanes[0] == expected);
        REQUIRE(V::fma(a, b, c) == expected);
        differ += twice != std::fma(a, b, c);
    }
    CHECK(differ > 100);  // the numbers tell the two apart
}
