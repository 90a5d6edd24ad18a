// expect: pare: this loss takes labels and the data has targets, or the other way round
#include <pare/nn.hpp>
#include <pare/train.hpp>

using namespace pare;
void train(const labeled_data<float, 4>& data) {
    auto network = sequential(dense<4, 3>());
    (void)fit(network, data, mean_squared_error{}, sgd{});
}
