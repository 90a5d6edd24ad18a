#ifndef PARE_TYPES_GRANULARITY_HPP
#define PARE_TYPES_GRANULARITY_HPP

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// Which numbers share one scale and zero point.
enum class granularity {
    per_tensor,  // all of them
    per_channel  // those with the same index on axis 0: a row of weights, which is one output; a row of activations, which is one
                 // sample
};

PARE_NAMESPACE_END

#endif
