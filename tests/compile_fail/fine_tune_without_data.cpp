// expect: pare: fine_tune() trains: give compress() the data to train on
#include <pare/nn/dense.hpp>
#include <pare/pipeline.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

using namespace pare;

auto trained() {
    return compress(dense<4, 2>(), fine_tune(cross_entropy{}, adam{}));
}
