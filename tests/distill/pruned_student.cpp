#include <pare/distill.hpp>

#include <pare/nn.hpp>
#include <pare/prune.hpp>
#include <pare/quantize/qat.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

TEST_CASE("a student is pruned, and trained for integers, while it learns from a teacher: one fit") {
    const auto train = quarters(2000);
    auto teacher =
        initialized(sequential(input<2>(), dense<dyn, dyn>(2, 128), relu(), dense<dyn, dyn>(128, 4)), he_normal{}, seed{1});
    REQUIRE(fit(teacher, train, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 10, .batch_size = 32}));
    const auto net =
        initialized(sequential(input<2>(), dense<dyn, dyn>(2, 32), relu(), dense<dyn, dyn>(32, 4)), he_normal{}, seed{2});
    const auto student = distill(prepare_qat(with_masks(net, {})), teacher, train, soft_targets{.temperature = 2.0f},
                                 adam{.learning_rate = 3e-3f}, {.epochs = 15, .batch_size = 32},
                                 pruning(magnitude{}, unstructured{}, polynomial_decay{.final_sparsity = 0.5, .end_step = 600}));
    REQUIRE(student);
    const auto masks = masks_of(*student);
    CHECK(masks[1].mask.kept() == 64);
    const auto small = convert(student);
    REQUIRE(small);
    CHECK(*count_errors(small, train) < 150);
    const auto integers = masks_of(*small);
    for (std::size_t m = 0; m < masks.size(); ++m) {
        CHECK(integers[m].path == masks[m].path);
        for (std::size_t i = 0; i < masks[m].mask.size(); ++i) {
            REQUIRE((masks[m].mask.keeps(i) || !integers[m].mask.keeps(i)));
        }
    }
}
