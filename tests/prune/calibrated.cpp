#include <pare/prune/masks.hpp>
#include <pare/prune/optimal_brain.hpp>
#include <pare/prune/sparse_gpt.hpp>
#include <pare/prune/wanda.hpp>

#include <limits>

#include <pare/nn.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../inverse.hpp"
#include "../quantize/calibration_samples.hpp"

using namespace pare;

namespace {

/// Samples that are given; their targets mean nothing.
struct rows {
    std::size_t columns;
    std::vector<float> values;
    std::size_t outputs = 2;

    std::size_t size() const noexcept { return values.size() / columns; }
    std::size_t targets() const noexcept { return outputs; }
    extents<dyn> sample_shape() const noexcept { return extents<dyn>(columns); }
    void fetch(std::span<const std::size_t> indices, float* x, float* t) const noexcept {
        for (const std::size_t i : indices) {
            x = std::copy_n(values.data() + i * columns, columns, x);
            t = std::fill_n(t, outputs, 0.0f);
        }
    }
};

using layer = dense<dyn, dyn>;

auto network(std::size_t inputs, std::vector<float> weights) {
    auto net = sequential(layer(inputs, 2));
    std::copy(weights.begin(), weights.end(), std::get<0>(net.layers).weights.values.data());
    return net;
}
template <class Model>
std::vector<float> weights_of(const Model& model) {
    const auto& w = std::get<0>(model.layers).weights.inner.values;
    return std::vector<float>(w.begin(), w.end());
}
template <class Model>
std::string kept_of(const Model& model) {
    std::string text;
    const auto& mask = std::get<0>(model.layers).weights.mask;
    for (std::size_t i = 0; i < mask.size(); ++i) {
        text += mask.keeps(i) ? '1' : '0';
    }
    return text;
}

/// H of the columns that are left, with damping.
std::vector<double> hessian_of(const rows& data, const std::vector<std::size_t>& left, double damping) {
    std::vector<double> h(left.size() * left.size(), 0.0);
    double mean = 0.0;
    for (std::size_t r = 0; r < data.size(); ++r) {
        const float* const x = data.values.data() + r * data.columns;
        for (std::size_t i = 0; i < data.columns; ++i) {
            mean += static_cast<double>(x[i] * x[i]) / static_cast<double>(data.columns);
        }
        for (std::size_t i = 0; i < h.size(); ++i) {
            h[i] += static_cast<double>(x[left[i / left.size()]]) * static_cast<double>(x[left[i % left.size()]]);
        }
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
        h[i * left.size() + i] += damping * mean;
    }
    return h;
}

std::vector<std::size_t> all_but(const std::vector<std::size_t>& left, std::size_t column) {
    std::vector<std::size_t> others;
    for (const std::size_t c : left) {
        if (c != column) {
            others.push_back(c);
        }
    }
    return others;
}

/// Optimal brain surgeon by its definition, with the inverse of the Hessian of what is left computed anew each time. Removes
/// `fixed` in this order, then `count` of the columns with the least error.
std::vector<double> brute_force_surgeon(const rows& data, const float* weights, std::size_t count, double damping) {
    std::vector<double> w(weights, weights + data.columns);
    std::vector<std::size_t> left(data.columns);
    for (std::size_t i = 0; i < left.size(); ++i) {
        left[i] = i;
    }
    for (; count > 0; --count) {
        const auto inverse = inverse_of(hessian_of(data, left, damping), left.size());
        std::size_t q = 0;
        const auto error = [&](std::size_t i) { return w[left[i]] * w[left[i]] / inverse[i * left.size() + i]; };
        for (std::size_t i = 1; i < left.size(); ++i) {
            q = error(i) < error(q) ? i : q;
        }
        const double e = w[left[q]] / inverse[q * left.size() + q];
        for (std::size_t i = 0; i < left.size(); ++i) {
            w[left[i]] -= e * inverse[q * left.size() + i];
        }
        w[left[q]] = 0.0;
        left = all_but(left, left[q]);
    }
    return w;
}

/// sparse_gpt of one row by its definition: columns in order, a mask for each `width` of them from the weights as they are then,
/// and the inverse of the Hessian of the columns from each on computed anew.
std::vector<double> brute_force_sparse_gpt(const rows& data, const float* weights, std::size_t width, std::size_t pruned_of_width,
                                           double damping) {
    const std::size_t n = data.columns;
    std::vector<double> w(weights, weights + n);
    std::vector<std::size_t> left(n);
    for (std::size_t i = 0; i < n; ++i) {
        left[i] = i;
    }
    std::vector<bool> pruned(n);
    for (std::size_t c = 0; c < n; ++c) {
        if (c % width == 0) {
            std::vector<std::pair<double, std::size_t>> scores;
            std::vector<std::size_t> rest = left;
            for (std::size_t i = c; i < c + width; ++i) {
                const auto inverse = inverse_of(hessian_of(data, rest, damping), rest.size());
                scores.push_back({w[i] * w[i] / inverse[0], i});
                rest = all_but(rest, i);
            }
            std::sort(scores.begin(), scores.end());
            for (std::size_t i = 0; i < pruned_of_width; ++i) {
                pruned[scores[i].second] = true;
            }
        }
        if (pruned[c]) {
            const auto inverse = inverse_of(hessian_of(data, left, damping), left.size());
            const double e = w[c] / inverse[0];
            for (std::size_t i = 0; i < left.size(); ++i) {
                w[left[i]] -= e * inverse[i];
            }
            w[c] = 0.0;
        }
        left = all_but(left, c);
    }
    return w;
}

rows correlated_rows(std::size_t count, std::size_t columns) {
    rows data{columns, std::vector<float>(count * columns)};
    std::vector<std::size_t> indices(count);
    for (std::size_t i = 0; i < count; ++i) {
        indices[i] = i;
    }
    std::vector<float> targets(count * 2);
    calibration_samples{count, columns, 2}.fetch(indices, data.values.data(), targets.data());
    return data;
}

}  // namespace

TEST_CASE("wanda weighs each weight by its input, row by row; brain damage by its square, in the whole matrix") {
    const rows data{3, {3.0f, 0.0f, 1.0f, 4.0f, 0.0f, 1.0f}};  // norms 5, 0 and sqrt(2)
    const auto net = network(3, {0.1f, 9.0f, 0.3f, -0.2f, 0.5f, 0.8f});
    CHECK(kept_of(*wanda(net, data, unstructured{}, 0.0)) == "111111");
    CHECK(kept_of(*wanda(net, data, unstructured{}, 0.4)) == "101101");  // 1.2 of 3 is 1
    CHECK(kept_of(*wanda(net, data, unstructured{}, 0.7)) == "100001");  // 0.5, 0.42; 1.0, 1.13
    CHECK(kept_of(*wanda(net, data, n_of_m<1, 3>{}, 2.0 / 3.0)) == "100001");
    CHECK(weights_of(*wanda(net, data, unstructured{}, 0.7))[5] == 0.8f);               // weights stay
    CHECK(kept_of(*optimal_brain_damage(net, data, unstructured{}, 0.3)) == "101101");  // 0.125, 0, 0.09; 0.5, 0, 0.64
    CHECK(kept_of(*optimal_brain_damage(net, data, unstructured{}, 0.7)) == "000101");
    // a second time: half of all, or with torch_count half of the 4 that are still kept
    CHECK(kept_of(*optimal_brain_damage(optimal_brain_damage(net, data, unstructured{}, 0.3), data, unstructured{}, 0.5)) ==
          "100101");
    CHECK(kept_of(*optimal_brain_damage(optimal_brain_damage(net, data, unstructured{}, 0.3), data, unstructured{}, 0.5,
                                        torch_count{})) == "000101");
    CHECK(kept_of(*wanda(wanda(net, data, unstructured{}, 0.4), data, unstructured{}, 0.5, torch_count{})) == "100001");
}

TEST_CASE("brain surgeon and sparse_gpt are what their definitions give") {
    const std::size_t n = 8;
    const rows data = correlated_rows(40, n);
    std::vector<float> weights(2 * n);
    const random_numbers random(seed{5}, 0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i] = random.normal(i);
    }
    const auto net = network(n, weights);
    for (const double sparsity : {0.25, 0.5, 0.75}) {
        const auto found = weights_of(*optimal_brain_surgeon(net, data, sparsity, {.damping = 0.02f}));
        for (std::size_t r = 0; r < 2; ++r) {
            const auto expected = brute_force_surgeon(data, weights.data() + r * n, static_cast<std::size_t>(8 * sparsity),
                                                      static_cast<double>(0.02f));
            for (std::size_t c = 0; c < n; ++c) {
                INFO(sparsity << ", row " << r << ", column " << c);
                CHECK((found[r * n + c] == 0.0f) == (expected[c] == 0.0));
                CHECK(std::fabs(found[r * n + c] - expected[c]) < 1e-4);
            }
        }
    }
    for (const std::size_t block : {std::size_t{1}, std::size_t{4}, std::size_t{128}}) {
        auto row = sequential(layer(n, 1));  // so that the mask is chosen within it
        std::copy_n(weights.begin(), n, std::get<0>(row.layers).weights.values.data());
        const rows samples{n, data.values, 1};
        const auto unstructured_row =
            weights_of(*sparse_gpt(row, samples, unstructured{}, 0.5, {.damping = 0.02f, .mask_block = 4, .block = block}));
        const auto found = weights_of(*sparse_gpt(row, samples, n_of_m<2, 4>{}, 0.5, {.damping = 0.02f, .block = block}));
        CHECK(found == unstructured_row);
        const auto expected = brute_force_sparse_gpt(data, weights.data(), 4, 2, static_cast<double>(0.02f));
        for (std::size_t c = 0; c < n; ++c) {
            INFO("blocks of " << block << ", column " << c);
            CHECK((found[c] == 0.0f) == (expected[c] == 0.0));
            CHECK(std::fabs(found[c] - expected[c]) < 1e-4);
        }
    }
}

TEST_CASE("a weight of an input that is always zero goes first, however large it is") {
    auto net = sequential(layer(2, 1));
    std::get<0>(net.layers).weights.values[0] = 1.0f;
    std::get<0>(net.layers).weights.values[1] = 5.0f;
    const rows data{2, {0.0f, 0.1f}, 1};
    CHECK(kept_of(*optimal_brain_surgeon(net, data, 0.5)) == "01");
    CHECK(kept_of(*sparse_gpt(net, data, unstructured{}, 0.5)) == "01");
    CHECK(kept_of(*optimal_brain_surgeon(net, data, 0.5, {}, tfmot_count{})) == "01");
}

TEST_CASE("on correlated inputs sparse_gpt loses less than wanda, and wanda less than magnitudes") {
    const auto net = initialized(sequential(dense<dyn, dyn>(70, 90), relu(), dense<dyn, dyn>(90, 8)), he_normal{}, seed{1});
    const calibration_samples seen{600, 70, 8, 0, 5.0f}, unseen{600, 70, 8, 1, 5.0f};
    const double sparsity = 0.5;
    model_masks largest = masks_of(net);
    largest[0].mask = [&] {
        std::vector<float> size(70 * 90);
        for (std::size_t i = 0; i < size.size(); ++i) {
            size[i] = std::fabs(std::get<0>(net.layers).weights.values[i]);
        }
        return unstructured{}.choose(size, 90, 70, sparsity);
    }();
    const auto loss = [&](const auto& pruned) {
        CHECK(masks_of(pruned)[0].mask.kept() == 70 * 90 / 2);
        return output_error(freeze(pruned), net, unseen);
    };
    const double of_magnitude = loss(*with_masks(net, largest));
    const double of_wanda = loss(*wanda(net, seen, unstructured{}, sparsity, only<"0">{}));
    const double of_damage = loss(*optimal_brain_damage(net, seen, unstructured{}, sparsity, only<"0">{}));
    const double of_sparse_gpt = loss(*sparse_gpt(net, seen, unstructured{}, sparsity, {}, only<"0">{}));
    const double of_surgeon = loss(*optimal_brain_surgeon(net, seen, sparsity, {}, only<"0">{}));
    INFO(of_magnitude << " " << of_wanda << " " << of_damage << " " << of_sparse_gpt << " " << of_surgeon);
    CHECK(of_wanda * 1.2 < of_magnitude);
    CHECK(of_sparse_gpt * 3.0 < of_wanda);
    CHECK(of_damage < of_magnitude);
    CHECK(of_surgeon < of_sparse_gpt * 1.2);
    // weights that a mask has pruned stay so
    const auto again =
        masks_of(*sparse_gpt(with_masks(net, largest), seen, unstructured{}, 0.2, {}, only<"0">{}, torch_count{}))[0].mask;
    CHECK(again.kept() == 70 * 90 / 2 - 70 * 90 / 10);
    for (std::size_t i = 0; i < again.size(); ++i) {
        REQUIRE((!again.keeps(i) || largest[0].mask.keeps(i)));
    }
}

TEST_CASE("pruning with data takes convolutions in groups, each with what it sees") {
    const auto net = initialized(
        sequential(input<dyn, dyn, dyn>(6, 5, 8), conv2d<dyn, dyn, dyn>(8, 6, 3, {.padding = 1, .groups = 2}), flatten()),
        he_normal{}, seed{2});
    const calibration_samples seen{200, 240, 180}, unseen{100, 240, 180, 1};
    const auto moved = sparse_gpt(net, seen, unstructured{}, 0.5);
    const auto masks = masks_of(*moved);
    CHECK(masks[0].mask.kept() == 6 * 36 / 2);
    CHECK(output_error(freeze(*moved), net, unseen) * 1.03 < output_error(freeze(*with_masks(net, masks)), net, unseen));
}

TEST_CASE("what cannot be pruned with data is an error that says so") {
    auto net = network(3, {0.1f, 9.0f, 0.3f, -0.2f, 0.5f, 0.8f});
    const rows data{3, {3.0f, 0.0f, 1.0f}};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(wanda(net, data, unstructured{}, 1.0).error().message == "wanda: expected sparsity in [0, 1), found 1");
    CHECK_FALSE(wanda(net, data, unstructured{}, static_cast<double>(nan)));
    CHECK(wanda(net, rows{3, {}}, unstructured{}, 0.5).error().message == "wanda: expected samples to calibrate with, found none");
    CHECK(wanda(net, rows{3, {1.0f, nan, 1.0f}}, unstructured{}, 0.5).error().message ==
          "wanda: 0.weight: expected finite inputs while calibrating, found NaN, an infinity, or numbers whose squares overflow");
    CHECK_FALSE(wanda(net, rows{2, {1.0f, 1.0f}}, unstructured{}, 0.5));
    CHECK(wanda(net, data, n_of_m<1, 3>{}, 0.5).error().message ==
          "wanda: 0.weight: expected the sparsity of n_of_m<1, 3>, 0.6666666667, found 0.5");
    CHECK(sparse_gpt(net, data, unstructured{}, 0.5, {.damping = 0.0f}).error().message ==
          "sparse_gpt: expected a damping in (0, 1], found 0");
    CHECK(optimal_brain_surgeon(net, data, 0.5, {.damping = 2.0f}).error().message ==
          "optimal_brain_surgeon: expected a damping in (0, 1], found 2");
    // inputs that are all zero score equal: the first go
    CHECK(kept_of(*wanda(net, rows{3, {0.0f, 0.0f, 0.0f}}, unstructured{}, 0.7)) == "001001");
    CHECK(kept_of(*sparse_gpt(net, rows{3, {0.0f, 0.0f, 0.0f}}, unstructured{}, 0.5)) == "010011");
    std::get<0>(net.layers).weights.values[2] = nan;
    CHECK(optimal_brain_damage(net, data, unstructured{}, 0.5).error().message ==
          "optimal_brain_damage: 0.weight: expected finite numbers, found NaN or an infinity");
}
