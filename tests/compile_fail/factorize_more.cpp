// expect: pare: a rank of factorize() is greater than the weights of the layer at this place (Layer) have
#include <pare/compress.hpp>
#include <pare/nn.hpp>

const auto network = pare::factorize<pare::low_rank<"0", 9>>(pare::sequential(pare::dense<4, 8>(), pare::relu()));
