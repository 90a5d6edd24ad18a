// expect: pare: this criterion scores by the gradients of training
#include <pare/nn.hpp>
#include <pare/prune.hpp>

using namespace pare;
const auto pruned = prune(sequential(dense<4, 3>()), movement{}, unstructured{}, 0.5);
