#ifndef PARE_TRAIN_INVERSE_HESSIAN_HPP
#define PARE_TRAIN_INVERSE_HESSIAN_HPP

#include <cmath>
#include <vector>

#include <pare/train/input_statistics.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

// The Hessian X^T X of the squared error of a product's outputs, X being all rows of its inputs, and its inverse: for what changes
// one weight after the other and lets the others make up for it (gptq, sparse_gpt). Hassibi, Stork 1993.

/// The sum of a[i] b[i], in eight parts.
inline double dot(const double* a, const double* b, std::size_t n) noexcept {
    double part[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (std::size_t j = 0; j < 8; ++j) {
            part[j] += a[i + j] * b[i + j];
        }
    }
    double sum = 0.0;
    for (; i < n; ++i) {
        sum += a[i] * b[i];
    }
    for (const double p : part) {
        sum += p;
    }
    return sum;
}

/// The upper triangular U [n, n] with h^-1 = U^T U for a symmetric positive definite h [n, n], or nothing where a pivot shows that
/// h is none. h = R R^T with R upper triangular, from the last row up; U = R^-1. O(n^3 / 2).
inline std::vector<float> inverse_cholesky(std::vector<double> h, std::size_t n) {
    double* const r = h.data();
    for (std::size_t j = n; j-- > 0;) {
        const std::size_t behind = n - j - 1;
        const double pivot = r[j * n + j] - dot(r + j * n + j + 1, r + j * n + j + 1, behind);
        if (!(pivot > 0.0) || !is_finite(static_cast<float>(pivot))) {
            return {};
        }
        r[j * n + j] = std::sqrt(pivot);
        for (std::size_t i = 0; i < j; ++i) {
            r[i * n + j] = (r[i * n + j] - dot(r + i * n + j + 1, r + j * n + j + 1, behind)) / r[j * n + j];
        }
    }
    std::vector<float> u(n * n, 0.0f);
    std::vector<double> row(n);
    for (std::size_t i = 0; i < n; ++i) {
        std::fill(row.begin(), row.end(), 0.0);
        row[i] = 1.0;
        for (std::size_t k = i; k < n; ++k) {
            const double value = row[k] / r[k * n + k];
            u[i * n + k] = static_cast<float>(value);
            for (std::size_t j = k + 1; j < n; ++j) {
                row[j] -= value * r[k * n + j];
            }
        }
    }
    return u;
}

/// y -= factor * x.
template <class Isa>
void subtract_scaled(std::size_t n, float factor, const float* x, float* y) noexcept {
    using V = simd::ops<Isa>;
    const auto f = V::set(-factor);
    std::size_t i = 0;
    for (; i + V::lanes <= n; i += V::lanes) {
        V::store(y + i, V::fma(f, V::load(x + i), V::load(y + i)));
    }
    if (i < n) {
        V::store_partial(y + i, V::fma(f, V::load_partial(x + i, n - i), V::load_partial(y + i, n - i)), n - i);
    }
}

/// inverse_cholesky of the Hessian of columns in some order, as they come where there is none, with damping * mean(diagonal) added
/// to its diagonal; a column whose inputs are all zero takes part in nothing.
inline std::vector<float> inverse_hessian_factor(const input_statistics& inputs, float damping,
                                                 const std::vector<std::size_t>& order = {}) {
    const std::size_t n = inputs.columns();
    const std::vector<double>& h = inputs.second_moments();
    double mean = 0.0;
    for (std::size_t c = 0; c < n; ++c) {
        mean += h[c * n + c] / static_cast<double>(n);
    }
    std::vector<double> ordered = h;
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n && !order.empty(); ++j) {
            ordered[i * n + j] = h[order[i] * n + order[j]];
        }
        double& d = ordered[i * n + i];
        d = mean > 0.0 ? d + static_cast<double>(damping) * mean : 1.0;
    }
    return inverse_cholesky(std::move(ordered), n);
}

/// The inverse of that Hessian, U^T U; nothing where it has none. O(n^3 / 3).
inline std::vector<double> inverse_hessian(const input_statistics& inputs, float damping) {
    const std::size_t n = inputs.columns();
    const std::vector<float> u = inverse_hessian_factor(inputs, damping);
    std::vector<double> inverse(u.size(), 0.0);
    for (std::size_t k = 0; k < n && !u.empty(); ++k) {
        for (std::size_t i = k; i < n; ++i) {
            for (std::size_t j = k; j < n; ++j) {
                inverse[i * n + j] += static_cast<double>(u[k * n + i]) * static_cast<double>(u[k * n + j]);
            }
        }
    }
    return inverse;
}

inline error no_inverse_hessian(const char* who, const std::string& name, float damping) {
    return error{
        error_code::invalid_data,
        sentence(who, ": ", name,
                 ": expected second moments of the inputs that have an inverse, found others: raise the damping of ", damping)};
}

inline std::optional<error> damping_problem(const char* who, float damping) {
    if (is_finite(damping) && damping > 0.0f && damping <= 1.0f) {
        return std::nullopt;
    }
    return error{error_code::invalid_argument, sentence(who, ": expected a damping in (0, 1], found ", damping)};
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
