#include <cmath>
#include <vector>

#include <pare/nn/dense.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/softmax.hpp>

#include "../catch.hpp"
#include "../nn/layer_gradients.hpp"

using namespace pare;

namespace {

/// The same network in double: numbers in members' order, weights before biases.
std::vector<double> forward(const std::vector<double>& x, const std::vector<double>& p, std::size_t batch) {
    constexpr std::size_t in = 7, hidden = 9, out = 4;
    const double* w1 = p.data();
    const double* b1 = w1 + in * hidden;
    const double* w2 = b1 + hidden;
    const double* b2 = w2 + hidden * out;
    std::vector<double> y(batch * out);
    for (std::size_t s = 0; s < batch; ++s) {
        double h[hidden];
        for (std::size_t j = 0; j < hidden; ++j) {
            h[j] = b1[j];
            for (std::size_t k = 0; k < in; ++k) {
                h[j] += w1[j * in + k] * x[s * in + k];
            }
            h[j] = h[j] > 0.0 ? h[j] : 0.0;
        }
        double sum = 0.0;
        for (std::size_t j = 0; j < out; ++j) {
            double z = b2[j];
            for (std::size_t k = 0; k < hidden; ++k) {
                z += w2[j * hidden + k] * h[k];
            }
            y[s * out + j] = std::exp(z);
            sum += y[s * out + j];
        }
        for (std::size_t j = 0; j < out; ++j) {
            y[s * out + j] /= sum;
        }
    }
    return y;
}

}  // namespace

TEST_CASE("gradients of dense, relu and softmax agree with central differences in double") {
    check_gradients(sequential(input<7>(), dense<7, 9>(), relu(), input<3, 3>(), input<9>(), dense<9, 4>(), softmax()),
                    extents<7>(), 5, forward);
}
