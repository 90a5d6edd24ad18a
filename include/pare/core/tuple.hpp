#ifndef PARE_CORE_TUPLE_HPP
#define PARE_CORE_TUPLE_HPP

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <pare/config/compiler.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// std::apply for callables that are called as f(...). The standard one also asks whether the call may throw, and takes a quarter of
/// what a compiler spends on the templates of a network.
template <class F, class Tuple>
PARE_INLINE constexpr decltype(auto) apply(F&& f, Tuple&& tuple) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
        return f(std::get<I>(std::forward<Tuple>(tuple))...);
    }(std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Tuple>>>{});
}

/// A tuple with more behind what it holds.
template <class... Held, class... More>
PARE_INLINE constexpr std::tuple<Held..., More...> append(std::tuple<Held...> tuple, More... more) {
    return detail::apply([&](Held&... held) { return std::tuple<Held..., More...>(std::move(held)..., std::move(more)...); },
                         tuple);
}

/// std::tie with more behind what is tied already.
template <class... Tied, class... More>
PARE_INLINE constexpr std::tuple<Tied&..., More&...> tie_more(std::tuple<Tied&...> tied, More&... more) noexcept {
    return detail::apply([&](Tied&... t) { return std::tuple<Tied&..., More&...>(t..., more...); }, tied);
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
