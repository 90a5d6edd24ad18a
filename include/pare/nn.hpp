#ifndef PARE_NN_HPP
#define PARE_NN_HPP

#include <pare/nn/batch_norm.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/conv.hpp>
#include <pare/nn/conv_transpose.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/dispatch.hpp>
#include <pare/nn/dropout.hpp>
#include <pare/nn/embedding.hpp>
#include <pare/nn/fake_quantized.hpp>
#include <pare/nn/fake_range.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/fold.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/layer_norm.hpp>
#include <pare/nn/masked.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/nn/recurrent.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/selection.hpp>
#include <pare/nn/self_attention.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/nn/softmax.hpp>
#include <pare/nn/stream.hpp>
#include <pare/nn/summary.hpp>
#include <pare/nn/training.hpp>

#endif
