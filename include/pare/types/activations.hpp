#ifndef PARE_TYPES_ACTIVATIONS_HPP
#define PARE_TYPES_ACTIVATIONS_HPP

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// How a layer treats what flows into it. `note` is for describe().

/// As the floats that they are.
struct as_float {
    static constexpr const char* note = "";
};

/// Quantized to bytes on the way in, each row (sample) with the range that it has at that moment: to quint8 where weights are
/// qint8, to symmetric qint8 where they are qint4.
struct dynamic_range {
    static constexpr const char* note = ", activations quantized per row";
};

PARE_NAMESPACE_END

#endif
