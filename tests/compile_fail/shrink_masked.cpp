// expect: pare: shrink() takes a model of float weights: one in training must be frozen first with freeze()
#include <pare/nn.hpp>
#include <pare/prune.hpp>

const auto network = pare::shrink(pare::prune(pare::sequential(pare::dense<4, 3>()), pare::magnitude{}, pare::by_filter{}, 0.5));
