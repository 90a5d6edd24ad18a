// expect: pare: to_bfloat16() and to_float16() take a model of full float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const auto network = pare::to_float16(pare::quantize_dynamic(pare::sequential(pare::dense<4, 3>())));
