#include <pare/compress/huffman.hpp>
#include <pare/compress/rans.hpp>
#include <pare/core/random.hpp>

#include <cmath>
#include <vector>

#include "../catch.hpp"

using namespace pare;
using bytes = std::vector<std::uint8_t>;

namespace {

/// Of a geometric distribution: 0 most often.
bytes skewed(std::size_t n, double half_life, std::uint64_t seed) {
    const random_numbers random(pare::seed{seed}, 0);
    bytes symbols(n);
    for (std::size_t i = 0; i < n; ++i) {
        symbols[i] =
            static_cast<std::uint8_t>((std::min)(255.0, -half_life * std::log2(1.0 - static_cast<double>(random.uniform(i)))));
    }
    return symbols;
}

template <class Coder>
void round_trips(const bytes& symbols) {
    const bytes content = Coder::encode(symbols);
    bytes decoded(symbols.size(), 77);
    const auto problem = Coder::decode(content, decoded);
    CHECK(!problem);
    CHECK(decoded == symbols);
}

template <class Coder>
void what_is_encoded_is_decoded() {
    round_trips<Coder>({});
    round_trips<Coder>({9});
    round_trips<Coder>({255, 255, 255});
    round_trips<Coder>({0, 255});
    round_trips<Coder>(bytes(5000, 0));
    for (const std::size_t n : {2u, 3u, 5u, 100u, 4095u, 4097u}) {
        for (const double half_life : {0.05, 0.5, 3.0, 100.0}) {
            round_trips<Coder>(skewed(n, half_life, n));
        }
    }
    bytes fibonacci;  // whose Huffman code would have 20 bits without a limit
    for (std::size_t s = 0, a = 1, b = 1; s < 21; ++s, b += a, a = b - a) {
        fibonacci.insert(fibonacci.end(), a, static_cast<std::uint8_t>(s));
    }
    round_trips<Coder>(fibonacci);
    bytes all;
    for (int s = 0; s < 256; ++s) {
        all.insert(all.end(), s == 17 ? 100000 : 1, static_cast<std::uint8_t>(s));
    }
    round_trips<Coder>(all);
}

template <class Coder>
void damage_is_seen() {
    const bytes symbols = skewed(300, 2.0, 5);
    const bytes content = Coder::encode(symbols);
    bytes decoded(symbols.size());
    for (std::size_t n = 0; n < content.size(); ++n) {
        CAPTURE(n);
        CHECK(Coder::decode(std::span(content).first(n), decoded));
    }
    bytes longer = content;
    longer.push_back(0);
    CHECK(Coder::decode(longer, decoded));
    for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
        bytes damaged = content;
        damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        bytes other(symbols.size());
        CHECK((Coder::decode(damaged, other) || other != symbols));
    }
    CHECK(Coder::decode(content, std::span<std::uint8_t>{}));
    const auto problem = Coder::decode(bytes{1, 2}, decoded);
    REQUIRE(problem);
    CHECK_THAT(problem->message, ContainsSubstring("found 2 bytes"));
}

}  // namespace

TEST_CASE("what is encoded is decoded") {
    what_is_encoded_is_decoded<huffman>();
    what_is_encoded_is_decoded<rans>();
}

TEST_CASE("damaged streams are errors or other symbols, and nothing else") {
    damage_is_seen<huffman>();
    damage_is_seen<rans>();
}

TEST_CASE("the entropy of counts is that of their shares") {
    symbol_counts counts{};
    CHECK(entropy_bits(counts) == 0.0);
    counts[3] = 8;
    CHECK(entropy_bits(counts) == 0.0);
    counts[200] = 4;
    counts[255] = 4;
    CHECK(entropy_bits(counts) == Approx(8 * 1 + 4 * 2 + 4 * 2));
}

TEST_CASE("Huffman codes are the best of 12 bits") {
    // Counts 1 1 2 3 5 have codes of 4 4 3 2 1 bits: 8 + 6 + 6 + 5 = 25 bits.
    const bytes content = huffman::encode(bytes{10, 11, 12, 12, 13, 13, 13, 14, 14, 14, 14, 14});
    CHECK(content.size() == 2 + 3 + (25 + 7) / 8);
    CHECK(content[2] == 0x44);
    CHECK(content[3] == 0x23);
    CHECK(content[4] == 0x01);
}

TEST_CASE("streams of 100,000 symbols are near their entropy") {
    for (const double half_life : {0.3, 1.0, 4.0, 20.0}) {
        const bytes symbols = skewed(100000, half_life, 1);
        const symbol_counts counts = count_symbols(symbols);
        const double least = entropy_bits(counts) / 8.0;
        CAPTURE(half_life, least);
        CHECK(static_cast<double>(rans::encode(symbols).size()) < 1.01 * least + 100.0);
        // At most the share of the most frequent symbol and 0.086 bits more: Gallager 1978, theorem 2.
        const double more = (static_cast<double>(counts[0]) + 0.086 * 100000) / 8.0;
        CHECK(static_cast<double>(huffman::encode(symbols).size()) < least + more + 100.0);
    }
}
