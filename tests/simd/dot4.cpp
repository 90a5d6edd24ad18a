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

/// A function of a template, in which what an instruction set does not have is not looked at.
template <class Isa>
static void check_fours(const std::uint8_t* x) {
    using O = simd::ops<Isa>;
    if constexpr (simd::looks_up_operands<Isa>) {
        std::uint8_t index[O::lanes];
        std::int8_t weights[4 * O::lanes];
        for (std::size_t j = 0; j < O::lanes; ++j) {
            index[j] = static_cast<std::uint8_t>((j * 7 + 30) % 32);
            for (std::size_t i = 0; i < 4; ++i) {
                weights[4 * j + i] = static_cast<std::int8_t>(j * 9 + i * 50);
            }
        }
        std::int32_t sums[O::lanes];
        O::store(sums, O::dot(O::set(std::int32_t{0}), O::look_up_operand(x, index), O::load_weights(weights)));
        for (std::size_t j = 0; j < O::lanes; ++j) {
            std::int32_t expected = 0;
            for (std::size_t i = 0; i < 4; ++i) {
                expected += x[4 * index[j] + i] * weights[4 * j + i];
            }
            CHECK(sums[j] == expected);
        }
    }
    if constexpr (simd::transposes_fours<Isa>) {
        constexpr std::size_t stride = 37, out_stride = 4 * O::lanes + 8;
        std::uint8_t out[4 * out_stride];
        O::transpose_fours(x + 3, stride, out, out_stride);
        for (std::size_t i = 0; i < O::lanes; ++i) {
            for (std::size_t c = 0; c < 16; ++c) {
                CHECK(out[c / 4 * out_stride + 4 * i + c % 4] == x[3 + i * stride + c]);
            }
        }
    }
}

TEST_CASE("activations are looked up by lane, and fours of bytes are transposed") {
    const random_numbers random(seed{6}, 0);
    alignas(64) std::uint8_t x[1024];
    for (std::size_t i = 0; i < sizeof x; ++i) {
        x[i] = static_cast<std::uint8_t>(random.below(i, 256));
    }
    check_fours<test_isa>(x);
}
