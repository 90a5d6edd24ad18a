// expect: pare: the padding of a transposed convolution must leave something of its output
#include <pare/nn.hpp>

using namespace pare;
const auto network = sequential(input<2, 2, 1>(), conv_transpose2d<1, 1, 2, conv_transpose_options{.padding = 2}>());
