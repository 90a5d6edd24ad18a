// expect: pare: with_masks() takes a model of float weights, or one that has masks
#include <pare/nn.hpp>
#include <pare/prune/masks.hpp>
#include <pare/quantize/dynamic.hpp>

const auto network = pare::with_masks(pare::quantize_dynamic(pare::sequential(pare::dense<4, 3>())), {});
