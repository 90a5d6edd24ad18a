#ifndef PARE_NN_RELU_HPP
#define PARE_NN_RELU_HPP

#include <pare/kernels/activations.hpp>
#include <pare/nn/activation.hpp>

PARE_NAMESPACE_BEGIN

/// max(x, 0); NaN stays NaN. torch.nn.ReLU.
using relu = activation<kernels::relu_function>;
/// min(max(x, 0), 6). torch.nn.ReLU6.
using relu6 = activation<kernels::relu6_function>;
/// x where x > 0, else negative_slope * x: leaky_relu(0.01f). torch.nn.LeakyReLU.
using leaky_relu = activation<kernels::leaky_relu_function>;
/// min(max(x + 3, 0), 6) / 6. torch.nn.Hardsigmoid.
using hard_sigmoid = activation<kernels::hard_sigmoid_function>;
/// x hard_sigmoid(x). torch.nn.Hardswish.
using hard_swish = activation<kernels::hard_swish_function>;

PARE_NAMESPACE_END

#endif
