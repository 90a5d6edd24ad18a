#ifndef PARE_PRUNE_SHRINK_CONTAINERS_HPP
#define PARE_PRUNE_SHRINK_CONTAINERS_HPP

#include <pare/core/tuple.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/residual.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/prune/shrink_layers.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <std::size_t I, class Parts>
struct part_name;
template <std::size_t I, auto First, auto... Rest, class... Layers>
struct part_name<I, part_list<part_names<First, Rest...>, Layers...>> {
    static constexpr auto value = [] {
        if constexpr (I == 0) {
            return First;
        } else {
            return part_name<I - 1, part_list<part_names<Rest...>>>::value;
        }
    }();
};
/// The path of layer I in a container.
template <class Path, class Container, std::size_t I>
using path_of_part = typename Path::template in<part_name<I, parts_type<Container>>::value>;

template <class... Layers>
struct shrinking<sequential<Layers...>> {
    using layer_type = sequential<Layers...>;

    template <class Path, class Shape>
    static void trace(const layer_type& network, const Shape& in, channel_list& channels, channel_graph& graph) {
        network.plan().walk(in, [&](auto index, const auto&, const auto& shape, const auto&) {
            trace_channels<path_of_part<Path, layer_type, index>>(std::get<index>(network.layers), shape, channels, graph);
        });
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& network, const Old& old, const New& now, channel_list& channels, channel_graph& graph) {
        return step<Widths, Path>(network, old, now, channels, graph);
    }

private:
    template <class Widths, class Path, class Old, class New, class... Done>
    static auto step(const layer_type& network, const Old& old, const New& now, channel_list& channels, channel_graph& graph,
                     Done... done) {
        constexpr std::size_t index = sizeof...(Done);
        if constexpr (index == sizeof...(Layers)) {
            return sequential<Done...>(std::move(done)...);
        } else {
            const auto& layer = std::get<index>(network.layers);
            auto left = rebuild_layer<Widths, path_of_part<Path, layer_type, index>>(layer, old, now, channels, graph);
            const auto next = left.plan().output_shape(now);
            return step<Widths, Path>(network, layer.plan().output_shape(old), next, channels, graph, std::move(done)...,
                                      std::move(left));
        }
    }
};

/// sum += terms, number by number: those that are added up are kept or removed together.
inline void add_channels(channel_list& sum, const channel_list& terms, channel_graph& graph) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
        graph.unite(sum[i].node, terms[i].node);
        sum[i].known = sum[i].known && terms[i].known;
        sum[i].value += terms[i].value;
    }
}

template <class Body>
struct shrinking<residual<Body>> {
    template <class Path>
    using body_path = path_of_part<Path, residual<Body>, 0>;

    template <class Path, class Shape>
    static void trace(const residual<Body>& block, const Shape& in, channel_list& channels, channel_graph& graph) {
        const channel_list skipped = channels;
        trace_channels<body_path<Path>>(block.body, in, channels, graph);
        add_channels(channels, skipped, graph);
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const residual<Body>& block, const Old& old, const New& now, channel_list& channels, channel_graph& graph) {
        const channel_list skipped = channels;
        auto body = rebuild_layer<Widths, body_path<Path>>(block.body, old, now, channels, graph);
        add_channels(channels, skipped, graph);
        return residual<decltype(body)>(std::move(body));
    }
};

template <branch_join Join, class... Layers>
struct shrinking<branches<Join, Layers...>> {
    using layer_type = branches<Join, Layers...>;

    template <class Path, class Shape>
    static void trace(const layer_type& container, const Shape& in, channel_list& channels, channel_graph& graph) {
        const auto each = [&]<std::size_t I>(channel_list& own) {
            trace_channels<path_of_part<Path, layer_type, I>>(std::get<I>(container.layers), in, own, graph);
            return 0;
        };
        joined(channels, graph, each, [](const auto&...) {});
    }
    template <class Widths, class Path, class Old, class New>
    static auto rebuild(const layer_type& container, const Old& old, const New& now, channel_list& channels, channel_graph& graph) {
        const auto each = [&]<std::size_t I>(channel_list& own) {
            return rebuild_layer<Widths, path_of_part<Path, layer_type, I>>(std::get<I>(container.layers), old, now, own, graph);
        };
        return joined(channels, graph, each,
                      [](auto&&... l) { return branches<Join, std::decay_t<decltype(l)>...>(std::move(l)...); });
    }

private:
    /// make(each<I>(channels of branch I)...); channels become those of all.
    template <class Each, class Make>
    static auto joined(channel_list& channels, channel_graph& graph, const Each& each, const Make& make) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            channel_list own[] = {(static_cast<void>(I), channels)...};
            auto made = std::tuple{each.template operator()<I>(own[I])...};  // in order
            channels = std::move(own[0]);
            for (std::size_t i = 1; i < sizeof...(I); ++i) {
                if (Join == branch_join::add) {
                    add_channels(channels, own[i], graph);
                } else {
                    channels.insert(channels.end(), own[i].begin(), own[i].end());
                }
            }
            return detail::apply(make, std::move(made));
        }
        (std::index_sequence_for<Layers...>{});
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
