#ifndef PARE_NN_SIGMOID_HPP
#define PARE_NN_SIGMOID_HPP

#include <pare/kernels/activations.hpp>
#include <pare/nn/activation.hpp>

PARE_NAMESPACE_BEGIN

/// 1 / (1 + e^-x). torch.nn.Sigmoid.
using sigmoid = activation<kernels::sigmoid_function>;
/// torch.nn.Tanh. Written tanh(): a type of that name would be ambiguous with the function of the C library.
using tanh_activation = activation<kernels::tanh_function>;
constexpr tanh_activation tanh() noexcept {
    return {};
}
/// x where x > 0, else alpha (e^x - 1): elu(1.0f). torch.nn.ELU.
using elu = activation<kernels::elu_function>;
/// x sigmoid(x), also called swish. torch.nn.SiLU.
using silu = activation<kernels::silu_function>;
/// x (1 + erf(x / sqrt(2))) / 2. torch.nn.GELU.
using gelu = activation<kernels::gelu_function>;
/// Its approximation by tanh. torch.nn.GELU(approximate="tanh").
using gelu_tanh = activation<kernels::gelu_tanh_function>;
/// log(1 + e^x). torch.nn.Softplus.
using softplus = activation<kernels::softplus_function>;

PARE_NAMESPACE_END

#endif
