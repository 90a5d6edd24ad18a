#ifndef PARE_TRAIN_LOSSES_HPP
#define PARE_TRAIN_LOSSES_HPP

#include <cmath>

#include <pare/core/tensor.hpp>
#include <pare/train/dataset.hpp>

PARE_NAMESPACE_BEGIN

/// A loss is a function object: double operator()(logits [batch, classes], minibatch, gradient [batch, classes]) const returns the
/// mean over the batch and stores its derivative by the logits. One that fits only some data may say so before training:
/// std::optional<error> problem(samples, outputs) const.

namespace detail {

/// p[j] = exp(x[j] / T) / sum over k of exp(x[k] / T); returns log of that sum. The logarithm of p[j] is x[j] / T minus it.
inline double softmax_with_temperature(const float* x, std::size_t n, float inverse_temperature, float* p) noexcept {
    float largest = x[0];
    for (std::size_t j = 1; j < n; ++j) {
        largest = x[j] > largest ? x[j] : largest;
    }
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        p[j] = std::exp((x[j] - largest) * inverse_temperature);
        sum += static_cast<double>(p[j]);
    }
    for (std::size_t j = 0; j < n; ++j) {
        p[j] = static_cast<float>(static_cast<double>(p[j]) / sum);
    }
    return static_cast<double>(largest * inverse_temperature) + std::log(sum);
}

}  // namespace detail

/// -log softmax(logits)[label], batch mean. torch.nn.CrossEntropyLoss.
struct cross_entropy {
    double operator()(matrix_view<const float> logits, const minibatch& batch, matrix_view<float> gradient) const noexcept {
        const auto scale = 1.0f / static_cast<float>(logits.rows);
        double loss = 0.0;
        for (std::size_t i = 0; i < logits.rows; ++i) {
            const auto label = static_cast<std::size_t>(batch.labels[i]);
            const double log_sum = detail::softmax_with_temperature(logits.row(i), logits.columns, 1.0f, gradient.row(i));
            loss += log_sum - static_cast<double>(logits(i, label));
            gradient(i, label) -= 1.0f;
            for (std::size_t j = 0; j < logits.columns; ++j) {
                gradient(i, j) *= scale;
            }
        }
        return loss / static_cast<double>(logits.rows);
    }
};

PARE_NAMESPACE_END

#endif
