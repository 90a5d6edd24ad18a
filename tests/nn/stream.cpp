#include <pare/nn/stream.hpp>

#include <algorithm>
#include <vector>

#include <pare/nn/branches.hpp>
#include <pare/nn/dropout.hpp>
#include <pare/nn/embedding.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/recurrent.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/nn/softmax.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"
#include "../counted_allocations.hpp"
#include "sequences.hpp"

using namespace pare;

namespace {

constexpr recurrent_options two_layers{.layers = 2};

/// Sequences in pieces give what they give as a whole, without an allocation.
template <class Prepared>
void check_stream(const Prepared& ready, std::size_t batch) {
    constexpr std::size_t steps = 9;
    const std::size_t in = ready.input_size() / steps;
    CAPTURE(describe(ready), batch);
    auto x = some_numbers(batch * steps * in, 3);
    for (std::size_t i = 0; in == 1 && i < x.size(); ++i) {
        x[i] = static_cast<float>(i * 5 % 12);  // tokens
    }
    const auto expected = whole(ready, x, batch);
    const std::size_t width = ready.output_size() / steps;
    for (const std::size_t piece : {1u, 2u, 9u}) {
        stream s(ready, piece, batch);
        for (int round = 0; round < 2; ++round) {
            std::vector<float> part(batch * piece * in), y(batch * piece * width);
            for (std::size_t t = 0; t < steps; t += piece) {
                const std::size_t now = (std::min)(piece, steps - t);
                for (std::size_t b = 0; b < batch; ++b) {
                    const float* const from = x.data() + (b * steps + t) * in;
                    std::copy(from, from + now * in, part.data() + b * now * in);
                }
                const std::size_t before = allocations;
                step(ready, s, std::span<const float>(part).first(batch * now * in),
                     std::span<float>(y).first(batch * now * width));
                CHECK(allocations == before);
                for (std::size_t b = 0; b < batch; ++b) {
                    for (std::size_t i = 0; i < now * width; ++i) {
                        REQUIRE(y[b * now * width + i] == expected[(b * steps + t) * width + i]);
                    }
                }
            }
            s.reset();
        }
    }
}

/// Keeps the shape of a sequence, but not its order.
struct reversed {
    static constexpr keeps_shape plan() noexcept { return {}; }
};

}  // namespace

TEST_CASE("only layers that say so take steps by themselves") {
    CHECK(takes_single_steps<sigmoid>);
    CHECK(takes_single_steps<softmax>);
    CHECK(takes_single_steps<log_softmax>);
    CHECK(takes_single_steps<dropout>);
    CHECK(takes_single_steps<layer_norm<4>>);
    CHECK_FALSE(takes_single_steps<reversed>);
    CHECK_FALSE(takes_single_steps<sequential<sigmoid, reversed>>);
    CHECK(takes_single_steps<residual<sequential<sigmoid, lstm<4, 4>>>>);
}

TEST_CASE("streams give what whole sequences give, to the bit") {
    const auto net = filled(sequential(input<9, 7>(), lstm<7, 33, two_layers>(), dense<33, 4>(), sigmoid()));
    check_stream(prepare<isa::native>(net), 1);
    check_stream(prepare<isa::native>(net), 3);
    check_stream(*prepare<isa::native>(quantize_dynamic(net)), 2);
    check_stream(prepare<isa::native>(filled(sequential(input<dyn, dyn>(9, 7), gru<dyn, dyn>(7, 20)))), 2);
    check_stream(*prepare<isa::native>(quantize_dynamic(filled(sequential(input<9, 7>(), gru<7, 20>(), rnn<20, 18>())))), 40);
}

TEST_CASE("streams of tokens, and recurrent layers in containers") {
    const auto net =
        filled(sequential(input<9>(), embedding<12, 8>(), residual(lstm<8, 8>()),
                          concat(gru<8, 6>(), sequential(input<9, 8>(), dense<8, 4>(), sigmoid(), rnn<4, 5>())), dense<11, 3>()));
    const auto ready = prepare<isa::native>(net);
    CHECK(stream(ready, 1, 2).state().size() == 2 * (2 * 8 + 6 + 5));
    check_stream(ready, 2);
    check_stream(*prepare<isa::native>(quantize_dynamic(net)), 3);
}

TEST_CASE("a stream ends in a layer that takes the last step") {
    const auto net = filled(sequential(input<9, 7>(), lstm<7, 16>(), last_step(), dense<16, 3>()));
    const auto ready = prepare<isa::native>(*quantize_dynamic(net));
    const auto x = some_numbers(9 * 7, 4);
    const auto expected = whole(ready, x, 1);
    stream s(ready);
    std::vector<float> y(3);
    for (std::size_t t = 0; t < 9; ++t) {
        step(ready, s, {x.data() + 7 * t, 7}, y);
    }
    CHECK(y == expected);
    CHECK(s.state().size() == 2 * 16);
}
