#include <pare/prune/lottery_ticket.hpp>

#include <cstring>
#include <type_traits>
#include <vector>

#include <pare/core/thread_pool.hpp>
#include <pare/nn.hpp>
#include <pare/simd/unfused.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"

using namespace pare;

namespace {

auto network(seed s) {
    return initialized(sequential(dense<2, dyn>(2, 19), relu(), dense<dyn, 4>(19, 4)), glorot_normal{}, s);
}
using model = decltype(network(seed{1}));

const fit_options training = {.epochs = 6, .batch_size = 25, .shuffle_seed = seed{3}};  // of 8 steps each
const adam optimizer = {.learning_rate = 3e-2f};

template <class Isa = isa::native, class... Extras>
lottery_tickets<model> find(const ticket_options& options, Extras&&... extras) {
    auto found = find_lottery_tickets<Isa>(network(seed{5}), quarters(200), quarters(100, 1), cross_entropy{}, optimizer, options,
                                           training, extras...);
    REQUIRE(found);
    return *std::move(found);
}

struct stop_after_ten {
    void on_step_end(const auto&, training_state& state) const { state.stop = state.step == 9; }
};

std::vector<std::uint32_t> bits_of(model m) {
    std::vector<std::uint32_t> bits;
    for_each_member(m, [&](const member_path&, auto& member) {
        for (const float value : trainable_values(member)) {
            bits.push_back(std::bit_cast<std::uint32_t>(value));
        }
    });
    return bits;
}

std::uint64_t digest(const model_masks& masks) {
    std::uint64_t hash = 14695981039346656037u;
    for (const auto& [path, mask] : masks) {
        for (std::size_t i = 0; i < mask.size(); ++i) {
            hash = (hash ^ (mask.keeps(i) ? 1u : 0u)) * 1099511628211u;
        }
    }
    return hash;
}

}  // namespace

TEST_CASE("each round prunes its share of what a matrix has left, the least of the trained weights") {
    const auto tickets = find({.rounds = 3, .rate = 0.2, .evaluate_every = 10}, layer_targets{{{"2", 0.1}}});
    REQUIRE(tickets.rounds.size() == 4);
    CHECK(bits_of(tickets.rewound) == bits_of(network(seed{5})));
    // 38 - 7.6, 30 - 6, 24 - 4.8; 76 - 7.6, 68 - 6.8, 61 - 6.1, each share rounded
    const std::vector<std::size_t> first = {38, 30, 24, 19}, second = {76, 68, 61, 55};
    for (std::size_t r = 0; r < 4; ++r) {
        const auto& round = tickets.rounds[r];
        CHECK(round.masks[0].mask.kept() == first[r]);
        CHECK(round.masks[1].mask.kept() == second[r]);
        CHECK(round.kept() == first[r] + second[r]);
        CHECK(round.sparsity() == Approx(1.0 - static_cast<double>(first[r] + second[r]) / 114.0));
        CHECK(round.report.steps == 48);
        CHECK(round.curve.size() == 5);  // 10, 20, 30, 40 and the last step
        const auto& weights = std::get<0>(round.trained.layers).weights.values;
        float largest_pruned = 0.0f, least_kept = 1e9f;
        for (std::size_t i = 0; i < 38; ++i) {
            CHECK((weights[i] != 0.0f) == round.masks[0].mask.keeps(i));
            if (r + 1 < 4 && round.masks[0].mask.keeps(i)) {
                const float size = std::fabs(weights[i]);
                (tickets.rounds[r + 1].masks[0].mask.keeps(i) ? least_kept : largest_pruned) =
                    tickets.rounds[r + 1].masks[0].mask.keeps(i) ? (std::min)(least_kept, size) : (std::max)(largest_pruned, size);
            } else if (r + 1 < 4) {
                CHECK_FALSE(tickets.rounds[r + 1].masks[0].mask.keeps(i));
            }
        }
        CHECK(largest_pruned <= least_kept);
    }
}

TEST_CASE("in a global scope the share is that of all weights together") {
    const auto tickets = find({.rounds = 1, .rate = 0.3}, global_scope{});
    CHECK(tickets.rounds[1].kept() == 80);  // 114 - 34.2
    CHECK(tickets.rounds[1].masks[0].mask.kept() != 27);
}

TEST_CASE("early stopping is where the validation loss is least") {
    const auto tickets = find({.rounds = 1, .evaluate_every = 4});
    for (const auto& round : tickets.rounds) {
        REQUIRE(round.curve.size() == 12);
        for (std::size_t i = 0; i < 12; ++i) {
            CHECK(round.curve[i].step == 4 * (i + 1));
            CHECK(round.early_stop.loss <= round.curve[i].loss);
            CHECK((round.curve[i].step != round.early_stop.step || round.curve[i].loss == round.early_stop.loss));
        }
        const auto measured = evaluate(round.at_early_stop, quarters(100, 1), mean_loss<cross_entropy>(cross_entropy{}));
        CHECK(measured->value() == round.early_stop.loss);
    }
}

TEST_CASE("a training that nothing is pruned from and that is rewound to a step ends as it did, to the bit") {
    for (const std::size_t step : {std::size_t{0}, std::size_t{7}, std::size_t{16}}) {
        const auto tickets = find({.rounds = 1, .rate = 0.0, .rewind_step = step, .evaluate_every = 8});
        CHECK(bits_of(tickets.rounds[1].trained) == bits_of(tickets.rounds[0].trained));
        CHECK((bits_of(tickets.rewound) == bits_of(network(seed{5}))) == (step == 0));
        CHECK(tickets.rounds[1].curve.size() == (48 - step + 7) / 8);
        CHECK(tickets.rounds[1].curve.back().loss == tickets.rounds[0].curve.back().loss);
    }
}

TEST_CASE("rewinding the learning rate goes on from the trained weights") {
    const auto tickets = find({.rounds = 1, .rate = 0.0, .rewind = rewinding::learning_rate, .evaluate_every = 8});
    auto trained = tickets.rounds[0].trained;
    const auto all = tickets.rounds[0].masks;
    const auto again = train_with_masks(trained, all, quarters(200), quarters(100, 1), cross_entropy{}, optimizer, 8, training);
    REQUIRE(again);
    CHECK(bits_of(tickets.rounds[1].trained) == bits_of(again->trained));
    CHECK(bits_of(again->trained) != bits_of(trained));
    CHECK(bits_of(tickets.rewound) == bits_of(network(seed{5})));
}

TEST_CASE("rewinding the learning rate to a later step is no longer than the rest of the training") {
    const auto tickets =
        find({.rounds = 1, .rate = 0.2, .rewind = rewinding::learning_rate, .rewind_step = 16, .evaluate_every = 8});
    CHECK(tickets.rounds[1].curve.front().step == 24);
    CHECK(tickets.rounds[1].curve.back().step == 48);
    const auto& before = std::get<0>(tickets.rounds[0].trained.layers).weights.values;
    const auto& after = std::get<0>(tickets.rounds[1].trained.layers).weights.values;
    double moved = 0.0, rewound = 0.0;  // nearer to the trained weights than to those of step 16
    for (std::size_t i = 0; i < 38; ++i) {
        if (tickets.rounds[1].masks[0].mask.keeps(i)) {
            moved += std::fabs(double{after[i]} - double{before[i]});
            rewound += std::fabs(double{after[i]} - double{std::get<0>(tickets.rewound.layers).weights.values[i]});
        }
    }
    CHECK(moved < rewound);
}

TEST_CASE("a dense training that stops before the step to rewind to is an error") {
    stop_after_ten stop;
    const auto found = find_lottery_tickets(network(seed{5}), quarters(200), quarters(100, 1), cross_entropy{}, optimizer,
                                            {.rounds = 1, .rewind_step = 20}, training, stop);
    REQUIRE_FALSE(found);
    CHECK_THAT(found.error().message, ContainsSubstring("expected a rewind_step within the 10 steps after which"));
}

TEST_CASE("controls: the initialization with the ticket's masks is the ticket, other masks or weights are not") {
    const auto tickets = find({.rounds = 2, .rate = 0.3});
    const auto& masks = tickets.rounds[2].masks;
    const auto trained = [&](const model& m, const model_masks& with) {
        return train_with_masks(m, with, quarters(200), quarters(100, 1), cross_entropy{}, optimizer, 100, training).value();
    };
    CHECK(bits_of(trained(tickets.rewound, masks).trained) == bits_of(tickets.rounds[2].trained));
    CHECK(bits_of(trained(network(seed{6}), masks).trained) != bits_of(tickets.rounds[2].trained));

    const auto random = random_masks(masks, seed{8});
    REQUIRE(random.size() == 2);
    CHECK(random[0].mask.kept() == masks[0].mask.kept());
    CHECK(random[1].mask.kept() == masks[1].mask.kept());
    CHECK(random[1].mask.rows() == 4);
    CHECK(random != masks);
    CHECK(random == random_masks(masks, seed{8}));
    CHECK(random != random_masks(masks, seed{9}));
    CHECK(trained(tickets.rewound, random).masks == random);
}

TEST_CASE("the same seed gives the same ticket on any number of threads and every instruction set") {
    const ticket_options options = {.rounds = 3, .rate = 0.3};
    const auto scalar = find<isa::scalar>(options);
    thread_pool pool(3);
    const auto native = find<isa::unfused<isa::native>>(options, pool);
    for (std::size_t r = 0; r < 4; ++r) {
        CHECK(bits_of(scalar.rounds[r].trained) == bits_of(native.rounds[r].trained));
        CHECK(scalar.rounds[r].masks == native.rounds[r].masks);
    }
    CHECK(digest(scalar.rounds[3].masks) == 0x3728397408d88272u);
    CHECK(std::string_view(isa::unfused<isa::scalar>::name) == "scalar, unfused");
}

TEST_CASE("tickets that cannot be are errors") {
    const auto found = [](const ticket_options& options) {
        const auto tickets =
            find_lottery_tickets(network(seed{5}), quarters(200), quarters(100, 1), cross_entropy{}, optimizer, options, training);
        return tickets ? std::string() : tickets.error().message;
    };
    CHECK(found({.rate = 1.0}) == "prune: expected a sparsity in [0, 1), found 1");
    CHECK(found({.rate = std::numeric_limits<double>::quiet_NaN()}) == "prune: expected a sparsity in [0, 1), found nan");
    CHECK(found({.rewind_step = 48}) == "lottery ticket: expected a rewind_step within the 48 steps of the training, found 48");
    CHECK(found({.evaluate_every = 0}) == "lottery ticket: expected evaluate_every of at least 1 step, found 0");

    const auto with = [](const model_masks& masks) {
        return train_with_masks(network(seed{5}), masks, quarters(200), quarters(100, 1), cross_entropy{}, optimizer, 100, training)
            .error()
            .message;
    };
    CHECK(with({{"2.weight", sparse_mask(19, 4)}}) == "with_masks: 2.weight: expected a mask of 4 x 19, found one of 19 x 4");
}
