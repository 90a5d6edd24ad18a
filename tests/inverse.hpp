#ifndef PARE_TESTS_INVERSE_HPP
#define PARE_TESTS_INVERSE_HPP

#include <cstddef>
#include <vector>

/// The inverse of a positive definite matrix [n, n].
inline std::vector<double> inverse_of(std::vector<double> h, std::size_t n) {  // Gauss and Jordan
    std::vector<double> inverse(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        inverse[i * n + i] = 1.0;
    }
    for (std::size_t i = 0; i < n; ++i) {
        const double pivot = h[i * n + i];
        for (std::size_t c = 0; c < n; ++c) {
            h[i * n + c] /= pivot;
            inverse[i * n + c] /= pivot;
        }
        for (std::size_t r = 0; r < n; ++r) {
            const double factor = r == i ? 0.0 : h[r * n + i];
            for (std::size_t c = 0; c < n; ++c) {
                h[r * n + c] -= factor * h[i * n + c];
                inverse[r * n + c] -= factor * inverse[i * n + c];
            }
        }
    }
    return inverse;
}

#endif
