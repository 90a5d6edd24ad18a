// expect: pare: stages stand in this order: prune | cluster | quantize | sparsify | encode, and of each but prune one
#include <pare/nn/dense.hpp>
#include <pare/pipeline.hpp>

using namespace pare;

auto shared() {
    return compress(dense<4, 2>(), quantize() | cluster<4>());
}
