// expect: pare: quantize_embeddings() takes embeddings of float weights
#include <pare/nn.hpp>
#include <pare/quantize.hpp>

const auto once = pare::quantize_embeddings<pare::row_quint<8>>(pare::sequential(pare::embedding<4, 3>()));
const auto twice = pare::quantize_embeddings<pare::row_quint<4>>(once);
