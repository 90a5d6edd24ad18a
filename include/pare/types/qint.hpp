#ifndef PARE_TYPES_QINT_HPP
#define PARE_TYPES_QINT_HPP

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <pare/types/float16.hpp>

PARE_NAMESPACE_BEGIN

/// A signed 8-bit integer that stands for a real number through a `quantization`. Weights use the narrow range
/// [-127, 127], symmetric around zero.
struct qint8 {
    using storage = std::int8_t;
    static constexpr std::int32_t smallest = -128;
    static constexpr std::int32_t largest = 127;
    static constexpr std::int32_t narrow_smallest = -127;
    static constexpr const char* name = "qint8";

    storage raw = 0;
    bool operator==(const qint8&) const = default;
};

/// An unsigned 8-bit integer that stands for a real number through a `quantization`: activations.
struct quint8 {
    using storage = std::uint8_t;
    static constexpr std::int32_t smallest = 0;
    static constexpr std::int32_t largest = 255;
    static constexpr const char* name = "quint8";

    storage raw = 0;
    bool operator==(const quint8&) const = default;
};

/// A 32-bit integer that stands for a real number through a `quantization`: biases and sums of products.
struct qint32 {
    using storage = std::int32_t;
    static constexpr std::int32_t smallest = -2147483647 - 1;
    static constexpr std::int32_t largest = 2147483647;
    static constexpr const char* name = "qint32";

    storage raw = 0;
    bool operator==(const qint32&) const = default;
};

/// Where the integers of a quantization lie: on both sides of zero, which is zero, or anywhere, with a zero point.
enum class qscheme { symmetric, affine };

/// A 4-bit integer, for weights, with one scale for each Group inputs of an output, as float or float16. Symmetric in the narrow
/// range [-7, 7]; or affine, with a zero point from 0 to 15 for each group too: real = (code - zero_point) * scale. Two lie in a
/// byte as codes from 0 to 15 (symmetric: q + 8), the even input in the low half.
template <std::size_t Group, class Scale = float, qscheme Scheme = qscheme::symmetric>
struct qint4 {
    static_assert(Group >= 16 && Group <= 256 && Group % 16 == 0, "pare: the groups of qint4 weights hold 16, 32, 48 ... or 256");
    static_assert(std::is_same_v<Scale, float> || std::is_same_v<Scale, float16>,
                  "pare: the scales of qint4 weights are float or float16");
    using storage = std::uint8_t;
    using scale = Scale;
    static constexpr std::size_t group = Group;
    static constexpr qscheme scheme = Scheme;
    static constexpr std::int32_t smallest = -8;
    static constexpr std::int32_t largest = 7;
    static constexpr std::int32_t narrow_smallest = -7;
    static constexpr std::int32_t offset = 8;
    static constexpr const char* name = Scheme == qscheme::affine ? "affine qint4" : "qint4";
};

PARE_NAMESPACE_END

#endif
