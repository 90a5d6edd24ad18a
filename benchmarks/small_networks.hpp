#ifndef PARE_BENCHMARKS_SMALL_NETWORKS_HPP
#define PARE_BENCHMARKS_SMALL_NETWORKS_HPP

#include <pare/nn.hpp>
#include <pare/train.hpp>

/// Networks as small as control and audio have them, run for one sample at a time.
namespace networks {

using namespace pare;

inline auto mlp() {
    return initialized(sequential(dense<64, 64>(), relu(), dense<64, 64>(), relu(), dense<64, 64>()), he_normal{}, seed{1});
}
inline auto robot_policy() {
    return initialized(sequential(dense<48, 256>(), relu(), dense<256, 128>(), relu(), dense<128, 12>()), he_normal{}, seed{1});
}

}  // namespace networks

#endif
