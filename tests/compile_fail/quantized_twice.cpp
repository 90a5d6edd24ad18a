// expect: pare: quantize_dynamic() takes a model of float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const auto network = pare::quantize_dynamic(pare::quantize_dynamic(pare::sequential(pare::dense<4, 3>())));
