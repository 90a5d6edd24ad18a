#ifndef PARE_DISTILL_LOGIT_LOSSES_HPP
#define PARE_DISTILL_LOGIT_LOSSES_HPP

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <pare/train/losses.hpp>

PARE_NAMESPACE_BEGIN

/// What a student shall take from a teacher's logits, for distill():
///
///     double operator()(student [batch, classes], teacher [batch, classes], const minibatch&, gradient [batch, classes]) const
///     std::optional<error> problem() const                                 or problem(step), where that depends on the step
///     std::optional<error> problem(samples, outputs) const                 optional, as losses have (train/losses.hpp)
///
/// The mean over the batch, and its derivative by the student's logits.

namespace detail {

inline std::optional<error> temperature_problem(const char* loss, float temperature) {
    return outside(loss, "a temperature above 0", temperature, (std::numeric_limits<float>::min)(),
                   (std::numeric_limits<float>::max)());
}

/// Whether what is wrong with targets depends on the step: losses of such targets have problem(samples, outputs, step).
template <class Targets>
concept targets_of_steps = requires(const Targets& targets, std::size_t step) { targets.problem(step); } || loss_of_steps<Targets>;

/// What is wrong with targets at a step of the training.
template <class Targets>
std::optional<error> targets_problem(const Targets& targets, std::size_t step) {
    if constexpr (requires { targets.problem(step); }) {
        return targets.problem(step);
    } else {
        return targets.problem();
    }
}
/// The same for a student of so many outputs.
template <class Targets>
std::optional<error> targets_problem(const Targets& targets, std::size_t samples, std::size_t outputs, std::size_t step) {
    auto problem = targets_problem(targets, step);
    return problem ? problem : loss_problem(targets, samples, outputs, step);
}

/// d/dx of a loss of p = softmax(x / T), out of its derivatives by p: T^-1 p (dp - sum p dp).
inline void softmax_gradient(const float* p, const double* dp, std::size_t n, double inverse_temperature, double scale,
                             float* dx) noexcept {
    double mean = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        mean += static_cast<double>(p[j]) * dp[j];
    }
    for (std::size_t j = 0; j < n; ++j) {
        dx[j] = static_cast<float>(scale * inverse_temperature * static_cast<double>(p[j]) * (dp[j] - mean));
    }
}

}  // namespace detail

/// hard_weight * CE(student, label) + (1 - hard_weight) * T^2 * KL(softmax(teacher / T) || softmax(student / T)), batch mean.
/// Hinton, Vinyals, Dean 2015, section 2. The factor T^2 keeps the gradient of the soft part, T * (softmax(student / T) -
/// softmax(teacher / T)), as large as the hard one's.
struct soft_targets {
    float temperature = 4.0f;
    float hard_weight = 0.1f;

    std::optional<error> problem() const {
        if (auto p = detail::temperature_problem("soft_targets", temperature)) {
            return p;
        }
        return detail::outside("soft_targets", "a hard_weight in [0, 1]", hard_weight, 0.0f, 1.0f);
    }

    double operator()(matrix_view<const float> student, matrix_view<const float> teacher, const minibatch& batch,
                      matrix_view<float> gradient) const;
};

/// hard_weight * Hard(student, labels) + (1 - hard_weight) * Soft(student, teacher): any loss on targets, taken of the teacher's
/// logits, beside one on labels. hard_weight 0 needs no labels.
///     with_labels{kl_divergence{.temperature = 4}, cross_entropy{.label_smoothing = 0.1f}, 0.1f}
///     with_labels{mean_squared_error{}}                    logits matched: Ba, Caruana 2014, equation 1
///     with_labels{kl_divergence{1, 2, kl_divergence::mean_over::numbers}}      student at T = 1, teacher at T = 2, mean of numbers
template <class Soft, class Hard = cross_entropy>
struct with_labels {
    Soft soft;
    Hard hard = {};
    float hard_weight = 0.0f;

    std::optional<error> problem() const { return problem_at(0); }
    std::optional<error> problem(std::size_t step) const
        requires(detail::loss_of_steps<Soft> || detail::loss_of_steps<Hard>)
    {
        return problem_at(step);
    }

    double operator()(matrix_view<const float> student, matrix_view<const float> teacher, const minibatch& batch,
                      matrix_view<float> gradient) const {
        const double soft_loss = soft(student, target_batch{batch.indices, teacher, batch.step}, gradient);
        if (hard_weight == 0.0f) {
            return soft_loss;
        }
        std::vector<float> hard_gradient(student.rows * student.columns);
        const double hard_loss = hard(student, batch, matrix_view<float>(hard_gradient.data(), student.rows, student.columns));
        for (std::size_t i = 0; i < student.rows; ++i) {
            for (std::size_t j = 0; j < student.columns; ++j) {
                gradient(i, j) =
                    opaque(hard_weight * hard_gradient[i * student.columns + j]) + opaque((1.0f - hard_weight) * gradient(i, j));
            }
        }
        const auto h = static_cast<double>(hard_weight);
        return h * hard_loss + (1.0 - h) * soft_loss;
    }

private:
    std::optional<error> problem_at(std::size_t step) const {
        auto p = detail::loss_problem(soft, 1, 1, step);
        p = p ? p : detail::loss_problem(hard, 1, 1, step);
        return p ? p : detail::outside("with_labels", "a hard_weight in [0, 1]", hard_weight, 0.0f, 1.0f);
    }
};
template <class Soft>
with_labels(Soft) -> with_labels<Soft>;
template <class Soft, class Hard>
with_labels(Soft, Hard, float) -> with_labels<Soft, Hard>;

inline double soft_targets::operator()(matrix_view<const float> student, matrix_view<const float> teacher, const minibatch& batch,
                                       matrix_view<float> gradient) const {
    return with_labels<kl_divergence>{{.temperature = temperature}, {}, hard_weight}(student, teacher, batch, gradient);
}

/// T^2 (target_weight * KL(b(teacher) || b(student)) + other_weight * KL(o(teacher) || o(student))), batch mean: b = (p, 1 - p) of
/// the label's probability p at temperature T, o the probabilities of the other classes among themselves. With target_weight 1 and
/// other_weight 1 - p(teacher) it would be the usual divergence. Zhao, Cui, Song, Qiu, Liang 2022, equation 7. Errors: fewer than 2
/// classes.
struct decoupled_targets {
    float temperature = 4.0f;
    float target_weight = 1.0f;
    float other_weight = 8.0f;

    std::optional<error> problem() const {
        constexpr float most = (std::numeric_limits<float>::max)();
        auto p = detail::temperature_problem("decoupled_targets", temperature);
        p = p ? p : detail::outside("decoupled_targets", "a target_weight of at least 0", target_weight, 0.0f, most);
        return p ? p : detail::outside("decoupled_targets", "an other_weight of at least 0", other_weight, 0.0f, most);
    }
    std::optional<error> problem(std::size_t, std::size_t outputs) const {
        if (outputs >= 2) {
            return std::nullopt;
        }
        return error{error_code::invalid_argument, sentence("decoupled_targets: expected at least 2 classes, found ", outputs)};
    }

    double operator()(matrix_view<const float> student, matrix_view<const float> teacher, const minibatch& batch,
                      matrix_view<float> gradient) const {
        const auto t = static_cast<double>(temperature);
        const double rows = static_cast<double>(student.rows);
        double loss = 0.0;
        std::vector<double> s(student.columns), q(student.columns);  // log of o
        for (std::size_t i = 0; i < student.rows; ++i) {
            const auto label = static_cast<std::size_t>(batch.labels[i]);
            const split_probabilities mine(student.row(i), student.columns, label, t, s.data());
            const split_probabilities theirs(teacher.row(i), student.columns, label, t, q.data());
            const double p_theirs = std::exp(theirs.log_target);
            const double p_mine = std::exp(mine.log_target);
            const double target = p_theirs * (theirs.log_target - mine.log_target) +
                                  std::exp(theirs.log_others) * (theirs.log_others - mine.log_others);
            double others = 0.0;
            for (std::size_t j = 0; j < student.columns; ++j) {
                const double o_mine = std::exp(s[j]), o_theirs = std::exp(q[j]);
                const auto a = static_cast<double>(target_weight), b = static_cast<double>(other_weight);
                const double slope =
                    j == label ? a * (p_mine - p_theirs) : a * (p_theirs - p_mine) * o_mine + b * (o_mine - o_theirs);
                others += j == label ? 0.0 : o_theirs * (q[j] - s[j]);
                gradient(i, j) = static_cast<float>(t * slope / rows);
            }
            loss += static_cast<double>(target_weight) * target + static_cast<double>(other_weight) * others;
        }
        return t * t * loss / rows;
    }

private:
    /// Logarithms: of the label's probability, of the others' sum, and of each other's share of that.
    struct split_probabilities {
        double log_target, log_others;

        split_probabilities(const float* x, std::size_t n, std::size_t label, double t, double* share) noexcept {
            double largest = -(std::numeric_limits<double>::max)();
            for (std::size_t j = 0; j < n; ++j) {
                largest = j != label && static_cast<double>(x[j]) > largest ? static_cast<double>(x[j]) : largest;
            }
            double sum = 0.0;
            for (std::size_t j = 0; j < n; ++j) {
                share[j] = (static_cast<double>(x[j]) - largest) / t;
                sum += j == label ? 0.0 : std::exp(share[j]);
            }
            const double log_sum = std::log(sum);
            for (std::size_t j = 0; j < n; ++j) {
                share[j] -= log_sum;
            }
            const double gap = share[label];  // log of the label's odds
            log_target = -std::log1p(std::exp(-std::fabs(gap))) + (gap < 0.0 ? gap : 0.0);
            log_others = log_target - gap;
        }
    };
};

/// hard_weight * CE(student, label) + T^2 (row_weight * (1 - mean correlation of the rows of softmax(student / T) and
/// softmax(teacher / T)) + column_weight * (1 - mean correlation of their columns)): Pearson's, within a sample and of a class over
/// the batch. What is constant correlates with nothing: 0. Huang, You, Wang, Qian, Xu 2022 (DIST), equations 8 to 10.
struct correlated_targets {
    float temperature = 1.0f;
    float row_weight = 2.0f;
    float column_weight = 2.0f;
    float hard_weight = 1.0f;

    std::optional<error> problem() const {
        constexpr float most = (std::numeric_limits<float>::max)();
        auto p = detail::temperature_problem("correlated_targets", temperature);
        p = p ? p : detail::outside("correlated_targets", "a row_weight of at least 0", row_weight, 0.0f, most);
        p = p ? p : detail::outside("correlated_targets", "a column_weight of at least 0", column_weight, 0.0f, most);
        return p ? p : detail::outside("correlated_targets", "a hard_weight of at least 0", hard_weight, 0.0f, most);
    }

    double operator()(matrix_view<const float> student, matrix_view<const float> teacher, const minibatch& batch,
                      matrix_view<float> gradient) const {
        const std::size_t rows = student.rows, n = student.columns;
        const auto t = static_cast<double>(temperature);
        std::vector<float> p(rows * n), q(rows * n);
        std::vector<double> dp(rows * n, 0.0);
        for (std::size_t i = 0; i < rows; ++i) {
            detail::softmax_with_temperature(student.row(i), n, 1.0f / temperature, p.data() + i * n);
            detail::softmax_with_temperature(teacher.row(i), n, 1.0f / temperature, q.data() + i * n);
        }
        const double hard = hard_weight == 0.0f ? 0.0 : cross_entropy{}(student, batch, gradient);
        double within = 0.0, across = 0.0;
        for (std::size_t i = 0; i < rows; ++i) {
            within += correlation(p.data() + i * n, q.data() + i * n, n, 1,
                                  static_cast<double>(row_weight) / static_cast<double>(rows), dp.data() + i * n);
        }
        for (std::size_t j = 0; j < n; ++j) {
            across += correlation(p.data() + j, q.data() + j, rows, n, static_cast<double>(column_weight) / static_cast<double>(n),
                                  dp.data() + j);
        }
        std::vector<float> soft(n);
        for (std::size_t i = 0; i < rows; ++i) {
            detail::softmax_gradient(p.data() + i * n, dp.data() + i * n, n, 1.0 / t, t * t, soft.data());
            for (std::size_t j = 0; j < n; ++j) {
                gradient(i, j) = soft[j] + (hard_weight == 0.0f ? 0.0f : opaque(hard_weight * gradient(i, j)));
            }
        }
        return static_cast<double>(hard_weight) * hard +
               t * t *
                   (static_cast<double>(row_weight) * (1.0 - within / static_cast<double>(rows)) +
                    static_cast<double>(column_weight) * (1.0 - across / static_cast<double>(n)));
    }

private:
    /// Pearson's correlation of n numbers each, `stride` apart; subtracts weight times its derivative by a from da.
    static double correlation(const float* a, const float* b, std::size_t n, std::size_t stride, double weight,
                              double* da) noexcept {
        double mean_a = 0.0, mean_b = 0.0;
        for (std::size_t i = 0; i < n * stride; i += stride) {
            mean_a += static_cast<double>(a[i]);
            mean_b += static_cast<double>(b[i]);
        }
        mean_a /= static_cast<double>(n);
        mean_b /= static_cast<double>(n);
        double ab = 0.0, aa = 0.0, bb = 0.0;
        for (std::size_t i = 0; i < n * stride; i += stride) {
            const double u = static_cast<double>(a[i]) - mean_a, v = static_cast<double>(b[i]) - mean_b;
            ab += u * v;
            aa += u * u;
            bb += v * v;
        }
        if (aa <= 0.0 || bb <= 0.0) {
            return 0.0;
        }
        const double inverse = 1.0 / std::sqrt(aa * bb);
        for (std::size_t i = 0; i < n * stride; i += stride) {
            const double u = static_cast<double>(a[i]) - mean_a, v = static_cast<double>(b[i]) - mean_b;
            da[i] -= weight * (v * inverse - ab * inverse / aa * u);
        }
        return ab * inverse;
    }
};

PARE_NAMESPACE_END

#endif
