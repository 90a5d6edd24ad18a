#include <pare/nn/self_attention.hpp>

#include <cmath>
#include <vector>

#include <pare/nn/embedding.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/recurrent_plan.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"
#include "layer_gradients.hpp"
#include "sequences.hpp"

using namespace pare;

namespace {

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
    const auto exact = [](bool causal) {
        return [causal](const doubles& x, const doubles& p, std::size_t) { return attention(p, x, 5, causal); };
    };
    check_gradients(self_attention<6, 2, attention_mask::causal>(), extents<5, 6>(), 2, exact(true));
    check_gradients(self_attention<dyn, dyn>(6, 2), extents<dyn, dyn>(5, 6), 2, exact(false));
}

TEST_CASE("layer_norm is its definition, and so are its gradients") {
    constexpr std::size_t n = 21;
    const auto exact = [](const doubles& x, const doubles& p, std::size_t) {
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
    check_gradients(layer_norm<n>(), extents<4, n>(), 3, exact);
    check_gradients(layer_norm<dyn>(n), extents<dyn>(n), 3, exact);
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
