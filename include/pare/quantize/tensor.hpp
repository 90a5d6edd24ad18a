#ifndef PARE_QUANTIZE_TENSOR_HPP
#define PARE_QUANTIZE_TENSOR_HPP

#include <pare/kernels/quantize.hpp>
#include <pare/types/qtensor.hpp>

PARE_NAMESPACE_BEGIN

/// x as integers of Q, affine: one quantization for all numbers, or one per index on axis 0. NaN becomes zero, infinities saturate.
/// Same bits on every Isa.
template <class Q, class Isa = isa::native, std::size_t... E>
qtensor<Q, E...> quantize(tensor_view<const float, E...> x, granularity g = granularity::per_tensor) {
    qtensor<Q, E...> quantized(x.shape(), g);
    const std::size_t n = quantized.parameters.empty() ? 0 : x.size() / quantized.parameters.size();
    for (std::size_t c = 0; c < quantized.parameters.size(); ++c) {
        const float* const values = x.data() + c * n;
        const kernels::value_range range = kernels::range_of<Isa>(values, n);
        quantized.parameters[c] = affine_quantization<Q>(range.min, range.max);
        kernels::quantize_values<Isa>(values, n, quantized.parameters[c], range.bounded, quantized.values.data() + c * n);
    }
    return quantized;
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
