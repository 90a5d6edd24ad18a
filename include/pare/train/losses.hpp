#ifndef PARE_TRAIN_LOSSES_HPP
#define PARE_TRAIN_LOSSES_HPP

#include <cmath>
#include <limits>
#include <optional>

#include <pare/core/tensor.hpp>
#include <pare/simd/math.hpp>
#include <pare/train/dataset.hpp>

PARE_NAMESPACE_BEGIN

/// A loss is a function object: double operator()(y [batch, outputs], minibatch, gradient [batch, outputs]) const returns the mean
/// over the batch and stores its derivative by y. It takes a minibatch, whose samples have labels, or a target_batch, whose samples
/// have a row of numbers each. One that fits only some data, or has parameters that may be wrong, may say so before training:
/// std::optional<error> problem(samples, outputs) const; or problem(samples, outputs, step) const, where that depends on the step:
/// fit asks of the first 2^20 steps, or as many as there are, before the training, and of each later one before it is taken.

namespace detail {

template <class Loss>
concept loss_of_steps = requires(const Loss& loss, std::size_t n) {
    loss.problem(n, n, n);
};

template <class Loss>
std::optional<error> loss_problem(const Loss& loss, std::size_t samples, std::size_t outputs, std::size_t step) {
    if constexpr (loss_of_steps<Loss>) {
        return loss.problem(samples, outputs, step);
    } else if constexpr (requires { loss.problem(samples, outputs); }) {
        return loss.problem(samples, outputs);
    } else {
        return std::nullopt;
    }
}

/// log of the sum over k of exp(x[k] / T).
inline double log_sum_exp(const float* x, std::size_t n, float inverse_temperature) noexcept {
    float largest = x[0];
    for (std::size_t j = 1; j < n; ++j) {
        largest = x[j] > largest ? x[j] : largest;
    }
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        sum += static_cast<double>(simd::exp<isa::scalar>((x[j] - largest) * inverse_temperature));
    }
    return static_cast<double>(largest * inverse_temperature) + std::log(sum);
}

/// p[j] = exp(x[j] / T) / sum over k of exp(x[k] / T); returns log of that sum. The logarithm of p[j] is x[j] / T minus it.
inline double softmax_with_temperature(const float* x, std::size_t n, float inverse_temperature, float* p) noexcept {
    float largest = x[0];
    for (std::size_t j = 1; j < n; ++j) {
        largest = x[j] > largest ? x[j] : largest;
    }
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        p[j] = simd::exp<isa::scalar>((x[j] - largest) * inverse_temperature);
        sum += static_cast<double>(p[j]);
    }
    for (std::size_t j = 0; j < n; ++j) {
        p[j] = static_cast<float>(static_cast<double>(p[j]) / sum);
    }
    return static_cast<double>(largest * inverse_temperature) + std::log(sum);
}

/// What one number of an output adds to a loss, and the derivative.
struct loss_of_number {
    double value;
    double slope;
};

/// The mean of f(y, target) over all numbers.
template <class F>
double mean_of_numbers(matrix_view<const float> y, matrix_view<const float> targets, matrix_view<float> gradient,
                       const F& f) noexcept {
    const auto count = static_cast<double>(y.rows * y.columns);
    double sum = 0.0;
    for (std::size_t i = 0; i < y.rows; ++i) {
        for (std::size_t j = 0; j < y.columns; ++j) {
            const loss_of_number l = f(static_cast<double>(y(i, j)), static_cast<double>(targets(i, j)));
            sum += l.value;
            gradient(i, j) = static_cast<float>(l.slope / count);
        }
    }
    return sum / count;
}

/// An error unless the value lies in [least, most].
inline std::optional<error> outside(const char* loss, const char* expected, float value, float least, float most) {
    if (is_finite(value) && value >= least && value <= most) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument, sentence(loss, ": expected ", expected, ", found ", value)};
}

}  // namespace detail

/// -sum over j of q[j] log softmax(logits)[j], batch mean, where q is 1 at the label: of it, label_smoothing is spread over all
/// classes evenly. torch.nn.CrossEntropyLoss.
struct cross_entropy {
    float label_smoothing = 0.0f;

    std::optional<error> problem(std::size_t, std::size_t) const {
        return detail::outside("cross_entropy", "a label_smoothing in [0, 1]", label_smoothing, 0.0f, 1.0f);
    }

    double operator()(matrix_view<const float> logits, const minibatch& batch, matrix_view<float> gradient) const noexcept {
        const auto scale = 1.0f / static_cast<float>(logits.rows);
        const float spread = label_smoothing / static_cast<float>(logits.columns);
        double loss = 0.0;
        for (std::size_t i = 0; i < logits.rows; ++i) {
            const auto label = static_cast<std::size_t>(batch.labels[i]);
            const double log_sum = detail::softmax_with_temperature(logits.row(i), logits.columns, 1.0f, gradient.row(i));
            loss += log_sum - static_cast<double>((1.0f - label_smoothing) * logits(i, label));
            gradient(i, label) -= 1.0f - label_smoothing;
            for (std::size_t j = 0; j < logits.columns; ++j) {
                loss -= static_cast<double>(spread * logits(i, j));
                gradient(i, j) = (gradient(i, j) - spread) * scale;
            }
        }
        return loss / static_cast<double>(logits.rows);
    }
};

/// (y - target)^2, mean over all numbers. torch.nn.MSELoss.
struct mean_squared_error {
    double operator()(matrix_view<const float> y, const target_batch& batch, matrix_view<float> gradient) const noexcept {
        return detail::mean_of_numbers(y, batch.targets, gradient, [](double x, double t) {
            return detail::loss_of_number{(x - t) * (x - t), 2.0 * (x - t)};
        });
    }
};

/// d = y - target: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2; mean over all numbers. torch.nn.SmoothL1Loss. With beta 0
/// the mean absolute error.
struct smooth_l1 {
    float beta = 1.0f;

    std::optional<error> problem(std::size_t, std::size_t) const {
        return detail::outside("smooth_l1", "a beta of at least 0", beta, 0.0f, (std::numeric_limits<float>::max)());
    }

    double operator()(matrix_view<const float> y, const target_batch& batch, matrix_view<float> gradient) const noexcept {
        const auto b = static_cast<double>(beta);
        return detail::mean_of_numbers(y, batch.targets, gradient, [&](double x, double t) {
            const double d = x - t;
            const double size = std::fabs(d);
            return size < b ? detail::loss_of_number{d * d / (2.0 * b), d / b}
                            : detail::loss_of_number{size - b / 2.0, d > 0.0   ? 1.0
                                                                     : d < 0.0 ? -1.0
                                                                               : 0.0 * d};
        });
    }
};

/// -(t log p + (1 - t) log(1 - p)) with p = 1 / (1 + exp(-logit)), mean over all numbers; targets in [0, 1].
/// torch.nn.BCEWithLogitsLoss.
struct binary_cross_entropy {
    double operator()(matrix_view<const float> logits, const target_batch& batch, matrix_view<float> gradient) const noexcept {
        return detail::mean_of_numbers(logits, batch.targets, gradient, [](double x, double t) {
            const double e = std::exp(-std::fabs(x));
            const double p = x < 0.0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
            return detail::loss_of_number{(x > 0.0 ? x : 0.0 * x) - x * t + std::log1p(e), p - t};
        });
    }
};

/// T^2 KL(softmax(targets / T') || softmax(logits / T)), targets being logits too; mean over the rows, or over all numbers as
/// torch.nn.functional.kl_div(reduction="mean") counts. T' is T unless it is given.
struct kl_divergence {
    enum class mean_over { rows, numbers };

    float temperature = 1.0f;
    std::optional<float> target_temperature = std::nullopt;
    mean_over mean = mean_over::rows;

    std::optional<error> problem(std::size_t, std::size_t) const {
        for (const float t : {temperature, target_temperature.value_or(temperature)}) {
            if (auto p = detail::outside("kl_divergence", "temperatures above 0", t, (std::numeric_limits<float>::min)(),
                                         (std::numeric_limits<float>::max)())) {
                return p;
            }
        }
        return std::nullopt;
    }

    double operator()(matrix_view<const float> logits, const target_batch& batch, matrix_view<float> gradient) const noexcept {
        const float inverse = 1.0f / temperature;
        const float inverse_target = 1.0f / target_temperature.value_or(temperature);
        const std::size_t count = mean == mean_over::rows ? logits.rows : logits.rows * logits.columns;
        const auto scale = temperature / static_cast<float>(count);
        double loss = 0.0;
        for (std::size_t i = 0; i < logits.rows; ++i) {
            const float* const x = logits.row(i);
            const float* const t = batch.targets.row(i);
            const double log_sum = detail::softmax_with_temperature(x, logits.columns, inverse, gradient.row(i));
            const double log_sum_target = detail::log_sum_exp(t, logits.columns, inverse_target);
            for (std::size_t j = 0; j < logits.columns; ++j) {
                const double log_q = static_cast<double>(t[j] * inverse_target) - log_sum_target;
                const double log_p = static_cast<double>(x[j] * inverse) - log_sum;
                const double q = std::exp(log_q);
                loss += q * (log_q - log_p);
                gradient(i, j) = scale * (gradient(i, j) - static_cast<float>(q));
            }
        }
        return loss * static_cast<double>(temperature) * static_cast<double>(scale);
    }
};

/// 1 - cos(y, target), mean over the rows: of pairs that belong together. torch.nn.CosineEmbeddingLoss with targets of 1, whose
/// 1e-12 under each square root it shares.
struct cosine_embedding {
    double operator()(matrix_view<const float> y, const target_batch& batch, matrix_view<float> gradient) const noexcept {
        const auto rows = static_cast<double>(y.rows);
        double loss = 0.0;
        for (std::size_t i = 0; i < y.rows; ++i) {
            const float* const a = y.row(i);
            const float* const b = batch.targets.row(i);
            double ab = 0.0, aa = 1e-12, bb = 1e-12;
            for (std::size_t j = 0; j < y.columns; ++j) {
                const auto u = static_cast<double>(a[j]), v = static_cast<double>(b[j]);
                ab += u * v;
                aa += u * u;
                bb += v * v;
            }
            const double inverse = 1.0 / std::sqrt(aa * bb);
            loss += 1.0 - ab * inverse;
            for (std::size_t j = 0; j < y.columns; ++j) {
                const double slope = static_cast<double>(b[j]) * inverse - ab * inverse / aa * static_cast<double>(a[j]);
                gradient(i, j) = static_cast<float>(-slope / rows);
            }
        }
        return loss / rows;
    }
};

PARE_NAMESPACE_END

#endif
