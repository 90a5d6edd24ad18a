#include <pare/prune.hpp>

#include <algorithm>
#include <vector>

#include <pare/nn.hpp>

#include "../catch.hpp"

using namespace pare;

// Which weights of a layer its units are: what patterns and criteria know of the layers of a model.

namespace {

std::vector<int> kept(const sparse_mask& mask) {
    std::vector<int> k;
    for (std::size_t i = 0; i < mask.size(); ++i) {
        k.push_back(mask.keeps(i) ? 1 : 0);
    }
    return k;
}

}  // namespace

TEST_CASE("the batch norm behind a layer scores its filters") {
    auto net = sequential(conv2d<dyn, dyn, dyn>(1, 4, 3), batch_norm<dyn>(4), relu(),
                          residual(sequential(conv2d<dyn, dyn, dyn>(4, 4, 1), dropout{0.1f}, batch_norm<dyn>(4))));
    const auto scales = [](auto& norm, std::vector<float> values) { std::copy(values.begin(), values.end(), norm.weight.begin()); };
    scales(std::get<1>(net.layers), {3, 0.1f, -2, 0.5f});
    scales(std::get<2>(std::get<3>(net.layers).body.layers), {0.1f, -2, 3, 0.5f});
    const auto pruned = prune(net, batch_norm_scale{}, by_filter{}, 0.5);
    REQUIRE(pruned);
    const auto& first = std::get<0>(pruned->layers).weights.mask;
    for (std::size_t i = 0; i < first.size(); ++i) {
        CHECK(first.keeps(i) == (i / 9 == 0 || i / 9 == 2));
    }
    CHECK(kept(std::get<0>(std::get<3>(pruned->layers).body.layers).weights.mask) ==
          std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0});
    CHECK(prune(sequential(dense<dyn, dyn>(2, 4)), batch_norm_scale{}, by_filter{}, 0.5).error().message ==
          "prune: 0.weight: expected a batch norm behind the layer, whose scales score its rows, found none");
}

TEST_CASE("input channels of a convolution go in all places of its window") {
    auto net = sequential(conv2d<dyn, dyn, dyn>(2, 3, 2));
    auto& w = std::get<0>(net.layers).weights.values;
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = i % 2 == 0 ? 1.0f : 2.0f;
    }
    const auto pruned = prune(net, magnitude{}, by_channel{}, 0.5);
    for (std::size_t i = 0; i < w.size(); ++i) {
        CHECK(std::get<0>(pruned->layers).weights.mask.keeps(i) == (i % 2 == 1));
        CHECK(std::get<0>(pruned->layers).weights.inner.values[i] == (i % 2 == 1 ? 2.0f : 0.0f));
    }
}

TEST_CASE("heads of a self-attention") {
    auto net = sequential(self_attention<dyn, dyn>(4, 2));
    auto& w = std::get<0>(net.layers).in_weights.values;
    std::fill(w.begin(), w.end(), 1.0f);
    w[8] = 9.0f;
    const auto pruned = prune(net, magnitude{}, by_head{.heads = 2}, 0.5);
    for (std::size_t i = 0; i < w.size(); ++i) {
        CHECK(std::get<0>(pruned->layers).in_weights.mask.keeps(i) == (i / 4 % 4 >= 2));
    }
    CHECK(std::get<0>(pruned->layers).out_weights.mask.kept() == 16);
    CHECK(prune(sequential(dense<dyn, dyn>(2, 4)), magnitude{}, by_head{.heads = 2}, 0.5).error().message ==
          "prune: 0.weight: expected projections of a self_attention with 2 heads, found a matrix [4, 2]");
}

TEST_CASE("filters of a transposed convolution are those of its file, group by group") {
    auto net = sequential(conv_transpose2d<dyn, dyn, dyn>(4, 6, {1, 2}, {.groups = 2}));
    const auto filter_of = [](const file_axes& axes, std::size_t i) {  // in a file: [4 inputs, 3 outputs, 1, 2]
        const std::size_t in_file = axes.index_in_file(i);
        return in_file / 12 * 3 + in_file / 2 % 3;
    };
    const float scores[] = {3, 1, 5, 0, 2, 4};
    for_each_member(net, [&](const member_path&, auto& member, const auto&... axes) {
        if constexpr (sizeof...(axes) != 0) {
            for (std::size_t i = 0; i < member.values.size(); ++i) {
                member.values[i] = scores[filter_of(axes..., i)];
            }
        }
    });
    const auto pruned = prune(net, magnitude{}, by_filter{}, 0.5);
    REQUIRE(pruned);
    for_each_member(*pruned, [&](const member_path&, const auto& member, const auto&... axes) {
        if constexpr (sizeof...(axes) != 0) {
            CHECK(member.mask.kept() == 12);
            for (std::size_t i = 0; i < member.mask.size(); ++i) {
                CHECK(member.mask.keeps(i) == (scores[filter_of(axes..., i)] > 2.5f));
            }
        }
    });
}
