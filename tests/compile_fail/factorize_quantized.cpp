// expect: pare: factorize() takes a model of float weights in full: one in training must be frozen first with freeze()
#include <pare/compress.hpp>
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const auto network = pare::factorize(pare::quantize_dynamic(pare::sequential(pare::dense<40, 30>())), pare::rank_of{2});
