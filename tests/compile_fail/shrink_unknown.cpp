// expect: pare: a place in keep<...> of shrink() is not that of any layer of this model
#include <pare/nn.hpp>
#include <pare/prune/shrink.hpp>

const auto network = pare::shrink<pare::keep<"3", 4>>(pare::sequential(pare::dense<4, 8>(), pare::relu(), pare::dense<8, 3>()));
