// expect: pare: prepare() has no kernel for this storage of weights; freeze() the model first if it is still in training
#include <pare/nn.hpp>

using namespace pare;
const auto weights = masked<int, weight_matrix<float, full>>(weight_matrix<float, full>(3, 4));
const auto ready =
    prepare<isa::scalar>(sequential(dense<4, 3, masked<int, weight_matrix<float, full>>>(weights, tensor<float, 3>())));
