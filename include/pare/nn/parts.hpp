#ifndef PARE_NN_PARTS_HPP
#define PARE_NN_PARTS_HPP

#include <cstddef>
#include <tuple>
#include <type_traits>

#include <pare/core/fixed_string.hpp>
#include <pare/core/tuple.hpp>

PARE_NAMESPACE_BEGIN

template <auto... Names>
struct part_names {};

/// The layers in a layer, by reference, and the names that their members begin with: what `parts` of the layer protocol gives.
template <class Names, class... Layers>
struct part_list;
template <auto... Names, class... Layers>
struct part_list<part_names<Names...>, Layers...> {
    static_assert(sizeof...(Names) == sizeof...(Layers), "pare: named_parts<...>() takes as many names as layers");

    std::tuple<Layers&...> layers;

    /// Calls f.operator()<Name>(layer) for each of them.
    template <class F>
    constexpr void for_each(F&& f) const {
        detail::apply([&](auto&... l) { (f.template operator()<Names>(l), ...); }, layers);
    }
    /// Calls f.operator()<Name, Layer>() for each of them.
    template <class F>
    static constexpr void for_each_type(F&& f) {
        (f.template operator()<Names, std::remove_const_t<Layers>>(), ...);
    }
    /// What f.operator()<Name>(layer) gives for each of them, in order.
    template <class F>
    auto mapped(F&& f) const {
        return detail::apply(
            [&](auto&... l) {
                return std::tuple<decltype(f.template operator()<Names>(l))...>{f.template operator()<Names>(l)...};
            },
            layers);
    }
};

/// named_parts<"query", "key">(self.query, self.key): members are called "query.weight" and so on.
template <fixed_string... Names, class... Layers>
constexpr part_list<part_names<Names...>, Layers...> named_parts(Layers&... layers) noexcept {
    return {{layers...}};
}
/// The same with numbers: "0.weight".
template <std::size_t... Numbers, class... Layers>
constexpr part_list<part_names<Numbers...>, Layers...> named_parts(Layers&... layers) noexcept {
    return {{layers...}};
}

template <class Layer>
concept has_parts = requires(Layer& l) {
    Layer::parts(l);
};
/// The type of the part_list.
template <class Layer>
using parts_type = decltype(Layer::parts(std::declval<Layer&>()));

PARE_NAMESPACE_END

#endif
