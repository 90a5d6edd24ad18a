#include <pare/nn/self_attention.hpp>

#include <cmath>
#include <vector>

#include <pare/nn/embedding.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/recurrent_plan.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"
#include "sequences.hpp"

using namespace pare;

namespace {

/// Outputs and every gradient of a layer on samples of `sample` against a function (parameters, inputs) of doubles and its central
/// differences. With `inputs` false the inputs have no gradient.
template <class Layer, class Shape, class Exact>
void check_against_definition(Layer layer, std::size_t batch, const Shape& sample, const std::vector<float>& x, const Exact& exact,
                              bool inputs = true) {
    CAPTURE(layer.describe());
    layer = filled(std::move(layer));
    const auto out = layer.plan().output_shape(sample);
    const auto dy = some_numbers(batch * out.size(), 2);
    serial_executor serial;
    workspace space(training_scratch_bytes<isa::native>(layer, batch, sample));
    context<isa::native, serial_executor> ctx{serial, space.scratch()};
    std::vector<float> y(dy.size()), inferred(y.size()), dx(x.size()), gradient(parameter_count(layer)),
        saved(saved_floats(layer, batch, sample));
    const auto xs = batch_of(x.data(), batch, sample);
    forward_training(layer, ctx, xs, batch_of(y.data(), batch, out), std::span<float>(saved));
    backward(std::as_const(layer), ctx, xs, batch_of(std::as_const(y).data(), batch, out), batch_of(dy.data(), batch, out),
             batch_of(dx.data(), batch, sample), std::span<float>(gradient), std::span<const float>(saved));

    std::vector<double> parameters, numbers(x.begin(), x.end());
    for_each_member(layer, [&](const member_path&, auto& member) {
        for (const float value : trainable_values(member)) {
            parameters.push_back(static_cast<double>(value));
        }
    });
    const std::vector<double> expected = exact(parameters, numbers);
    for (std::size_t i = 0; i < y.size(); ++i) {
        REQUIRE(static_cast<double>(y[i]) == Approx(expected[i]).margin(2e-6));
    }
    const auto check = [&](std::vector<double>& moved, const std::vector<float>& found) {
        const auto objective = [&] {
            const auto values = exact(parameters, numbers);
            double sum = 0.0;
            for (std::size_t i = 0; i < values.size(); ++i) {
                sum += values[i] * static_cast<double>(dy[i]);
            }
            return sum;
        };
        for (std::size_t i = 0; i < moved.size(); ++i) {
            const double kept = moved[i];
            moved[i] = kept + 1e-6;
            const double above = objective();
            moved[i] = kept - 1e-6;
            const double below = objective();
            moved[i] = kept;
            REQUIRE(static_cast<double>(found[i]) == Approx((above - below) / 2e-6).epsilon(1e-3).margin(1e-5));
        }
    };
    check(parameters, gradient);
    if (inputs) {
        check(numbers, dx);
    }
}

using doubles = std::vector<double>;

/// y [rows, outputs] = x [rows, inputs] w^T + b.
doubles affine(const double* x, std::size_t rows, std::size_t inputs, const double* w, const double* b, std::size_t outputs) {
    doubles y(rows * outputs);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < outputs; ++j) {
            y[r * outputs + j] = b[j];
            for (std::size_t i = 0; i < inputs; ++i) {
                y[r * outputs + j] += x[r * inputs + i] * w[j * inputs + i];
            }
        }
    }
    return y;
}

/// From the definition: 6 numbers in 2 heads.
doubles attention(const doubles& p, const doubles& x, std::size_t steps, bool causal) {
    constexpr std::size_t n = 6, heads = 2, d = n / heads;
    const std::size_t batch = x.size() / (steps * n);
    const double *w_in = p.data(), *b_in = w_in + 3 * n * n, *w_out = b_in + 3 * n, *b_out = w_out + n * n;
    const doubles qkv = affine(x.data(), batch * steps, n, w_in, b_in, 3 * n);
    doubles joined(batch * steps * n);
    for (std::size_t b = 0; b < batch; ++b) {
        for (std::size_t h = 0; h < heads; ++h) {
            const auto at = [&](std::size_t step, std::size_t which, std::size_t k) {
                return qkv[(b * steps + step) * 3 * n + which * n + h * d + k];
            };
            for (std::size_t i = 0; i < steps; ++i) {
                doubles score(causal ? i + 1 : steps);
                double sum = 0.0;
                for (std::size_t j = 0; j < score.size(); ++j) {
                    for (std::size_t k = 0; k < d; ++k) {
                        score[j] += at(i, 0, k) * at(j, 1, k);
                    }
                    score[j] = std::exp(score[j] / std::sqrt(static_cast<double>(d)));
                    sum += score[j];
                }
                for (std::size_t j = 0; j < score.size(); ++j) {
                    for (std::size_t k = 0; k < d; ++k) {
                        joined[(b * steps + i) * n + h * d + k] += score[j] / sum * at(j, 2, k);
                    }
                }
            }
        }
    }
    return affine(joined.data(), batch * steps, n, w_out, b_out, n);
}

}  // namespace

TEST_CASE("self-attention is its definition, and so are its gradients") {
    const auto x = some_numbers(2 * 5 * 6, 1);
    for (const bool causal : {false, true}) {
        const auto exact = [&](const doubles& p, const doubles& in) { return attention(p, in, 5, causal); };
        if (causal) {
            check_against_definition(self_attention<6, 2, attention_mask::causal>(), 2, extents<5, 6>(), x, exact);
        } else {
            check_against_definition(self_attention<dyn, dyn>(6, 2), 2, extents<dyn, dyn>(5, 6), x, exact);
        }
    }
}

TEST_CASE("layer_norm is its definition, and so are its gradients") {
    constexpr std::size_t n = 21;
    const auto exact = [](const doubles& p, const doubles& x) {
        doubles y(x.size());
        for (std::size_t r = 0; r < x.size(); r += n) {
            double mean = 0.0, variance = 0.0;
            for (std::size_t j = 0; j < n; ++j) {
                mean += x[r + j] / n;
            }
            for (std::size_t j = 0; j < n; ++j) {
                variance += (x[r + j] - mean) * (x[r + j] - mean) / n;
            }
            for (std::size_t j = 0; j < n; ++j) {
                y[r + j] = (x[r + j] - mean) / std::sqrt(variance + 1e-5) * p[j] + p[n + j];
            }
        }
        return y;
    };
    check_against_definition(layer_norm<n>(), 3, extents<4, n>(), some_numbers(3 * 4 * n, 1), exact);
    check_against_definition(layer_norm<dyn>(n), 3, extents<dyn>(n), some_numbers(3 * n, 1), exact);
}

TEST_CASE("embeddings are their definition, and so are their gradients") {
    constexpr std::size_t rows = 7, width = 5;
    const std::vector<float> x = {0, 6, 2, 2, 3, 6};  // two samples of three
    const auto row = [](const doubles& p, double index, std::size_t j) { return p[static_cast<std::size_t>(index) * width + j]; };
    check_against_definition(
        embedding<rows, width>(), 2, extents<3>(), x,
        [&](const doubles& p, const doubles& in) {
            doubles y;
            for (const double index : in) {
                for (std::size_t j = 0; j < width; ++j) {
                    y.push_back(row(p, index, j));
                }
            }
            return y;
        },
        false);
    const auto bag = [&](auto combine) {
        return [&row, combine](const doubles& p, const doubles& in) {
            doubles y;
            for (std::size_t b = 0; b < in.size(); b += 3) {
                for (std::size_t j = 0; j < width; ++j) {
                    y.push_back(combine(row(p, in[b], j), row(p, in[b + 1], j), row(p, in[b + 2], j)));
                }
            }
            return y;
        };
    };
    check_against_definition(embedding_bag<rows, width>(), 2, extents<3>(), x,
                             bag([](double a, double b, double c) { return (a + b + c) / 3.0; }), false);
    check_against_definition(embedding_bag<dyn, dyn, bag_mode::sum>(rows, width), 2, extents<dyn>(3), x,
                             bag([](double a, double b, double c) { return a + b + c; }), false);
    check_against_definition(embedding_bag<rows, width, bag_mode::max>(), 2, extents<3>(), x,
                             bag([](double a, double b, double c) { return std::fmax(a, std::fmax(b, c)); }), false);
}

TEST_CASE("a transformer's block with weights of bytes is near the one of floats") {
    const auto net = filled(sequential(input<12>(), embedding<20, 16>(), layer_norm<16>(),
                                       self_attention<16, 4, attention_mask::causal>(), last_step(), dense<16, 5>()));
    std::vector<float> x(3 * 12);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(i * 7 % 20);
    }
    const auto expected = whole(prepare<isa::native>(net), x, 3);
    const auto ready = *prepare<isa::native>(quantize_dynamic(net));
    CHECK_THAT(describe(ready), ContainsSubstring("embedding 20 x 16: qint8 full"));
    CHECK_THAT(describe(ready), ContainsSubstring("self_attention 16, 4 heads, causal: qint8 full"));
    const auto y = whole(ready, x, 3);
    const auto plain = whole(prepare<isa::scalar>(net), x, 3);
    for (std::size_t i = 0; i < y.size(); ++i) {
        CHECK(y[i] == Approx(expected[i]).margin(0.05));
        CHECK(plain[i] == Approx(expected[i]).margin(1e-5));
    }
}
