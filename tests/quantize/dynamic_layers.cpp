// Every layer with a product in it: quantize_dynamic() makes its weights bytes, it runs on them without allocating, and its outputs
// are those of its float weights but for what bytes lose.

#include <pare/quantize/dynamic.hpp>

#include <cmath>

#include <pare/nn.hpp>
#include <pare/quantize/embeddings.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../counted_allocations.hpp"

using namespace pare;

namespace {

template <class Prepared>
std::vector<float> outputs(const Prepared& ready, const std::vector<float>& x) {
    const std::size_t batch = x.size() / ready.input_size();
    std::vector<float> y(batch * ready.output_size());
    auto space = workspace_for(ready, batch);
    const std::size_t before = allocations;
    run(ready, x, y, space);
    CHECK(allocations == before);
    return y;
}

/// A layer on samples of a shape, with 3 samples of numbers from -1 to 1. `kernel` is what describe() must say.
template <std::size_t... Shape, class Layer>
void check(const Layer& layer, const char* kernel, double tolerance) {
    const auto net = initialized(sequential(input<Shape...>(), layer), glorot_normal{}, seed{11});
    const auto small = quantize_dynamic(net);
    REQUIRE(small);
    CHECK(summarize(*small).bytes < summarize(net).bytes / 2);
    const random_numbers random(seed{12}, 0);
    std::vector<float> x(3 * (Shape * ...));
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    const auto ready = prepare<isa::native>(*small);
    INFO(describe(ready));
    CHECK_THAT(describe(ready), ContainsSubstring(sentence("qint8 full, ", kernel, " on ", isa::native::name)));
    CHECK_THAT(describe(ready), ContainsSubstring("activations quantized"));
    const auto y = outputs(ready, x), expected = outputs(prepare<isa::native>(net), x);
    double worst = 0.0, largest = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        worst = (std::max)(worst, std::fabs(double{y[i]} - double{expected[i]}));
        largest = (std::max)(largest, std::fabs(double{expected[i]}));
    }
    CHECK(worst > 0.0);
    CHECK(worst <= tolerance * largest);
}

struct value_range_of {
    float min = 0.0f, max = 0.0f;
    void include(float x) {
        min = (std::min)(min, x);
        max = (std::max)(max, x);
    }
};

}  // namespace

TEST_CASE("dense") {
    check<5, 40>(dense<dyn, dyn>(40, 60), "gemm_int8", 0.01);
}

TEST_CASE("convolutions") {
    check<20, 16>(conv1d<dyn, dyn, dyn>(16, 24, 3), "conv2d_int8", 0.01);
    check<8, 7, 16>(conv2d<dyn, dyn, dyn>(16, 24, 3, {.padding = 1}), "conv2d_int8", 0.01);
    check<4, 5, 24>(conv_transpose2d<dyn, dyn, dyn>(24, 16, 3, {.stride = 2}), "conv2d_int8", 0.02);
}

TEST_CASE("recurrent layers") {
    check<9, 28>(lstm<dyn, dyn>(28, 32), "gemm_int8", 0.02);
    check<9, 28>(gru<dyn, dyn>(28, 32), "gemm_int8", 0.02);
    check<9, 28>(rnn<dyn, dyn>(28, 48), "gemm_int8", 0.03);
}

TEST_CASE("one range for all rows of a batch, where it is asked for") {
    constexpr std::size_t inputs = 37, batch = 5;
    const auto net = initialized(sequential(dense<inputs, 3>()), glorot_normal{}, seed{14});
    const auto small = quantize_dynamic<dialect::pare, granularity::per_channel>(net);
    REQUIRE(small);
    const random_numbers random(seed{15}, 0);
    tensor<float, batch, inputs> x;
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.data()[i] = random.uniform(i, -1.0f, 1.0f) * static_cast<float>(1 + i / inputs);  // rows of several ranges
    }
    const auto& layer = std::get<0>(small->layers);
    const auto check_outputs = [&](std::size_t rows) {
        value_range_of range;
        for (std::size_t i = 0; i < rows * inputs; ++i) {
            range.include(x.data()[i]);
        }
        const auto q = affine_quantization<quint8>(range.min, range.max);
        const auto ready = prepare<isa::native>(*small);
        const auto y = outputs(ready, std::vector<float>(x.data(), x.data() + rows * inputs));
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t o = 0; o < 3; ++o) {
                std::int32_t sum = 0;
                for (std::size_t i = 0; i < inputs; ++i) {
                    const auto code = quantize_value(x(r, i), exact_divide(1.0f, q.scale), q.zero_point, 0, 255);
                    sum += (code - q.zero_point) * layer.weights.values[o * inputs + i];
                }
                const float scale = exact_multiply(q.scale, layer.weights.scales[o]);
                CHECK(y[r * 3 + o] == opaque(exact_multiply(static_cast<float>(sum), scale) + layer.bias(o)));
            }
        }
        CHECK_THAT(describe(ready), ContainsSubstring("activations quantized per tensor"));
    };
    check_outputs(1);
    check_outputs(batch);
}

TEST_CASE("projections of attention") {
    check<7, 32>(self_attention<dyn, dyn>(32, 4), "gemm_int8", 0.03);
}

TEST_CASE("rows of tables are looked up without allocating") {
    const auto net = initialized(sequential(input<4>(), embedding<dyn, dyn>(9, 20)), he_normal{}, seed{13});
    const std::vector<float> x = {0.0f, 8.0f, 3.0f, 3.0f};
    CHECK(outputs(prepare<isa::native>(*quantize_embeddings<row_quint<4>>(net)), x).size() == 80);
}

TEST_CASE("constant and empty channels keep their numbers, and an outlier costs its channel alone") {
    auto net = sequential(dense<8, 4>());
    auto& w = std::get<0>(net.layers).weights.values;
    for (std::size_t i = 0; i < 8; ++i) {
        w[i] = 0.25f;                               // constant
        w[8 + i] = 0.0f;                            // empty
        w[16 + i] = i == 3 ? 4e18f : 1.0f;          // an outlier near the largest that is allowed
        w[24 + i] = i % 2 == 0 ? 1e-38f : -1e-38f;  // a scale that would underflow
    }
    std::get<0>(net.layers).bias(1) = 7.0f;
    const auto small = quantize_dynamic(net);
    REQUIRE(small);
    const auto& q = std::get<0>(small->layers).weights;
    CHECK(q.scales[1] == 1.0f);
    CHECK(q.scales[3] == 1.0f);
    const std::vector<float> x = {1.0f, 1.0f, 1.0f, 0.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    const auto y = outputs(prepare<isa::native>(*small), x);
    CHECK(y[0] == Approx(1.75f));
    CHECK(y[1] == 7.0f);
    CHECK(y[2] == 0.0f);  // what the outlier leaves of the others
    CHECK(y[3] == 0.0f);
    w[19] = 1e30f;
    CHECK(quantize_dynamic(net).error().message ==
          "quantize: 0.weight: expected weights of at most 2^62, found 1e+30 at row 2, column 3");
}

TEST_CASE("constant and empty inputs are what they are, and an outlier costs its row alone") {
    auto net = sequential(dense<4, 1>());
    std::fill_n(std::get<0>(net.layers).weights.values.data(), 4, 0.5f);
    const auto ready = prepare<isa::native>(*quantize_dynamic(net));
    const std::vector<float> x = {3.0f,  3.0f, 3.0f, 3.0f, 0.0f,   0.0f,   0.0f, 0.0f,
                                  1e30f, 1.0f, 1.0f, 1.0f, 1e-38f, 1e-39f, 0.0f, 0.0f};
    const auto y = outputs(ready, x);
    CHECK(y[0] == Approx(6.0f));
    CHECK(y[1] == 0.0f);
    CHECK(y[2] == Approx(0.5 * 0x1p62));  // saturated at the largest range
    CHECK(y[3] == 0.0f);
}
