// The host's own handler: keeps the sentence, and lets the caller go on.
#include <cstdio>
#include <string>

static std::string sentence_of_failure;
#define PARE_CHECKED 1
#define PARE_ASSERT_HANDLER(text, file, line, ...) \
    ([&] {                                         \
        char buffer[512];                          \
        std::snprintf(buffer, 512, __VA_ARGS__);   \
        sentence_of_failure = buffer;              \
    }())

#include <pare/prune/prune.hpp>

#include <limits>

#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// A pattern that forgets the last row.
struct forgetful {
    static sparse_mask choose(const std::vector<float>&, std::size_t rows, std::size_t columns, double) {
        return sparse_mask(rows - 1, columns);
    }
};

}  // namespace

TEST_CASE("a mask of another shape than its weights is the pattern's bug, named with the weights") {
    sentence_of_failure.clear();
    CHECK(prune(sequential(dense<dyn, dyn>(3, 4)), magnitude{}, forgetful{}, 0.5));
    CHECK(sentence_of_failure == "0.weight: expected from the pattern a mask [4, 3], found one [3, 3]");
}

TEST_CASE("a sparsity that is none is the caller's bug") {
    for (const double sparsity : {-0.1, 1.1}) {
        sentence_of_failure.clear();
        detail::assert_sparsity(sparsity);
        CHECK(sentence_of_failure ==
              (sparsity < 0.0 ? "expected a sparsity in [0, 1], got -0.1" : "expected a sparsity in [0, 1], got 1.1"));
    }
    sentence_of_failure.clear();
    detail::assert_sparsity(std::numeric_limits<double>::quiet_NaN());
    CHECK_THAT(sentence_of_failure, ContainsSubstring("expected a sparsity in [0, 1]"));
    sentence_of_failure.clear();
    detail::assert_sparsity(1.0);
    CHECK(sentence_of_failure.empty());
}
