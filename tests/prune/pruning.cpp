#include <pare/prune.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include <pare/nn.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using ints = std::vector<int>;
using full_weights = weight_matrix<float, full>;

ints kept(const sparse_mask& mask) {
    ints k;
    for (std::size_t i = 0; i < mask.size(); ++i) {
        k.push_back(mask.keeps(i) ? 1 : 0);
    }
    return k;
}

ints chosen(const auto& criterion, const std::vector<float>& weights, std::size_t rows, std::size_t columns, double sparsity,
            const auto& pattern) {
    criterion_input input;
    input.weights = weights;
    input.rows = rows;
    input.columns = columns;
    return kept(choose_mask(pattern, scores_of(criterion, input), {rows, columns}, sparsity, exact_count{}, {rows, columns}));
}

/// A criterion of one's own.
const auto last_column_first = [](const criterion_input& in, std::span<float> scores) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
        scores[i] = -static_cast<float>(i % in.columns);
    }
};

/// Two layers of weights that are known: 0.weight is 1 ... 8, 2.weight 0.5, 4.5, 8.5, ... 28.5 alternating in sign.
auto two_layers() {
    auto net = sequential(dense<dyn, dyn>(2, 4), relu(), dense<dyn, dyn>(4, 2));
    auto& first = std::get<0>(net.layers).weights.values;
    auto& second = std::get<2>(net.layers).weights.values;
    for (std::size_t i = 0; i < 8; ++i) {
        first[i] = static_cast<float>(i + 1);
        second[i] = (static_cast<float>(i) * 4.0f + 0.5f) * (i % 2 == 0 ? 1.0f : -1.0f);
    }
    return net;
}
ints first_mask(const auto& pruned) {
    return kept(std::get<0>(pruned.value().layers).weights.mask);
}
ints second_mask(const auto& pruned) {
    return kept(std::get<2>(pruned.value().layers).weights.mask);
}

/// The sums of gradient * weight of the first layer, and of their absolute values with a memory of 0.9, before some step.
struct gradient_times_weight {
    std::size_t until;
    std::vector<float> movement = std::vector<float>(32), taylor = std::vector<float>(32), before = {};
    bool updates = true;

    void on_gradient(auto& model, const training_state& state) {
        const auto& w = std::get<0>(model.layers).weights.inner.values;
        before.assign(w.begin(), w.end());
        for (std::size_t i = 0; state.step < until && i < 32; ++i) {
            const float product = state.gradient[i] * w[i];
            movement[i] -= product;
            taylor[i] += (1.0f - 0.9f) * (std::fabs(product) - taylor[i]);
        }
    }
    void on_step_end(auto& model, const training_state& state) {  // of sgd
        const auto& w = std::get<0>(model.layers).weights.inner.values;
        for (std::size_t i = 0; i < 32; ++i) {
            updates &= std::fabs(w[i] - (before[i] - 0.1f * state.gradient[i])) < 1e-6f;
        }
    }
};

const auto untrained = initialized(sequential(dense<dyn, dyn>(2, 16), relu(), dense<dyn, dyn>(16, 4)), he_normal{}, seed{1});
const auto points = quarters(320);

auto pruned_in_training(const auto& criterion, const auto& pattern, const auto& schedule, auto&&... extras) {
    return prune(untrained, points, cross_entropy{}, sgd{.learning_rate = 0.1f}, criterion, pattern, schedule,
                 {.epochs = 2, .batch_size = 32}, extras...);
}

/// How many weights of the first layer the callback leaves after each of 20 steps.
std::vector<std::size_t> kept_after_steps(const auto& pattern, const auto& schedule) {
    auto model = *prune(untrained, magnitude{}, pattern, 0.0);
    pruning callback(magnitude{}, pattern, schedule);
    std::vector<std::size_t> counts;
    training_state state;
    state.epochs = 2;
    state.steps_per_epoch = 10;
    callback.on_fit_begin(model, state);
    REQUIRE_FALSE(state.problem);
    for (; state.step < 20; ++state.step) {
        callback.on_step_begin(model, state);
        counts.push_back(std::get<0>(model.layers).weights.mask.kept());
    }
    return counts;
}

/// A criterion of one's own that looks at gradients: the sum of their squares.
struct squared_gradients {
    void operator()(const criterion_input& input, std::span<float> scores) const {
        std::copy(input.gathered.begin(), input.gathered.end(), scores.begin());
    }
    void gather(std::span<const float>, std::span<const float> gradient, std::span<float> gathered) const {
        for (std::size_t i = 0; i < gathered.size(); ++i) {
            gathered[i] += gradient[i] * gradient[i];
        }
    }
};
struct gradient_watch {
    std::vector<float> squares = std::vector<float>(32);
    void on_gradient(auto&, const training_state& state) {
        for (std::size_t i = 0; state.step < 5 && i < 32; ++i) {
            squares[i] += state.gradient[i] * state.gradient[i];
        }
    }
};

}  // namespace

TEST_CASE("the callback prunes at the steps of any schedule, to its sparsities") {
    const auto check = [](const auto& schedule) {
        const auto counts = kept_after_steps(unstructured{}, schedule);
        std::size_t expected = 32;
        for (std::size_t step = 0; step < 20; ++step) {
            const auto s = static_cast<std::int64_t>(step);
            expected =
                schedule.updates_at(s) ? 32 - static_cast<std::size_t>(std::nearbyint(32.0 * schedule.sparsity_at(s))) : expected;
            CAPTURE(step);
            CHECK(counts[step] == expected);
        }
        return counts;
    };
    CHECK(check(constant_sparsity{.target_sparsity = 0.25, .begin_step = 3, .frequency = 5})[3] == 24);
    CHECK(check(linear_sparsity{.final_sparsity = 0.5, .begin_step = 0, .end_step = 16, .frequency = 4})[8] == 24);
    CHECK(check(cosine_sparsity{.final_sparsity = 0.75, .end_step = 15, .frequency = 4}).back() == 8);
    CHECK(check(one_cycle_sparsity{.final_sparsity = 0.75, .end_step = 15, .frequency = 4}).back() == 8);
    CHECK(check(polynomial_decay{.final_sparsity = 0.75, .end_step = 15, .power = 2.0, .frequency = 4}).back() == 8);
    CHECK(check(sparsity_list{{{2, 0.25}, {11, 0.5}}})[10] == 24);
    CHECK(check(iterative_sparsity{.final_sparsity = 0.75, .rounds = 2, .begin_step = 1, .steps_per_round = 10})[1] == 16);
}

TEST_CASE("units of any pattern go while the model is trained") {
    const constant_sparsity half = {.target_sparsity = 0.5, .begin_step = 4, .frequency = 100};
    CHECK(kept_after_steps(block<4, 2>{}, half).back() == 16);
    CHECK(kept_after_steps(block<4, 2>{pooling::maximum}, half).back() == 16);
    CHECK(kept_after_steps(by_row{}, half).back() == 16);
    CHECK(kept_after_steps(by_column{}, half).back() == 16);
    CHECK(kept_after_steps(by_filter{}, half).back() == 16);
    CHECK(kept_after_steps(by_channel{}, half).back() == 16);
}

TEST_CASE("a criterion of one's own may look at gradients") {
    gradient_watch seen;
    const auto pruned = pruned_in_training(squared_gradients{}, unstructured{},
                                           constant_sparsity{.target_sparsity = 0.5, .begin_step = 5, .frequency = 100}, seen);
    CHECK(first_mask(pruned) == kept(unstructured{}.choose(seen.squares, 16, 2, 0.5)));
}

TEST_CASE("magnitudes rank single weights and units by their norms") {
    CHECK(chosen(magnitude{}, {-3, 1, -2, 0.5f}, 1, 4, 0.5, unstructured{}) == ints{1, 0, 1, 0});
    CHECK(chosen(magnitude_l2{}, {-3, 1, -2, 0.5f}, 1, 4, 0.5, unstructured{}) == ints{1, 0, 1, 0});
    const std::vector<float> w = {2, 2, -3, 0};  // L1 4 and 3, L2 sqrt 8 and 3
    CHECK(chosen(magnitude{}, w, 2, 2, 0.5, by_row{}) == ints{1, 1, 0, 0});
    CHECK(chosen(magnitude_l2{}, w, 2, 2, 0.5, by_row{}) == ints{0, 0, 1, 1});
}

TEST_CASE("random scores are those of their seed, on every machine") {
    const std::vector<float> w(16, 1.0f);
    CHECK(chosen(random_scores{seed{7}}, w, 4, 4, 0.5, unstructured{}) == ints{1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0});
    CHECK(chosen(random_scores{seed{7}}, w, 4, 4, 0.5, unstructured{}) !=
          chosen(random_scores{seed{8}}, w, 4, 4, 0.5, unstructured{}));
    const auto net = prune(sequential(dense<dyn, dyn>(4, 4), dense<dyn, dyn>(4, 4)), random_scores{seed{7}}, unstructured{}, 0.5);
    CHECK(kept(std::get<0>(net->layers).weights.mask) == chosen(random_scores{seed{7}}, w, 4, 4, 0.5, unstructured{}));
    CHECK(kept(std::get<0>(net->layers).weights.mask) != kept(std::get<1>(net->layers).weights.mask));
}

TEST_CASE("the filter nearest to all others goes first by the geometric median") {
    // distances: 6, 5, 9
    CHECK(chosen(geometric_median{}, {0, 0, 1, 0, 5, 0}, 3, 2, 0.34, by_filter{}) == ints{1, 1, 0, 0, 1, 1});
    CHECK(chosen(geometric_median{}, {0, 0, 1, 0, 5, 0}, 3, 2, 0.67, by_filter{}) == ints{0, 0, 0, 0, 1, 1});
    CHECK(chosen(geometric_median{}, {2, 2, 2, 2}, 2, 2, 0.5, by_filter{}) == ints{0, 0, 1, 1});
}

TEST_CASE("a user's criterion is a function object, of a weight or of a matrix") {
    CHECK(chosen([](float w) { return w; }, {-3, 1, -2, 0.5f}, 1, 4, 0.5, unstructured{}) == ints{0, 1, 0, 1});
    CHECK(first_mask(prune(two_layers(), last_column_first, unstructured{}, 0.5)) == ints{1, 0, 1, 0, 1, 0, 1, 0});
}

TEST_CASE("scopes: each layer by itself, all together, or to targets of their own") {
    const auto net = two_layers();
    const auto each = prune(net, magnitude{}, unstructured{}, 0.5);
    CHECK(first_mask(each) == ints{0, 0, 0, 0, 1, 1, 1, 1});
    CHECK(second_mask(each) == ints{0, 0, 0, 0, 1, 1, 1, 1});
    const auto all = prune(net, magnitude{}, unstructured{}, 0.5, global_scope{});
    CHECK(first_mask(all) == ints{0, 0, 0, 0, 0, 0, 1, 1});  // 0.5 1 2 3 4 4.5 5 6
    CHECK(second_mask(all) == ints{0, 0, 1, 1, 1, 1, 1, 1});
    const auto rows = prune(net, magnitude{}, by_row{}, 0.5, global_scope{});
    CHECK(first_mask(rows) == ints{0, 0, 0, 0, 0, 0, 1, 1});  // averages 1.5 3.5 5.5 7.5; 6.5 22.5
    CHECK(second_mask(rows) == ints(8, 1));
    const auto targets = prune(net, magnitude{}, unstructured{}, 0.5, layer_targets{{{"2", 0.25}}});
    CHECK(first_mask(targets) == first_mask(each));
    CHECK(second_mask(targets) == ints{0, 0, 1, 1, 1, 1, 1, 1});
    CHECK(second_mask(prune(net, magnitude{}, unstructured{}, 0.5, layer_targets{{{"0", 0.0}, {"2.weight", 0.75}}})) ==
          ints{0, 0, 0, 0, 0, 0, 1, 1});
    CHECK(first_mask(prune(net, magnitude{}, n_of_m<1, 2>{}, 0.5, global_scope{})) == ints{0, 1, 0, 1, 0, 1, 0, 1});
}

TEST_CASE("selections leave layers as they are") {
    const auto net = sequential(dense<dyn, dyn>(2, 2), sequential(dense<dyn, dyn>(2, 2), relu()), dense<dyn, dyn>(2, 2), relu());
    const auto inner = prune(net, magnitude{}, unstructured{}, 0.5, inner_layers{});
    STATIC_REQUIRE(std::is_same_v<decltype(std::get<0>(inner->layers).weights), full_weights>);
    STATIC_REQUIRE(
        std::is_same_v<decltype(std::get<0>(std::get<1>(inner->layers).layers).weights), masked<unstructured, full_weights>>);
    STATIC_REQUIRE(std::is_same_v<decltype(std::get<2>(inner->layers).weights), full_weights>);
    const auto one = prune(net, magnitude{}, unstructured{}, 0.5, global_scope{}, only<"2">{});
    STATIC_REQUIRE(std::is_same_v<decltype(std::get<0>(one->layers).weights), full_weights>);
    CHECK(kept(std::get<2>(one->layers).weights.mask) == ints{0, 0, 1, 1});  // all are zero: the first go
}

TEST_CASE("what is not selected keeps the mask that it has") {
    const auto one = prune(two_layers(), magnitude{}, unstructured{}, 0.75, only<"0">{});
    REQUIRE(first_mask(one) == ints{0, 0, 0, 0, 0, 0, 1, 1});
    const auto other = prune(one, magnitude{}, unstructured{}, 0.25, only<"2">{});
    CHECK(first_mask(other) == first_mask(one));
    CHECK(second_mask(other) == ints{0, 0, 1, 1, 1, 1, 1, 1});
    const auto few = quarters(64);
    const auto wide = initialized(sequential(dense<dyn, dyn>(2, 16), relu(), dense<dyn, dyn>(16, 4)), he_normal{}, seed{1});
    const auto first = prune(wide, magnitude{}, unstructured{}, 0.75, only<"0">{});
    const auto trained =
        prune(first, few, cross_entropy{}, sgd{}, magnitude{}, unstructured{},
              constant_sparsity{.target_sparsity = 0.5, .frequency = 1}, {.epochs = 2, .batch_size = 16}, only<"2">{});
    CHECK(first_mask(trained) == first_mask(first));
    CHECK(std::get<2>(trained->layers).weights.mask.kept() == 32);
}

TEST_CASE("a schedule that falls never takes a layer above its target") {
    const layer_targets targets{{{"0", 0.6}}};
    CHECK(detail::sparsity_in_scope(targets, "0.weight", 0.25, 0.5) == 0.3);
    CHECK(detail::sparsity_in_scope(targets, "0.weight", 0.9, 0.5) == 0.6);
    CHECK(detail::sparsity_in_scope(targets, "2.weight", 0.9, 0.5) == 0.9);
}

TEST_CASE("by PyTorch's count what an earlier mask does not keep stays away, whatever pattern follows") {
    const auto net = two_layers();
    const auto scattered = prune(net, last_column_first, unstructured{}, 0.5);
    REQUIRE(first_mask(scattered) == ints{1, 0, 1, 0, 1, 0, 1, 0});
    CHECK(first_mask(prune(scattered, magnitude{}, by_row{}, 0.25, torch_count{})) == ints{0, 0, 1, 0, 1, 0, 1, 0});
    CHECK(first_mask(prune(scattered, magnitude{}, by_row{}, 0.25)) == ints{0, 0, 1, 1, 1, 1, 1, 1});
    CHECK(first_mask(prune(scattered, magnitude{}, by_row{}, 0.25, torch_count{}, global_scope{})) != first_mask(scattered));
    const auto both = prune(prune(net, last_column_first, unstructured{}, 0.5), magnitude{}, n_of_m<1, 2>{}, 0.5, torch_count{});
    CHECK(first_mask(both) == first_mask(scattered));
}

TEST_CASE("20% of what is left, twice, is 36%") {
    const auto once = prune(two_layers(), magnitude{}, unstructured{}, 0.25, torch_count{});
    const auto twice = prune(once, magnitude{}, unstructured{}, 0.5, torch_count{}, global_scope{});
    CHECK(first_mask(once) == ints{0, 0, 1, 1, 1, 1, 1, 1});
    CHECK(first_mask(twice) == ints(8, 0));  // the lowest six of 3 ... 8 and 8.5 ... 28.5
    CHECK(second_mask(twice) == ints{0, 0, 1, 1, 1, 1, 1, 1});
    const auto equal = prune(sequential(dense<dyn, dyn>(4, 2)), magnitude{}, unstructured{}, 0.5, tfmot_count{});
    CHECK(std::get<0>(equal->layers).weights.mask.kept() == 8);
}

TEST_CASE("movement and Taylor score by the gradients so far") {
    gradient_times_weight seen{.until = 5};
    const constant_sparsity once = {.target_sparsity = 0.5, .begin_step = 5, .frequency = 1000};
    const auto moved = pruned_in_training(movement{}, unstructured{}, once, seen);
    REQUIRE(moved);
    CHECK(seen.updates);
    CHECK(first_mask(moved) == kept(unstructured{}.choose(seen.movement, 16, 2, 0.5)));
    const auto by_taylor = pruned_in_training(taylor{}, unstructured{}, once);
    CHECK(first_mask(by_taylor) == kept(unstructured{}.choose(seen.taylor, 16, 2, 0.5)));
    CHECK(first_mask(moved) != first_mask(by_taylor));
    CHECK(pruned_in_training(movement{}, unstructured{}, constant_sparsity{}).error().message ==
          "prune: expected a schedule that begins after step 0, for a criterion that scores by the gradients of the steps before, "
          "found one that prunes at step 0");
}

TEST_CASE("scopes, counts and selections in training stand among the extras of fit") {
    serial_executor executor;
    const auto pruned = pruned_in_training(magnitude{}, n_of_m<2, 4>{}, polynomial_decay{.end_step = 15, .frequency = 5}, executor,
                                           only<"2">{}, tfmot_count{}, global_scope{});
    REQUIRE(pruned);
    STATIC_REQUIRE(
        std::is_same_v<std::remove_cvref_t<decltype(std::get<2>(pruned->layers).weights)>, masked<n_of_m<2, 4>, full_weights>>);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<0>(pruned->layers).weights)>, full_weights>);
    CHECK(std::get<2>(pruned->layers).weights.mask.kept() == 32);
    CHECK(to_layout<n_of_m<2, 4>>(std::get<2>(pruned->layers).weights.frozen()).values.size() == 32);
    const auto targets = pruned_in_training(magnitude{}, unstructured{}, linear_sparsity{.end_step = 15, .frequency = 5},
                                            layer_targets{{{"0", 0.25}}});
    CHECK(std::get<0>(targets->layers).weights.mask.kept() == 24);
    CHECK(std::get<2>(targets->layers).weights.mask.kept() == 32);
}

TEST_CASE("what cannot be pruned so is an error that says why") {
    const auto net = two_layers();
    const auto message = [&](double sparsity, const auto& pattern, const auto&... options) {
        const auto pruned = prune(net, magnitude{}, pattern, sparsity, options...);
        return pruned ? std::string() : pruned.error().message;
    };
    CHECK(message(1.0, unstructured{}) == "prune: expected a sparsity in [0, 1), found 1");
    CHECK(message(-0.5, unstructured{}) == "prune: expected a sparsity in [0, 1), found -0.5");
    CHECK_THAT(message(std::numeric_limits<double>::quiet_NaN(), unstructured{}),
               ContainsSubstring("expected a sparsity in [0, 1)"));
    CHECK(message(0.0, unstructured{}).empty());
    CHECK(message(0.9, n_of_m<2, 4>{}) == "prune: 0.weight: expected the sparsity of n_of_m<2, 4>, 0.5, found 0.9");
    CHECK(message(0.5, unstructured{}, layer_targets{{{"1", 0.5}}}) ==
          "prune: expected in layer_targets names of weights that are pruned, or of layers that have some, each once, found \"1\"");
    CHECK(message(0.5, unstructured{}, layer_targets{{{"0", 0.5}, {"0", 0.5}}}) != "");
    CHECK(message(0.5, unstructured{}, layer_targets{{{"0", 1.5}}}) == "prune: layer_targets: expected 0 in [0, 1), found 1.5");
    CHECK(pruned_in_training(magnitude{}, n_of_m<1, 4>{}, constant_sparsity{}).error().message ==
          "prune: 0.weight: expected the sparsity of n_of_m<1, 4>, 0.75, found 0.5");
    CHECK(prune(result<decltype(two_layers())>(error{error_code::invalid_argument, "no model"}), magnitude{}, unstructured{}, 0.5)
              .error()
              .message == "no model");
    CHECK(first_mask(prune(net, magnitude{}, unstructured{}, 0.0)) == ints(8, 1));
}
