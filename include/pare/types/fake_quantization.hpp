#ifndef PARE_TYPES_FAKE_QUANTIZATION_HPP
#define PARE_TYPES_FAKE_QUANTIZATION_HPP

#include <cmath>
#include <cstddef>

#include <pare/types/granularity.hpp>
#include <pare/types/qint.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// A quantization, and the integers that it may use.
struct fake_quantization {
    quantization q;
    std::int32_t smallest = 0;
    std::int32_t largest = 255;
};

/// Where the scale of what is quantized in training comes from.
enum class step_size {
    of_range,  // the range of the numbers: the gradient goes straight through
    learned    // it is trained as well. Esser et al. 2020: Learned step size quantization
};

/// The factor of a learned scale's gradient, for n numbers that share it: 1 / sqrt(n * largest), with which it moves as fast as
/// weights do. Esser et al. 2020, section 2.2.
inline float step_gradient_factor(std::size_t n, std::int32_t largest) noexcept {
    return 1.0f / std::sqrt(static_cast<float>(n) * static_cast<float>(largest));
}

/// How weights are quantized in training, and afterwards: what fake_quantized<Policy, Inner> is told.
struct weight_policy {
    std::size_t bits = 8;
    granularity scales = granularity::per_channel;
    std::size_t group = 0;                // not 0: as many inputs of an output share a scale, as in qint4<group>
    qscheme scheme = qscheme::symmetric;  // narrow, such as [-7, 7]; affine weights lie in groups
    step_size step = step_size::of_range;

    constexpr std::int32_t largest() const noexcept { return scheme == qscheme::affine ? (1 << bits) - 1 : (1 << (bits - 1)) - 1; }
    constexpr std::int32_t smallest() const noexcept { return scheme == qscheme::affine ? 0 : -largest(); }
    constexpr bool is_known() const noexcept {
        return (bits == 2 || bits == 3 || bits == 4 || bits == 8) &&
               (scheme == qscheme::symmetric || (scheme == qscheme::affine && group != 0 && step == step_size::of_range));
    }
};

/// How what flows into a layer is quantized in training, and afterwards: unsigned integers of `bits` bits, one scale and zero
/// point for all.
struct input_policy {
    std::size_t bits = 8;
    step_size step = step_size::of_range;

    constexpr std::int32_t largest() const noexcept { return (1 << bits) - 1; }
    constexpr bool is_known() const noexcept { return bits >= 2 && bits <= 8; }
};

PARE_NAMESPACE_END

#endif
