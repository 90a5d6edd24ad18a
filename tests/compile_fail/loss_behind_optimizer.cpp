// expect: pare: fit(model, data, loss, optimizer, options, ...): the fourth argument is not an optimizer
#include <pare/nn.hpp>
#include <pare/train.hpp>

using namespace pare;
void train(const labeled_data<float, 4>& data) {
    auto network = sequential(dense<4, 3>());
    (void)fit(network, data, adam{}, cross_entropy{});
}
