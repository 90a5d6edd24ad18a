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

/// Weights of which each layer has the candidate that was chosen for it. Scratch memory is the most that any of them takes.
template <class... Candidates, class Isa>
class packed<mixed_weights<Candidates...>, Isa>
    : public detail::one_of<typename detail::packed_candidate<typename Candidates::weights, Isa>::matrix...> {
    using mixed = mixed_weights<Candidates...>;
    template <std::size_t I>
    using activations = typename mixed::template candidate_at<I>::activations;

public:
    template <class... Arguments>
    explicit packed(const mixed& w, const Arguments&... arguments) : packed::one_of(w, arguments...) {}

    std::string describe() const {
        std::string text;
        this->visit([&](auto index, const auto& w) { text = w.describe() + activations<index>::note; });
        return text;
    }

    static constexpr std::size_t scratch_bytes(as_chosen, std::size_t batch, std::size_t rows, std::size_t columns) noexcept {
        return (std::max)({detail::packed_candidate<typename Candidates::weights, Isa>::matrix::scratch_bytes(
            typename Candidates::activations{}, batch, rows, columns)...});
    }

    template <class Context, class... Stages>
    void multiply(as_chosen, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        this->visit([&](auto index, const auto& w) { w.multiply(activations<index>{}, ctx, x, y, stages...); });
    }
};

template <class... Candidates, class Isa>
class packed_convolution<mixed_weights<Candidates...>, Isa>
    : public detail::one_of<typename detail::packed_candidate<typename Candidates::weights, Isa>::convolution...> {
    using mixed = mixed_weights<Candidates...>;
    template <std::size_t I>
    using activations = typename mixed::template candidate_at<I>::activations;

public:
    template <class... Arguments>
    explicit packed_convolution(const mixed& w, const kernels::convolution& s, const Arguments&... arguments)
        : packed_convolution::one_of(w, s, arguments...) {}

    std::string describe() const {
        std::string text;
        this->visit([&](auto index, const auto& w) {
            if constexpr (requires { w.activations_note; }) {
                text = w.describe() + w.activations_note;
            } else {
                text = w.describe() + activations<index>::note;
            }
        });
        return text;
    }

    static constexpr std::size_t scratch_bytes(as_chosen, const kernels::convolution& s) noexcept {
        return (std::max)({detail::packed_candidate<typename Candidates::weights, Isa>::convolution::scratch_bytes(
            typename Candidates::activations{}, s)...});
    }

    template <class Executor, class... Stages>
    void convolve(as_chosen, Executor& executor, arena scratch, const kernels::convolution& s, const float* x, float* y,
                  Stages... stages) const noexcept {
        this->visit([&](auto index, const auto& w) { w.convolve(activations<index>{}, executor, scratch, s, x, y, stages...); });
    }
};

PARE_NAMESPACE_END

#endif
