// expect: pare: the layer at a place in low_rank<...> or tucker<...> of factorize() is neither a dense layer nor a convolution
#include <pare/compress.hpp>
#include <pare/nn.hpp>

const auto network = pare::factorize<pare::low_rank<"1", 2>>(pare::sequential(pare::dense<4, 8>(), pare::relu()));
