// What ggml gave for the same numbers: blocks of weights, byte for byte, and back.

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <pare/types/ggml_blocks.hpp>

#include "golden.hpp"

using namespace pare;
using nlohmann::json;

namespace {

template <class Block>
void check(const json& c) {
    const auto x = c["x"].get<std::vector<float>>();
    const auto dequantized = c["dequantized"].get<std::vector<float>>();
    const std::string hex = c["bytes"];
    REQUIRE(x.size() % Block::size == 0);
    REQUIRE(hex.size() == 2 * sizeof(Block) * (x.size() / Block::size));
    for (std::size_t b = 0; b < x.size() / Block::size; ++b) {
        unsigned char bytes[sizeof(Block)], expected[sizeof(Block)];
        for (std::size_t i = 0; i < sizeof bytes; ++i) {
            expected[i] = static_cast<unsigned char>(std::stoi(hex.substr(2 * (b * sizeof(Block) + i), 2), nullptr, 16));
        }
        Block block;
        std::memcpy(static_cast<void*>(&block), expected, sizeof expected);
        if constexpr (requires { Block::quantized(x.data()); }) {
            const Block ours = Block::quantized(x.data() + b * Block::size);
            std::memcpy(bytes, static_cast<const void*>(&ours), sizeof bytes);
            INFO("block " << b);
            REQUIRE(std::equal(bytes, bytes + sizeof bytes, expected));
        }
        for (std::size_t i = 0; i < Block::size; ++i) {
            REQUIRE(static_cast<double>(block.real(i)) ==
                    Approx(static_cast<double>(dequantized[b * Block::size + i])).epsilon(1e-6).margin(1e-7));
        }
    }
}

}  // namespace

TEST_CASE("blocks are those of ggml, byte for byte") {
    std::size_t seen = 0;
    for (const auto& c : golden_cases("ggml_blocks.json")) {
        const std::string name = c["name"];
        CAPTURE(name);
        const std::string format = name.substr(0, name.find('/'));
        ++seen;
        if (format == "q8_0") {
            check<ggml::q8_0>(c);
        } else if (format == "q4_0") {
            check<ggml::q4_0>(c);
        } else if (format == "q4_1") {
            check<ggml::q4_1>(c);
        } else if (format == "q4_K") {
            check<ggml::q4_K>(c);
        } else if (format == "q6_K") {
            check<ggml::q6_K>(c);
        } else {
            --seen;
        }
    }
    CHECK(seen > 0);
}
