// expect: pare: the padding of a pool must be at most half of its kernel
#include <pare/nn.hpp>

const auto network = pare::sequential(pare::input<8, 8, 1>(), pare::max_pool2d<2, pare::pool_options{.padding = 2}>());
