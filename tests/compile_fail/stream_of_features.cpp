// expect: pare: a stream takes models of sequences: sequential(input<steps, n>(), ...), or of tokens
#include <pare/nn.hpp>

using namespace pare;
const auto ready = prepare<isa::native>(sequential(dense<4, 3>()));
stream s(ready);
