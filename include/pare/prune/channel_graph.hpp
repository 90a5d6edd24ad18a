#ifndef PARE_PRUNE_CHANNEL_GRAPH_HPP
#define PARE_PRUNE_CHANNEL_GRAPH_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/prune/count_rules.hpp>
#include <pare/prune/criteria.hpp>
#include <pare/prune/width_rule.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// One of the numbers that flow through a network at some place, in every sample: which unit it comes from, and what it always is,
/// where that is known.
struct channel {
    std::size_t node;
    bool known = false;
    float value = 0.0f;
};
/// Those of the last extent of a sample, in order.
using channel_list = std::vector<channel>;

/// The units of a network (filters, neurons, hidden units, heads, ...), as nodes: which must be kept or removed together, which
/// have to stay, what they score, and in the end which are kept. Made by one walk through the network; another one, behind
/// rewind(), gets the same nodes and changes nothing.
class channel_graph {
public:
    /// `n` nodes; the first of them.
    std::size_t add(std::size_t n) {
        const std::size_t first = next_;
        next_ += n;
        while (parent_.size() < next_) {
            parent_.push_back(parent_.size());
        }
        fate_.resize(parent_.size(), fate::open);
        blocked_.resize(parent_.size(), false);
        score_.resize(parent_.size(), 0.0f);
        scored_.resize(parent_.size(), false);
        norm_scale_.resize(parent_.size(), std::nullopt);
        reason_.resize(parent_.size(), no_reason);
        return first;
    }
    /// The units of a layer at a place; `sets` of as many that need not be alike, but of which as many are kept. Heads are not
    /// rounded up to multiples: they are no width.
    std::size_t add_units(const char* place, const char* name, std::size_t count, std::size_t sets = 1, bool is_width = true) {
        const std::size_t first = add(count * sets);
        if (!decided_) {
            groups_.push_back({place, name, first, count, sets, is_width});
        }
        return first;
    }
    /// `n` channels that are kept, and why.
    channel_list add_kept(std::size_t n, const std::string& why) {
        const std::size_t first = add(n);
        channel_list list(n);
        for (std::size_t i = 0; i < n; ++i) {
            list[i].node = first + i;
        }
        keep(list, why);
        return list;
    }

    void keep(const channel_list& list, const std::string& why) {
        if (!decided_) {
            reasons_.push_back(why);
            for (const channel& c : list) {
                const std::size_t root = root_of(c.node);
                fate_[root] = fate::kept;
                reason_[root] = reason_[root] == no_reason ? reasons_.size() - 1 : reason_[root];
            }
        }
    }
    /// The unit has an effect that is not constant.
    void block(std::size_t node) { blocked_[root_of(node)] = true; }

    void unite(std::size_t a, std::size_t b) {
        a = root_of(a), b = root_of(b);
        if (a != b) {
            parent_[b] = a;
            fate_[a] = fate_[b] == fate::kept ? fate::kept : fate_[a];
            reason_[a] = reason_[a] == no_reason ? reason_[b] : reason_[a];
            blocked_[a] = blocked_[a] || blocked_[b];
        }
    }

    /// Row i of some weights, which stay where they are, makes a unit: node_of(i).
    template <class NodeOf>
    void add_weights(std::span<const float> weights, std::size_t rows, const NodeOf& node_of) {
        if (!decided_) {
            weights_.push_back({weights, std::vector<std::size_t>(rows)});
            for (std::size_t row = 0; row < rows; ++row) {
                weights_.back().nodes[row] = node_of(row);
            }
        }
    }
    /// The same for columns, which are units from node `first` on.
    void add_columns(std::span<const float> weights, std::size_t columns, std::size_t first) {
        if (!decided_) {
            const std::size_t rows = weights.size() / columns;
            auto& turned = turned_.emplace_back(weights.size());
            for (std::size_t i = 0; i < weights.size(); ++i) {
                turned[i % columns * rows + i / columns] = weights[i];
            }
            add_weights(turned, columns, [&](std::size_t column) { return first + column; });
        }
    }
    /// The scale of the batch norm behind a unit.
    void add_norm(std::size_t node, float scale) { norm_scale_[node] = scale; }

    /// The same walk again.
    void rewind() noexcept { next_ = 0; }
    /// The next node to be added.
    std::size_t next() const noexcept { return next_; }

    bool keeps(std::size_t node) const noexcept { return fate_[root_of(node)] != fate::removed; }
    /// The places in a list of channels that are kept.
    std::vector<std::size_t> kept(const channel_list& list) const {
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (keeps(list[i].node)) {
                places.push_back(i);
            }
        }
        return places;
    }

    /// Decides which units are kept: of each layer those that score highest, of equal ones the last. Errors: requests for a layer
    /// that has no units, for 0, for more than there are, or that contradict what must be kept; a criterion that cannot score the
    /// units of a layer of which some must go.
    template <class Criterion>
    std::optional<error> decide(const width_rule& rule, const Criterion& criterion) {
        if (auto problem = check(rule)) {
            return problem;
        }
        score(criterion);
        if (rule.only_constant) {
            for (std::size_t i = 0; i < parent_.size(); ++i) {
                fate_[i] = blocked_[root_of(i)] ? fate::kept : fate_[i];
            }
        }
        const auto request_of = [&](const unit_group& g) {
            return std::find_if(rule.requests.begin(), rule.requests.end(), [&](const auto& r) { return r.place == g.place; });
        };
        std::optional<error> problem;
        for (const bool requested : {true, false}) {  // those that nobody asked about follow those that they are tied to
            for (const unit_group& g : groups_) {
                const auto request = request_of(g);
                if (problem || (request != rule.requests.end()) != requested) {
                    continue;
                }
                if (requested) {
                    problem =
                        choose(g, request->units != 0 ? request->units : share_of(g.count, request->percent, request->multiple));
                } else {
                    problem = choose_freely(g, rule);
                }
            }
        }
        decided_ = true;
        return problem;
    }

private:
    enum class fate : char { open, kept, removed };
    static constexpr std::size_t no_reason = static_cast<std::size_t>(-1);

    struct unit_group {
        std::string place;
        const char* name;
        std::size_t first;
        std::size_t count;
        std::size_t sets;
        bool is_width;
    };
    struct unit_weights {
        std::span<const float> values;
        std::vector<std::size_t> nodes;  // of rows
    };
    struct tally {
        std::size_t open = 0, kept = 0;
    };

    std::size_t root_of(std::size_t node) const noexcept {
        while (parent_[node] != node) {
            node = parent_[node];
        }
        return node;
    }

    /// The score of a unit: the means of those of its weights, added up over all weights that make it or what it is added to.
    template <class Criterion>
    void score(const Criterion& criterion) {
        for (std::size_t m = 0; m < weights_.size(); ++m) {
            const auto& [values, nodes] = weights_[m];
            std::vector<float> norm;
            for (const std::size_t node : nodes) {
                if (norm_scale_[node]) {
                    norm.push_back(*norm_scale_[node]);
                }
            }
            const std::size_t columns = values.size() / nodes.size();
            norm.resize(norm.size() == nodes.size() ? norm.size() : 0);
            const criterion_input input{
                .weights = values, .rows = nodes.size(), .columns = columns, .matrix = m, .gathered = {}, .channel_scale = norm};
            if constexpr (requires { criterion.problem(input); }) {
                if (const auto problem = criterion.problem(input)) {
                    unscored_ = *problem;
                    continue;
                }
            }
            const auto scores = scores_of(criterion, input);
            for (std::size_t row = 0; row < nodes.size(); ++row) {
                double sum = 0.0;
                for (std::size_t i = row * columns; i < (row + 1) * columns; ++i) {
                    sum += double{scores[i]};
                }
                const std::size_t root = root_of(nodes[row]);
                score_[root] += static_cast<float>(sum / static_cast<double>(columns));
                scored_[root] = true;
            }
        }
    }

    tally count(const unit_group& g, std::size_t set) const noexcept {
        tally t;
        for (std::size_t i = 0; i < g.count; ++i) {
            const fate f = fate_[root_of(g.first + set * g.count + i)];
            t.open += f == fate::open;
            t.kept += f == fate::kept;
        }
        return t;
    }

    std::optional<error> check(const width_rule& rule) const {
        if (rule.percent == 0 || rule.percent > 100) {
            return error{error_code::invalid_argument, sentence("shrink: expected 1 to 100 percent, found ", rule.percent)};
        }
        for (const width_request& r : rule.requests) {
            const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const auto& g) { return g.place == r.place; });
            if (found == groups_.end()) {
                std::string places;
                for (const unit_group& g : groups_) {
                    places += (places.empty() ? "" : ", ") + g.place;
                }
                return error{error_code::not_found, sentence("shrink: expected the place of a layer that has units to remove (",
                                                             places, "), found ", r.place)};
            }
            if ((r.units == 0 && r.percent == 0) || r.units > found->count || r.percent > 100) {
                return error{error_code::invalid_argument,
                             sentence("shrink: ", r.place, ": expected 1 to ", found->count, " ", found->name, ", found ",
                                      r.units == 0 && r.percent != 0 ? sentence(r.percent, "%") : sentence(r.units))};
            }
        }
        return std::nullopt;
    }

    /// As the rule for all layers says, as far as what is decided allows.
    std::optional<error> choose_freely(const unit_group& g, const width_rule& rule) {
        std::size_t least = 0, most = g.count;
        for (std::size_t set = 0; set < g.sets; ++set) {
            const tally t = count(g, set);
            least = (std::max)(least, t.kept);
            most = (std::min)(most, t.kept + t.open);
        }
        const std::size_t multiple = g.is_width ? rule.multiple : 1;
        const std::size_t wanted = rule.only_constant ? (std::max)(std::size_t{1}, (least + multiple - 1) / multiple * multiple)
                                                      : share_of(g.count, rule.percent, multiple);
        return choose(g, (std::min)((std::max)(wanted, least), most));
    }

    std::optional<error> choose(const unit_group& g, std::size_t wanted) {
        for (std::size_t set = 0; set < g.sets; ++set) {
            const tally t = count(g, set);
            if (wanted < t.kept || wanted > t.kept + t.open) {
                std::size_t reason = no_reason;
                for (std::size_t i = 0; i < g.count; ++i) {
                    const std::size_t own = reason_[root_of(g.first + set * g.count + i)];
                    reason = own != no_reason ? own : reason;
                }
                return error{error_code::invalid_argument,
                             sentence("shrink: ", g.place, ": expected ", wanted < t.kept ? t.kept : t.kept + t.open, " ", g.name,
                                      reason != no_reason ? sentence(", because ", reasons_[reason])
                                                          : ", as many as are kept of those that they are added to",
                                      ", found a request for ", wanted)};
            }
            std::vector<std::size_t> open, units(parent_.size(), 0);
            for (std::size_t i = g.first + set * g.count; i < g.first + (set + 1) * g.count; ++i) {
                const std::size_t root = root_of(i);
                ++units[root];
                if (fate_[root] == fate::open) {
                    fate_[root] = fate::removed;
                    open.push_back(root);
                }
            }
            const bool all_scored = std::all_of(open.begin(), open.end(), [&](std::size_t root) { return scored_[root]; });
            if (wanted > t.kept && wanted < t.kept + t.open && !all_scored) {
                return error{error_code::invalid_argument, sentence("shrink: ", g.place, ": ", unscored_)};
            }
            std::sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
                const auto first = score_order(score_[a]), second = score_order(score_[b]);
                return first != second ? first > second : a > b;
            });
            for (std::size_t i = 0, kept = t.kept; i < open.size() && kept < wanted; ++i) {
                fate_[open[i]] = fate::kept;
                kept += units[open[i]];
            }
        }
        return std::nullopt;
    }

    std::vector<unit_group> groups_;
    std::vector<std::string> reasons_;
    std::vector<std::size_t> parent_;
    std::vector<fate> fate_;
    std::vector<bool> blocked_;
    std::vector<unit_weights> weights_;
    std::vector<std::vector<float>> turned_;
    std::vector<std::optional<float>> norm_scale_;
    std::vector<float> score_;
    std::vector<bool> scored_;
    std::string unscored_;
    std::vector<std::size_t> reason_;
    std::size_t next_ = 0;
    bool decided_ = false;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
