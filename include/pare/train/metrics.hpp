#ifndef PARE_TRAIN_METRICS_HPP
#define PARE_TRAIN_METRICS_HPP

#include <cstddef>
#include <utility>
#include <vector>

#include <pare/train/dataset.hpp>

PARE_NAMESPACE_BEGIN

/// A metric is told the outputs of batches, add(batch, y [batch, outputs]), and knows at the end: *evaluate(model, data, top_k{5}).

namespace detail {

/// How many outputs are greater than the label's, or equal and before it; all, where the label's is NaN. NaN is greater than all.
inline std::size_t rank_of_label(const float* y, std::size_t outputs, std::size_t label) noexcept {
    if (is_nan(y[label])) {
        return outputs;
    }
    std::size_t rank = 0;
    for (std::size_t j = 0; j < outputs; ++j) {
        rank += is_nan(y[j]) || y[j] > y[label] || (y[j] == y[label] && j < label) ? 1u : 0u;
    }
    return rank;
}

}  // namespace detail

/// The share of samples whose label is among the k greatest outputs, the first of equals: the accuracy where k is 1.
struct top_k {
    std::size_t k = 1;
    std::size_t samples = 0;
    std::size_t correct = 0;

    void add(const minibatch& batch, matrix_view<const float> y) noexcept {
        for (std::size_t i = 0; i < y.rows; ++i) {
            correct += detail::rank_of_label(y.row(i), y.columns, static_cast<std::size_t>(batch.labels[i])) < k ? 1u : 0u;
        }
        samples += y.rows;
    }
    double value() const noexcept { return samples == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(samples); }
};

/// The share of samples whose greatest output is at the label.
struct accuracy : top_k {};

/// How often samples of one class were taken for another; those with NaN outputs are counted apart.
class confusion_matrix {
public:
    explicit confusion_matrix(std::size_t classes) : classes_(classes), counts_(classes * (classes + 1)) {}

    void add(const minibatch& batch, matrix_view<const float> y) noexcept {
        PARE_ASSERT(y.columns <= classes_, "a confusion matrix of %zu classes is given %zu outputs", classes_, y.columns);
        for (std::size_t i = 0; i < y.rows; ++i) {
            std::size_t best = 0;
            for (std::size_t j = 0; j < y.columns; ++j) {
                best = y(i, j) > y(i, best) ? j : best;
            }
            const bool found = detail::rank_of_label(y.row(i), y.columns, best) == 0;
            ++counts_[static_cast<std::size_t>(batch.labels[i]) * (classes_ + 1) + (found ? best : classes_)];
        }
    }

    std::size_t classes() const noexcept { return classes_; }
    /// Samples of class `label` that were taken for class `predicted`; for no class, where that is classes().
    std::size_t count(std::size_t label, std::size_t predicted) const noexcept {
        return counts_[label * (classes_ + 1) + predicted];
    }
    /// Of the samples of a class, the share that was found; 0 where there are none.
    double recall(std::size_t label) const noexcept {
        std::size_t all = 0;
        for (std::size_t p = 0; p <= classes_; ++p) {
            all += count(label, p);
        }
        return share(count(label, label), all);
    }
    /// Of the samples that were taken for a class, the share that is of it; 0 where there are none.
    double precision(std::size_t predicted) const noexcept {
        std::size_t all = 0;
        for (std::size_t l = 0; l < classes_; ++l) {
            all += count(l, predicted);
        }
        return share(count(predicted, predicted), all);
    }

private:
    static double share(std::size_t part, std::size_t all) noexcept {
        return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
    }

    std::size_t classes_;
    std::vector<std::size_t> counts_;  // [label, predicted or none]
};

/// The mean of a loss over all samples.
template <class Loss>
class mean_loss {
public:
    explicit mean_loss(Loss loss) : loss_(std::move(loss)) {}

    template <class Batch>
    void add(const Batch& batch, matrix_view<const float> y) {
        gradient_.resize(y.rows * y.columns);
        sum_ += loss_(y, batch, matrix_view<float>(gradient_.data(), y.rows, y.columns)) * static_cast<double>(y.rows);
        samples_ += y.rows;
    }
    double value() const noexcept { return samples_ == 0 ? 0.0 : sum_ / static_cast<double>(samples_); }

private:
    Loss loss_;
    std::vector<float> gradient_;
    double sum_ = 0.0;
    std::size_t samples_ = 0;
};

PARE_NAMESPACE_END

#endif
