#include <pare/nn/embedding.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <pare/nn/input.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"
#include "layer_gradients.hpp"
#include "sequences.hpp"

using namespace pare;

namespace {

constexpr std::size_t rows = 7, width = 5, padding = 2;
constexpr embedding_options padded{.padding_index = padding};

/// Bags of 3, 1 and no indices, filled up to 4.
const std::vector<float> bags = {0, 6, padding, 5, 4, padding, padding, padding, padding, padding, padding, padding};

using doubles = std::vector<double>;

/// What a bag gives for samples of `length` indices, and of a weighted sum as many weights, in plain loops.
auto bag_of(bag_mode mode, std::size_t length) {
    return [=](const doubles& x, const doubles& p, std::size_t batch) {
        doubles y;
        for (std::size_t b = 0; b < batch; ++b) {
            const double* const sample = x.data() + b * x.size() / batch;
            for (std::size_t j = 0; j < width; ++j) {
                doubles seen;
                for (std::size_t i = 0; i < length; ++i) {
                    const auto row = static_cast<std::size_t>(std::lround(sample[i]));
                    if (row != padding) {
                        seen.push_back(p[row * width + j] * (mode == bag_mode::weighted_sum ? sample[length + i] : 1.0));
                    }
                }
                double sum = 0.0;
                for (const double v : seen) {
                    sum += v;
                }
                y.push_back(seen.empty()             ? 0.0
                            : mode == bag_mode::mean ? sum / static_cast<double>(seen.size())
                            : mode == bag_mode::max  ? *std::max_element(seen.begin(), seen.end())
                                                     : sum);
            }
        }
        return y;
    };
}

/// The rows of `bags` with the wave of check_pytorch as weights.
std::vector<float> weighted_bags() {
    std::vector<float> x;
    for (std::size_t i = 0; i < bags.size(); i += 4) {
        x.insert(x.end(), bags.begin() + static_cast<std::ptrdiff_t>(i), bags.begin() + static_cast<std::ptrdiff_t>(i + 4));
        for (std::size_t j = i; j < i + 4; ++j) {
            x.push_back(static_cast<float>(std::sin(1.3 * static_cast<double>(j) + 1.0)));
        }
    }
    return x;
}

}  // namespace

TEST_CASE("embeddings are their definition, and so are their gradients") {
    check_gradients(embedding<rows, width>(), extents<3>(), 2,
                    [](const doubles& x, const doubles& p, std::size_t) {
                        doubles y;
                        for (const double index : x) {
                            for (std::size_t j = 0; j < width; ++j) {
                                y.push_back(p[static_cast<std::size_t>(std::lround(index)) * width + j]);
                            }
                        }
                        return y;
                    },
                    {0, 6, 2, 2, 3, 6});
    const extents<dyn> four(4), eight(8);
    check_gradients(embedding_bag<dyn, dyn>(rows, width, padded), four, 3, bag_of(bag_mode::mean, 4), bags);
    check_gradients(embedding_bag<rows, width, bag_mode::sum>(padded), four, 3, bag_of(bag_mode::sum, 4), bags);
    check_gradients(embedding_bag<rows, width, bag_mode::max>(padded), four, 3, bag_of(bag_mode::max, 4), bags);
    check_gradients(embedding_bag<rows, width, bag_mode::weighted_sum>(padded), eight, 3, bag_of(bag_mode::weighted_sum, 4),
                    weighted_bags());
    check_gradients(embedding_bag<rows, width>(), extents<3>(), 2, bag_of(bag_mode::mean, 3), {0, 6, 3, 1, 1, 6});  // no padding
}

TEST_CASE("embeddings are PyTorch's, with padding_idx, offsets and per_sample_weights") {
    check_pytorch(embedding<rows, width>(padded), extents<4>(), 3, {-1.54446567, 0.464413526}, bags);
    check_pytorch(embedding_bag<rows, width, bag_mode::sum>(padded), extents<4>(), 3, {-3.30434308, 0.870835795}, bags);
    check_pytorch(embedding_bag<rows, width>(padded), extents<4>(), 3, {0.377596429, 0.949064313}, bags);
    check_pytorch(embedding_bag<rows, width, bag_mode::max>(padded), extents<4>(), 3, {0.588875214, 1.93911221}, bags);
    const auto dx = check_pytorch(embedding_bag<rows, width, bag_mode::weighted_sum>(padded), extents<8>(), 3,
                                  {-1.06794677, 1.7314222}, weighted_bags());
    double along = 0.0;  // the gradient of the weights, projected like those of parameters
    for (std::size_t i = 0; i < bags.size(); ++i) {
        CHECK(dx[i / 4 * 8 + i % 4] == 0.0f);
        along += static_cast<double>(dx[i / 4 * 8 + 4 + i % 4]) * std::cos(0.7 * static_cast<double>(i));
    }
    CHECK(along == Approx(0.9670193320520086));

    const std::int64_t input[] = {0, 6, 5, 4}, offsets[] = {0, 3, 4};
    check_pytorch(embedding_bag<rows, width>(padded), extents<4>(), 3, {0.377596429, 0.949064313}, [&] {
        const auto made = *padded_bags(input, offsets, 4, padding);
        return std::vector<float>(made.begin(), made.end());
    }());
}

TEST_CASE("bags of different sizes as samples of one") {
    const std::int64_t input[] = {0, 6, 5, 4}, offsets[] = {0, 3, 4}, falling[] = {0, 3, 2}, late[] = {1, 2}, far[] = {0, 5};
    const float weights[] = {0.5f, 1.0f, -2.0f, 3.0f};
    const auto rows_of = [](const result<aligned_array<float>>& made) { return std::vector<float>(made->begin(), made->end()); };
    CHECK(rows_of(padded_bags(input, offsets, 3, 2)) == std::vector<float>{0, 6, 5, 4, 2, 2, 2, 2, 2});
    CHECK(rows_of(padded_bags(input, std::span(offsets).first(2), 3, 2, weights)) ==
          std::vector<float>{0, 6, 5, 0.5f, 1.0f, -2.0f, 4, 2, 2, 3.0f, 0.0f, 0.0f});
    CHECK_THAT(padded_bags(input, offsets, 2, 2).error().message, ContainsSubstring("bag 0: expected at most 2 indices, found 3"));
    for (const std::span<const std::int64_t> wrong :
         {std::span<const std::int64_t>(falling), std::span<const std::int64_t>(late), std::span<const std::int64_t>(far)}) {
        CHECK_THAT(padded_bags(input, wrong, 4, 2).error().message, ContainsSubstring("offsets: expected numbers that rise"));
    }
    CHECK_THAT(padded_bags(input, offsets, 4, 2, std::span(weights).first(3)).error().message,
               ContainsSubstring("expected 4 weights"));
}

TEST_CASE("weights of bytes are looked up and say so") {
    const auto net = filled(sequential(input<4>(), embedding_bag<rows, width>(padded)));
    const auto ready = *prepare<isa::native>(quantize_dynamic(net));
    CHECK_THAT(describe(ready), ContainsSubstring("embedding_bag 7 x 5: qint8 full, padding 2, mean"));
    const auto expected = whole(prepare<isa::native>(net), bags, 3), y = whole(ready, bags, 3);
    for (std::size_t i = 0; i < y.size(); ++i) {
        CHECK(y[i] == Approx(expected[i]).margin(0.005));
    }
}
