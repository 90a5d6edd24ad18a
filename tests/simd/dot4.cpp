#include <pare/simd/dot4.hpp>

#include <vector>

#include <pare/core/random.hpp>

#include "../catch.hpp"
#include "../test_isa.hpp"

using namespace pare;
using V = simd::ops<test_isa>;

template <class A>
static void check(const std::vector<int>& activations, const std::vector<int>& weights) {
    A a[4];
    std::int8_t w[4 * V::lanes];
    std::int32_t start[V::lanes];
    std::int32_t expected[V::lanes];
    for (std::size_t i = 0; i < 4; ++i) {
        a[i] = static_cast<A>(activations[i]);
    }
    for (std::size_t j = 0; j < V::lanes; ++j) {
        std::int32_t weight_sum = 0;
        expected[j] = static_cast<std::int32_t>(j) * 1000 - 7;
        for (std::size_t i = 0; i < 4; ++i) {
            const auto weight = static_cast<std::int8_t>(weights[(4 * j + i) % weights.size()]);
            w[i / V::dot_depth * V::lanes * V::dot_depth + j * V::dot_depth + i % V::dot_depth] = weight;
            weight_sum += weight;
            expected[j] += a[i] * weight;
        }
        start[j] = static_cast<std::int32_t>(j) * 1000 - 7 + simd::shift_correction<test_isa, A> * weight_sum;
    }
    std::int32_t sums[V::lanes];
    V::store(sums, simd::dot4<test_isa>(V::load(start), a, w));
    for (std::size_t j = 0; j < V::lanes; ++j) {
        REQUIRE(sums[j] == expected[j]);
    }
}

template <class A>
static void check_kind(int low, int high) {
    for (const int a : {low, low + 1, 0, 1, high / 2, high - 1, high}) {
        check<A>({a, a, a, a}, {-127});
        check<A>({a, a, a, a}, {127});
        check<A>({a, high, a, low}, {127, -127, 0, 1, -1});
        check<A>({a, high, a, low}, {-128});
        check<A>({a, a, high, high}, {-128, 127, -128, 0, -127});
    }
    const random_numbers random(seed{5}, 0);
    std::uint64_t next = 0;
    for (int round = 0; round < 200; ++round) {
        std::vector<int> activations, weights;
        for (std::size_t i = 0; i < 4 * V::lanes; ++i) {
            activations.push_back(low + static_cast<int>(random.below(next++, 256)));
            weights.push_back(-128 + static_cast<int>(random.below(next++, 256)));
        }
        check<A>(activations, weights);
    }
}

TEST_CASE("the four-way dot product is exact") {
    SECTION("unsigned activations") {
        check_kind<std::uint8_t>(0, 255);
    }
    SECTION("signed activations") {
        check_kind<std::int8_t>(-128, 127);
    }
    SECTION("the instruction set's own kind") {
        constexpr bool is_signed_byte = std::is_same_v<V::activation, std::int8_t>;
        check_kind<V::activation>(is_signed_byte ? -128 : 0, is_signed_byte ? 127 : 255);
    }
}
