#include <pare/core/random.hpp>

#include <algorithm>
#include <vector>

#include "../catch.hpp"

using namespace pare;

// Known answers of the Random123 distribution, philox 4x32 with 10 rounds.
TEST_CASE("philox gives the published numbers") {
    using words = std::array<std::uint32_t, 4>;
    STATIC_REQUIRE(philox4x32({0, 0, 0, 0}, {0, 0}) == words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    STATIC_REQUIRE(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
                   words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    STATIC_REQUIRE(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
                   words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("numbers depend on seed, stream and index alone") {
    const random_numbers a(seed{1}, 2);
    CHECK(a.uniform(7) == random_numbers(seed{1}, 2).uniform(7));
    CHECK(a.uniform(7) != a.uniform(8));
    CHECK(a.uniform(7) != random_numbers(seed{1}, 3).uniform(7));
    CHECK(a.uniform(7) != random_numbers(seed{2}, 2).uniform(7));
}

TEST_CASE("words in a row are those of single calls") {
    const random_numbers random(seed{0x123456789abcdef}, 0xfedcba987654321);
    std::array<std::array<std::uint32_t, 8>, 4> quarters;
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{0xfffffffc}, ~std::uint64_t{0} - 3}) {
        random.quarters_of_words(first, quarters);
        for (std::size_t j = 0; j < 8; ++j) {
            const auto words = random.words(first + j);
            CHECK((quarters[0][j] | std::uint64_t{quarters[1][j]} << 32) == words[0]);
            CHECK((quarters[2][j] | std::uint64_t{quarters[3][j]} << 32) == words[1]);
        }
    }
}

TEST_CASE("uniform and normal numbers have the moments of their distribution") {
    const random_numbers random(seed{42}, 0);
    constexpr std::size_t n = 100000;
    double uniform_sum = 0, uniform_squares = 0, normal_sum = 0, normal_squares = 0, normal_fourth = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double u = static_cast<double>(random.uniform(i));
        REQUIRE((u >= 0.0 && u < 1.0));
        const double x = static_cast<double>(random.normal(i));
        uniform_sum += u;
        uniform_squares += u * u;
        normal_sum += x;
        normal_squares += x * x;
        normal_fourth += x * x * x * x;
    }
    CHECK(uniform_sum / n == Approx(0.5).margin(0.005));
    CHECK(uniform_squares / n == Approx(1.0 / 3.0).margin(0.005));
    CHECK(normal_sum / n == Approx(0.0).margin(0.01));
    CHECK(normal_squares / n == Approx(1.0).margin(0.015));
    CHECK(normal_fourth / n == Approx(3.0).margin(0.1));
}

TEST_CASE("shuffle gives every element a new place and loses none") {
    std::vector<std::size_t> order(1000);
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    shuffle(order, random_numbers(seed{3}, 0));
    std::size_t fixed = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        fixed += order[i] == i;
    }
    CHECK(fixed < 10);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < order.size(); ++i) {
        REQUIRE(order[i] == i);
    }
}
