// expect: pare: a name in only<...> or except<...> is neither the place nor the kind of any layer of this model
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const auto network = pare::quantize_dynamic(pare::sequential(pare::dense<4, 3>()), pare::except<"1">{});
