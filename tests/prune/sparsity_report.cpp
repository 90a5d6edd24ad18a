#include <pare/prune/sparsity_report.hpp>

#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/types/activations.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("a report says per layer what is kept, and what that saves") {
    auto net = sequential(dense<dyn, dyn>(5, 4), relu(), dense<dyn, dyn>(4, 2));
    for (auto* w : {&std::get<0>(net.layers).weights, &std::get<2>(net.layers).weights}) {
        std::fill(w->values.begin(), w->values.end(), 1.0f);
    }
    sparse_mask mask(4, 5);
    for (std::size_t i = 0; i < 15; ++i) {
        mask.set(i, false);
    }
    const auto masked_net = with_masks(net, {{"0.weight", mask}}, only<"0">{});
    const auto report = sparsity_report(*masked_net);
    REQUIRE(report.layers.size() == 2);
    CHECK(report.layers[0].path == "0.weight");
    CHECK(report.layers[0].kept == 5);
    CHECK(report.layers[0].sparsity() == 0.75);
    CHECK(report.layers[0].storage == "float full, masked to 5 of 20");
    CHECK(report.layers[1].kept == 8);
    CHECK(report.whole().kept == 13);
    CHECK(report.whole().size() == 28);
    CHECK(report.layers[0].dense_bytes == 80);
    CHECK(report.layers[0].stored_bytes == 80);

    const auto sparse = sparsify<csr>(freeze(masked_net));
    const auto after = sparsity_report(*sparse);
    CHECK(after.layers[0].dense_bytes == 80);
    CHECK(after.layers[0].stored_bytes == 5 * 4 + 5 * 2 + 5 * 4);  // values, columns, beginnings of rows
    CHECK(describe(after) ==
          "0.weight, 4 x 5, csr: 5 of 20 kept, sparsity 75.00 %, 80 -> 50 bytes\n"
          "2.weight, 2 x 4, csr: 8 of 8 kept, sparsity 0.00 %, 32 -> 60 bytes\n"
          "all: 13 of 28 kept, sparsity 53.57 %, 112 -> 110 bytes\n");
    CHECK(sparsity_report(relu()).whole().sparsity() == 0.0);
}
