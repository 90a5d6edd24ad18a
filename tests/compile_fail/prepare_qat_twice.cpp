// expect: pare: prepare_qat() takes a model of float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const auto network = pare::prepare_qat(pare::prepare_qat(pare::sequential(pare::dense<4, 3>())));
