#ifndef PARE_TYPES_QINT_HPP
#define PARE_TYPES_QINT_HPP

#include <cstddef>
#include <cstdint>

#include <pare/config/version.hpp>

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

/// A signed 4-bit integer, for weights: symmetric in the narrow range [-7, 7], with one scale for each Group inputs of an output.
/// Two lie in a byte as q + 8, the even input in the low half.
template <std::size_t Group>
struct qint4 {
    static_assert(Group >= 16 && Group % 16 == 0, "pare: the groups of qint4 weights hold a multiple of 16");
    using storage = std::uint8_t;
    static constexpr std::size_t group = Group;
    static constexpr std::int32_t smallest = -8;
    static constexpr std::int32_t largest = 7;
    static constexpr std::int32_t narrow_smallest = -7;
    static constexpr std::int32_t offset = 8;
    static constexpr const char* name = "qint4";
};

PARE_NAMESPACE_END

#endif
