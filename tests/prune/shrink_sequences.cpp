#include <pare/nn.hpp>
#include <pare/prune/shrink.hpp>

#include "../catch.hpp"
#include "shrinking.hpp"

using namespace pare;

namespace {

template <std::size_t I, class Model>
auto& layer(Model& model) {
    return std::get<I>(model.layers);
}

/// Hidden unit `u` gives zeros: nothing enters its state.
template <class Cell>
void silence(Cell& c, std::size_t u, std::size_t gate) {
    const std::size_t row = gate * c.state.columns() + u;
    zero_row(c.input, row);
    zero_row(c.state, row);
    c.input_bias(row) = c.state_bias(row) = 0.0f;
}

template <class Layer>
void check_hidden_units(Layer recurrent, std::size_t candidate) {
    auto model = with_numbers(sequential(input<dyn, dyn>(5, 3), recurrent, last_step(), dense<dyn, dyn>(12, 2)));
    auto& cells = layer<1>(model).cells;
    for (const std::size_t u : {1u, 4u, 5u}) {
        silence(cells[0], u, candidate);
    }
    for (const std::size_t u : {0u, 2u}) {
        silence(cells[1], u, candidate);
    }
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<1>(*left).hidden() == 10);  // as many in all layers
    CHECK(layer<3>(*left).weights.columns() == 10);
    CHECK(outputs(*left) == outputs(model));

    const auto seven = shrink(model, keep_units{{"0", 7}});
    REQUIRE(seven);
    CHECK(layer<1>(*seven).cells[1].input.columns() == 7);
    CHECK(layer<1>(*seven).cells[1].state.columns() == 7);
}

}  // namespace

TEST_CASE("hidden units of an LSTM and a GRU") {
    check_hidden_units(lstm<dyn, dyn, recurrent_options{.layers = 2}>(3, 12), 2);
    check_hidden_units(gru<dyn, dyn, recurrent_options{.layers = 2}>(3, 12), 2);
}

TEST_CASE("hidden units of two directions behind an embedding, by request") {
    auto model = with_numbers(sequential(input<dyn>(4), embedding<dyn, dyn>(3, 6),
                                         rnn<dyn, dyn, recurrent_options{.bidirectional = true}>(6, 8), input<dyn>(64),
                                         dense<dyn, dyn>(64, 3)));
    auto& cells = layer<2>(model).cells;
    const std::size_t smallest[2][3] = {{0, 2, 6}, {1, 2, 3}};
    for (std::size_t d = 0; d < 2; ++d) {
        for (const std::size_t unit : smallest[d]) {
            scale_row(cells[d].input, unit, 1e-3f);
            scale_row(cells[d].state, unit, 1e-3f);
        }
    }
    for (const std::size_t column : {1u, 3u}) {
        for (std::size_t row = 0; row < 3; ++row) {
            layer<1>(model).weights.values[row * 6 + column] *= 1e-3f;
        }
    }
    const auto left = shrink(model, keep_units{{"1", 5}, {"0", 4}});
    REQUIRE(left);
    CHECK(layer<1>(*left).weights.columns() == 4);
    CHECK(layer<2>(*left).hidden() == 5);
    CHECK(layer<3>(*left).shape[0] == 40);

    for (std::size_t d = 0; d < 2; ++d) {
        zero_column(cells[d].input, 1);
        zero_column(cells[d].input, 3);
        for (const std::size_t unit : smallest[d]) {
            zero_column(cells[d].state, unit);
            for (std::size_t step = 0; step < 4; ++step) {
                zero_column(layer<4>(model).weights, step * 16 + d * 8 + unit);
            }
        }
    }
    const std::vector<float> tokens = {0.0f, 2.0f, 1.0f, 2.0f};
    CHECK(whole(prepare<isa::native>(*left), tokens, 1) == whole(prepare<isa::native>(model), tokens, 1));
}

TEST_CASE("heads of attention") {
    auto model = with_numbers(
        sequential(input<dyn, dyn>(5, 3), dense<dyn, dyn>(3, 8), residual(self_attention<dyn, dyn>(8, 4)), dense<dyn, dyn>(8, 2)));
    auto& attention = layer<2>(model).body;
    for (const std::size_t row : {2u, 3u, 6u, 7u}) {  // of heads 1 and 3
        zero_row(attention.in_weights, 16 + row);
    }
    const auto left = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(left);
    CHECK(layer<2>(*left).body.heads[0] == 2);
    CHECK(layer<2>(*left).body.inner_width() == 4);
    CHECK(layer<2>(*left).body.width() == 8);
    CHECK_THAT(describe_layer(*left), ContainsSubstring("self_attention 8, 2 heads of 2"));
    CHECK(close(outputs(*left), outputs(model), 1e-5f));

    // By request: the heads with the smallest weights, and a channel of the sum.
    const auto one = shrink(model, keep_units{{"1.body", 1}, {"0", 7}});
    REQUIRE(one);
    CHECK(layer<2>(*one).body.heads[0] == 1);
    CHECK(layer<2>(*one).body.width() == 7);
    CHECK(layer<3>(*one).weights.columns() == 7);
    CHECK(outputs(*one).size() == outputs(model).size());

    const auto fixed = shrink<keep<"0.body", 2>>(sequential(input<5, 8>(), residual(self_attention<8, 4>())));
    REQUIRE(fixed);
    using attention_type = self_attention<8, 2, attention_mask::none, weight_matrix<float, full>, as_float, 4>;
    static_assert(std::is_same_v<std::decay_t<decltype(*fixed)>, sequential<input<5, 8>, residual<attention_type>>>);
}

TEST_CASE("a layer norm is over what is left") {
    auto model = sequential(input<dyn, dyn>(5, 3), dense<dyn, dyn>(3, 8), layer_norm<dyn>(8), dense<dyn, dyn>(8, 2));
    zero_row(layer<1>(model).weights, 3);
    const auto same = shrink(model, keep_effective{.multiple_of = 1});
    REQUIRE(same);
    CHECK(layer<2>(*same).weight.size() == 8);
    const auto left = shrink(model, keep_units{{"0", 5}});
    REQUIRE(left);
    CHECK(layer<2>(*left).weight.size() == 5);
    CHECK(layer<3>(*left).weights.columns() == 5);
}
