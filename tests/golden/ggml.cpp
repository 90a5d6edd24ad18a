// What ggml gave for the same numbers: blocks of weights, byte for byte, and back.

#include <algorithm>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include <pare/quantize/ggml_blocks.hpp>

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
        const auto ours = ggml::quantized<Block>(x.data() + b * Block::size);
        std::memcpy(bytes, static_cast<const void*>(&ours), sizeof bytes);
        INFO("block " << b);
        REQUIRE(std::equal(bytes, bytes + sizeof bytes, expected));
        for (std::size_t i = 0; i < Block::size; ++i) {
            REQUIRE(static_cast<double>(ggml::real(block, i)) ==
                    Approx(static_cast<double>(dequantized[b * Block::size + i])).epsilon(1e-6).margin(1e-7));
        }
    }
}

}  // namespace

TEST_CASE("blocks are those of ggml, byte for byte") {
    const json cases = golden_cases("ggml_blocks.json");
    REQUIRE(!cases.empty());
    for (const auto& c : cases) {
        const std::string format = golden_kind(c);
        CAPTURE(c["name"].get<std::string>());
        bool known = false;
        const auto check_if = [&]<class Block>(const Block&) {
            if (format == Block::name) {
                known = true;
                check<Block>(c);
            }
        };
        std::apply([&](const auto&... block) { (check_if(block), ...); },
                   std::tuple<ggml::q8_0, ggml::q4_0, ggml::q4_1, ggml::q5_0, ggml::q5_1, ggml::q4_K, ggml::q6_K>());
        CHECK(known);
    }
}
