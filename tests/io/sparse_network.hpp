#ifndef PARE_TESTS_SPARSE_NETWORK_HPP
#define PARE_TESTS_SPARSE_NETWORK_HPP

#include <cstdint>

#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/initialize.hpp>

/// Random weights, of whose first matrix a share is left, the others being 0.
inline auto sparse_network(std::uint64_t s, double kept) {
    using namespace pare;
    auto net = initialized(sequential(dense<40, 30>(), relu(), dense<30, 10>()), he_normal{}, seed{s});
    auto& w = std::get<0>(net.layers).weights.values;
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<double>(random_numbers(seed{s}, 5).uniform(i)) < kept ? w[i] : 0.0f;
    }
    return net;
}

#endif
