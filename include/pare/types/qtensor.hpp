#ifndef PARE_TYPES_QTENSOR_HPP
#define PARE_TYPES_QTENSOR_HPP

#include <vector>

#include <pare/core/tensor.hpp>
#include <pare/types/granularity.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// A tensor of quantized numbers with what they stand for: one quantization for all, or one per index on axis 0.
template <class Q, std::size_t... E>
struct qtensor {
    using element = Q;

    tensor<typename Q::storage, E...> values;
    std::vector<quantization> parameters;

    explicit qtensor(extents<E...> shape, granularity g) : values(shape), parameters(g == granularity::per_tensor ? 1 : shape[0]) {}

    /// The quantization of stored value i.
    const quantization& of(std::size_t i) const noexcept {
        return parameters.size() == 1 ? parameters[0] : parameters[i / (values.size() / parameters.size())];
    }
    /// The real number that stored value i stands for.
    float real(std::size_t i) const noexcept {
        return dequantize_value(values.data()[i], of(i));
    }
};

PARE_NAMESPACE_END

#endif
