#ifndef PARE_QUANTIZE_TENSOR_HPP
#define PARE_QUANTIZE_TENSOR_HPP

#include <span>

#include <pare/kernels/quantize.hpp>
#include <pare/types/dialects.hpp>
#include <pare/types/qtensor.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// out[i] = x[i] as Q. `bounded` as kernels::quantize_values.
template <class Q, class Dialect, class Isa>
void quantize_values(const float* x, std::size_t n, quantization q, bool bounded, typename Q::storage* out) noexcept {
    if constexpr (sizeof(typename Q::storage) == 1) {
        kernels::quantize_values_by<Isa, Dialect>(x, n, q, bounded, out);
    } else {
        for (std::size_t i = 0; i < n; ++i) {
            out[i] = static_cast<typename Q::storage>(Dialect::quantize(x[i], q, Q::smallest, Q::largest));
        }
    }
}

}  // namespace detail

/// x as integers of Q, affine, by the rules of a dialect: one quantization for all numbers, or one per index on axis 0. NaN becomes
/// zero, infinities saturate. Same bits on every Isa.
template <class Q, numeric_dialect Dialect = dialect::pare, class Isa = isa::native, std::size_t... E>
qtensor<Q, E...> quantize(tensor_view<const float, E...> x, granularity g = granularity::per_tensor) {
    qtensor<Q, E...> quantized(x.shape(), g);
    const std::size_t n = quantized.parameters.empty() ? 0 : x.size() / quantized.parameters.size();
    for (std::size_t c = 0; c < quantized.parameters.size(); ++c) {
        const float* const values = x.data() + c * n;
        const kernels::value_range range = kernels::range_of<Isa>(values, n);
        quantized.parameters[c] = Dialect::template affine<Q>(range.min, range.max);
        detail::quantize_values<Q, Dialect, Isa>(values, n, quantized.parameters[c], range.bounded,
                                                 quantized.values.data() + c * n);
    }
    return quantized;
}

/// The same with quantizations that are given: one for all numbers, or one per index on axis 0.
template <class Q, numeric_dialect Dialect = dialect::pare, class Isa = isa::native, std::size_t... E>
qtensor<Q, E...> quantize(tensor_view<const float, E...> x, std::span<const quantization> parameters) {
    PARE_ASSERT(parameters.size() == 1 || parameters.size() == x.extent(0), "%zu quantizations for an axis of %zu",
                parameters.size(), x.extent(0));
    qtensor<Q, E...> quantized(x.shape(), parameters.size() == 1 ? granularity::per_tensor : granularity::per_channel);
    const std::size_t n = parameters.empty() ? 0 : x.size() / parameters.size();
    for (std::size_t c = 0; c < parameters.size(); ++c) {
        PARE_ASSERT(is_finite(parameters[c].scale) && parameters[c].scale > 0.0f, "expected a scale above 0, got %g",
                    static_cast<double>(parameters[c].scale));
        quantized.parameters[c] = parameters[c];
        detail::quantize_values<Q, Dialect, Isa>(x.data() + c * n, n, parameters[c], false, quantized.values.data() + c * n);
    }
    return quantized;
}
template <class Q, numeric_dialect Dialect = dialect::pare, class Isa = isa::native, std::size_t... E>
qtensor<Q, E...> quantize(tensor_view<const float, E...> x, quantization parameters) {
    return quantize<Q, Dialect, Isa>(x, std::span<const quantization>(&parameters, 1));
}

/// The real numbers that quantized ones stand for: (q - zero_point) * scale.
template <class Q, std::size_t... E>
tensor<float, E...> dequantize(const qtensor<Q, E...>& quantized) {
    tensor<float, E...> x(quantized.values.shape());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.data()[i] = quantized.real(i);
    }
    return x;
}

PARE_NAMESPACE_END

#endif
