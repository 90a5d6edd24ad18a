#ifndef PARE_TYPES_MIXED_WEIGHTS_HPP
#define PARE_TYPES_MIXED_WEIGHTS_HPP

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <pare/types/activations.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// The activations of a candidate that takes them as its layer does: where candidates differ in their layouts alone.
struct as_given {
    static constexpr const char* note = "";
};

/// One way to store the weights of a layer, and the activations that they multiply.
template <class Element, class Activations, class Layout = full>
struct candidate {
    static_assert(std::is_empty_v<Activations>, "pare: a candidate's activations must be as_float, dynamic_range or as_given");
    using element = Element;
    using activations = Activations;
    using layout = Layout;
    using weights = weight_matrix<Element, Layout>;

    /// Weights of this shape, of which a sparse layout stores none.
    static weights of_shape(std::size_t rows, std::size_t columns) {
        return weights(typename Layout::structure(rows, columns, [](std::size_t, std::size_t) { return false; }));
    }
};

/// The activations of mixed_weights: those of the candidate that a layer has.
struct as_chosen {
    static constexpr const char* note = "";
};

namespace detail {

/// Calls f(integral_constant index, what is held).
template <class F, class... Held, std::size_t... I>
void visit_held(const std::variant<Held...>& held, const F& f, std::index_sequence<I...>) {
    const auto visit = [&](auto index) {
        if (const auto* p = std::get_if<index>(&held)) {
            f(index, *p);
        }
    };
    (visit(std::integral_constant<std::size_t, I>{}), ...);
}
template <class F, class... Held>
void visit_held(const std::variant<Held...>& held, const F& f) {
    visit_held(held, f, std::index_sequence_for<Held...>{});
}

}  // namespace detail

/// A matrix of weights that is stored in one of several ways, chosen at run time: layers of one type, and networks of one type, in
/// which each layer has as many bits as it needs, or the layout that suits its zeros. Which one a layer has is asked once per
/// product. quantize_to() chooses elements, sparsify() layouts.
template <class... Candidates>
class mixed_weights {
public:
    static constexpr std::size_t candidates = sizeof...(Candidates);
    template <std::size_t I>
    using candidate_at = std::tuple_element_t<I, std::tuple<Candidates...>>;
    using held_type = std::variant<typename Candidates::weights...>;

    mixed_weights() = default;
    mixed_weights(std::size_t rows, std::size_t columns)
        : held_(std::in_place_index<0>, candidate_at<0>::of_shape(rows, columns)) {}
    template <std::size_t I>
    mixed_weights(std::in_place_index_t<I> index, typename candidate_at<I>::weights w) : held_(index, std::move(w)) {}

    /// Which candidate it is.
    std::size_t chosen() const noexcept { return held_.index(); }
    /// Calls f(integral_constant index, weight_matrix) for the candidate that it is.
    template <class F>
    void visit(const F& f) const {
        detail::visit_held(held_, f);
    }
    /// The candidate I, if that is it.
    template <std::size_t I>
    typename candidate_at<I>::weights* get() noexcept {
        return std::get_if<I>(&held_);
    }
    template <std::size_t I>
    const typename candidate_at<I>::weights* get() const noexcept {
        return std::get_if<I>(&held_);
    }

    std::size_t rows() const noexcept {
        return of([](const auto& w) { return w.rows(); });
    }
    std::size_t columns() const noexcept {
        return of([](const auto& w) { return w.columns(); });
    }
    std::size_t bytes() const noexcept {
        return of([](const auto& w) { return w.bytes(); });
    }
    std::string describe() const {
        std::string text;
        visit([&](auto index, const auto& w) { text = w.describe() + candidate_at<index>::activations::note; });
        return text;
    }

private:
    template <class F>
    std::size_t of(const F& f) const noexcept {
        std::size_t number = 0;
        visit([&](auto, const auto& w) { number = f(w); });
        return number;
    }

    held_type held_;
};

namespace detail {

/// Whether candidates differ in their layouts alone.
template <class Weights>
inline constexpr bool mixes_layouts = false;
template <class Element, class... Layouts>
inline constexpr bool mixes_layouts<mixed_weights<candidate<Element, as_given, Layouts>...>> = true;

}  // namespace detail

/// One element in one of several layouts.
template <class Element, class... Layouts>
using layout_choice = mixed_weights<candidate<Element, as_given, Layouts>...>;

/// The weights f(weight_matrix) of another element, in the layout that w has.
template <class To, class Element, class... Layouts, class F>
layout_choice<To, Layouts...> map_layouts(const layout_choice<Element, Layouts...>& w, const F& f) {
    layout_choice<To, Layouts...> mapped;
    w.visit([&](auto index, const auto& held) { mapped = {std::in_place_index<index>, f(held)}; });
    return mapped;
}

PARE_NAMESPACE_END

#endif
