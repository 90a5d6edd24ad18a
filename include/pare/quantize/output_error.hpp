#ifndef PARE_QUANTIZE_OUTPUT_ERROR_HPP
#define PARE_QUANTIZE_OUTPUT_ERROR_HPP

#include <pare/train/input_statistics.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// d X^T X for what weights d [rows, columns] differ by, X^T X being the second moments of what they are multiplied by: half the
/// derivative of the squared error of outputs over all rows of X, which is the sum of d times it.
template <class Isa>
void multiply_by_moments(const std::vector<float>& moments, std::size_t rows, std::size_t columns, const float* d, float* product) {
    workspace space(kernels::gemm_f32_scratch_bytes<Isa>(columns, columns));
    serial_executor serial;
    kernels::gemm_f32<Isa>(serial, space.scratch(), rows, columns, columns, {d, columns, 1}, {moments.data(), columns, 1},
                           kernels::epilogue<float>(product, columns));
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
