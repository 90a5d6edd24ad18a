#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/tensor.hpp>
#include <pare/types/dialects.hpp>

#include <vector>

#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

auto layer(const std::vector<float>& weights, const std::vector<float>& bias) {
    auto net = sequential(dense<dyn, dyn>(weights.size() / bias.size(), bias.size()));
    auto& l = std::get<0>(net.layers);
    std::copy(weights.begin(), weights.end(), l.weights.values.begin());
    std::copy(bias.begin(), bias.end(), l.bias.begin());
    return net;
}

template <class Model>
std::vector<float> run_batch(const Model& model, const std::vector<float>& x, std::size_t batch, std::size_t outputs) {
    const auto ready = prepare<isa::native>(model);
    auto space = workspace_for(ready, batch);
    std::vector<float> y(batch * outputs);
    run(ready, x, y, space);
    return y;
}

void check_near(const std::vector<float>& found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(static_cast<double>(found[i]) == Approx(expected[i]).epsilon(3e-7));  // PyTorch fuses what is rounded twice here
    }
}

}  // namespace

TEST_CASE("weights of PyTorch use all integers, those of others do not") {
    weight_matrix<float, full> w(2, 2);
    const float values[4] = {-3.0f, 3.0f, 1.5f, 0.75f};
    std::copy(values, values + 4, w.values.begin());
    const auto torch = quantize_weights<dialect::torch>(w, granularity::per_tensor).value();
    CHECK(torch.scales[1] == 3.0f / 127.5f);
    CHECK(std::vector<int>(torch.values.begin(), torch.values.end()) == std::vector<int>{-128, 127, 64, 32});
    const auto rows = quantize_weights<dialect::torch>(w, granularity::per_channel).value();
    CHECK(rows.scales[1] == 1.5f / 127.5f);
    const auto tflite = quantize_weights<dialect::tflite>(w, granularity::per_tensor).value();
    CHECK(std::vector<int>(tflite.values.begin(), tflite.values.end()) == std::vector<int>{-127, 127, 64, 32});
    const auto own = quantize_weights(w, granularity::per_channel).value();
    CHECK(std::vector<int>(own.values.begin(), own.values.end()) == std::vector<int>{-127, 127, 127, 64});  // 63.5 to even
    w.values[0] = -2.0f, w.values[1] = 127.0f, w.values[2] = -0.5f, w.values[3] = 2.5f;
    const auto away = quantize_weights<dialect::ggml>(w, granularity::per_tensor).value();
    CHECK(std::vector<int>(away.values.begin(), away.values.end()) == std::vector<int>{-2, 127, -1, 3});
    const auto even = quantize_weights<dialect::onnx>(w, granularity::per_tensor).value();
    CHECK(std::vector<int>(even.values.begin(), even.values.end()) == std::vector<int>{-2, 127, 0, 2});
}

TEST_CASE("tensors are quantized by the rules of a dialect, or with scales that are given") {
    const std::vector<float> x = {-2.5f, 252.5f, 0.5f, 1.5f};
    const tensor_view<const float, dyn> view(x.data(), x.size());
    const auto integers = [](const auto& q) { return std::vector<int>(q.values.begin(), q.values.end()); };
    CHECK(integers(quantize<quint8, dialect::torch>(view)) == std::vector<int>{0, 254, 2, 4});
    CHECK(integers(quantize<quint8, dialect::tflite>(view)) == std::vector<int>{0, 255, 4, 5});
    CHECK(integers(quantize<qint8, dialect::onnx>(view, quantization{0.5f, -3})) == std::vector<int>{-8, 127, -2, 0});
    CHECK(integers(quantize<qint32, dialect::onnx>(view, quantization{0x1p-30f, 0}))[1] == qint32::largest);
    const auto reduced = quantize<quint8, dialect::torch_reduced>(view);
    CHECK(reduced.parameters[0] == quantization{255.0f / 127.0f, 1});
    CHECK(integers(reduced) == std::vector<int>{0, 127, 1, 2});
}

TEST_CASE("a model quantized in PyTorch's dialect has the numbers of linear_dynamic") {
    const auto net = layer({0.5f, -0.25f, 1.0f, -1.0f, 0.75f, 0.125f}, {0.5f, -0.5f});
    const auto full_range = quantize_dynamic<dialect::torch>(net).value();
    const auto reduced = quantize_dynamic<dialect::torch_reduced>(net).value();
    CHECK_THAT(describe(prepare<isa::native>(full_range)), ContainsSubstring("activations quantized per tensor"));
    const struct {
        std::vector<float> x;  // two samples
        std::vector<double> full_range;
        std::vector<double> reduced;
    } cases[] = {{{0.001f, 0.004f, 0.0073f, 0.0021f, 0.0f, 0.01f},
                  {0.50677079, -0.497022241, 0.511005819, -0.500810444},
                  {0.506800056, -0.497077048, 0.511027932, -0.500862718}},
                 {{-0.001f, -0.004f, -0.0073f, -0.0021f, 0.0f, -0.01f},
                  {0.49322924, -0.502977729, 0.488994151, -0.499189526},
                  {0.493199944, -0.502922952, 0.488972068, -0.499137253}},
                 {{0.001f, -0.004f, 0.0073f, -0.0021f, 0.0f, 0.0003f},
                  {0.508791685, -0.503084898, 0.49926275, -0.497895867},
                  {0.508763671, -0.50307405, 0.499193966, -0.497839451}},
                 {{0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}, {0.5, -0.5, 0.5, -0.5}, {0.5, -0.5, 0.5, -0.5}},
                 {{3.7f, -100.25f, 12.5f, 0.3f, 77.7f, -0.004f},
                  {39.9842377, -78.0618439, -18.9410896, 57.8232689},
                  {40.4913597, -79.0650558, -18.8417969, 57.5253868}}};
    for (const auto& c : cases) {
        check_near(run_batch(full_range, c.x, 2, 2), c.full_range);
        check_near(run_batch(reduced, c.x, 2, 2), c.reduced);
    }
}

TEST_CASE("a range of all rows: what one sample gives depends on the others, and blocks of rows do not matter") {
    const auto net = layer({1.0f, -0.5f, 0.25f, 0.75f}, {0.0f, 0.125f});
    const auto whole = quantize_dynamic<dialect::pare>(net).value();
    const auto by_row = quantize_dynamic<granularity::per_tensor>(net).value();
    std::vector<float> x(2 * 500, 1.0f);
    x[1] = 0.3f;
    CHECK(run_batch(whole, {1.0f, 0.3f}, 1, 2) == run_batch(by_row, {1.0f, 0.3f}, 1, 2));
    const auto alike = run_batch(whole, x, 500, 2);
    CHECK(alike[0] == run_batch(whole, {1.0f, 0.3f}, 1, 2)[0]);
    x[2 * 499] = -100.0f;
    const auto y = run_batch(whole, x, 500, 2);
    CHECK(y[0] != alike[0]);
    CHECK(run_batch(by_row, x, 500, 2)[0] == alike[0]);
    CHECK(y[2] == y[2 * 400]);
    const quantization q = affine_quantization<quint8>(-100.0f, 1.0f);
    const float one = 1.0f / q.scale;
    const auto a = static_cast<float>(round_half_even(one)), b = static_cast<float>(round_half_even(0.3f * one));
    CHECK(y[0] == (a * 127.0f - b * 64.0f) * (q.scale * (1.0f / 127.0f)));
}

TEST_CASE("models quantized by the rules of other systems") {
    const auto net = layer({1.0f, -0.5f, 0.25f, 0.75f}, {0.0f, 0.125f});
    const std::vector<float> x = {-2.5f, 0.5f, 252.5f, 1.5f};  // ties
    const auto check = [&]<class Dialect>(Dialect, quantization expected) {
        const quantization q = Dialect::template affine<quint8>(-2.5f, 252.5f);
        CHECK(q == expected);
        const auto w = quantize_weights<Dialect>(std::get<0>(net.layers).weights, granularity::per_tensor).value();
        const auto y = run_batch(quantize_dynamic<Dialect>(net).value(), x, 2, 2);
        for (std::size_t i = 0; i < 2; ++i) {
            for (std::size_t j = 0; j < 2; ++j) {
                std::int32_t sum = 0;
                for (std::size_t k = 0; k < 2; ++k) {
                    sum += (Dialect::quantize(x[2 * i + k], q, 0, 255) - q.zero_point) * w.values[2 * j + k];
                }
                CHECK(y[2 * i + j] ==
                      exact_multiply(static_cast<float>(sum), exact_multiply(q.scale, w.scales[j])) + (j == 0 ? 0.0f : 0.125f));
            }
        }
    };
    check(dialect::onnx{}, {1.0f, 2});
    check(dialect::tflite{}, {1.0f, 3});
    check(dialect::ggml{}, {252.5f / 127.0f, 128});
}

TEST_CASE("sparse weights take the range of a tensor too, and convolutions that of an image") {
    const auto net = layer({1.0f, 0.0f, 0.25f, 0.75f}, {0.0f, 0.125f});
    const std::vector<float> rows = {1.0f, 0.3f, -100.0f, 1.0f};
    CHECK(run_batch(quantize_dynamic<dialect::torch>(sparsify<csr>(net)).value(), rows, 2, 2) ==
          run_batch(quantize_dynamic<dialect::torch>(net).value(), rows, 2, 2));

    auto image = sequential(input<3, 3, 1>(), conv2d<1, 1, 3>());
    auto& w = std::get<1>(image.layers).weights.values;
    std::fill(w.begin(), w.end(), 1.0f);
    const std::vector<float> x = {0.5f, -1.0f, 2.0f, 1.0f, 0.0f, 0.25f, -0.125f, 1.0f, 0.75f};
    const quantization q = dialect::torch::dynamic<quint8>(-1.0f, 2.0f);
    std::int32_t sum = 0;
    for (const float v : x) {
        sum += (dialect::torch::quantize(v, q, 0, 255) - q.zero_point) * 127;
    }
    const float scale = dialect::torch::symmetric<qint8>(1.0f).scale;
    CHECK(run_batch(quantize_dynamic<dialect::torch>(image).value(), x, 1, 1)[0] ==
          exact_multiply(static_cast<float>(sum), exact_multiply(q.scale, scale)));
}
