// expect: pare: a dense layer must take as many inputs (In) as the layer before it gives (N)
#include <pare/nn.hpp>

const auto network = pare::sequential(pare::dense<784, 300>(), pare::relu(), pare::dense<301, 10>());
