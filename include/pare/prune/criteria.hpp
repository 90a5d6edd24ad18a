#ifndef PARE_PRUNE_CRITERIA_HPP
#define PARE_PRUNE_CRITERIA_HPP

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

/// A criterion scores a weight; the lowest scores are pruned. float operator()(weight) const.

/// |w|. LeCun, Denker, Solla 1990, section 4; Han, Pool, Tran, Dally 2015.
struct magnitude {
    float operator()(float w) const noexcept { return w < 0.0f ? -w : w; }
};

PARE_NAMESPACE_END

#endif
