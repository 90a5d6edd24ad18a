// The lottery ticket hypothesis: Frankle, Carbin 2019, figures 1 and 4. LeNet-300-100 (Glorot normal, Adam 1.2e-3, batches of 60)
// is pruned by 20% of its weights per round, the output layer by 10%, and rewound to its initialization. 5,000 training images are
// held out; early stopping is at the least validation loss, which is measured every 100 steps.

#include <cstdio>
#include <optional>

#include <nlohmann/json.hpp>

#include <pare/core/thread_pool.hpp>
#include <pare/pare.hpp>

#include "experiment.hpp"
#include "plot.hpp"

namespace reproduce {

namespace {

using namespace pare;

struct figures {
    std::size_t early_stop = 0;
    double validation_loss = 0.0;
    std::size_t errors = 0;  // of the test images, at early stopping
    std::size_t errors_at_end = 0;
    std::vector<validation_point> curve;
};

struct level {
    double left;  // of the weights
    figures ticket, random_weights, random_masks;
};

auto lenet(std::uint64_t s) {
    return initialized(sequential(dense<784, 300>(), relu(), dense<300, 100>(), relu(), dense<100, 10>()), glorot_normal{},
                       seed{s});
}

template <class Model>
figures figures_of(const ticket_training<Model>& t, const digits& test) {
    return {t.early_stop.step, t.early_stop.loss, count_errors(t.at_early_stop, test).value(),
            count_errors(t.trained, test).value(), t.curve};
}

/// The levels of one seed; the first is the dense network.
result<std::vector<level>> run_seed(const options& o, const digits& images, const digits& test, std::uint64_t s) {
    const part_of<digits> train{&images, 0, o.quick ? 15000 : images.size() - 5000};
    const part_of<digits> validation{&images, images.size() - 5000, 5000};
    const fit_options run = {.epochs = o.quick ? 4u : 5u, .batch_size = 60, .shuffle_seed = seed{s}};
    const adam optimizer = {.learning_rate = 1.2e-3f};
    // In a hurry, three rounds of 40% also leave 21.6%.
    const ticket_options ticket = {
        .rounds = o.quick ? 3u : 7u, .rate = o.quick ? 0.4 : 0.2, .evaluate_every = o.quick ? 50u : 100u};
    const auto tickets = find_lottery_tickets(lenet(s), train, validation, cross_entropy{}, optimizer, ticket, run,
                                              layer_targets{{{"4", ticket.rate / 2}}});
    if (!tickets) {
        return tickets.error();
    }
    std::vector<level> levels;
    for (const auto& round : tickets->rounds) {
        level now{1.0 - round.sparsity(), figures_of(round, test), {}, {}};
        const bool last = &round == &tickets->rounds.back();
        const auto control = [&](const auto& model, const model_masks& masks) {
            return train_with_masks(model, masks, train, validation, cross_entropy{}, optimizer, ticket.evaluate_every, run);
        };
        if (last) {
            const auto random_weights = control(lenet(s + 1000000), round.masks);
            if (!random_weights) {
                return random_weights.error();
            }
            now.random_weights = figures_of(*random_weights, test);
        }
        if (last && !o.quick) {
            const auto random = control(tickets->rewound, random_masks(round.masks, seed{s}));
            if (!random) {
                return random.error();
            }
            now.random_masks = figures_of(*random, test);
        }
        levels.push_back(now);
    }
    return levels;
}

template <class F>
point over_seeds(const std::vector<std::vector<level>>& runs, const F& f) {
    point p{0.0, 1e300, -1e300};
    for (const auto& run : runs) {
        const double value = f(run);
        p.y += value / static_cast<double>(runs.size());
        p.low = std::min(p.low, value);
        p.high = std::max(p.high, value);
    }
    return p;
}

nlohmann::json to_json(const figures& f) {
    nlohmann::json curve;
    for (const validation_point& p : f.curve) {
        curve.push_back({p.step, p.loss});
    }
    return {{"early_stop_step", f.early_stop},
            {"validation_loss", f.validation_loss},
            {"errors_at_early_stop", f.errors},
            {"errors_at_end", f.errors_at_end},
            {"validation_losses", curve}};
}

}  // namespace

int lottery_ticket(const options& o) {
    const auto images = load_mnist(o, "train"), test = load_mnist(o, "t10k");
    if (!images || !test) {
        return fail(images ? test.error() : images.error());
    }
    const std::size_t seeds = o.seeds != 0 ? o.seeds : o.quick ? 1 : 5;
    std::vector<std::optional<result<std::vector<level>>>> results(seeds);
    thread_pool pool(o.threads);  // a seed to each: a training of this size keeps one core busy
    pool.for_each(seeds, [&](std::size_t i) {
        results[i].emplace(run_seed(o, *images, *test, o.seed + i));
        if (*results[i]) {
            for (const level& l : **results[i]) {
                std::fprintf(stderr, "seed %zu, %5.1f%%: step %zu, %zu errors; controls: %zu, %zu; %zu, %zu\n",
                             static_cast<std::size_t>(o.seed) + i, 100.0 * l.left, l.ticket.early_stop, l.ticket.errors,
                             l.random_weights.early_stop, l.random_weights.errors, l.random_masks.early_stop,
                             l.random_masks.errors);
            }
        }
    });
    std::vector<std::vector<level>> runs;
    for (const auto& r : results) {
        if (!*r) {
            return fail((*r).error());
        }
        runs.push_back(**r);
    }

    const std::size_t levels = runs[0].size();
    panel steps{"step of early stopping", {}, {{"ticket", 0, {}}, {"random weights", 1, {}}}};
    panel accuracy{"test accuracy there, %", {}, {{"ticket", 0, {}}, {"random weights", 1, {}}}};
    nlohmann::json json = {{"experiment", "lottery_ticket"}, {"isa", isa::native::name}, {"seed", o.seed}, {"quick", o.quick}};
    std::printf("mean of %zu seeds   early stopping at step     errors of 10,000 there       after all steps\n", seeds);
    std::printf("weights left       ticket  random weights     ticket  random weights     ticket  random weights\n");
    const auto has_control = [&](std::size_t l) { return runs[0][l].random_weights.early_stop != 0; };
    for (std::size_t l = 0; l < levels; ++l) {
        const auto mean = [&](auto member, auto figure) {
            return over_seeds(runs, [&](const std::vector<level>& run) { return static_cast<double>(run[l].*member.*figure); });
        };
        const auto right = [&](auto member) {
            return over_seeds(runs, [&](const std::vector<level>& run) {
                return 100.0 - static_cast<double>((run[l].*member).errors) / static_cast<double>(test->size()) * 100.0;
            });
        };
        char label[16];
        std::snprintf(label, sizeof label, l == 0 ? "%.0f%%" : "%.3g%%", 100.0 * runs[0][l].left);
        steps.labels.push_back(label);
        accuracy.labels.push_back(label);
        steps.lines[0].points.push_back(mean(&level::ticket, &figures::early_stop));
        accuracy.lines[0].points.push_back(right(&level::ticket));
        std::printf("%-12s %12.0f", label, steps.lines[0].points.back().y);
        if (has_control(l)) {
            steps.lines[1].first = accuracy.lines[1].first = l - steps.lines[1].points.size();
            steps.lines[1].points.push_back(mean(&level::random_weights, &figures::early_stop));
            accuracy.lines[1].points.push_back(right(&level::random_weights));
            std::printf(" %15.0f %10.1f %15.1f %10.1f %15.1f\n", steps.lines[1].points.back().y,
                        mean(&level::ticket, &figures::errors).y, mean(&level::random_weights, &figures::errors).y,
                        mean(&level::ticket, &figures::errors_at_end).y, mean(&level::random_weights, &figures::errors_at_end).y);
        } else {
            std::printf(" %15s %10.1f %15s %10.1f\n", "", mean(&level::ticket, &figures::errors).y, "",
                        mean(&level::ticket, &figures::errors_at_end).y);
        }
        if (runs[0][l].random_masks.early_stop != 0) {
            std::printf("%-12s %12.0f %26.1f %26.1f\n", "random masks", mean(&level::random_masks, &figures::early_stop).y,
                        mean(&level::random_masks, &figures::errors).y, mean(&level::random_masks, &figures::errors_at_end).y);
        }
    }
    for (std::size_t i = 0; i < seeds; ++i) {
        for (const level& l : runs[i]) {
            nlohmann::json row = {{"seed", o.seed + i}, {"weights_left", l.left}, {"ticket", to_json(l.ticket)}};
            if (l.random_weights.early_stop != 0) {
                row["random_weights"] = to_json(l.random_weights);
            }
            if (l.random_masks.early_stop != 0) {
                row["random_masks"] = to_json(l.random_masks);
            }
            json["rows"].push_back(row);
        }
    }
    if (!write(o.json, json.dump(2) + "\n") || !write(o.svg, plot_svg({steps, accuracy}, "weights left"))) {
        return 1;
    }
    const double earlier = 1.0 - steps.lines[0].points.back().y / steps.lines[0].points.front().y;
    const double better = accuracy.lines[0].points.back().y - accuracy.lines[1].points.back().y;
    const double than_dense = accuracy.lines[0].points.back().y - accuracy.lines[0].points.front().y;
    std::printf(
        "with %s of the weights: early stopping %.0f%% earlier than dense, %.2f points more accurate there than with random "
        "weights\n",
        steps.labels.back().c_str(), 100.0 * earlier, better);
    return missed(
        earlier >= (o.quick ? 0.0 : 0.3) && better > 0.0 && (o.quick || than_dense > 0.0),
        "the ticket stops earlier than the dense network, and is more accurate than it and than random weights with its masks");
}

}  // namespace reproduce
