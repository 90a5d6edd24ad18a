// expect: pare: branches must give outputs of the same shape (concat: but for the last extent)
#include <pare/nn.hpp>

using namespace pare;
const auto network =
    sequential(input<28, 28, 1>(), concat(conv2d<1, 1, 1>(), conv2d<1, 8, 15>()), global_average_pool(), dense<9, 3>());
