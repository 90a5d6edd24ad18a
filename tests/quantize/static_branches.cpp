#include <pare/quantize/watched_input.hpp>

#include <pare/quantize/static.hpp>

#include "../catch.hpp"
#include "static_reference.hpp"

using namespace pare;
using namespace static_reference;

TEST_CASE("a network of images with branches is watched where bytes are of use, and close to that of floats") {
    using conv = conv2d<dyn, dyn, dyn>;
    const conv_options same{.padding = 1};
    auto net = sequential(input<dyn, dyn, dyn>(6, 6, 3), conv(3, 8, 3, same), batch_norm<dyn>(8), relu(),
                          residual(sequential(conv(8, 8, 3, same), relu(), conv(8, 8, 1))), relu(),
                          concat(conv(8, 4, 1), sequential(conv(8, 4, 3, same), silu())), global_average_pool(),
                          dense<dyn, dyn>(8, 5), softmax());
    fill(net);
    const auto seen = numbers(6 * 6 * 3 * 40, 1, -1.0f, 1.0f);
    const auto q = quantize_static(net, seen);
    REQUIRE(q);
    std::string names;
    for_each_member(*q, [&](const member_path& path, const auto& member) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, static_range>) {
            names += path.text() + " ";
        }
    });
    CHECK(names ==
          "0.input 2.input 2.body.0.input 2.body.2.input 2.body.3.input 4.input 4.0.0.input 4.1.0.input 4.1.1.input 5.input "
          "6.input ");
    const auto ready = prepare<isa::native>(*q);
    const auto text = describe(ready);
    for (const char* part : {"residual (", "relu, bytes to bytes", "concat (", "silu by a table, bytes to bytes",
                             "global average pool, bytes to bytes", "bytes to floats, 5 outputs", "softmax, 5 outputs"}) {
        CHECK_THAT(text, ContainsSubstring(part));
    }
    CHECK(text.find(" floats to bytes") == text.rfind(" floats to bytes"));  // once, at the beginning
    const auto y = outputs(ready, seen), expected = outputs(prepare<isa::native>(net), seen);
    float furthest = 0.0f;
    for (std::size_t i = 0; i < y.size(); ++i) {
        furthest = std::fmax(furthest, std::fabs(y[i] - expected[i]));
    }
    CHECK(furthest < 0.03f);
}
