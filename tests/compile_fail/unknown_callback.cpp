// expect: pare: fit() takes executors and callbacks; a callback has at least one of on_step_begin, on_step_end, on_epoch_end,
// on_fit_end
#include <pare/nn.hpp>
#include <pare/train.hpp>

using namespace pare;
struct misspelled {
    void on_epoch_ends(auto&, training_state&) {}
};
void train(const labeled_data<float, 4>& data) {
    auto network = sequential(dense<4, 3>());
    (void)fit(network, data, cross_entropy{}, sgd{}, {}, misspelled{});
}
