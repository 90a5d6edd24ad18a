// expect: pare: a keep<place, units> of shrink() is more units than the layer at this place has
#include <pare/nn.hpp>
#include <pare/prune/shrink.hpp>

const auto network = pare::shrink<pare::keep<"0", 9>>(pare::sequential(pare::dense<4, 8>(), pare::relu(), pare::dense<8, 3>()));
