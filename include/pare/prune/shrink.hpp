#ifndef PARE_PRUNE_SHRINK_HPP
#define PARE_PRUNE_SHRINK_HPP

#include <initializer_list>

#include <pare/prune/shrink_containers.hpp>
#include <pare/prune/shrink_convolutions.hpp>
#include <pare/prune/shrink_sequences.hpp>

PARE_NAMESPACE_BEGIN

/// Which units shrink() keeps: those that have an effect, their number rounded up to a multiple where there are that many.
struct keep_effective {
    std::size_t multiple_of = 16;

    detail::width_rule rule() const { return {.only_constant = true, .percent = 100, .multiple = multiple_of, .requests = {}}; }
};
/// `percent` of each layer's units, rounded to the nearest, then up to a multiple.
struct keep_percent {
    std::size_t percent = 50;
    std::size_t multiple_of = 16;

    detail::width_rule rule() const {
        return {.only_constant = false, .percent = percent, .multiple = multiple_of, .requests = {}};
    }
};
/// So many of the layers at these places: keep_units{{"0", 40}, {"3.body.0", 16}}. Those that are added to one of them follow it;
/// all of the others.
struct keep_units {
    std::vector<detail::width_request> requests;

    keep_units(std::initializer_list<std::pair<const char*, std::size_t>> of) {
        for (const auto& [place, units] : of) {
            requests.push_back({place, units});
        }
    }
    detail::width_rule rule() const { return {.only_constant = false, .percent = 100, .multiple = 1, .requests = requests}; }
};

/// As template arguments of shrink(): `Units` of the layer at this place, or `Percent` of them, rounded to the nearest and then up
/// to a multiple.
template <fixed_string Place, std::size_t Units>
struct keep {
    static_assert(Units > 0, "pare: keep<place, units>: a layer keeps at least one of its units");
    static constexpr std::string_view place = Place.view();
    static constexpr std::size_t of(std::size_t) noexcept { return Units; }
    static detail::width_request request() { return {std::string(place), Units}; }
};
template <fixed_string Place, std::size_t Percent, std::size_t MultipleOf = 16>
struct keep_share {
    static_assert(Percent > 0 && Percent <= 100 && MultipleOf > 0,
                  "pare: keep_share<place, percent>: a layer keeps more than 0 and at most 100 percent of its units");
    static constexpr std::string_view place = Place.view();
    static constexpr std::size_t of(std::size_t units) noexcept { return detail::share_of(units, Percent, MultipleOf); }
    static detail::width_request request() { return {std::string(place), 0, Percent, MultipleOf}; }
};

namespace detail {

/// The extents of what is left, as the types of a model have them: all known at run time, or as keep<...> say.
struct run_time_widths {
    template <class Path, std::size_t>
    static constexpr std::size_t width = dyn;
};
template <class... Keeps>
struct fixed_widths {
    template <class Path, std::size_t Units>
    static constexpr std::size_t width = [] {
        std::size_t kept = Units;
        ((kept = Keeps::place == std::string_view(Path::text.data()) ? Keeps::of(Units) : kept), ...);
        static_assert(((Keeps::place != std::string_view(Path::text.data()) || Keeps::of(Units) <= Units) && ...),
                      "pare: a keep<place, units> of shrink() is more units than the layer at this place has (Units)");
        return kept;
    }();
};

template <class Widths, class Model, class Criterion>
auto shrunk(const Model& model, const width_rule& rule, const Criterion& criterion) {
    static_assert(
        pare::criterion<Criterion> && !gathers_gradients<Criterion>,
        "pare: shrink() takes a criterion that needs no gradients, such as magnitude; what others choose, prune() with the "
        "pattern by_filter masks, and shrink(freeze(pruned)) removes");
    static_assert(has_input_shape<decltype(model.plan())>,
                  "pare: shrink() has to know the shape of a sample: begin the network with input<...>()");
    const auto shape = model.plan().input_shape();
    channel_graph graph;
    const auto walk = [&](const auto& f) {
        graph.rewind();
        auto channels = graph.add_kept(shape[decltype(shape)::rank - 1], "they are the network's input");
        return f(channels);
    };
    walk([&](channel_list& channels) {
        trace_channels<layer_path<>>(model, shape, channels, graph);
        for (const channel& c : channels) {
            graph.block(c.node);
        }
        graph.keep(channels, "they are the network's output");
        return 0;
    });
    const auto problem = graph.decide(rule, criterion);
    using left = decltype(walk(
        [&](channel_list& channels) { return rebuild_layer<Widths, layer_path<>>(model, shape, shape, channels, graph); }));
    if (problem) {
        return result<left>(*problem);
    }
    return result<left>(
        walk([&](channel_list& channels) { return rebuild_layer<Widths, layer_path<>>(model, shape, shape, channels, graph); }));
}

}  // namespace detail

/// The network without some of its units, which are filters, outputs of dense layers, hidden units of recurrent layers, heads of
/// attention and columns of embeddings: weights become smaller, and so do those of the layers behind, batch and layer norms. What
/// is added up loses the same channels on all sides. Extents of what may lose units are known at run time (`dyn`). Outputs of the
/// network stay, and what flows into and out of layers of which shrink() knows nothing.
///
/// A unit with no weights but zeros (behind a mask, for example) still gives a constant: its bias, through what follows. Constants
/// are added to the biases of the layers that looked at them, so that the outputs are those of the network with all of its units:
/// the same bits where constants are zero, else within some roundings of these biases. Where that cannot be (a border of zeros
/// around a constant that is not zero, a layer norm, a state that begins as zeros) a unit is not without effect, and keep_effective
/// keeps it. keep_percent and keep_units remove the units that score lowest, by the mean of a criterion over the weights that make
/// a unit (in sums, all of those together), of equal ones the first. Where such a unit is not constant, the network left is the one
/// with zeros in its place, and layer norms are over what is left.
///
/// Takes a model or a result of one, of float weights. Errors: places that no layer with units has, more units than there are or
/// none, requests that contradict each other or what has to stay, and a criterion that cannot score a layer. O(weights).
template <class Model, class Rule = keep_effective, class Criterion = magnitude>
auto shrink(const Model& model, const Rule& which = {}, const Criterion& criterion = {}) {
    return and_then(model, [&](const auto& m) { return detail::shrunk<detail::run_time_widths>(m, which.rule(), criterion); });
}

/// The same with numbers of units that are constants of the network's type: shrink<keep<"0", 40>, keep<"3", 16>>(model). All layers
/// whose outputs are added up need one, of equal numbers.
template <class Keep, class... Keeps, class Model, class Criterion = magnitude>
requires requires {
    Keep::place;
}
auto shrink(const Model& model, const Criterion& criterion = {}) {
    return and_then(model, [&](const auto& m) {
        using plain = std::remove_cvref_t<decltype(m)>;
        static_assert(detail::contains_layer<detail::layer_path<>, plain>(Keep::place) &&
                          (detail::contains_layer<detail::layer_path<>, plain>(Keeps::place) && ...),
                      "pare: a place in keep<...> of shrink() is not that of any layer of this model");
        const detail::width_rule rule{
            .only_constant = false, .percent = 100, .multiple = 1, .requests = {Keep::request(), Keeps::request()...}};
        return detail::shrunk<detail::fixed_widths<Keep, Keeps...>>(m, rule, criterion);
    });
}

PARE_NAMESPACE_END

#endif
