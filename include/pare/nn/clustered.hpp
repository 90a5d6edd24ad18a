#ifndef PARE_NN_CLUSTERED_HPP
#define PARE_NN_CLUSTERED_HPP

#include <vector>

#include <pare/nn/trainable.hpp>
#include <pare/types/codebook.hpp>

PARE_NAMESPACE_BEGIN

/// Weights in training that share K values: the gradient of a value is the sum of those of the weights that have it, so that they
/// stay alike (Han, Mao, Dally 2016, section 3.3). Weights that are 0 stay so.
template <std::size_t K>
struct clustered {
    weight_matrix<float, full> inner;  // weights of one code are the same number
    aligned_array<std::uint8_t> codes;

    clustered() = default;
    explicit clustered(const weight_matrix<codebook<K>, full>& w) : inner(w.rows(), w.columns()), codes(w.values) {
        for (std::size_t i = 0; i < codes.size(); ++i) {
            inner.values[i] = w.scales[codes[i]];
        }
    }

    std::size_t rows() const noexcept { return inner.rows(); }
    std::size_t columns() const noexcept { return inner.columns(); }
    std::size_t bytes() const noexcept { return inner.bytes() + codes.size(); }
    std::string describe() const { return sentence(inner.describe(), ", in ", K, " clusters"); }

    weight_matrix<codebook<K>, full> frozen() const {
        weight_matrix<codebook<K>, full> w(rows(), columns());
        w.values = codes;
        for (std::size_t i = 0; i < codes.size(); ++i) {
            w.scales[codes[i]] = inner.values[i];
        }
        return w;
    }
};

template <std::size_t K, class Activations, class Context, class... Stages>
void multiply(const clustered<K>& w, Activations a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
              Stages... stages) noexcept {
    multiply(w.inner, a, ctx, x, y, stages...);
}
template <std::size_t K, class Context>
void multiply_transposed(const clustered<K>& w, Context& ctx, const matrix_view<const float>& dy,
                         const matrix_view<float>& dx) noexcept {
    multiply_transposed(w.inner, ctx, dy, dx);
}
template <std::size_t K, class Context>
void multiply_gradient(const clustered<K>& w, Context& ctx, const matrix_view<const float>& x, const matrix_view<const float>& dy,
                       const matrix_view<float>& dw) noexcept {
    multiply_gradient(w.inner, ctx, x, dy, dw);
}
/// Each weight's gradient becomes the sum over its cluster, in the order of the weights; none where the weight is 0.
template <std::size_t K, class Context>
void finish_gradient(const clustered<K>& w, Context&, float* gradient) noexcept {
    double sum[K] = {};
    for (std::size_t i = 0; i < w.codes.size(); ++i) {
        sum[w.codes[i]] += static_cast<double>(gradient[i]);
    }
    for (std::size_t i = 0; i < w.codes.size(); ++i) {
        gradient[i] = w.inner.values[i] == 0.0f ? 0.0f : static_cast<float>(sum[w.codes[i]]);
    }
}
template <std::size_t K>
const float* product_values(const clustered<K>& w) noexcept {
    return product_values(w.inner);
}
template <std::size_t K>
std::span<float> trainable_values(clustered<K>& w) noexcept {
    return trainable_values(w.inner);
}
template <class Isa, std::size_t K>
std::size_t product_scratch_bytes(const clustered<K>& w, std::size_t batch) noexcept {
    return product_scratch_bytes<Isa>(w.inner, batch);
}
template <class Isa, std::size_t K>
std::size_t gradient_scratch_bytes(const clustered<K>& w, std::size_t batch) noexcept {
    return gradient_scratch_bytes<Isa>(w.inner, batch);
}

PARE_NAMESPACE_END

#endif
