// expect: pare: features are those of a model's layers
#include <pare/distill.hpp>
#include <pare/nn.hpp>
#include <pare/train.hpp>

using namespace pare;
void train(const labeled_data<float, 4>& data) {
    const auto network = sequential(dense<4, 8>(), relu(), dense<8, 3>());
    (void)distill(network, prepare<isa::native>(network), data, with_features(soft_targets{}, hint<"1">{}), sgd{});
}
