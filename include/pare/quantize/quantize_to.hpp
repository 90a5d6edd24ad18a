#ifndef PARE_QUANTIZE_QUANTIZE_TO_HPP
#define PARE_QUANTIZE_QUANTIZE_TO_HPP

#include <pare/quantize/sensitivity.hpp>

PARE_NAMESPACE_BEGIN

/// At most this many bytes for all that a deployed model stores: weights, scales, biases (summarize(model).bytes).
struct byte_budget {
    std::size_t bytes = 0;
};

/// At most `limit` of what measure(prepared model) returns: the microseconds of a run, as the host's clock has them, or whatever
/// else it counts. Called once per layer and candidate, and once per step of the search, so it should be steady: the least of
/// several runs.
template <class Measure>
struct latency_budget {
    double limit = 0.0;
    Measure measure;
};
template <class Measure>
latency_budget(double, Measure) -> latency_budget<Measure>;

/// The smallest model whose evaluate(model), greater being better, is at most largest_loss below that of the model as it was.
/// Called once per step of the search.
template <class Evaluate>
struct accuracy_budget {
    double largest_loss = 0.0;
    Evaluate evaluate;
};
template <class Evaluate>
accuracy_budget(double, Evaluate) -> accuracy_budget<Evaluate>;

namespace detail {

/// What a search knows: the divergence and the cost of each candidate of each layer, and which are chosen.
class candidate_search {
public:
    struct step {
        std::size_t layer;
        std::size_t candidate;
    };

    explicit candidate_search(const std::vector<layer_sensitivity>& layers) : layers_(&layers), chosen_(layers.size(), 0) {
        for (const layer_sensitivity& layer : layers) {
            cost_.emplace_back();
            for (const candidate_sensitivity& c : layer.candidates) {
                cost_.back().push_back(c.possible ? static_cast<double>(c.bytes) : refused);
            }
        }
    }

    std::size_t chosen(std::size_t layer) const noexcept { return chosen_[layer]; }
    void choose(step s) noexcept { chosen_[s.layer] = s.candidate; }
    double& cost(std::size_t layer, std::size_t candidate) noexcept { return cost_[layer][candidate]; }
    /// Candidates that are not to be tried cost more than any.
    static constexpr double refused = 1e300;

    double total() const noexcept {
        double sum = 0.0;
        for (std::size_t l = 0; l < chosen_.size(); ++l) {
            sum += cost_[l][chosen_[l]];
        }
        return sum;
    }
    double least() const noexcept {
        double sum = 0.0;
        for (const auto& costs : cost_) {
            sum += *std::min_element(costs.begin(), costs.end());
        }
        return sum;
    }

    /// The step to a cheaper candidate that adds the least divergence for what it saves.
    std::optional<step> cheaper() const {
        return best([](double divergence, double saved) { return saved > 0.0 ? divergence / saved : refused; });
    }
    /// The step that takes most divergence away for at most `most` of cost.
    std::optional<step> better(double most) const {
        return best([most](double divergence, double saved) { return divergence < 0.0 && -saved <= most ? divergence : refused; });
    }

private:
    /// The step with the least score(divergence added, cost saved).
    template <class Score>
    std::optional<step> best(const Score& score) const {
        std::optional<step> found;
        double least = refused;
        for (std::size_t l = 0; l < chosen_.size(); ++l) {
            const auto& candidates = (*layers_)[l].candidates;
            const std::size_t now = chosen_[l];
            for (std::size_t c = 0; c < candidates.size(); ++c) {
                if (c == now || cost_[l][c] >= refused) {
                    continue;
                }
                const double s = score(candidates[c].divergence - candidates[now].divergence, cost_[l][now] - cost_[l][c]);
                if (s < least) {
                    least = s;
                    found = step{l, c};
                }
            }
        }
        return found;
    }

    const std::vector<layer_sensitivity>* layers_;
    std::vector<std::size_t> chosen_;
    std::vector<std::vector<double>> cost_;
};

/// The searches: each leaves the model with the candidates that it has found. `Isa` is what measure() is given a model for.
template <class Isa, class Mixed>
std::optional<error> search(Mixed& mixed, candidate_search& choice, const byte_budget& budget) {
    const std::size_t all = summarize(mixed.model()).bytes;
    const double fixed = static_cast<double>(all) - choice.total();  // biases and what the selection left out
    const double limit = static_cast<double>(budget.bytes) - fixed;
    if (choice.least() > limit) {
        return error{error_code::invalid_argument,
                     sentence("quantize_to: expected a budget of at least ", static_cast<std::size_t>(choice.least() + fixed),
                              " bytes, the smallest that these candidates make; found ", budget.bytes)};
    }
    while (choice.total() > limit) {
        choice.choose(*choice.cheaper());
    }
    while (const auto step = choice.better(limit - choice.total())) {  // what the last step saved too much
        choice.choose(*step);
    }
    for (std::size_t l = 0; l < mixed.layers(); ++l) {
        mixed.choose(l, choice.chosen(l));
    }
    return std::nullopt;
}

template <class Isa, class Mixed, class Measure>
std::optional<error> search(Mixed& mixed, candidate_search& choice, const latency_budget<Measure>& budget) {
    const auto measured = [&] { return static_cast<double>(budget.measure(prepare<Isa>(mixed.model()))); };
    double now = measured();
    double least = now;
    const double before = now;
    for (std::size_t l = 0; l < mixed.layers(); ++l) {
        choice.cost(l, 0) = 0.0;
        for (std::size_t c = 1; c < mixed.candidates; ++c) {
            if (choice.cost(l, c) < choice.refused) {
                mixed.choose(l, c);
                choice.cost(l, c) = measured() - before;
            }
        }
        mixed.choose(l, 0);
    }
    while (now > budget.limit) {
        const auto step = choice.cheaper();
        if (!step) {
            return error{error_code::invalid_argument,
                         sentence("quantize_to: expected a limit of at least ", least,
                                  ", the least that was measured with these candidates; found ", budget.limit)};
        }
        choice.choose(*step);
        mixed.choose(step->layer, step->candidate);
        now = measured();
        least = now < least ? now : least;
    }
    return std::nullopt;
}

template <class Isa, class Mixed, class Evaluate>
std::optional<error> search(Mixed& mixed, candidate_search& choice, const accuracy_budget<Evaluate>& budget) {
    if (!(budget.largest_loss >= 0.0)) {
        return error{error_code::invalid_argument,
                     sentence("quantize_to: expected a loss of at least 0, with which weights stay as they are; found ",
                              budget.largest_loss)};
    }
    const double least = static_cast<double>(budget.evaluate(mixed.model())) - budget.largest_loss;
    std::vector<std::pair<candidate_search::step, double>> failed;  // and their costs
    while (const auto step = choice.cheaper()) {
        const std::size_t was = choice.chosen(step->layer);
        double& cost = choice.cost(step->layer, step->candidate);
        mixed.choose(step->layer, step->candidate);
        if (static_cast<double>(budget.evaluate(mixed.model())) >= least) {
            choice.choose(*step);
            for (const auto& [other, its_cost] : failed) {  // may do with this one
                choice.cost(other.layer, other.candidate) = its_cost;
            }
            failed.clear();
        } else {
            mixed.choose(step->layer, was);
            failed.emplace_back(*step, std::exchange(cost, choice.refused));
        }
    }
    return std::nullopt;
}

}  // namespace detail

/// The model with each layer's weights stored in the way that a budget leaves it, of those in Candidates: a byte_budget, a
/// latency_budget or an accuracy_budget. Layers go to fewer bits one by one, first what adds the least divergence of the outputs
/// (sensitivity_of(), over some hundred samples) for what it saves; divergences of several layers are taken to add up. Layers that
/// the selection does not take stay as they are; one that a batch norm follows wants fold_batch_norm() before. Takes a model of
/// float weights, or a result of one. Errors: a budget that cannot be met, with the smallest that can; those of sensitivity_of().
///
///     auto small = quantize_to(model, calibration, byte_budget{100'000});
///     auto fast = quantize_to(model, calibration, latency_budget{20.0, [&](const auto& ready) { return microseconds(ready); }});
///     auto good = quantize_to(model, calibration, accuracy_budget{0.002, [&](const auto& m) { return accuracy_of(m, test); }});
template <class Candidates = mixed_precision, class Isa = isa::native, class Model, dataset Data, class Budget,
          class Selection = every_layer, executor Executor = serial_executor>
auto quantize_to(const Model& model, const Data& data, const Budget& budget, Selection selection = {}, Executor&& exec = {}) {
    return and_then(model, [&](const auto& m) {
        auto mixed = detail::make_mixed<Candidates>(m, selection);
        using made = std::remove_cvref_t<decltype(mixed.model())>;
        const auto layers = detail::measure_sensitivity<Isa>(mixed, data, exec);
        if (!layers) {
            return result<made>(layers.error());
        }
        detail::candidate_search choice(*layers);
        auto problem = detail::search<Isa>(mixed, choice, budget);
        return problem ? result<made>(*std::move(problem)) : result<made>(mixed.model());
    });
}

PARE_NAMESPACE_END

#endif
