// expect: pare: fit() trains float weights; this storage cannot be trained
#include <pare/quantize.hpp>
#include <pare/train.hpp>

using namespace pare;
void train(const labeled_data<float, 4>& data) {
    auto network = *quantize_dynamic(sequential(dense<4, 3>()));
    (void)fit(network, data, cross_entropy{}, sgd{}, {});
}
