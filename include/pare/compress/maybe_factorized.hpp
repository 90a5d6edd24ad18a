#ifndef PARE_COMPRESS_MAYBE_FACTORIZED_HPP
#define PARE_COMPRESS_MAYBE_FACTORIZED_HPP

#include <string>
#include <tuple>
#include <variant>

#include <pare/core/fixed_string.hpp>
#include <pare/nn/training.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

inline constexpr fixed_string whole_name{"whole"};
inline constexpr fixed_string factors_name{"factors"};

/// f(what is held); f gives the same type for both.
template <class Held, class F>
auto visit_form(Held& held, const F& f) {
    auto* const whole = std::get_if<0>(&held);
    return whole != nullptr ? f(*whole) : f(*std::get_if<1>(&held));
}

/// The parts of maybe_factorized: of the types both, of the values the one that is held.
template <class Held, class Whole, class Factors>
struct form_parts {
    Held& held;

    template <class F>
    void for_each(F&& f) const {
        if (auto* const whole = std::get_if<0>(&held)) {
            f.template operator()<whole_name>(*whole);
        } else {
            f.template operator()<factors_name>(*std::get_if<1>(&held));
        }
    }
    template <class F>
    static constexpr void for_each_type(F&& f) {
        f.template operator()<whole_name, Whole>();
        f.template operator()<factors_name, Factors>();
    }
    template <class F>
    auto mapped(F&& f) const {
        using both = std::variant<decltype(f.template operator()<whole_name>(std::get<0>(held))),
                                  decltype(f.template operator()<factors_name>(std::get<1>(held)))>;
        if (auto* const whole = std::get_if<0>(&held)) {
            return std::tuple<both>(both(std::in_place_index<0>, f.template operator()<whole_name>(*whole)));
        }
        return std::tuple<both>(both(std::in_place_index<1>, f.template operator()<factors_name>(*std::get_if<1>(&held))));
    }
};

}  // namespace detail

/// The shapes of maybe_factorized, which are those of either.
template <class Whole, class Factors>
struct maybe_factorized_plan {
    static constexpr bool is_static = false;

    std::variant<Whole, Factors> held;

    auto input_shape() const noexcept
        requires(has_input_shape<Whole> && has_input_shape<Factors>)
    {
        return detail::visit_form(held, [](const auto& plan) { return plan.input_shape(); });
    }
    template <class Shape>
    auto output_shape(const Shape& input) const noexcept {
        return detail::visit_form(held, [&](const auto& plan) { return plan.output_shape(input); });
    }
    template <class Shape>
    std::size_t scratch_bytes(std::size_t batch, const Shape& input) const noexcept {
        return detail::visit_form(held, [&](const auto& plan) { return pare::scratch_bytes(plan, batch, input); });
    }
};

/// A layer, or the layers that factorize() made of it, which is known at run time: what it gives where a rank is. Members are
/// called "whole.<name>" or "factors.<name>". What maps over layers maps the one that there is. Networks of bytes have floats
/// around it.
template <class Whole, class Factors>
struct maybe_factorized {
    static constexpr bool takes_single_steps = pare::takes_single_steps<Whole> && pare::takes_single_steps<Factors>;
    static constexpr bool backward_ignores_y = pare::backward_ignores_y<Whole>;  // both end in a product

    std::variant<Whole, Factors> held;

    explicit maybe_factorized(Whole whole) : held(std::in_place_index<0>, std::move(whole)) {}
    explicit maybe_factorized(std::variant<Whole, Factors> either) : held(std::move(either)) {}

    bool is_factorized() const noexcept { return held.index() == 1; }
    /// The layers, or null where the layer is whole.
    const Factors* factors() const noexcept { return std::get_if<1>(&held); }
    /// The layer, or null where it is factorized.
    const Whole* whole() const noexcept { return std::get_if<0>(&held); }

    auto plan() const {
        using both = std::variant<decltype(std::get<0>(held).plan()), decltype(std::get<1>(held).plan())>;
        return maybe_factorized_plan<std::variant_alternative_t<0, both>, std::variant_alternative_t<1, both>>{
            is_factorized() ? both(std::in_place_index<1>, factors()->plan()) : both(std::in_place_index<0>, whole()->plan())};
    }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y) const noexcept {
        detail::visit_form(held, [&](const auto& layer) { forward_layer(layer, ctx, x, y); });
    }
    template <class Shape>
    std::size_t saved_floats(std::size_t batch, const Shape& input) const noexcept {
        return detail::visit_form(held, [&](const auto& layer) { return pare::saved_floats(layer, batch, input); });
    }
    template <class Context, class X, class Y>
    void forward_training(Context& ctx, const X& x, const Y& y, std::span<float> saved) noexcept {
        detail::visit_form(held, [&](auto& layer) { pare::forward_training(layer, ctx, x, y, saved); });
    }
    template <class Context, class X, class Y, class Dx>
    void backward(Context& ctx, const X& x, const Y& y, const Y& dy, const Dx& dx, std::span<float> gradient,
                  std::span<float> saved) const noexcept {
        detail::visit_form(held, [&](const auto& layer) { pare::backward(layer, ctx, x, y, dy, dx, gradient, saved); });
    }
    template <class Isa, class Shape>
    std::size_t training_scratch_bytes(std::size_t batch, const Shape& input) const noexcept {
        return detail::visit_form(held, [&](const auto& layer) { return pare::training_scratch_bytes<Isa>(layer, batch, input); });
    }

    template <class Self>
    static auto parts(Self& self) noexcept {
        return detail::form_parts<std::remove_reference_t<decltype((self.held))>, Whole, Factors>{self.held};
    }
    template <class OtherWhole, class OtherFactors>
    static auto with_parts(std::variant<OtherWhole, OtherFactors> either) {
        return pare::maybe_factorized<OtherWhole, OtherFactors>(std::move(either));
    }

    std::string describe() const {
        return is_factorized() ? "factors (" + describe_layer(*factors()) + ")" : describe_layer(*whole());
    }
};

PARE_NAMESPACE_END

#endif
