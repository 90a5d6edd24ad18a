#ifndef PARE_KERNELS_PACKED_MIXED_HPP
#define PARE_KERNELS_PACKED_MIXED_HPP

#include <algorithm>

#include <pare/kernels/packed_conv.hpp>
#include <pare/kernels/packed_groups.hpp>
#include <pare/types/mixed_weights.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// How an instruction set packs one candidate; isa::dispatch does it otherwise.
template <class Weights, class Isa>
struct packed_candidate {
    using matrix = packed<Weights, Isa>;
    using convolution = packed_convolution<Weights, Isa>;
};

/// Packed weights of one of several kinds.
template <class... Packed>
class one_of {
public:
    one_of(const one_of&) = default;
    one_of(one_of&&) = default;
    one_of& operator=(const one_of&) = default;
    one_of& operator=(one_of&&) = default;
    /// Not inlined: GCC 12 would take candidates that are not held for uninitialized ones.
    PARE_NOINLINE ~one_of() {}

    std::size_t rows() const noexcept {
        return of([](const auto& w) { return w.rows(); });
    }
    std::size_t columns() const noexcept {
        return of([](const auto& w) { return w.columns(); });
    }
    std::size_t bytes() const noexcept {
        return of([](const auto& w) { return w.bytes(); });
    }

protected:
    /// Those of the candidate that `w` is: `arguments` follow its weights.
    template <class Mixed, class... Arguments>
    explicit one_of(const Mixed& w, const Arguments&... arguments) : held_(made(w, arguments...)) {}

    template <class F>
    PARE_INLINE void visit(const F& f) const {
        visit_held(held_, f);
    }

private:
    using held_type = std::variant<Packed...>;

    template <class Mixed, class... Arguments>
    static held_type made(const Mixed& w, const Arguments&... arguments) {
        return made_from<0>(w, arguments...);
    }
    template <std::size_t I, class Mixed, class... Arguments>
    static held_type made_from(const Mixed& w, const Arguments&... arguments) {
        if constexpr (I + 1 < sizeof...(Packed)) {
            if (w.chosen() != I) {
                return made_from<I + 1>(w, arguments...);
            }
        }
        return held_type(std::in_place_index<I>, *w.template get<I>(), arguments...);
    }
    template <class F>
    std::size_t of(const F& f) const noexcept {
        std::size_t number = 0;
        visit([&](auto, const auto& w) { number = f(w); });
        return number;
    }

    held_type held_;
};

}  // namespace detail

namespace detail {

/// The activations of a candidate in a layer with activations `a`.
template <class Candidate, class Activations>
constexpr auto activations_of(const Activations& a) noexcept {
    if constexpr (std::is_same_v<typename Candidate::activations, as_given>) {
        return a;
    } else {
        static_assert(std::is_same_v<Activations, as_chosen>, "pare: candidates with activations of their own need as_chosen ones");
        return typename Candidate::activations{};
    }
}

/// Whether each of some forms has scales and multiplies bytes, which are the same for all of them then.
template <class... Packed>
concept all_multiply_bytes = (multiplies<Packed, static_range> && ...);

}  // namespace detail

/// Weights of which each layer has the candidate that was chosen for it. Scratch memory is the most that any of them takes.
template <class... Candidates, class Isa>
class packed<mixed_weights<Candidates...>, Isa>
    : public detail::one_of<typename detail::packed_candidate<typename Candidates::weights, Isa>::matrix...> {
    using mixed = mixed_weights<Candidates...>;
    template <std::size_t I>
    using candidate_at = typename mixed::template candidate_at<I>;
    template <class Candidate>
    using form = typename detail::packed_candidate<typename Candidate::weights, Isa>::matrix;
    template <class Candidate, class Activations>
    using taken = decltype(detail::activations_of<Candidate>(std::declval<Activations>()));

public:
    template <class... Arguments>
    explicit packed(const mixed& w, const Arguments&... arguments) : packed::one_of(w, arguments...) {}

    std::string describe() const {
        std::string text;
        this->visit([&](auto index, const auto& w) { text = w.describe() + candidate_at<index>::activations::note; });
        return text;
    }

    const float* scales() const noexcept requires detail::all_multiply_bytes<form<Candidates>...> {
        const float* found = nullptr;
        this->visit([&](auto, const auto& w) { found = w.scales(); });
        return found;
    }
    const std::int32_t* column_sums() const noexcept requires detail::all_multiply_bytes<form<Candidates>...> {
        const std::int32_t* found = nullptr;
        this->visit([&](auto, const auto& w) { found = w.column_sums(); });
        return found;
    }

    template <class Activations>
    requires(multiplies<form<Candidates>, taken<Candidates, Activations>>&&...)
        static constexpr std::size_t
        scratch_bytes(const Activations& a, std::size_t batch, std::size_t rows, std::size_t columns) noexcept {
        return (std::max)({form<Candidates>::scratch_bytes(detail::activations_of<Candidates>(a), batch, rows, columns)...});
    }

    template <class Activations, class Context, class X, class Y, class... Stages>
    void multiply(const Activations& a, Context& ctx, const matrix_view<const X>& x, const matrix_view<Y>& y,
                  Stages... stages) const noexcept {
        this->visit(
            [&](auto index, const auto& w) { w.multiply(detail::activations_of<candidate_at<index>>(a), ctx, x, y, stages...); });
    }
    /// What has code of its own for constant shapes keeps it.
    template <std::size_t Rows, std::size_t Columns, class Activations, class Context, class X, class Y, class... Stages>
    void multiply_row(const Activations& a, Context& ctx, const X* x, Y* y, Stages... stages) const noexcept {
        this->visit([&](auto index, const auto& w) {
            row_of<Rows, Columns>(w, detail::activations_of<candidate_at<index>>(a), ctx, x, y, stages...);
        });
    }

private:
    template <std::size_t Rows, std::size_t Columns, class Packed, class Activations, class Context, class X, class Y, class... Stages>
    static PARE_INLINE void row_of(const Packed& w, const Activations& a, Context& ctx, const X* x, Y* y, Stages... stages) noexcept {
        if constexpr (requires { w.template multiply_row<Rows, Columns>(a, ctx, x, y, stages...); }) {
            w.template multiply_row<Rows, Columns>(a, ctx, x, y, stages...);
        } else {
            w.multiply(a, ctx, matrix_view<const X>(x, 1, Columns), matrix_view<Y>(y, 1, Rows), stages...);
        }
    }
};

template <class... Candidates, class Isa>
class packed_convolution<mixed_weights<Candidates...>, Isa>
    : public detail::one_of<typename detail::packed_candidate<typename Candidates::weights, Isa>::convolution...>,
      public std::conditional_t<detail::mixes_layouts<mixed_weights<Candidates...>>,
                                detail::note_of<typename detail::packed_candidate<
                                    typename mixed_weights<Candidates...>::template candidate_at<0>::weights, Isa>::convolution>,
                                detail::quantizes_rows> {
    using mixed = mixed_weights<Candidates...>;
    template <std::size_t I>
    using candidate_at = typename mixed::template candidate_at<I>;
    template <class Candidate>
    using form = typename detail::packed_candidate<typename Candidate::weights, Isa>::convolution;

public:
    template <class... Arguments>
    explicit packed_convolution(const mixed& w, const kernels::convolution& s, const Arguments&... arguments)
        : packed_convolution::one_of(w, s, arguments...) {}

    std::string describe() const {
        std::string text;
        this->visit([&](auto index, const auto& w) {
            if constexpr (detail::mixes_layouts<mixed>) {
                text = w.describe();
            } else if constexpr (requires { w.activations_note; }) {
                text = w.describe() + w.activations_note;
            } else {
                text = w.describe() + candidate_at<index>::activations::note;
            }
        });
        return text;
    }

    const float* scales() const noexcept requires detail::mixes_layouts<mixed> {
        const float* found = nullptr;
        this->visit([&](auto, const auto& w) { found = w.scales(); });
        return found;
    }
    const std::int32_t* column_sums() const noexcept requires detail::mixes_layouts<mixed> {
        const std::int32_t* found = nullptr;
        this->visit([&](auto, const auto& w) { found = w.column_sums(); });
        return found;
    }

    template <class Activations>
    static constexpr std::size_t scratch_bytes(const Activations& a, const kernels::convolution& s) noexcept
        requires(requires { form<Candidates>::scratch_bytes(detail::activations_of<Candidates>(a), s); } && ...) {
        return (std::max)({form<Candidates>::scratch_bytes(detail::activations_of<Candidates>(a), s)...});
    }

    template <class Activations, class Executor, class X, class Y, class... Stages>
    void convolve(const Activations& a, Executor& executor, arena scratch, const kernels::convolution& s, const X* x, Y* y,
                  Stages... stages) const noexcept {
        this->visit([&](auto index, const auto& w) {
            w.convolve(detail::activations_of<candidate_at<index>>(a), executor, scratch, s, x, y, stages...);
        });
    }
};

PARE_NAMESPACE_END

#endif
