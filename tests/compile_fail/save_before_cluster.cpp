// expect: pare: encode() is the last stage: nothing comes behind the file
#include <pare/nn/dense.hpp>
#include <pare/pipeline.hpp>
#include <pare/pipeline/encode.hpp>

using namespace pare;

auto shared() {
    return compress(dense<4, 2>(), encode() | cluster<4>());
}
