#ifndef PARE_PRUNE_WIDTH_RULE_HPP
#define PARE_PRUNE_WIDTH_RULE_HPP

#include <cstddef>
#include <string>
#include <vector>

#include <pare/config/version.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// How many units of the layer at a place are kept: `units`, or where that is 0, `percent` of them, rounded up to a multiple.
struct width_request {
    std::string place;
    std::size_t units;
    std::size_t percent = 0;
    std::size_t multiple = 1;
};

/// At least one of `units`, rounded to the nearest, then up to a multiple.
constexpr std::size_t share_of(std::size_t units, std::size_t percent, std::size_t multiple) noexcept {
    const std::size_t share = (units * percent + 50) / 100, kept = share == 0 ? 1 : share;
    const std::size_t rounded = (kept + multiple - 1) / multiple * multiple;
    return rounded < units ? rounded : units;
}

/// How many units are kept: of the layers in `requests` as they say; of others, or where there are no requests, `percent` of them
/// or, with only_constant, those that are not constant.
struct width_rule {
    bool only_constant = false;
    std::size_t percent = 100;
    std::size_t multiple = 1;
    std::vector<width_request> requests;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
