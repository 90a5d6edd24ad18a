// expect: pare: fake_quantized<Policy, Inner> is for float weights
#include <pare/nn.hpp>

using namespace pare;
fake_quantized<weight_policy{}, weight_matrix<qint8, full>> weights;
