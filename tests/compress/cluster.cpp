#include <pare/compress/cluster.hpp>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <pare/nn.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

std::vector<float> numbers(std::size_t n) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = i % 3 == 0 ? 0.0f : random_numbers(seed{3}, 0).normal(i);
    }
    return x;
}

/// Lloyd's algorithm by plain loops, from evenly spaced centroids.
std::vector<double> plain_centroids(const std::vector<float>& x, std::size_t k) {
    const auto [least, greatest] = std::minmax_element(x.begin(), x.end());
    std::vector<double> c(k);
    for (std::size_t j = 0; j < k; ++j) {
        c[j] = double{*least} + (double{*greatest} - double{*least}) * static_cast<double>(j) / static_cast<double>(k - 1);
    }
    for (int iteration = 0; iteration < 300; ++iteration) {
        std::vector<double> sum(k), count(k);
        for (const float v : x) {
            std::size_t best = 0;
            for (std::size_t j = 1; j < k; ++j) {
                best = std::fabs(double{v} - c[j]) < std::fabs(double{v} - c[best]) ? j : best;
            }
            sum[best] += double{v};
            count[best] += 1.0;
        }
        for (std::size_t j = 0; j < k; ++j) {
            c[j] = count[j] > 0.0 ? sum[j] / count[j] : c[j];
        }
    }
    return c;
}

double squared_error(const std::vector<float>& x, const clustering& c) {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double d = double{x[i]} - double{c.centroids[c.codes[i]]};
        sum += d * d;
    }
    return sum;
}

const auto net = initialized(sequential(dense<dyn, dyn>(2, 32), relu(), dense<dyn, dyn>(32, 4)), he_normal{}, seed{1});

}  // namespace

TEST_CASE("clusters are those of Lloyd's algorithm") {
    const auto x = numbers(2000);
    for (const std::size_t k : {2u, 7u, 16u}) {
        const auto found = cluster_numbers(x, k, {.preserve_zeros = false});
        const auto expected = plain_centroids(x, k);
        REQUIRE(found.centroids.size() == k);
        for (std::size_t j = 0; j < k; ++j) {
            CHECK(double{found.centroids[j]} == Approx(expected[j]).margin(1e-5));
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
            for (const float other : found.centroids) {
                CHECK(std::fabs(x[i] - found.centroids[found.codes[i]]) <= std::fabs(x[i] - other) + 1e-6f);
            }
        }
    }
}

TEST_CASE("zeros have a centroid of their own, and no other number has it") {
    const auto x = numbers(900);
    for (const auto start : {cluster_start::linear, cluster_start::density, cluster_start::plus_plus}) {
        const auto found = cluster_numbers(x, 8, {.start = start});
        CHECK(found.centroids.size() == 8);
        CHECK(std::is_sorted(found.centroids.begin(), found.centroids.end()));
        for (std::size_t i = 0; i < x.size(); ++i) {
            CHECK((found.centroids[found.codes[i]] == 0.0f) == (x[i] == 0.0f));
        }
        CHECK(squared_error(x, found) < 0.055 * 600.0);  // the best 7 values for a normal leave 0.044: Max 1960, table I
    }
    const auto none = cluster_numbers(std::vector<float>(20, 0.0f), 4);
    CHECK(none.centroids == std::vector<float>{0.0f});
    const auto few = cluster_numbers(std::vector<float>{0.0f, 2.0f, 2.0f, -1.0f}, 4);
    CHECK(few.centroids[few.codes[1]] == 2.0f);
    CHECK(few.centroids[few.codes[3]] == -1.0f);
}

TEST_CASE("the same seed draws the same centroids, another one others") {
    const auto x = numbers(500);
    const auto with = [&](std::uint64_t s) {
        return cluster_numbers(x, 8, {.start = cluster_start::plus_plus, .iterations = 0, .seed = {s}}).centroids;
    };
    CHECK(with(1) == with(1));
    CHECK(with(1) != with(2));
}

TEST_CASE("a clustered model computes what its values stand for, and stays sparse") {
    const auto shared = *cluster<16>(net);
    const auto& w = std::get<0>(shared.layers).weights;
    CHECK(w.describe() == "codebook full");
    CHECK(w.bytes() == 64 + 16 * sizeof(float));
    const auto floats = without_codebooks(shared);
    const auto data = quarters(100);
    const auto logits_of = [&](const auto& model) {
        const auto ready = prepare<isa::native>(model);
        std::vector<float> y(4 * 100), x;
        for (std::size_t i = 0; i < 100; ++i) {
            x.insert(x.end(), data.sample(i).begin(), data.sample(i).end());
        }
        workspace space(ready.workspace_bytes(100));
        run(ready, std::span<const float>(x), std::span<float>(y), space);
        return y;
    };
    CHECK(logits_of(shared) == logits_of(floats));
    CHECK_THAT(describe(prepare<isa::native>(shared)), ContainsSubstring("codebook full of 16 values: 4 bits, gemm_groups on "));
    auto few = *cluster<5>(initialized(sequential(dense<2, 70>(), relu(), dense<70, 4>()), he_normal{}, seed{2}));
    std::get<2>(few.layers).weights.scales[0] = std::numeric_limits<float>::infinity();  // nothing is filled up with it
    for (auto& code : std::get<2>(few.layers).weights.values) {
        code = code == 0 ? 1 : code;
    }
    CHECK(logits_of(few) == logits_of(without_codebooks(few)));
    const auto many = *cluster<17>(net);
    CHECK(logits_of(many) == logits_of(without_codebooks(many)));
    CHECK_THAT(describe(prepare<isa::native>(many)), !ContainsSubstring("codebook") && ContainsSubstring("float full"));
    CHECK(std::set<float>(std::get<2>(floats.layers).weights.values.begin(), std::get<2>(floats.layers).weights.values.end())
              .size() <= 16);

    auto pruned = net;
    for (std::size_t i = 0; i < 128; i += 2) {
        std::get<2>(pruned.layers).weights.values[i] = 0.0f;
    }
    const auto sparse = cluster<8>(sparsify<csr>(pruned));
    REQUIRE(sparse);
    CHECK(std::get<2>(sparse->layers).weights.values.size() == 64);
    CHECK(logits_of(*sparse) == logits_of(without_codebooks(*sparse)));
    const auto dense_zeros = without_codebooks(cluster<8>(pruned));
    const auto& kept = std::get<2>(dense_zeros->layers).weights.values;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        CHECK((kept[i] == 0.0f) == (i % 2 == 0));
    }
}

TEST_CASE("training moves the shared values and nothing else") {
    const auto data = quarters(500);
    auto pruned = net;
    for (std::size_t i = 0; i < 128; i += 2) {
        std::get<2>(pruned.layers).weights.values[i] = 0.0f;
    }
    const auto before = *cluster<8>(pruned);
    auto training = train_codebooks(before);
    const auto loss_before = *count_errors(before, data);
    REQUIRE(fit(training, data, cross_entropy{}, adam{.learning_rate = 1e-2f, .weight_decay = 1e-3f},
                {.epochs = 10, .batch_size = 25}));
    const auto after = freeze(training);
    const auto& a = std::get<2>(before.layers).weights;
    const auto& b = std::get<2>(after.layers).weights;
    const auto& values = std::get<2>(training.layers).weights.inner.values;
    CHECK(std::equal(a.values.begin(), a.values.end(), b.values.begin()));
    CHECK_FALSE(std::equal(a.scales.begin(), a.scales.end(), b.scales.begin()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        CHECK(values[i] == b.scales[b.values[i]]);
        CHECK((i % 2 == 0) == (values[i] == 0.0f));
    }
    CHECK(*count_errors(after, data) < loss_before / 2);
}

TEST_CASE("models that cannot be clustered say which layer and why") {
    CHECK(cluster<65>(net).error().message ==
          "cluster: 0.weight: expected at least 65 stored weights for as many clusters, found 64");
    auto broken = net;
    std::get<2>(broken.layers).weights.values[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(cluster<4>(broken).error().message == "cluster: 2.weight: expected finite weights, found NaN or infinity");
    CHECK(cluster<65>(net, {}, only<"2">{}));
}
