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

/// One way to store the weights of a layer, and the activations that they multiply.
template <class Element, class Activations>
struct candidate {
    static_assert(std::is_empty_v<Activations>, "pare: a candidate's activations must be as_float or dynamic_range");
    using element = Element;
    using activations = Activations;
    using weights = weight_matrix<Element, full>;
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
/// which each layer has as many bits as it needs. Which one a layer has is asked once per product. quantize_to() chooses.
template <class... Candidates>
class mixed_weights {
public:
    static constexpr std::size_t candidates = sizeof...(Candidates);
    template <std::size_t I>
    using candidate_at = std::tuple_element_t<I, std::tuple<Candidates...>>;
    using held_type = std::variant<typename Candidates::weights...>;

    mixed_weights() = default;
    mixed_weights(std::size_t rows, std::size_t columns) : held_(std::in_place_index<0>, rows, columns) {}
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

template <class Weights>
inline constexpr bool is_mixed = false;
template <class... Candidates>
inline constexpr bool is_mixed<mixed_weights<Candidates...>> = true;

}  // namespace detail

PARE_NAMESPACE_END

#endif
