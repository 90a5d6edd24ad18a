#ifndef PARE_DISTILL_RELATIONS_HPP
#define PARE_DISTILL_RELATIONS_HPP

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// Losses of how samples of a batch lie to each other: distances, angles and similarities all follow from the gram matrix G = X X^T
/// of features X [n, size]. Each takes the student's and the teacher's, adds to `slope` its derivatives by the numbers of the
/// student's, as if they were independent of each other, and returns its value.
namespace detail {

/// In an order of its own that depends on `size` alone; vectors of doubles.
template <class T>
double dot_product(const T* a, const T* b, std::size_t size) noexcept {
    constexpr std::size_t lanes = 8;
    std::array<double, lanes> sums{};
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        for (std::size_t l = 0; l < lanes; ++l) {
            sums[l] += static_cast<double>(a[i + l]) * static_cast<double>(b[i + l]);
        }
    }
    for (; i < size; ++i) {
        sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// [n, n]
template <class T, class Executor>
std::vector<double> gram_matrix(const T* x, std::size_t n, std::size_t size, Executor& executor) {
    std::vector<double> gram(n * n);
    executor.for_each(n, [&](std::size_t i) {
        for (std::size_t k = 0; k <= i; ++k) {
            gram[i * n + k] = gram[k * n + i] = dot_product(x + i * size, x + k * size, size);
        }
    });
    return gram;
}

/// gradient [n, size] = (slope + slope^T) x
template <class T, class Executor>
void gram_gradient(const T* x, std::size_t n, std::size_t size, const double* slope, T* gradient, Executor& executor) {
    executor.for_each(n, [&](std::size_t i) {
        std::vector<double> sum(size, 0.0);
        for (std::size_t k = 0; k < n; ++k) {
            const double factor = slope[i * n + k] + slope[k * n + i];
            for (std::size_t j = 0; j < size; ++j) {
                sum[j] += factor * static_cast<double>(x[k * size + j]);
            }
        }
        for (std::size_t j = 0; j < size; ++j) {
            gradient[i * size + j] = static_cast<T>(sum[j]);
        }
    });
}

/// The squared distance of two samples; 0 where they coincide but for roundings, which have no direction.
inline double squared_distance(const double* gram, std::size_t n, std::size_t i, std::size_t k) noexcept {
    const double lengths = gram[i * n + i] + gram[k * n + k], square = lengths - 2.0 * gram[i * n + k];
    return square > 1e-14 * lengths ? square : 0.0;
}
/// Adds to the slope what a derivative by a squared distance is.
inline void add_distance_slope(double derivative, std::size_t n, std::size_t i, std::size_t k, double* slope) noexcept {
    slope[i * n + i] += derivative;
    slope[k * n + k] += derivative;
    slope[i * n + k] -= 2.0 * derivative;
}

struct huber {
    double value, slope;

    explicit huber(double x) noexcept
        : value(std::fabs(x) <= 1.0 ? 0.5 * x * x : std::fabs(x) - 0.5), slope(std::fabs(x) <= 1.0 ? x : std::copysign(1.0, x)) {}
};

/// Distances [n, n] of different samples, of which the upper triangle is filled in, and their mean.
struct distances {
    std::vector<double> of_pair;
    double mean = 0.0;

    distances(const double* gram, std::size_t n) : of_pair(n * n, 0.0) {
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = i + 1; k < n; ++k) {
                mean += of_pair[i * n + k] = std::sqrt(squared_distance(gram, n, i, k));
            }
        }
        mean /= n > 1 ? 0.5 * static_cast<double>(n * (n - 1)) : 1.0;
    }
    double relative(std::size_t pair) const noexcept { return mean > 0.0 ? of_pair[pair] / mean : 0.0; }
};

struct by_distance {
    static constexpr const char* name = "relational_distance";

    template <class Executor>
    static double difference(const double* student, const double* teacher, std::size_t n, double* slope, Executor&) {
        const distances mine(student, n), theirs(teacher, n);
        const double pairs = 0.5 * static_cast<double>(n) * (static_cast<double>(n) - 1.0);
        double loss = 0.0, along = 0.0;  // the derivative by the mean distance, times that
        std::vector<double> derivative(n * n, 0.0);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = i + 1; k < n; ++k) {
                const std::size_t pair = i * n + k;
                const huber h(mine.relative(pair) - theirs.relative(pair));
                loss += h.value / pairs;
                derivative[pair] = h.slope / pairs;
                along += derivative[pair] * mine.relative(pair);
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = i + 1; k < n; ++k) {
                const double d = mine.of_pair[i * n + k];
                if (d > 0.0) {
                    add_distance_slope((derivative[i * n + k] - along / pairs) / (mine.mean * 2.0 * d), n, i, k, slope);
                }
            }
        }
        return loss;
    }
};

/// Squared distances [n, n], and one divided by their roots, 0 where samples coincide. Both are symmetric.
struct sides {
    std::vector<double> square, inverse;

    sides(const double* gram, std::size_t n) : square(n * n), inverse(n * n) {
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = 0; k < n; ++k) {
                const double s = square[i * n + k] = squared_distance(gram, n, i, k);
                inverse[i * n + k] = s > 0.0 ? 1.0 / std::sqrt(s) : 0.0;
            }
        }
    }
};

/// cosines [n] at j between i and each k, by the law of cosines; 0 where j coincides with one of them.
inline void cosines_at(const sides& d, std::size_t n, std::size_t i, std::size_t j, double* cosines) noexcept {
    const double *from_i = d.square.data() + i * n, *from_j = d.square.data() + j * n, *inverse = d.inverse.data() + j * n;
    const double side = from_i[j], factor = 0.5 * inverse[i];
    for (std::size_t k = 0; k < n; ++k) {
        cosines[k] = (side + from_j[k] - from_i[k]) * (factor * inverse[k]);
    }
}

struct by_angle {
    static constexpr const char* name = "relational_angle";

    /// Each i has sums of its own, over the triples that it is the first of; a derivative by a side is split between its ends.
    template <class Executor>
    static double difference(const double* student, const double* teacher, std::size_t n, double* slope, Executor& executor) {
        if (n < 3) {
            return 0.0;
        }
        const sides mine(student, n), theirs(teacher, n);
        const auto count = static_cast<double>(n);
        const double triples = count * (count - 1.0) * (count - 2.0);
        std::vector<double> losses(n), derivative(n * n, 0.0);  // by squared distances
        executor.for_each(n, [&](std::size_t i) {
            std::vector<double> cosine(n), other(n), h(n), rest(n);
            double* const by_square = derivative.data() + i * n;
            double loss = 0.0;
            for (std::size_t j = 0; j < n; ++j) {
                cosines_at(mine, n, i, j, cosine.data());
                cosines_at(theirs, n, i, j, other.data());
                for (std::size_t k = 0; k < n; ++k) {  // Huber's slope h, and his value h * rest
                    const double x = cosine[k] - other[k];
                    h[k] = x > 1.0 ? 1.0 : x < -1.0 ? -1.0 : x;
                    rest[k] = x - 0.5 * h[k];
                }
                h[i] = 0.0;
                const double* const inverse = mine.inverse.data() + j * n;
                loss += dot_product(h.data(), rest.data(), n);
                by_square[j] += (dot_product(h.data(), inverse, n) - dot_product(h.data(), cosine.data(), n) * inverse[i]) *
                                (inverse[i] / triples);
                const double factor = 0.5 * inverse[i] / triples;
                for (std::size_t k = 0; k < n; ++k) {
                    by_square[k] -= factor * h[k] * inverse[k];
                }
            }
            losses[i] = loss / triples;
        });
        double loss = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            loss += losses[i];
            for (std::size_t k = 0; k < n; ++k) {
                add_distance_slope(derivative[i * n + k], n, i, k, slope);
            }
        }
        return loss;
    }
};

struct by_similarity {
    static constexpr const char* name = "similarity_preserving";

    template <class Executor>
    static double difference(const double* student, const double* teacher, std::size_t n, double* slope, Executor&) {
        const auto length = [&](const double* row) { return std::sqrt(dot_product(row, row, n)); };
        const auto pairs = static_cast<double>(n) * static_cast<double>(n);
        double loss = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            const double *s = student + i * n, *t = teacher + i * n;
            const double of_s = length(s), of_t = length(t);
            const auto mine = [&](std::size_t k) { return of_s > 0.0 ? s[k] / of_s : 0.0; };
            const auto difference = [&](std::size_t k) { return mine(k) - (of_t > 0.0 ? t[k] / of_t : 0.0); };
            double along = 0.0;
            for (std::size_t k = 0; k < n; ++k) {
                loss += difference(k) * difference(k) / pairs;
                along += difference(k) * mine(k);
            }
            for (std::size_t k = 0; k < n && of_s > 0.0; ++k) {
                slope[i * n + k] += 2.0 * (difference(k) - along * mine(k)) / (pairs * of_s);
            }
        }
        return loss;
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
