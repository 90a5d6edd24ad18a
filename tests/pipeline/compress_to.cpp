#include <pare/pipeline/compress_to.hpp>

#include <limits>

#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/train/initialize.hpp>
#include <pare/train/optimizers.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

using layer = dense<dyn, dyn>;

const auto network = initialized(sequential(layer(2, 64), relu(), layer(64, 64), relu(), layer(64, 4)), he_normal{}, seed{1});

/// One type for all tests, for the sake of the compiler.
auto few_choices(std::vector<double> strengths) {
    return choices(std::move(strengths), [](double s) { return prune(magnitude{}, unstructured{}, s); }, cluster<16>(), quantize());
}

}  // namespace

TEST_CASE("the best within a budget, all that was seen, and what nothing beats") {
    const auto data = quarters(500, 2);
    const auto tried = few_choices({0.0, 0.5, 0.7, 0.8, 0.9, 0.95});
    const auto all = compress_to(network, data, byte_budget{1'000'000}, tried);
    REQUIRE(all);
    CHECK(all->seen.size() == 12);
    CHECK(all->refused.empty());
    CHECK(all->seen[2].stages == "prune 0.5 | cluster 16 | encode");
    CHECK(all->seen[11].stages == "prune 0.95 | quantize qint8 | encode");
    CHECK(all->front == pareto_front(all->seen));
    CHECK(all->best == all->front.back());  // the fewest errors, of those the fewest bytes

    const std::size_t middle = all->front[all->front.size() / 2].bytes;
    const auto some = *compress_to(network, data, byte_budget{middle}, tried);
    CHECK(some.best.bytes == middle);
    CHECK(some.archive.content.size() == middle);
    CHECK(some.stages.back().bytes == middle);
    std::visit([&](const auto& model) { CHECK(*count_errors(without_codebooks(model), data) == some.best.errors); }, some.model);
    for (std::size_t i = 0; i < some.seen.size(); ++i) {
        CHECK(some.seen[i].within_budget == (all->seen[i].bytes <= middle));
        CHECK(some.seen[i].errors == all->seen[i].errors);
    }

    const auto& smallest = all->front.front();
    CHECK(compress_to(network, data, byte_budget{100}, tried).error().message ==
          sentence("compress_to: expected a budget of at least ", smallest.bytes, " bytes, the smallest file that was seen (",
                   smallest.stages, "); found 100"));
}

TEST_CASE("budgets of the host's own measures") {
    const auto data = quarters(500, 2);
    const auto some = few_choices({0.5, 0.9});
    std::size_t calls = 0;
    double lost = 0.0;  // by all but the first model
    const auto correct = [&](const auto& model) {
        return 1.0 - static_cast<double>(*count_errors(without_codebooks(model), data)) / 500.0 - (calls++ == 0 ? 0.0 : lost);
    };
    const auto good = *compress_to(network, data, accuracy_budget{0.01, correct}, some);
    std::visit([&](const auto& model) { CHECK(correct(model) >= correct(network) - 0.01); }, good.model);
    for (const pareto_point& p : good.seen) {
        CHECK((!p.within_budget || p.bytes >= good.best.bytes));
    }
    const auto message = [&](double largest_loss, double loses) {
        calls = 0;
        lost = loses;
        return compress_to(network, data, accuracy_budget{largest_loss, correct}, some).error().message;
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THAT(message(0.5, 2.0), ContainsSubstring("compress_to: expected a loss of at least ") &&
                                      ContainsSubstring("the least that was seen (prune"));
    CHECK_THAT(message(0.5, nan), ContainsSubstring("prune 0.5 | cluster 16 | encode: expected numbers, found a value of"));
    CHECK(message(-2.0, 0.0) == "compress_to: expected a loss of at least 0, found -2");
    CHECK_THAT(message(nan, 0.0), ContainsSubstring("a loss of at least 0, found"));
    lost = 0.0;

    // A clock that counts weights in memory.
    const auto clock = [](const auto& ready) {
        std::size_t bytes = 0;
        for_each_member(ready.model(), [&](const member_path&, const auto& member) {
            if constexpr (requires { member.bytes(); }) {
                bytes += member.bytes();
            }
        });
        return static_cast<double>(bytes);
    };
    const double floats = clock(prepare<isa::native>(network));
    const auto fast = *compress_to(network, data, latency_budget{0.5 * floats, clock}, some);
    CHECK(fast.best.latency <= 0.5 * floats);
    const double codes = clock(prepare<isa::native>(*cluster<16>(network)));  // of 4 bits
    CHECK(codes < 0.5 * floats);
    CHECK(fast.seen[0].latency == codes);
    for (const pareto_point& p : fast.seen) {
        CHECK(p.within_budget == (p.latency <= 0.5 * floats));
    }
    CHECK_THAT(
        compress_to(network, data, latency_budget{1.0, clock}, some).error().message,
        ContainsSubstring("compress_to: expected a limit of at least ") && ContainsSubstring("the least latency that was seen"));
    const auto measured = *compress_to(network, data, byte_budget{1'000'000}, some, data, clock);
    CHECK(measured.seen[0].latency == codes);
    CHECK(measured.front.size() >= fast.front.size());
}

TEST_CASE("choices that cannot be are refused") {
    const auto data = quarters(500, 2);
    const auto few = initialized(sequential(layer(2, 3), relu(), layer(3, 8), relu(), layer(8, 4)), he_normal{}, seed{1});
    const auto found = *compress_to(few, data, byte_budget{1'000'000}, few_choices({0.5, 1.0}));
    CHECK(found.seen.size() == 1);
    REQUIRE(found.refused.size() == 2);
    CHECK(found.refused[0] ==
          "prune 0.5 | cluster 16 | encode: cluster: 0.weight: expected at least 16 stored weights for as many clusters, found 6");
    CHECK_THAT(found.refused[1], ContainsSubstring("prune 1: ") && ContainsSubstring("[0, 1)"));
    CHECK(compress_to(few, data, byte_budget{0}, few_choices({})).error().message ==
          "compress_to: expected at least one strength and one stage, found none");

    const byte_budget budget;
    const detail::not_measured nothing;
    detail::choice_search<isa::native, int, byte_budget, detail::not_measured, compressed_choice<int>> search(0, budget, nothing);
    CHECK_FALSE(search.refuse("fine_tune", {error_code::diverged, "a loss that is NaN"}));
    CHECK(search.refuse("prune", {error_code::invalid_data, "a promise"}));  // is the end
}

TEST_CASE("the choices that there are without any") {
    const auto at_once = default_choices();
    CHECK(at_once.first(0.5).describe() == "prune 0.5");
    CHECK(std::get<2>(at_once.others).describe() == "quantize qint8");
    CHECK(std::get<3>(at_once.others).describe() == "quantize qint4");
    const auto trained = fine_tuned_choices(cross_entropy{}, adam{.learning_rate = 1e-3f}, {.epochs = 1});
    CHECK(trained.first(0.5).describe() == "prune 0.5 | fine_tune");
    CHECK(std::get<0>(trained.others).describe() == "cluster 16 | fine_tune");
    CHECK(trained.strengths == at_once.strengths);
}
