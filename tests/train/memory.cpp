#include <pare/nn/conv.hpp>
#include <pare/nn/dropout.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/relu.hpp>
#include <pare/train/callbacks.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/losses.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../counted_allocations.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

constexpr std::size_t batch = 64;

auto lenet_300_100() {
    return sequential(dense<dyn, dyn>(784, 300), relu(), dense<dyn, dyn>(300, 100), relu(), dense<dyn, dyn>(100, 10));
}
/// What all layers give for one image, and the image.
constexpr std::size_t lenet_300_100_numbers = 784 + 2 * 300 + 2 * 100 + 10;

auto lenet5() {
    return sequential(input<28, 28, 1>(), conv2d<1, 20, 5>(), relu(), max_pool2d<2>(), conv2d<20, 50, 5>(), relu(), max_pool2d<2>(),
                      flatten(), dense<800, 500>(), relu(), dropout{0.5f}, dense<500, 10>());
}
constexpr std::size_t lenet5_numbers = 28 * 28 + 2 * 24 * 24 * 20 + 12 * 12 * 20 + 2 * 8 * 8 * 50 + 800 + 3 * 500 + 10;

template <class Model>
std::size_t most_bytes(const Model& net, std::size_t numbers) {
    return 4 * parameter_count(net) * sizeof(float) + batch * numbers * sizeof(float);
}

}  // namespace

TEST_CASE("the memory of training is stated") {
    const auto net = sequential(sequential(dense<2, 64>(), relu()), dense<64, 4>());
    const training_memory m = training_memory_of(net, adam{}, 32);
    const std::size_t parameters = 2 * 64 + 64 + 64 * 4 + 4;
    CHECK(m.parameters == 4 * parameters);
    CHECK(m.gradient == m.parameters);
    CHECK(m.slots == 2 * m.parameters);
    CHECK(m.activations == 4 * 32 * (2 + 2 * 64 + 2 * 4));
    CHECK(m.total() == 4 * m.parameters + m.activations + m.scratch);
}

TEST_CASE("training with Adam takes at most four times the parameters and the activations of one batch") {
    CHECK(training_memory_of(lenet_300_100(), adam{}, batch).total() <= most_bytes(lenet_300_100(), lenet_300_100_numbers));
    CHECK(training_memory_of(lenet5(), adam{}, batch).total() <= most_bytes(lenet5(), lenet5_numbers));
}

TEST_CASE("training allocates what is stated, labels, and the order of the samples") {
    auto net = initialized(lenet_300_100(), he_normal{}, seed{1});
    const auto data = labeled_data<std::uint8_t, 784>::make("grey", {}, 10, aligned_array<std::uint8_t>(batch * 784),
                                                            std::vector<std::int32_t>(batch, 3))
                          .value();
    const training_memory stated = training_memory_of(net, adam{}, batch);
    const std::size_t before = allocated_bytes;
    REQUIRE(fit(net, data, cross_entropy{}, adam{}, {.epochs = 1, .batch_size = batch}));
    const std::size_t allocated = stated.parameters + allocated_bytes - before;
    CHECK(allocated >= stated.total());
    CHECK(allocated <= stated.total() + batch * (sizeof(std::int32_t) + sizeof(std::size_t)) + 1024);
    CHECK(allocated <= most_bytes(net, lenet_300_100_numbers));
}

TEST_CASE("steps allocate nothing, and epochs neither") {
    const auto train = quarters(200), test = quarters(300, 1);
    const auto allocated = [&](std::size_t epochs) {
        auto net = initialized(sequential(dense<2, 64>(), relu(), dense<64, 4>()), he_normal{}, seed{1});
        const std::size_t before = allocations;
        REQUIRE(fit(net, train, cross_entropy{0.1f}, adam{},
                    {.epochs = epochs, .batch_size = 32, .largest_gradient = 1.0f, .largest_gradient_norm = 1.0f}, validation(test),
                    validation_loss(test, cross_entropy{}), validation_metric("top 2", test, top_k{2}), early_stopping(50),
                    best_weights()));
        return allocations - before;
    };
    CHECK(allocated(1) > 0);
    CHECK(allocated(1) == allocated(7));
}
