#ifndef PARE_QUANTIZE_HPP
#define PARE_QUANTIZE_HPP

#include <pare/quantize/adaround.hpp>
#include <pare/quantize/awq.hpp>
#include <pare/quantize/bfloat16.hpp>
#include <pare/quantize/bias_correction.hpp>
#include <pare/quantize/clipped_weights.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/embeddings.hpp>
#include <pare/quantize/equalization.hpp>
#include <pare/quantize/float16.hpp>
#include <pare/quantize/gptq.hpp>
#include <pare/quantize/histogram_observers.hpp>
#include <pare/quantize/observers.hpp>
#include <pare/quantize/per_channel_observer.hpp>
#include <pare/quantize/qat.hpp>
#include <pare/quantize/quantize_to.hpp>
#include <pare/quantize/report.hpp>
#include <pare/quantize/sensitivity.hpp>
#include <pare/quantize/smooth_quant.hpp>
#include <pare/quantize/static.hpp>
#include <pare/quantize/tensor.hpp>
#include <pare/quantize/weights.hpp>
#include <pare/quantize/weights_only.hpp>

#endif
