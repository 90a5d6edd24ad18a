#include <pare/train/initialize.hpp>

#include <cmath>

#include <pare/nn/conv.hpp>
#include <pare/nn/conv_transpose.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/embedding.hpp>
#include <pare/nn/self_attention.hpp>
#include <pare/nn/sequential.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// A layer with the member names of a recurrent one, whose weights see inputs and hidden units, and one with a bias but no weights.
struct recurrent_like {
    weight_matrix<float, full> input{16, 5}, state{16, 4};
    tensor<float, 16> bias;

    static constexpr keeps_shape plan() noexcept { return {}; }
    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight_ih_l0", self.input);
        f("weight_hh_l0", self.state);
        f("bias_ih_l0", self.bias);
    }
};
struct norm_like {
    tensor<float, 3> bias;

    static constexpr keeps_shape plan() noexcept { return {}; }
    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("bias", self.bias);
    }
};

struct statistics {
    double variance = 0.0;
    double largest = 0.0;
};

statistics of(std::span<const float> values) {
    statistics s;
    for (const float v : values) {
        s.variance += static_cast<double>(v) * static_cast<double>(v) / static_cast<double>(values.size());
        s.largest = (std::max)(s.largest, std::fabs(static_cast<double>(v)));
    }
    return s;
}

template <class Initializer>
void check(const Initializer& initializer, double variance, bool uniform) {
    const auto net = initialized(sequential(dense<200, 100>()), initializer, seed{1});
    const auto& layer = std::get<0>(net.layers);
    const auto s = of({layer.weights.values.data(), layer.weights.values.size()});
    CHECK(s.variance == Approx(variance).epsilon(0.05));
    CHECK((s.largest <= std::sqrt(3.0 * variance) * 1.0001) == uniform);
    CHECK(of(layer.bias.values()).largest == 0.0);
}

/// The largest difference of v v^T from a multiple of the identity, v being [n, length] with a stride between its numbers.
double furthest_from_orthogonal(const float* v, std::size_t n, std::size_t length, std::size_t row, std::size_t column,
                                double square) {
    double worst = 0.0;
    for (std::size_t a = 0; a < n; ++a) {
        for (std::size_t b = 0; b < n; ++b) {
            double dot = a == b ? -square : 0.0;
            for (std::size_t i = 0; i < length; ++i) {
                dot += static_cast<double>(v[a * row + i * column]) * static_cast<double>(v[b * row + i * column]);
            }
            worst = (std::max)(worst, std::fabs(dot));
        }
    }
    return worst;
}

/// Keeps what an initializer is told.
struct told {
    std::pair<std::size_t, std::size_t>* fans;

    float operator()(const random_numbers&, std::size_t, std::size_t inputs, std::size_t outputs) const {
        *fans = {inputs, outputs};
        return 0.0f;
    }
};

template <class Layer>
std::pair<std::size_t, std::size_t> fans_of(Layer layer) {
    std::pair<std::size_t, std::size_t> fans;
    auto net = sequential(std::move(layer));  // axes pass through containers
    initialize(net, told{&fans}, seed{1});
    return fans;
}

}  // namespace

TEST_CASE("fans of convolutions are those of torch.nn.init._calculate_fan_in_and_fan_out") {
    // weight.size(1) and weight.size(0), each times the window.
    using fans = std::pair<std::size_t, std::size_t>;
    CHECK(fans_of(dense<6, 8>()) == fans(6, 8));
    CHECK(fans_of(conv1d<6, 8, 5>()) == fans(6 * 5, 8 * 5));                                                 // [8, 6, 5]
    CHECK(fans_of(conv2d<6, 8, size2d(3, 5)>()) == fans(6 * 15, 8 * 15));                                    // [8, 6, 3, 5]
    CHECK(fans_of(conv2d<6, 8, size2d(3, 5), conv_options{.groups = 2}>()) == fans(3 * 15, 8 * 15));         // [8, 3, 3, 5]
    CHECK(fans_of(conv_transpose2d<6, 8, size2d(3, 5)>()) == fans(8 * 15, 6 * 15));                          // [6, 8, 3, 5]
    CHECK(fans_of(conv_transpose2d<6, 8, 3, conv_transpose_options{.groups = 2}>()) == fans(4 * 9, 6 * 9));  // [6, 4, 3, 3]
}

TEST_CASE("initializers have the variance of their formula, normal or uniform") {
    check(he_normal{}, 2.0 / 200.0, false);
    check(he_uniform{}, 2.0 / 200.0, true);
    check(glorot_normal{}, 2.0 / 300.0, false);
    check(glorot_uniform{}, 2.0 / 300.0, true);
    check(lecun_normal{}, 1.0 / 200.0, false);
    check(lecun_uniform{}, 1.0 / 200.0, true);
}

TEST_CASE("orthogonal matrices are, whichever side is longer") {
    const auto wide = initialized(sequential(dense<30, 20>()), orthogonal{}, seed{1});
    CHECK(furthest_from_orthogonal(std::get<0>(wide.layers).weights.values.data(), 20, 30, 30, 1, 1.0) < 1e-6);
    const auto tall = initialized(sequential(dense<20, 30>()), orthogonal{2.0f}, seed{1});
    CHECK(furthest_from_orthogonal(std::get<0>(tall.layers).weights.values.data(), 20, 30, 1, 20, 4.0) < 1e-5);
}

TEST_CASE("PyTorch's defaults bound weights and biases by the inputs, or by the hidden units") {
    const auto net = initialized(sequential(dense<400, 100>(), norm_like(), recurrent_like()), pytorch_default{}, seed{1});
    const auto& [layer, norm, recurrent] = net.layers;
    const auto weights = of({layer.weights.values.data(), layer.weights.values.size()});
    CHECK(weights.largest <= 1.0 / 20.0);
    CHECK(weights.largest > 0.9 / 20.0);
    CHECK(of(layer.bias.values()).largest <= 1.0 / 20.0);
    CHECK(of(layer.bias.values()).largest > 0.9 / 20.0);
    CHECK(of(norm.bias.values()).largest == 0.0);
    for (const auto& s :
         {of({recurrent.input.values.data(), 80}), of({recurrent.state.values.data(), 64}), of(recurrent.bias.values())}) {
        CHECK(s.largest <= 0.5);
        CHECK(s.largest > 0.3);
    }
}

TEST_CASE("PyTorch's defaults of transposed convolutions, embeddings and attention") {
    // nn.ConvTranspose2d(32, 16, 5, groups=2): weights [32, 8, 5, 5], of which kaiming_uniform_(a=sqrt(5)) takes fan_in 8 * 25.
    const auto net = initialized(
        sequential(conv_transpose2d<32, 16, 5, conv_transpose_options{.groups = 2}>(), embedding<100, 30>({.padding_index = 2}),
                   embedding_bag<100, 30>({.padding_index = 99}), self_attention<40, 4>()),
        pytorch_default{}, seed{1});
    const auto& [transposed, table, bag, attention] = net.layers;
    const auto near = [](const statistics& s, double bound) { return s.largest <= bound * 1.0001 && s.largest > 0.85 * bound; };
    const auto of_weights = [](const auto& w) { return of({w.values.data(), w.values.size()}); };
    CHECK(near(of_weights(transposed.weights), 1.0 / std::sqrt(200.0)));
    CHECK(near(of(transposed.bias.values()), 1.0 / std::sqrt(200.0)));
    for (const auto& [weights, padding] : {std::pair(&table.weights, 2), std::pair(&bag.weights, 99)}) {
        CHECK(of_weights(*weights).variance == Approx(0.99).epsilon(0.06));
        CHECK(of_weights(*weights).largest > 3.0);
        CHECK(of({weights->values.data() + padding * 30, 30}).largest == 0.0);
    }
    CHECK(near(of_weights(attention.in_weights), std::sqrt(6.0 / 160.0)));
    CHECK(near(of_weights(attention.out_weights), 1.0 / std::sqrt(40.0)));
    CHECK(of(attention.in_bias.values()).largest == 0.0);
    CHECK(of(attention.out_bias.values()).largest == 0.0);
    const auto other = initialized(sequential(embedding<100, 30>({.padding_index = 2})), he_uniform{}, seed{1});
    CHECK(of({std::get<0>(other.layers).weights.values.data() + 60, 30}).largest == 0.0);
}

TEST_CASE("the same seed gives the same model, another one another") {
    const auto first = [](std::uint64_t s) {
        return std::get<0>(initialized(sequential(dense<2, 2>()), pytorch_default{}, seed{s}).layers).bias(0);
    };
    CHECK(first(1) == first(1));
    CHECK(first(1) != first(2));
}
