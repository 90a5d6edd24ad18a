#ifndef PARE_COMPRESS_SVD_HPP
#define PARE_COMPRESS_SVD_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <pare/train/inverse_hessian.hpp>

PARE_NAMESPACE_BEGIN

/// a [rows, columns] = sum over i of values[i] left_i right_i^T, min(rows, columns) terms, values descending and not negative. The
/// vectors have length 1 and are orthogonal to each other, but those of the longer side that belong to a value of zero are zeros.
struct singular_values {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<double> values;
    std::vector<double> left;   // [values, rows]
    std::vector<double> right;  // [values, columns]

    /// The sum of squares of all values from `first` on: what is left of the squares of a's numbers without those before.
    double energy(std::size_t first = 0) const noexcept {
        double sum = 0.0;
        for (std::size_t i = values.size(); i-- > first;) {  // small ones first
            sum += values[i] * values[i];
        }
        return sum;
    }
};

namespace detail {

/// x, y = c x - s y, s x + c y.
inline void rotate(double* x, double* y, std::size_t n, double c, double s) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        const double a = x[i], b = y[i];
        x[i] = c * a - s * b;
        y[i] = s * a + c * b;
    }
}

/// Rotates the rows of v [count, n] in pairs until all are orthogonal to each other, as nearly as doubles can be, and those of
/// q [count, count] with them.
inline void make_orthogonal(std::vector<double>& v, std::vector<double>& q, std::size_t count, std::size_t n) noexcept {
    constexpr double epsilon = std::numeric_limits<double>::epsilon();
    constexpr int most_sweeps = 60;  // ten are usual
    const double tolerance = epsilon * std::sqrt(static_cast<double>(n)), whole = dot(v.data(), v.data(), v.size());
    std::vector<double> norm(count);  // squared
    bool rotated = true;
    for (int sweep = 0; rotated && sweep < most_sweeps; ++sweep) {
        rotated = false;
        for (std::size_t i = 0; i < count; ++i) {
            norm[i] = dot(v.data() + i * n, v.data() + i * n, n);
        }
        for (std::size_t i = 0; i + 1 < count; ++i) {
            double *const x = v.data() + i * n, *const turned = q.data() + i * count;
            const auto rest = norm.begin() + static_cast<std::ptrdiff_t>(i);
            if (const auto longest = i + static_cast<std::size_t>(std::max_element(rest, norm.end()) - rest); longest != i) {
                std::swap_ranges(x, x + n, v.data() + longest * n);
                std::swap_ranges(turned, turned + count, q.data() + longest * count);
                std::swap(norm[i], norm[longest]);
            }
            for (std::size_t j = i + 1; j < count; ++j) {
                double* const y = v.data() + j * n;
                const double product = dot(x, y, n);
                if (norm[j] <= epsilon * epsilon * whole || !(std::fabs(product) > tolerance * std::sqrt(norm[i] * norm[j]))) {
                    continue;
                }
                const double zeta = (norm[j] - norm[i]) / (2.0 * product);
                const double t = std::copysign(1.0, zeta) / (std::fabs(zeta) + std::sqrt(1.0 + zeta * zeta));
                const double c = 1.0 / std::sqrt(1.0 + t * t);
                rotate(x, y, n, c, c * t);
                rotate(turned, q.data() + j * count, count, c, c * t);
                norm[i] -= t * product;
                norm[j] += t * product;
                rotated = true;
            }
        }
    }
}

}  // namespace detail

/// The singular values and vectors of a [rows, columns], row-major and finite. One-sided Jacobi in double: the rows, or the columns
/// where these are fewer, are rotated in pairs, each time by the angle that makes two of them orthogonal, until all are; their
/// lengths are the values. Those up to sqrt(n) 2^-52 times the root of the sum of all squares, n being the longer extent, are zero,
/// and so are the vectors that they would scale. The same bits wherever the compiler does not fuse products and sums. O(min^2 max)
/// a sweep, of which there are about ten. Hestenes 1958; order of pairs as de Rijk 1989.
inline singular_values singular_value_decomposition(std::span<const double> a, std::size_t rows, std::size_t columns) {
    PARE_ASSERT(a.size() == rows * columns, "a matrix of %zu x %zu is given %zu numbers", rows, columns, a.size());
    const bool wide = rows <= columns;
    const std::size_t count = wide ? rows : columns, n = wide ? columns : rows;
    double largest = 0.0;
    for (const double x : a) {
        largest = (std::max)(largest, std::fabs(x));
    }
    const int exponent = largest > 0.0 ? std::ilogb(largest) : 0;  // squares of any numbers stay within the range of doubles
    std::vector<double> v(count * n), q(count * count);
    for (std::size_t i = 0; i < count; ++i) {
        q[i * count + i] = 1.0;
        for (std::size_t j = 0; j < n; ++j) {
            v[i * n + j] = std::ldexp(wide ? a[i * n + j] : a[j * count + i], -exponent);
        }
    }
    detail::make_orthogonal(v, q, count, n);
    std::vector<double> length(count);
    for (std::size_t i = 0; i < count; ++i) {
        length[i] = std::sqrt(detail::dot(v.data() + i * n, v.data() + i * n, n));
    }
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i) {
        order[i] = i;
    }
    std::sort(order.begin(), order.end(),
              [&](std::size_t i, std::size_t j) { return length[i] > length[j] || (length[i] == length[j] && i < j); });
    const double noise = std::numeric_limits<double>::epsilon() *
                         std::sqrt(static_cast<double>(n) * detail::dot(length.data(), length.data(), count));
    std::vector<double> values(count), longer(count * n), shorter(count * count);
    for (std::size_t i = 0; i < count; ++i) {
        std::copy_n(q.data() + order[i] * count, count, shorter.data() + i * count);
        values[i] = length[order[i]];
        if (!(values[i] > noise)) {
            values[i] = 0.0;
            continue;
        }
        for (std::size_t j = 0; j < n; ++j) {
            longer[i * n + j] = v[order[i] * n + j] / values[i];
        }
        values[i] = std::ldexp(values[i], exponent);
    }
    return {rows, columns, std::move(values), wide ? std::move(shorter) : std::move(longer),
            wide ? std::move(longer) : std::move(shorter)};
}

PARE_NAMESPACE_END

#endif
