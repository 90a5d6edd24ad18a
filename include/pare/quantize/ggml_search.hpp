#ifndef PARE_QUANTIZE_GGML_SEARCH_HPP
#define PARE_QUANTIZE_GGML_SEARCH_HPP

#include <array>
#include <bit>
#include <cmath>

#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// How ggml looks for the scale of a group of numbers: the same steps in the same order, each rounded by itself whatever the
/// compiler's flags allow, so that the outcome is equal to the bit.
namespace ggml::detail {

/// A float whose every operation is rounded by itself.
struct exact {
    float value = 0.0f;

    exact() noexcept = default;
    exact(float x) noexcept : value(x) {}
    exact(int x) noexcept : value(static_cast<float>(x)) {}

    friend exact operator+(exact a, exact b) noexcept { return opaque(opaque(a.value) + b.value); }
    friend exact operator-(exact a, exact b) noexcept { return opaque(opaque(a.value) - b.value); }
    friend exact operator*(exact a, exact b) noexcept { return exact_multiply(a.value, b.value); }
    friend exact operator/(exact a, exact b) noexcept { return exact_divide(a.value, b.value); }
    exact operator-() const noexcept { return -value; }
    exact& operator+=(exact x) noexcept { return *this = *this + x; }
    friend bool operator<(exact a, exact b) noexcept { return a.value < b.value; }
    friend bool operator>(exact a, exact b) noexcept { return a.value > b.value; }
};

inline exact magnitude(exact x) noexcept {
    return opaque(x < 0.0f ? -x.value : x.value);
}

/// Round half to even through the bits of x + 1.5 * 2^23; numbers of which that is not true wrap as they do in ggml.
inline int nearest(exact x) noexcept {
    return static_cast<int>(std::bit_cast<std::uint32_t>((x + 12582912.0f).value) & 0x007fffffu) - 0x00400000;
}
inline int clamped(int q, int low, int high) noexcept {
    return q < low ? low : q > high ? high : q;
}

/// The first number of largest magnitude.
inline exact extreme(const float* x, std::size_t n) noexcept {
    exact found = 0.0f;
    for (std::size_t i = 0; i < n; ++i) {
        found = magnitude(x[i]) > magnitude(found) ? x[i] : found;
    }
    return found;
}

struct range {
    exact min;
    exact max;
};
inline range range_of(const float* x, std::size_t n) noexcept {
    range r = {x[0], x[0]};
    for (std::size_t i = 1; i < n; ++i) {
        r.min = x[i] < r.min ? x[i] : r.min;
        r.max = x[i] > r.max ? x[i] : r.max;
    }
    return r;
}

/// The square root, correctly rounded: that of the library may be an estimate under -ffast-math. Halves between neighbours and
/// their squares are exact as double.
inline exact square_root(exact x) noexcept {
    auto bits = std::bit_cast<std::uint32_t>(std::sqrt(x.value));
    const auto above = [&](std::uint32_t b) {  // the number between b and the next larger one, squared
        const double half =
            0.5 * static_cast<double>(std::bit_cast<float>(b)) + 0.5 * static_cast<double>(std::bit_cast<float>(b + 1));
        return half * half;
    };
    const double square = static_cast<double>(x.value);
    while (above(bits) < square) {
        ++bits;
    }
    while (bits > 0 && above(bits - 1) > square) {
        --bits;
    }
    return std::bit_cast<float>(bits);
}

/// N numbers as scale * code - least, with codes from 0 to 15.
template <std::size_t N>
struct affine_fit {
    std::array<int, N> codes;
    exact scale;
    exact least;
};

/// The fit of least weighted squared error among the plain one and those to which 21 slightly different steps lead: for each step,
/// numbers are rounded to codes, and scale and least value follow by weighted least squares, the latter not above zero. A weight is
/// the root mean square of all plus the number's own magnitude. Source: make_qkx2_quants in ggml.
template <std::size_t N>
affine_fit<N> search_affine(const float* x) noexcept {
    constexpr int most = 15;
    exact squares = 0.0f;
    for (std::size_t i = 0; i < N; ++i) {
        squares += exact(x[i]) * x[i];
    }
    const exact root_mean_square = square_root(squares / static_cast<int>(N));
    std::array<exact, N> weight;
    for (std::size_t i = 0; i < N; ++i) {
        weight[i] = root_mean_square + magnitude(x[i]);
    }
    exact sum_w = weight[0];
    exact sum_x = weight[0] * x[0];
    for (std::size_t i = 1; i < N; ++i) {
        sum_w += weight[i];
        sum_x += weight[i] * x[i];
    }
    const range r = range_of(x, N);
    exact min = r.min > 0.0f ? exact(0.0f) : r.min;
    if (!(r.max > min) && !(r.max < min)) {
        return {{}, 0.0f, exact(0.0f) - min};
    }
    const auto codes_by = [&](exact inverse) {
        std::array<int, N> codes;
        for (std::size_t i = 0; i < N; ++i) {
            codes[i] = clamped(nearest(inverse * (x[i] - min)), 0, most);
        }
        return codes;
    };
    const auto error_of = [&](const std::array<int, N>& codes, exact scale, exact offset) {
        exact error = 0.0f;
        for (std::size_t i = 0; i < N; ++i) {
            const exact difference = scale * codes[i] + offset - x[i];
            error += weight[i] * (difference * difference);
        }
        return error;
    };
    const exact plain = exact(most) / (r.max - min);
    affine_fit<N> best = {codes_by(plain), 1.0f / plain, 0.0f};
    exact least_error = error_of(best.codes, best.scale, min);
    for (int attempt = 0; attempt <= 20; ++attempt) {
        const exact steps = exact(-1.0f) + exact(0.1f) * attempt + most;
        const auto codes = codes_by(steps / (r.max - min));  // from the best least value so far, as ggml has it
        exact sum_q = 0.0f, sum_qq = 0.0f, sum_qx = 0.0f;
        for (std::size_t i = 0; i < N; ++i) {
            const exact weighted = weight[i] * codes[i];
            sum_q += weighted;
            sum_qq += weighted * codes[i];
            sum_qx += weighted * x[i];
        }
        const exact determinant = sum_w * sum_qq - sum_q * sum_q;
        if (!(determinant > 0.0f)) {
            continue;
        }
        exact scale = (sum_w * sum_qx - sum_x * sum_q) / determinant;
        exact offset = (sum_qq * sum_x - sum_q * sum_qx) / determinant;
        if (offset > 0.0f) {
            offset = 0.0f;
            scale = sum_qx / sum_qq;
        }
        const exact error = error_of(codes, scale, offset);
        if (error < least_error) {
            best.codes = codes;
            best.scale = scale;
            least_error = error;
            min = offset;
        }
    }
    best.least = exact(0.0f) - min;  // never -0, as a maximum could return it
    return best;
}

/// N numbers as scale * (code - 32), with codes from 0 to 63.
template <std::size_t N>
struct symmetric_fit {
    std::array<int, N> codes;
    exact scale;
};

/// Numbers of smaller magnitude count as zeros.
inline constexpr float zero_magnitude = 1e-15f;

/// The fit of least squared error, weighted by the squares of the numbers, among those to which 19 slightly different steps lead:
/// for each, numbers are rounded to codes, and the scale follows by weighted least squares. Source: make_qx_quants in ggml.
template <std::size_t N>
symmetric_fit<N> search_symmetric(const float* x) noexcept {
    constexpr int middle = 32;
    const exact most = extreme(x, N);
    if (magnitude(most) < zero_magnitude) {
        return {};
    }
    symmetric_fit<N> best = {};
    exact gain = 0.0f;  // what of the weighted squares of x the best scale explains
    const auto attempt = [&](exact inverse, bool first) {
        std::array<int, N> codes;
        exact sum_qx = 0.0f, sum_qq = 0.0f;
        for (std::size_t i = 0; i < N; ++i) {
            const int q = clamped(nearest(inverse * x[i]), -middle, middle - 1);
            codes[i] = q + middle;
            const exact weight = exact(x[i]) * x[i];
            sum_qx += weight * x[i] * q;
            sum_qq += weight * q * q;
        }
        const bool better = sum_qq > 0.0f && sum_qx * sum_qx > gain * sum_qq;
        if (first || better) {
            best.codes = codes;
            best.scale = sum_qq > 0.0f ? sum_qx / sum_qq : exact(0.0f);
            gain = best.scale * sum_qx;
        }
    };
    attempt(exact(-middle) / most, true);
    for (int shift = -9; shift <= 9; ++shift) {
        if (shift != 0) {
            attempt(-(exact(middle) + exact(0.1f) * shift) / most, false);
        }
    }
    return best;
}

}  // namespace ggml::detail

PARE_NAMESPACE_END

#endif
