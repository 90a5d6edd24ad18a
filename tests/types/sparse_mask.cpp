#include <pare/types/sparse_mask.hpp>

#include <vector>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("a mask keeps all at first, then what it is told") {
    sparse_mask mask(3, 43);
    CHECK(mask.size() == 129);
    CHECK(mask.kept() == 129);
    CHECK(mask.sparsity() == 0.0f);
    for (std::size_t i = 0; i < mask.size(); i += 2) {
        mask.set(i, false);
    }
    CHECK(mask.kept() == 64);
    CHECK_FALSE(mask.keeps(128));
    CHECK(mask.keeps(0, 1));
    mask.set(128, true);
    CHECK(mask.keeps(2, 42));
    CHECK(mask.sparsity() == Approx(64.0 / 129.0));

    std::vector<float> values(129, 2.0f);
    mask.apply(values.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
        REQUIRE(values[i] == (mask.keeps(i) ? 2.0f : 0.0f));
    }
    CHECK(sparse_mask(2, 32).kept() == 64);
    CHECK(sparse_mask().sparsity() == 0.0f);
}
