#ifndef PARE_TRAIN_MAX_NORM_HPP
#define PARE_TRAIN_MAX_NORM_HPP

#include <cmath>

#include <pare/kernels/batch_norm.hpp>
#include <pare/kernels/reduce.hpp>
#include <pare/nn/masked.hpp>
#include <pare/nn/training.hpp>
#include <pare/train/hooks.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Whether weights in training share values, under whatever they are wrapped in.
template <class Weights>
constexpr bool shares_values() noexcept {
    if constexpr (requires(Weights& w) { w.codes; }) {
        return true;
    } else if constexpr (requires(Weights& w) { w.inner; }) {
        return shares_values<decltype(Weights::inner)>();
    } else {
        return false;
    }
}

}  // namespace detail

/// Keeps weights small, as a callback of fit(): after each step, w *= min(1, limit / |w|), where w is a row of a matrix of weights
/// and |w| its Euclidean norm, without what a mask prunes. A row is what a unit of a dense layer or a filter of a convolution
/// multiplies its inputs by, of a transposed convolution a part of that for each place of the window, of a recurrent unit one for
/// its inputs and one for its state; of an embedding, a vector. It allows for dropout, and for learning rates that are high at
/// first. O(parameters) for each step. Errors, of the run: a limit that is not above 0 and finite. Srivastava et al. 2014, section
/// 5.1.
struct max_norm {
    float limit = 3.0f;

    template <class Model>
    void on_fit_begin(const Model&, training_state& state) const {
        if (!state.problem && (!(limit > 0.0f) || !is_finite(limit))) {
            state.problem = error{error_code::invalid_argument, sentence("max_norm: expected a finite limit above 0, got ", limit)};
        }
    }

    template <class Model, class Context>
    void on_step_end(Model& model, training_state&, const Context& ctx) const {
        using isa = typename Context::isa;
        for_each_member(model, [&](const member_path&, auto& weights) {
            using type = std::remove_reference_t<decltype(weights)>;
            if constexpr (trained_member<type> && requires { weights.columns(); }) {
                static_assert(!detail::shares_values<type>(),
                              "pare: max_norm limits rows of weights; those of a codebook share their values with other rows");
                const std::size_t n = weights.columns();
                float* const w = trainable_values(weights).data();
                kernels::for_each_rows(ctx.executor, weights.rows(), n, [&](std::size_t first, std::size_t count) {
                    for (std::size_t row = first; row < first + count; ++row) {
                        limit_row<isa>(n, w + row * n, norm_of<isa>(weights, row, n, w + row * n));
                    }
                });
            }
        });
    }

private:
    template <class Isa, class Weights>
    static float norm_of(Weights& weights, std::size_t row, std::size_t n, const float* w) noexcept {
        if constexpr (has_mask<Weights>) {
            const sparse_mask& mask = masked_in(weights)->mask;
            float sum = 0.0f;
            for (std::size_t j = 0; j < n; ++j) {
                sum += mask.keeps(row, j) ? opaque(w[j] * w[j]) : 0.0f;
            }
            return std::sqrt(sum);
        } else {
            return std::sqrt(kernels::sum_of<Isa>(n, [](auto v) { return v * v; }, w));
        }
    }
    /// Where squares are too large for a float, the run is left to diverge.
    template <class Isa>
    PARE_FLATTEN void limit_row(std::size_t n, float* w, float norm) const noexcept {
        if (norm > limit && is_finite(norm)) {
            const auto factor = simd::ops<Isa>::set(limit / norm);
            kernels::transform<Isa>(n, w, [&](auto v) { return v * factor; }, w);
        }
    }
};

PARE_NAMESPACE_END

#endif
