#ifndef PARE_QUANTIZE_SMOOTH_QUANT_HPP
#define PARE_QUANTIZE_SMOOTH_QUANT_HPP

#include <cmath>

#include <pare/quantize/channel_scaling.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/input_statistics.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// A number for each channel out of those of columns: the largest.
template <class OfColumn>
std::vector<double> of_channels(const storage_inputs& inputs, const met_channels& met, const OfColumn& of_column) {
    std::vector<double> channels(met.channels, 0.0);
    for (std::size_t g = 0; g < inputs.groups.size(); ++g) {
        for (std::size_t c = 0; c < met.columns; ++c) {
            double& most = channels[met(g * (met.rows / met.groups), c)];
            most = (std::max)(most, of_column(inputs.groups[g], c));
        }
    }
    return channels;
}

}  // namespace detail

/// The model with what is hard to quantize in activations moved into weights: where a layer norm, a batch norm, a dense layer or a
/// convolution gives channels to a dense layer, a convolution or self-attention, with a ReLU, a leaky ReLU, pools or nothing
/// between them, channel c is divided and the weights of input c are multiplied by
///
///     s[c] = max |x[c]|^strength / max |weights of input c|^(1 - strength),
///
/// within [1e-5, 1e5]. The network computes what it did; one range for all channels of its activations, static or dynamic, loses
/// less where few of them are large. Inputs that no layer before can be scaled for stay. Quantize the result with quantize_static()
/// or quantize_dynamic(). Takes a float model or a result of one. Errors: those of calibration, see gptq(); weights or biases that
/// are NaN or infinite; a strength outside of [0, 1]. A pass over the data. Xiao et al. 2022, equation 4.
template <class Isa = isa::native, class Model, dataset Data>
auto smooth_quant(const Model& model, const Data& data, float strength = 0.5f) {
    return and_then(model, [&](const auto& m) {
        using made = result<std::remove_cvref_t<decltype(m)>>;
        auto smooth = m;
        detail::model_inputs inputs;
        auto problem = detail::unfit_member("smooth_quant", smooth);
        if (!problem && !(is_finite(strength) && strength >= 0.0f && strength <= 1.0f)) {
            problem =
                error{error_code::invalid_argument, sentence("smooth_quant: expected a strength in [0, 1], found ", strength)};
        }
        if (!problem) {
            problem = detail::observe_inputs<Isa>("smooth_quant", smooth, data, false, inputs);
        }
        if (problem) {
            return made(*std::move(problem));
        }
        detail::for_each_factor_pair(smooth, [&](auto& layer, auto& next, const detail::met_channels& met) {
            const auto& w = detail::input_weights(next);
            const auto of_weights = met.magnitudes(w);
            const auto of_inputs = detail::of_channels(*inputs.find(&w), met, [](const input_statistics& s, std::size_t c) {
                return static_cast<double>(s.magnitudes()[c]);
            });
            std::vector<float> factor(met.channels, 1.0f);
            for (std::size_t c = 0; c < met.channels; ++c) {
                if (of_inputs[c] > 0.0 && of_weights[c] > 0.0f) {
                    const double s = std::pow(of_inputs[c], static_cast<double>(strength)) /
                                     std::pow(static_cast<double>(of_weights[c]), 1.0 - static_cast<double>(strength));
                    factor[c] = static_cast<float>((std::min)((std::max)(s, 1e-5), 1e5));
                }
            }
            detail::move_factors(layer, next, met, factor);
        });
        return made(std::move(smooth));
    });
}

PARE_NAMESPACE_END

#endif
