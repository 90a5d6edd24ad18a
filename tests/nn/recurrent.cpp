#include <pare/nn/recurrent.hpp>

#include <cmath>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/bfloat16.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"
#include "layer_gradients.hpp"
#include "sequences.hpp"

using namespace pare;

namespace {

constexpr recurrent_options both_ways{.bidirectional = true};

double logistic(double x) {
    return 1.0 / (1.0 + std::exp(-x));
}

/// One layer in one direction in double, from its definition: x [steps, in], p the parameters in members' order.
enum class kind { lstm, gru, rnn, rnn_relu };
std::vector<double> reference(kind k, const double* p, std::size_t in, std::size_t n, const std::vector<double>& x) {
    const std::size_t gates = k == kind::lstm ? 4 : k == kind::gru ? 3 : 1, steps = x.size() / in;
    const double *w_ih = p, *w_hh = w_ih + gates * n * in, *b_ih = w_hh + gates * n * n, *b_hh = b_ih + gates * n;
    std::vector<double> h(n), c(n), y, gx(gates * n), gh(gates * n);
    for (std::size_t t = 0; t < steps; ++t) {
        for (std::size_t j = 0; j < gates * n; ++j) {
            gx[j] = b_ih[j];
            gh[j] = b_hh[j];
            for (std::size_t i = 0; i < in; ++i) {
                gx[j] += w_ih[j * in + i] * x[t * in + i];
            }
            for (std::size_t i = 0; i < n; ++i) {
                gh[j] += w_hh[j * n + i] * h[i];
            }
        }
        for (std::size_t j = 0; j < n; ++j) {
            const auto sum = [&](std::size_t gate) { return gx[gate * n + j] + gh[gate * n + j]; };
            if (k == kind::lstm) {
                c[j] = logistic(sum(1)) * c[j] + logistic(sum(0)) * std::tanh(sum(2));
                h[j] = logistic(sum(3)) * std::tanh(c[j]);
            } else if (k == kind::gru) {
                const double z = logistic(sum(1));
                h[j] = (1.0 - z) * std::tanh(gx[2 * n + j] + logistic(sum(0)) * gh[2 * n + j]) + z * h[j];
            } else {
                h[j] = k == kind::rnn ? std::tanh(sum(0)) : std::fmax(sum(0), 0.0);
            }
        }
        y.insert(y.end(), h.begin(), h.end());
    }
    return y;
}

/// A layer of 5 inputs and 6 numbers of state.
template <class Layer>
void check_against_definition(kind k, Layer layer) {
    constexpr std::size_t in = 5, n = 6, steps = 4;
    CAPTURE(layer.describe());
    check_gradients(std::move(layer), extents<dyn, dyn>(steps, in), 3, [k](const auto& x, auto p, std::size_t batch) {
        p.resize(p.size() + 8 * n);  // zeros where there is no bias
        std::vector<double> y;
        for (std::size_t b = 0; b < batch; ++b) {
            const auto first = x.begin() + static_cast<std::ptrdiff_t>(b * steps * in);
            const auto one = reference(k, p.data(), in, n, {first, first + steps * in});
            y.insert(y.end(), one.begin(), one.end());
        }
        return y;
    });
}

}  // namespace

TEST_CASE("recurrent layers are their definitions, and so are their gradients") {
    check_against_definition(kind::lstm, lstm<5, 6>());
    check_against_definition(kind::lstm, lstm<dyn, dyn>(5, 6));
    check_against_definition(kind::gru, gru<5, 6>());
    check_against_definition(kind::rnn, rnn<5, 6>());
    check_against_definition(kind::rnn_relu, rnn_relu<5, 6>());
    check_against_definition(kind::gru, gru<5, 6, recurrent_options{.bias = false}>());
}

TEST_CASE("recurrent layers without biases are PyTorch's") {
    constexpr recurrent_options two{.layers = 2, .bidirectional = true, .bias = false}, one{.bias = false};
    const extents<dyn, dyn> shape(4, 5);
    check_pytorch(lstm<5, 3, two>(), shape, 2,
                  {-0.169432575, 0.0137188393, -0.0176280089, -0.014063973, 0.0605478486, -0.0205540952, -0.165229375, 0.0246271087,
                   0.0668707651, 0.0108975544});
    check_pytorch(gru<5, 3, one>(), shape, 2, {-0.0679202231, 0.0723854989, 0.112430766, -0.0628773242});
}

TEST_CASE("dropout between the layers of one is that between two") {
    const dropout some{0.3f};
    training_pass one(filled(lstm<5, 6, recurrent_options{.layers = 2, .bidirectional = true}>(some)), extents<4, 5>(), 3);
    training_pass two(filled(sequential(lstm<5, 6, both_ways>(), some, lstm<12, 6, both_ways>())), extents<4, 5>(), 3);
    one.x = two.x = some_numbers(one.x.size(), 3);
    one.dy = two.dy = some_numbers(one.dy.size(), 4);
    one.run();
    two.run();
    CHECK(one.y == two.y);
    CHECK(one.dx == two.dx);
    CHECK(one.gradient == two.gradient);
    CHECK_THAT(one.layer.describe(), ContainsSubstring("bidirectional, dropout 0.3 between layers in training: float full"));
    const auto plain = filled(lstm<5, 6, recurrent_options{.layers = 2, .bidirectional = true}>());
    const auto run_whole = [&](const auto& layer) {
        return whole(prepare<isa::native>(sequential(input<4, 5>(), layer)), one.x, 3);
    };
    CHECK(run_whole(one.layer) == run_whole(plain));
    CHECK(one.y != run_whole(plain));
}

TEST_CASE("every storage of weights gives nearly the same, and a sample the same in every batch and on every thread") {
    const auto net = filled(sequential(input<9, 7>(), lstm<7, 24, both_ways>(), last_step()));
    const auto x = some_numbers(70 * 9 * 7, 5);
    const auto expected = whole(prepare<isa::native>(net), x, 70);
    const auto check = [&](const auto& ready, double margin) {
        CAPTURE(describe(ready));
        const auto y = whole(ready, x, 70);
        for (std::size_t i = 0; i < y.size(); ++i) {
            REQUIRE(y[i] == Approx(expected[i]).margin(margin));
        }
        const std::vector<float> single(x.begin() + 50 * 63, x.begin() + 51 * 63);
        CHECK(std::ranges::equal(whole(ready, single, 1), std::span<const float>(y).subspan(50 * 48, 48)));
        thread_pool pool(3);
        auto space = workspace_for(ready, 70);
        std::vector<float> parallel(y.size());
        run(ready, x, parallel, space, pool);
        CHECK(parallel == y);
    };
    check(prepare<isa::native>(net), 0.0);
    check(*prepare<isa::native>(quantize_dynamic(net)), 0.03);
    check(*prepare<isa::native>(quantize_dynamic<qint4<32>>(net)), 0.3);
    check(*prepare<isa::native>(sparsify<csr>(net)), 1e-5);
    check(prepare<isa::native>(to_bfloat16(net)), 0.01);
}

TEST_CASE("int8 recurrent layers have the same bits on every instruction set") {
    const auto net = *quantize_dynamic(filled(sequential(input<9, 7>(), lstm<7, 24, both_ways>(), gru<48, 10>())));
    const auto x = some_numbers(4 * 9 * 7, 6);
    CHECK(whole(prepare<isa::native>(net), x, 4) == whole(prepare<isa::scalar>(net), x, 4));
}

TEST_CASE("names and descriptions of recurrent layers") {
    std::string names;
    auto net = sequential(lstm<3, 4, recurrent_options{.layers = 2, .bidirectional = true}>());
    for_each_member(net, [&](const member_path& path, auto&) { names += path.text() + " "; });
    CHECK_THAT(names, ContainsSubstring("0.weight_ih_l0 0.weight_hh_l0 0.bias_ih_l0 0.bias_hh_l0 0.weight_ih_l0_reverse"));
    CHECK_THAT(names, ContainsSubstring("0.bias_hh_l1_reverse"));
    CHECK(std::get<0>(net.layers).cells[2].input.columns() == 8);
    CHECK_THAT(std::get<0>(net.layers).describe(), ContainsSubstring("lstm 3 -> 4, 2 layers, bidirectional: float full"));
}
