#include <pare/prune/patterns.hpp>

#include <limits>
#include <vector>

#include "../catch.hpp"

using namespace pare;

namespace {

using ints = std::vector<int>;
using floats = std::vector<float>;

ints kept(const sparse_mask& mask) {
    ints k;
    for (std::size_t i = 0; i < mask.size(); ++i) {
        k.push_back(mask.keeps(i) ? 1 : 0);
    }
    return k;
}

template <class Pattern, class Rule = exact_count>
ints chosen(const Pattern& pattern, const floats& scores, const weight_shape& shape, double sparsity, Rule rule = {}) {
    return kept(choose_mask(pattern, scores, shape, sparsity, rule, sparse_mask(shape.rows, shape.columns)));
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("TensorFlow's count keeps all that are as high as the k-th, and one at least") {
    // what _update_mask of pruning_impl.py gives in NumPy, in float32
    const floats w = {.5f, .25f, .25f, 1, .125f, .25f, .75f, 0, .25f, .125f, .5f, 2};
    const weight_shape shape{3, 4};
    const auto tensorflow = [&](double sparsity) { return chosen(unstructured{}, w, shape, sparsity, tfmot_count{}); };
    CHECK(tensorflow(0.0) == ints(12, 1));
    CHECK(tensorflow(0.1) == ints{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1});
    CHECK(tensorflow(0.25) == ints{1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1});
    CHECK(tensorflow(0.5) == ints{1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1});  // 6 wanted, 9 kept: four are equal
    CHECK(tensorflow(0.6) == ints{1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1});
    CHECK(tensorflow(0.75) == ints{0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1});
    CHECK(tensorflow(0.9) == ints{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    CHECK(tensorflow(0.999) == ints{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    CHECK(chosen(unstructured{}, {0, 0, 0, 0}, {1, 4}, 0.5, tfmot_count{}) == ints(4, 1));
    // where the other rules prune exactly half, of equal ones the first
    CHECK(chosen(unstructured{}, w, shape, 0.5) == ints{1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1});
    CHECK(chosen(unstructured{}, w, shape, 0.5, torch_count{}) == ints{1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1});
}

TEST_CASE("TensorFlow counts what it keeps, in float32") {
    const auto kept_of = [](std::size_t n, double sparsity, const auto& rule) {
        floats scores(n);
        for (std::size_t i = 0; i < n; ++i) {
            scores[i] = static_cast<float>(i);
        }
        return rule.choose(scores, sparse_mask(1, n), sparsity).kept();
    };
    CHECK(kept_of(5, 0.5, tfmot_count{}) == 2);    // 2.5 are kept, half to even
    CHECK(kept_of(5, 0.5, exact_count{}) == 3);    // 2.5 are pruned, half to even
    CHECK(kept_of(10, 0.85, tfmot_count{}) == 1);  // 10 * (1 - 0.85f) is 1.4999998 in float32, 1.5000000000000002 in double
    CHECK(kept_of(10, 0.85, exact_count{}) == 2);
    CHECK(kept_of(15, 0.9, tfmot_count{}) == 2);  // 1.5000004 in float32, 1.4999999999999996 in double
    CHECK(kept_of(30, 0.65, tfmot_count{}) == 11);
    CHECK(kept_of(1, 0.99, tfmot_count{}) == 1);
    CHECK(kept_of(0, 0.99, tfmot_count{}) == 0);
}

TEST_CASE("PyTorch's count is of what is left") {
    floats scores(10);
    for (std::size_t i = 0; i < 10; ++i) {
        scores[i] = static_cast<float>(i * 7 % 10);
    }
    const auto once = torch_count{}.choose(scores, sparse_mask(1, 10), 0.2);
    const auto twice = torch_count{}.choose(scores, once, 0.2);
    CHECK(kept(once) == ints{0, 1, 1, 0, 1, 1, 1, 1, 1, 1});
    CHECK(kept(twice) == ints{0, 1, 1, 0, 1, 1, 0, 1, 1, 0});  // RNE(0.2 * 8) = 2 more
    CHECK(exact_count{}.choose(scores, once, 0.2) == once);
    CHECK(torch_count{}.choose(scores, twice, 1.0).kept() == 0);
}

TEST_CASE("zeros of either sign are equal, and NaN is never pruned before a number") {
    CHECK(chosen(unstructured{}, {0.0f, -0.0f, 0.0f, -0.0f}, {1, 4}, 0.5) == ints{0, 0, 1, 1});
    CHECK(chosen(unstructured{}, {not_a_number, 1, -not_a_number, 0}, {1, 4}, 0.5) == ints{1, 0, 1, 0});
    CHECK(chosen(unstructured{}, {-3, 1, -2, 0}, {1, 4}, 0.5) == ints{0, 1, 0, 1});
    CHECK(chosen(unstructured{}, floats(6, 0.0f), {2, 3}, 0.5) == ints{0, 0, 0, 1, 1, 1});
    CHECK(chosen(n_of_m<2, 4>{}, {not_a_number, 1, 2, not_a_number}, {1, 4}, 0.5) == ints{1, 0, 0, 1});
}

TEST_CASE("N of M: the highest of each group stay, of equal ones the first") {
    CHECK(chosen(n_of_m<2, 4>{}, {1, 4, 3, 2, 5, 5, 5, 5}, {2, 4}, 0.5) == ints{0, 1, 1, 0, 1, 1, 0, 0});
    CHECK(chosen(n_of_m<1, 4>{}, {0, 0, 0, 0, 1, 3, 3, 2}, {1, 8}, 0.75) == ints{1, 0, 0, 0, 0, 1, 0, 0});
    CHECK(chosen(n_of_m<4, 8>{}, {8, 7, 6, 5, 4, 3, 2, 1}, {1, 8}, 0.5) == ints{1, 1, 1, 1, 0, 0, 0, 0});
    // the ends of rows are as if zeros followed, which are not kept
    CHECK(chosen(n_of_m<2, 4>{}, {1, 2, 3, 4, 1, 2, 3, 0, 0, 0, -1, 0, 1, -1}, {2, 7}, 0.5) ==
          ints{0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0});
    CHECK(chosen(n_of_m<2, 4>{}, {-1, -2}, {2, 1}, 0.5) == ints{1, 1});
    // a schedule on its way
    const floats group = {1, 2, 3, 4};
    CHECK(chosen(n_of_m<2, 4>{}, group, {1, 4}, 0.0) == ints{1, 1, 1, 1});
    CHECK(chosen(n_of_m<2, 4>{}, group, {1, 4}, 0.25) == ints{0, 1, 1, 1});
    CHECK(chosen(n_of_m<2, 4>{}, group, {1, 4}, 0.9) == ints{0, 0, 1, 1});
    CHECK_FALSE(pattern_problem(n_of_m<1, 3>{}, {1, 3}, 0.667));
    CHECK(pattern_problem(n_of_m<2, 4>{}, {1, 4}, 0.9) == "expected the sparsity of n_of_m<2, 4>, 0.5, found 0.9");
}

TEST_CASE("blocks are pooled over the weights there are, and go together") {
    // pooled as _maybe_update_block_mask of pruning_impl.py does, whose AVG with padding SAME does not count the padding
    const floats w = {4, 0, 1, 1, 9,  //
                      0, 0, 1, 1, 0,  //
                      3, 3, 0, 6, 2};
    const weight_shape shape{3, 5};
    const ints by_average = {0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0};
    const ints by_maximum = {1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0};
    CHECK(chosen(block<2, 2>{}, w, shape, 0.5) == by_average);
    CHECK(chosen(block<2, 2>{}, w, shape, 0.5, tfmot_count{}) == by_average);
    CHECK(chosen(block<2, 2>{.pool = pooling::maximum}, w, shape, 0.5) == by_maximum);
    CHECK(chosen(block<2, 2>{.pool = pooling::maximum}, w, shape, 0.5, tfmot_count{}) == by_maximum);
    CHECK(chosen(block<4, 8>{}, w, shape, 0.4) == ints(15, 1));
    CHECK(chosen(block<4, 8>{}, w, shape, 0.6) == ints(15, 0));
    CHECK(chosen(block<1, 1>{}, w, shape, 0.5) == chosen(unstructured{}, w, shape, 0.5));
    // the first of equal blocks
    CHECK(chosen(block<1, 2>{}, floats(6, 2.0f), {1, 6}, 0.34) == ints{0, 0, 1, 1, 1, 1});
}

TEST_CASE("rows, columns, filters, channels and heads are units") {
    const floats w = {1, 2, 3, 4,  //
                      9, 1, 1, 1,  //
                      2, 2, 2, 0};
    CHECK(chosen(by_row{}, w, {3, 4}, 0.34) == ints{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0});
    CHECK(chosen(by_row{.pool = pooling::maximum}, w, {3, 4}, 0.6) == ints{0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0});
    CHECK(chosen(by_column{}, w, {3, 4}, 0.5) == ints{1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0});
    CHECK(chosen(by_filter{}, w, {3, 4}, 0.34) == chosen(by_row{}, w, {3, 4}, 0.34));
    // two places of two channels: sums 12, 4 and 14, 7 -> channels 17.. and 11
    CHECK(chosen(by_channel{}, w, {.rows = 3, .columns = 4, .channels = 2}, 0.5) == ints{1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0});
    CHECK(chosen(by_channel{}, w, {3, 4}, 0.5) == chosen(by_column{}, w, {3, 4}, 0.5));
    // the rows of a transposed convolution: two groups, two places, one filter each; and one group, two places, two filters
    const floats rows = {1, 2, 3, 1};
    CHECK(chosen(by_filter{}, rows, {.rows = 4, .columns = 1, .filters = 2, .groups = 2}, 0.5) == ints{0, 0, 1, 1});
    CHECK(chosen(by_filter{}, rows, {.rows = 4, .columns = 1, .filters = 2}, 0.5) == ints{1, 0, 1, 0});

    floats projections(12 * 4, 1.0f);
    for (const std::size_t row : {0u, 1u, 4u, 5u, 8u, 9u}) {  // of the first of two heads: queries, keys, values
        projections[4 * row] = 0.0f;
    }
    const auto heads = chosen(by_head{.heads = 2}, projections, {12, 4}, 0.5);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        CHECK(heads[i] == (i / 4 % 4 < 2 ? 0 : 1));
    }
    const by_head two{.heads = 2};
    CHECK(chosen(two, floats(16), {.rows = 4, .columns = 4, .member = "out_proj.weight"}, 0.5) == ints(16, 1));
    CHECK_FALSE(two.problem({.rows = 6, .columns = 4, .member = "in_proj_weight"}, 0.5));
    CHECK_FALSE(two.problem({.rows = 4, .columns = 3, .member = "out_proj.weight"}, 0.5));
    CHECK(two.problem({.rows = 9, .columns = 4, .member = "in_proj_weight"}, 0.5) ==
          "expected projections of a self_attention with 2 heads, found a matrix [9, 4]");
    CHECK(two.problem({.rows = 12, .columns = 4, .member = "weight"}, 0.5));
    CHECK(by_head{.heads = 0}.problem({.rows = 12, .columns = 4, .member = "in_proj_weight"}, 0.5));
}

TEST_CASE("units that are gone stay gone by PyTorch's count") {
    const floats w = {5, 5, 1, 1, 3, 3};
    const weight_shape shape{3, 2};
    auto mask = choose_mask(by_row{}, w, shape, 0.34, torch_count{}, sparse_mask(3, 2));
    CHECK(kept(mask) == ints{1, 1, 0, 0, 1, 1});
    mask = choose_mask(by_row{}, w, shape, 0.5, torch_count{}, mask);
    CHECK(kept(mask) == ints{1, 1, 0, 0, 0, 0});
}
