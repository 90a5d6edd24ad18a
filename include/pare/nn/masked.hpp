#ifndef PARE_NN_MASKED_HPP
#define PARE_NN_MASKED_HPP

#include <pare/nn/trainable.hpp>
#include <pare/types/sparse_mask.hpp>

PARE_NAMESPACE_BEGIN

/// Weights in training of which a mask decides which are kept: Inner with the values that are not kept at zero. Pattern is what
/// chose the mask. fit() holds it: see there.
template <class Pattern, class Inner>
struct masked {
    Inner inner;
    sparse_mask mask;

    masked() = default;
    explicit masked(Inner w) : inner(std::move(w)), mask(inner.rows(), inner.columns()) {}
    /// A mask of the same shape, which is applied.
    masked(Inner w, sparse_mask kept) : inner(std::move(w)), mask(std::move(kept)) {
        PARE_ASSERT(mask.rows() == rows() && mask.columns() == columns(), "weights [%zu, %zu] are given a mask [%zu, %zu]", rows(),
                    columns(), mask.rows(), mask.columns());
        apply_mask();
    }

    std::size_t rows() const noexcept { return inner.rows(); }
    std::size_t columns() const noexcept { return inner.columns(); }
    std::size_t bytes() const noexcept { return inner.bytes(); }
    std::string describe() const { return sentence(inner.describe(), ", masked to ", mask.kept(), " of ", mask.size()); }

    /// weights *= mask.
    void apply_mask() noexcept { mask.apply(inner.values.data()); }

    Inner frozen() const {
        Inner w = inner;
        mask.apply(w.values.data());
        return w;
    }
};

template <class Pattern, class Inner, class Activations, class Context, class... Stages>
void multiply(const masked<Pattern, Inner>& w, Activations a, Context& ctx, const matrix_view<const float>& x,
              const matrix_view<float>& y, Stages... stages) noexcept {
    multiply(w.inner, a, ctx, x, y, stages...);
}
template <class Pattern, class Inner, class Context>
void multiply_transposed(const masked<Pattern, Inner>& w, Context& ctx, const matrix_view<const float>& dy,
                         const matrix_view<float>& dx) noexcept {
    multiply_transposed(w.inner, ctx, dy, dx);
}
/// The gradient of the dense weights: pruned ones get one too, so that a later mask may bring them back.
template <class Pattern, class Inner, class Context>
void multiply_gradient(const masked<Pattern, Inner>& w, Context& ctx, const matrix_view<const float>& x,
                       const matrix_view<const float>& dy, const matrix_view<float>& dw) noexcept {
    multiply_gradient(w.inner, ctx, x, dy, dw);
}
template <class Pattern, class Inner>
const float* product_values(const masked<Pattern, Inner>& w) noexcept {
    return product_values(w.inner);
}
template <class Pattern, class Inner>
std::span<float> trainable_values(masked<Pattern, Inner>& w) noexcept {
    return trainable_values(w.inner);
}
template <class Isa, class Pattern, class Inner>
std::size_t product_scratch_bytes(const masked<Pattern, Inner>& w, std::size_t batch) noexcept {
    return product_scratch_bytes<Isa>(w.inner, batch);
}

/// The masked weights in a storage: itself, or what a storage in training is around; none where there is no mask.
template <class Weights>
auto masked_in(Weights& w) noexcept {
    if constexpr (requires { w.mask; }) {
        return &w;
    } else if constexpr (requires { w.inner; }) {
        return masked_in(w.inner);
    } else {
        return nullptr;
    }
}
template <class Weights>
concept has_mask = requires(Weights& w) {
    masked_in(w)->mask;
};

PARE_NAMESPACE_END

#endif
