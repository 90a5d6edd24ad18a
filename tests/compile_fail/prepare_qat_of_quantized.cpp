// expect: pare: prepare_qat() takes a model of float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

using namespace pare;
const auto network = prepare_qat(quantize_dynamic(sequential(dense<4, 3>())));
