// expect: pare: max_norm limits rows of weights; those of a codebook share their values with other rows
#include <pare/compress.hpp>
#include <pare/nn.hpp>
#include <pare/train.hpp>

using namespace pare;
template <class Data>
void train(const Data& data) {
    auto net = train_codebooks(cluster<4>(sequential(dense<4, 3>()))).value();
    (void)fit(net, data, cross_entropy{}, sgd{}, {}, max_norm{});
}
template void train(const labeled_data<float, 4>&);
