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

/// Of the digits of MNIST, as PyTorch's examples have them.
inline auto lenet5() {
    return initialized(sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), max_pool2d<2>(), conv2d<20, 50, 5>(), max_pool2d<2>(),
                                  flatten(), dense<800, 500>(), relu(), dense<500, 10>()),
                       he_normal{}, seed{1});
}
/// The same, row by row.
inline auto lstm_of_rows() {
    return initialized(sequential(input<28, 28>(), lstm<28, 128>(), last_step(), dense<128, 10>()), glorot_normal{}, seed{1});
}

}  // namespace networks

#endif
