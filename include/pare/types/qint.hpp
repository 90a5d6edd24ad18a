#ifndef PARE_TYPES_QINT_HPP
#define PARE_TYPES_QINT_HPP

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

PARE_NAMESPACE_END

#endif
