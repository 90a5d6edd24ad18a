#ifndef PARE_KERNELS_PACKED_HPP
#define PARE_KERNELS_PACKED_HPP

#include <cstddef>
#include <string>

#include <pare/core/context.hpp>
#include <pare/core/tensor.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// Weights as the kernels of one instruction set read them. One specialization per pair of element and layout, in the file of its
/// kernel, with
///
///     explicit packed(const weight_matrix<Element, Layout>&)
///     std::size_t rows(), columns(), bytes()
///     std::string describe()                                      the kernel that runs
///     static constexpr std::size_t scratch_bytes(Activations, batch, rows, columns)
///     void multiply(Activations, context, x [batch, columns], y [batch, rows], stages...)
///
/// and, where a small product of constant shape is worth code of its own,
///
///     void multiply_row<rows, columns>(Activations, context, x [columns], y [rows], stages...)    the same bits
///
/// where Activations are the kinds that it can multiply, and the stages those that follow the product (kernels/epilogue.hpp). With
/// static_range, x are bytes, the stages begin with the sums, and there are const float* scales() and const std::int32_t*
/// column_sums(), the sums of the weights of each output.
/// `multiply` allocates nothing.
template <class Weights, class Isa>
class packed;

/// Whether weights of this type know how to multiply activations of this kind.
template <class Weights, class Activations>
concept multiplies = requires(Activations a, std::size_t n) {
    Weights::scratch_bytes(a, n, n, n);
};

PARE_NAMESPACE_END

#endif
