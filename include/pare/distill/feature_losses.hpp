#ifndef PARE_DISTILL_FEATURE_LOSSES_HPP
#define PARE_DISTILL_FEATURE_LOSSES_HPP

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <pare/core/fixed_string.hpp>
#include <pare/distill/relations.hpp>
#include <pare/train/losses.hpp>

PARE_NAMESPACE_BEGIN

/// What a student shall take from inside a teacher, for with_features(). Template arguments are the places of two layers, as names
/// of members begin ("1", "3.body.0"): what the student's gives is compared with what the teacher's gives, by default of the same
/// place. Such a loss has
///
///     static constexpr const char* name                 what errors call it
///     static constexpr auto student_place, teacher_place
///     float weight
///     double operator()(student, teacher, gradient, executor) const
///                                                       the mean over a batch of two feature_batches; stores its derivative by the
///                                                       student's features
///     std::optional<error> problem() const
///     const char* mismatch(student, teacher) const      null where it can compare features of these shapes, else what it expects
///     bool projects() const                             optional: whether what is compared are not the student's features but a
///                                                       linear function of them to as many channels as the teacher's, which is
///                                                       trained together with the student
///
/// Bits depend neither on the executor nor on its threads.

/// The features of a sample: of an image all pixels, of a sequence all steps, of a vector one position.
struct feature_shape {
    std::size_t positions = 0;
    std::size_t channels = 0;

    constexpr std::size_t size() const noexcept { return positions * channels; }
    friend constexpr bool operator==(const feature_shape&, const feature_shape&) noexcept = default;
};

/// [batch, positions, channels]
template <class T>
struct feature_batch {
    const T* data;
    std::size_t batch;
    feature_shape shape;

    const T* sample(std::size_t i) const noexcept { return data + i * shape.size(); }
};

namespace detail {

inline std::optional<error> weight_problem(const char* loss, float weight) {
    return outside(loss, "a weight above 0", weight, (std::numeric_limits<float>::min)(), (std::numeric_limits<float>::max)());
}

/// The sum over a batch of f(i).
template <class Executor, class F>
double sum_of_samples(Executor& executor, std::size_t batch, const F& f) {
    std::vector<double> losses(batch);
    executor.for_each(batch, [&](std::size_t i) { losses[i] = f(i); });
    double sum = 0.0;
    for (const double loss : losses) {
        sum += loss;
    }
    return sum;
}

}  // namespace detail

/// How a student's features get to be compared with a teacher's: through a linear function with a bias, position by position, or as
/// they are, which takes as many channels.
enum class regressor { learned, none };

/// 1/2 (r(student) - teacher)^2, mean over all numbers. Romero, Ballas, Kahou, Chassang, Gatta, Bengio 2015 (FitNets), equation 3.
/// The regressor r of dense features is a dense layer, that of images a convolution with a kernel of 1 x 1: positions must be as
/// many.
template <fixed_string Student, fixed_string Teacher = Student>
struct hint {
    static constexpr const char* name = "hint";
    static constexpr auto student_place = Student;
    static constexpr auto teacher_place = Teacher;

    float weight = 1.0f;
    pare::regressor regressor = pare::regressor::learned;

    std::optional<error> problem() const { return detail::weight_problem(name, weight); }
    bool projects() const noexcept { return regressor == pare::regressor::learned; }
    const char* mismatch(const feature_shape& s, const feature_shape& t) const noexcept {
        return s.positions != t.positions                ? "as many positions"
               : !projects() && s.channels != t.channels ? "as many channels, without a regressor,"
                                                         : nullptr;
    }

    template <class T, class Executor>
    double operator()(const feature_batch<T>& student, const feature_batch<T>& teacher, T* gradient, Executor& executor) const {
        const std::size_t size = student.shape.size();
        const double numbers = static_cast<double>(student.batch * size);
        return detail::sum_of_samples(executor, student.batch,
                                      [&](std::size_t i) {
                                          double sum = 0.0;
                                          for (std::size_t j = i * size; j < (i + 1) * size; ++j) {
                                              const double d =
                                                  static_cast<double>(student.data[j]) - static_cast<double>(teacher.data[j]);
                                              sum += d * d;
                                              gradient[j] = static_cast<T>(d / numbers);
                                          }
                                          return sum;
                                      }) /
               (2.0 * numbers);
    }
};

/// 1/2 |q(student) - q(teacher)|^2, batch mean, where q is the sum over channels of |a|^power at each position, divided by its
/// length over the positions. Zagoruyko, Komodakis 2017, equation 2, with the norm squared. For features with more than one
/// position. Where all of them are zero, so is q.
template <fixed_string Student, fixed_string Teacher = Student>
struct attention_transfer {
    static constexpr const char* name = "attention_transfer";
    static constexpr auto student_place = Student;
    static constexpr auto teacher_place = Teacher;

    float weight = 1.0f;
    float power = 2.0f;

    std::optional<error> problem() const {
        auto p = detail::weight_problem(name, weight);
        return p ? p : detail::outside(name, "a power of at least 1", power, 1.0f, (std::numeric_limits<float>::max)());
    }
    static const char* mismatch(const feature_shape& s, const feature_shape& t) noexcept {
        return s.positions != t.positions ? "as many positions" : s.positions < 2 ? "more than one position" : nullptr;
    }

    template <class T, class Executor>
    double operator()(const feature_batch<T>& student, const feature_batch<T>& teacher, T* gradient, Executor& executor) const {
        const std::size_t positions = student.shape.positions, channels = student.shape.channels;
        const auto batch = static_cast<double>(student.batch), p = static_cast<double>(power);
        return detail::sum_of_samples(
                   executor, student.batch,
                   [&](std::size_t i) {
                       std::vector<double> mine(positions), theirs(positions);
                       const double length = map_of(student.sample(i), student.shape, mine.data());
                       map_of(teacher.sample(i), teacher.shape, theirs.data());
                       double sum = 0.0, along = 0.0;
                       for (std::size_t j = 0; j < positions; ++j) {
                           const double d = mine[j] - theirs[j];
                           sum += d * d;
                           along += d * mine[j];
                           theirs[j] = d;
                       }
                       for (std::size_t j = 0; j < positions; ++j) {
                           const double slope = length > 0.0 ? (theirs[j] - along * mine[j]) / (length * batch) : 0.0;
                           for (std::size_t c = 0; c < channels; ++c) {
                               const std::size_t at = (i * positions + j) * channels + c;
                               const auto a = static_cast<double>(student.data[at]);
                               gradient[at] = static_cast<T>(slope * p * std::copysign(raised(std::fabs(a), p - 1.0), a));
                           }
                       }
                       return sum;
                   }) /
               (2.0 * batch);
    }

private:
    static double raised(double a, double exponent) noexcept {
        return exponent == 1.0 ? a : exponent == 2.0 ? a * a : a == 0.0 && exponent == 0.0 ? 0.0 : std::pow(a, exponent);
    }
    /// q, and what it was divided by.
    template <class T>
    double map_of(const T* a, const feature_shape& shape, double* q) const noexcept {
        double squares = 0.0;
        for (std::size_t j = 0; j < shape.positions; ++j) {
            q[j] = 0.0;
            for (std::size_t c = 0; c < shape.channels; ++c) {
                q[j] += raised(std::fabs(static_cast<double>(a[j * shape.channels + c])), static_cast<double>(power));
            }
            squares += q[j] * q[j];
        }
        const double length = std::sqrt(squares);
        for (std::size_t j = 0; j < shape.positions; ++j) {
            q[j] = length > 0.0 ? q[j] / length : 0.0;
        }
        return length;
    }
};

namespace detail {

/// A loss on how the samples of a batch lie to each other, of whatever shapes.
template <class Relation, fixed_string Student, fixed_string Teacher>
struct relational {
    static constexpr const char* name = Relation::name;
    static constexpr auto student_place = Student;
    static constexpr auto teacher_place = Teacher;

    float weight = 1.0f;

    std::optional<error> problem() const { return weight_problem(name, weight); }
    static const char* mismatch(const feature_shape&, const feature_shape&) noexcept { return nullptr; }

    template <class T, class Executor>
    double operator()(const feature_batch<T>& student, const feature_batch<T>& teacher, T* gradient, Executor& executor) const {
        const std::size_t n = student.batch;
        const auto mine = gram_matrix(student.data, n, student.shape.size(), executor);
        const auto theirs = gram_matrix(teacher.data, n, teacher.shape.size(), executor);
        std::vector<double> slope(n * n, 0.0);
        const double loss = Relation::difference(mine.data(), theirs.data(), n, slope.data(), executor);
        gram_gradient(student.data, n, student.shape.size(), slope.data(), gradient, executor);
        return loss;
    }
};

}  // namespace detail

/// Huber(d(student) - d(teacher)), mean over pairs of different samples: d is their distance, divided by the mean distance in the
/// batch. Huber(x) = x^2 / 2 where |x| <= 1, else |x| - 1/2. Park, Kim, Lu, Cho 2019, section 3.2. O(batch^2 numbers of a sample).
template <fixed_string Student, fixed_string Teacher = Student>
using relational_distance = detail::relational<detail::by_distance, Student, Teacher>;

/// Huber(c(student) - c(teacher)), mean over triples of different samples: c is the cosine of the angle at the second of them, 0
/// where that coincides with another. Park, Kim, Lu, Cho 2019, section 3.2. O(batch^2 numbers of a sample + batch^3).
template <fixed_string Student, fixed_string Teacher = Student>
using relational_angle = detail::relational<detail::by_angle, Student, Teacher>;

/// |g(student) - g(teacher)|^2 / batch^2: g [batch, batch] are the products of all samples with all, each row divided by its
/// length. Tung, Mori 2019, section 3. O(batch^2 numbers of a sample).
template <fixed_string Student, fixed_string Teacher = Student>
using similarity_preserving = detail::relational<detail::by_similarity, Student, Teacher>;

PARE_NAMESPACE_END

#endif
