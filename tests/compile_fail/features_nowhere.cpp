// expect: pare: the place of features is no layer of the student; it is where a layer lies in a sequential
#include <pare/distill.hpp>
#include <pare/nn.hpp>
#include <pare/train.hpp>

using namespace pare;
void train(const labeled_data<float, 4>& data) {
    const auto network = sequential(dense<4, 8>(), relu(), dense<8, 3>());
    (void)distill(network, network, data, with_features(soft_targets{}, hint<"1">{}, hint<"3", "1">{}), sgd{});
}
