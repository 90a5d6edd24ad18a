// expect: pare: prepare<Isa>() for an instruction set that the compiler's flags do not allow
#include <pare/nn.hpp>

#if defined(__x86_64__)
using missing = pare::isa::neon;
#else
using missing = pare::isa::avx2;
#endif
const auto ready = pare::prepare<missing>(pare::sequential(pare::dense<4, 3>()));
