#ifndef PARE_TESTS_SMALL_NETWORK_HPP
#define PARE_TESTS_SMALL_NETWORK_HPP

#include <cstdint>
#include <span>
#include <vector>

#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/fit.hpp>
#include <pare/train/initialize.hpp>

/// Numbers that fit() trains, in the order of members.
template <class Model>
std::vector<float> numbers(const Model& model) {
    std::vector<float> all;
    pare::for_each_member(const_cast<Model&>(model), [&](const pare::member_path&, auto& member) {
        pare::for_each_trained(member, [&](std::span<float> v) { all.insert(all.end(), v.begin(), v.end()); });
    });
    return all;
}

using network =
    decltype(pare::sequential(pare::dense<pare::dyn, pare::dyn>(2, 3), pare::relu(), pare::dense<pare::dyn, pare::dyn>(3, 4)));

inline network fresh(std::uint64_t s, std::size_t hidden = 16, std::size_t classes = 4, std::size_t inputs = 2) {
    using layer = pare::dense<pare::dyn, pare::dyn>;
    return pare::initialized(pare::sequential(layer(inputs, hidden), pare::relu(), layer(hidden, classes)), pare::he_normal{},
                             pare::seed{s});
}

inline const pare::fit_options two_epochs{.epochs = 2, .batch_size = 25, .shuffle = false};

#endif
