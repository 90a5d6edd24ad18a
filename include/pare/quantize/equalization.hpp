#ifndef PARE_QUANTIZE_EQUALIZATION_HPP
#define PARE_QUANTIZE_EQUALIZATION_HPP

#include <cmath>

#include <pare/quantize/channel_scaling.hpp>
#include <pare/quantize/dynamic.hpp>

PARE_NAMESPACE_BEGIN

struct equalization_options {
    std::size_t passes = 20;  // over all pairs of layers, at most
    float tolerance = 0.01f;  // no pass follows one in which all factors were as near to 1
};

/// The model with the ranges of its channels made equal on both sides: between dense layers and convolutions with a ReLU, a leaky
/// ReLU, pools or nothing between them, channel c of the first is divided and what the second multiplies it by is multiplied by
///
///     s[c] = sqrt(r1[c] / r2[c]),    r1[c] = max |weights of output c|,  r2[c] = max |weights of input c|,
///
/// which are then equal; again until nothing moves, since a layer may lie between two others. The network computes what it did; one
/// scale for all channels of a tensor loses less. A channel without weights on a side stays. Takes a float model or a result of
/// one; fold batch norms before. Errors: weights or biases that are NaN or infinite. O(weights * passes). Nagel, van Baalen,
/// Blankevoort, Welling 2019, section 4.1.
template <class Model>
auto equalize_layers(const Model& model, const equalization_options& options = {}) {
    return and_then(model, [&](const auto& m) {
        using made = result<std::remove_cvref_t<decltype(m)>>;
        if (auto problem = detail::unfit_member("equalize_layers", m)) {
            return made(*std::move(problem));
        }
        auto equal = m;
        bool moved = true;
        for (std::size_t pass = 0; moved && pass < options.passes; ++pass) {
            moved = false;
            detail::for_each_factor_pair(equal, [&](auto& layer, auto& next, const detail::met_channels& met) {
                if constexpr (detail::float_product<std::remove_reference_t<decltype(layer)>>) {
                    const detail::met_channels own{met.channels, 1, met.channels * layer.weights.columns(), 1, true};
                    const auto r1 = own.magnitudes(layer.weights), r2 = met.magnitudes(detail::input_weights(next));
                    std::vector<float> factor(met.channels, 1.0f);
                    for (std::size_t c = 0; c < met.channels; ++c) {
                        if (r1[c] > 0.0f && r2[c] > 0.0f) {
                            factor[c] = static_cast<float>(std::sqrt(static_cast<double>(r1[c]) / static_cast<double>(r2[c])));
                        }
                        moved = moved || factor[c] > 1.0f + options.tolerance || factor[c] * (1.0f + options.tolerance) < 1.0f;
                    }
                    detail::move_factors(layer, next, met, factor);
                }
            });
        }
        return made(std::move(equal));
    });
}

PARE_NAMESPACE_END

#endif
