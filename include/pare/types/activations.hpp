#ifndef PARE_TYPES_ACTIVATIONS_HPP
#define PARE_TYPES_ACTIVATIONS_HPP

#include <cstddef>

#include <pare/types/dialect.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// How a layer treats what flows into it. `note` is for describe(). A layer has a value of one of these types, `activations`; one
/// that is not empty is a member of it, "input".

/// As the floats that they are.
struct as_float {
    static constexpr const char* note = "";
};

/// Quantized to bytes on the way in, each row (sample) with the range that it has at that moment: to quint8 where weights are
/// qint8, to symmetric qint8 where they are qint4.
struct dynamic_range {
    using rules = dialect::pare;
    static constexpr const char* note = ", activations quantized per row";
};

/// Quantized to quint8 on the way in, all rows of a batch with the range that they have together at that moment, by the rules of a
/// dialect; each image of a convolution by itself. What a sample gives depends on those beside it. For qint8 weights.
template <class Dialect = dialect::pare>
struct dynamic_tensor_range {
    using rules = Dialect;
    static constexpr const char* note = ", activations quantized per tensor";
};

/// The kinds whose range is taken when it is needed.
template <class T>
concept dynamic_activations = numeric_dialect<typename T::rules>;

/// Quantized to quint8 on the way in, always with the same range, which calibration or training has found: x = (q - zero_point) *
/// scale, q from 0 to `largest`, which is less than 255 where training has spent fewer bits.
struct static_range {
    static constexpr const char* note = ", activations quantized by calibration";

    quantization input;
    std::int32_t largest = quint8::largest;

    static constexpr std::size_t bytes() noexcept { return sizeof(quantization) + sizeof(std::int32_t); }

    bool operator==(const static_range&) const = default;
};

PARE_NAMESPACE_END

#endif
