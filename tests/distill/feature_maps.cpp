#include <algorithm>

#include <pare/nn/conv.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/residual.hpp>
#include <pare/nn/sigmoid.hpp>

#include "feature_gradients.hpp"

using namespace pare;

TEST_CASE("maps of a convolution, of blocks in blocks") {
    aligned_array<float> pixels(40 * 36);
    std::vector<std::int32_t> labels(40);
    const random_numbers random(seed{3}, 0);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = random.normal(i);
        labels[i / 36] = static_cast<std::int32_t>(i / 36 % 2);
    }
    const auto images = labeled_data<float, 6, 6, 1>::make("images", {}, 2, std::move(pixels), std::move(labels)).value();
    const auto with_block = [](auto first, auto block, auto last, std::uint64_t s) {
        return initialized(sequential(input<6, 6, 1>(), first, residual(sequential(block, tanh_activation())), flatten(), last),
                           glorot_normal{}, seed{s});
    };
    const auto small = with_block(conv2d<1, 2, 3>(), conv2d<2, 2, 1>(), dense<32, 2>(), 1);
    const auto large = with_block(conv2d<1, 5, 3>(), conv2d<5, 5, 1>(), dense<80, 2>(), 2);
    const auto maps = teacher_outputs<"0", "1.body.1", "2">::make(large, images, feature_form::float32, alone);
    REQUIRE(maps);
    CHECK(maps->features<"1.body.1">().shape() == feature_shape{16, 5});
    // the regressor of a map is a convolution of 1 x 1
    check_gradient(small, *maps, images,
                   with_features(no_targets{}, hint<"0">{}, attention_transfer<"1.body", "1.body.1">{.weight = 5.0f},
                                 similarity_preserving<"3", "2">{.weight = 3.0f}),
                   3);
}
