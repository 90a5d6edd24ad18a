// expect: pare: quantize_embeddings() takes embeddings of float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const pare::sequential<pare::embedding<4, 3>> network;
const auto twice = pare::quantize_embeddings<pare::row_quint<4>>(pare::quantize_embeddings<pare::row_quint<8>>(network));
