#ifndef PARE_QUANTIZE_AWQ_HPP
#define PARE_QUANTIZE_AWQ_HPP

#include <pare/quantize/output_error.hpp>
#include <pare/quantize/smooth_quant.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// The squared error of a product's outputs over all of its calibration rows with weights that are quantized after their columns
/// were multiplied by the factors of their channels.
template <class Isa, class Element, class Choice>
double error_with_factors(const weight_matrix<float, full>& w, const storage_inputs& inputs, const met_channels& met,
                          const std::vector<float>& factor, const Choice& choice) {
    auto scaled = w;
    met.scale(scaled, factor);
    const auto quantized = quantize_weights_in_groups<Element>(scaled, inputs.name, choice);
    if (!quantized) {
        return -1.0;
    }
    std::vector<float> d(w.values.size()), product(w.values.size());
    for (std::size_t row = 0; row < w.rows(); ++row) {
        for (std::size_t c = 0; c < w.columns(); ++c) {
            const std::size_t i = row * w.columns() + c;
            d[i] = quantized->real(row, i) / factor[met(row, c)] - w.values[i];
        }
    }
    double sum = 0.0;
    const std::size_t rows = w.rows() / inputs.groups.size(), size = rows * w.columns();
    for (std::size_t g = 0; g < inputs.groups.size(); ++g) {
        const auto& moments = inputs.groups[g].second_moments();
        multiply_by_moments<Isa>(std::vector<float>(moments.begin(), moments.end()), rows, w.columns(), d.data() + g * size,
                                 product.data());
        for (std::size_t i = 0; i < size; ++i) {
            sum += static_cast<double>(d[g * size + i]) * static_cast<double>(product[i]);
        }
    }
    return sum;
}

}  // namespace detail

/// The model with the channels that matter most made large before its weights are rounded: pairs of layers as in smooth_quant(),
/// with
///
///     s[c] = (mean |x[c]|)^a / norm,    norm = sqrt(max s * min s),
///
/// a from 0 to 1 in `steps` steps, of which that is taken whose weights, quantized to Element, give outputs closest to those of
/// float weights on calibration data; a = 0 leaves them as they are. The network computes what it did: quantize it with
/// quantize_weights_only<Element>(model, choice), or gptq(). Takes a float model or a result of one. Errors as smooth_quant(), but
/// of steps, at least 1. A pass over the data, columns^2 operations per row of it; per pair and step rows * columns^2. Lin et al.
/// 2023, section 3.2.
template <class Element, class Isa = isa::native, class Model, dataset Data, class Choice = round_to_nearest>
auto awq(const Model& model, const Data& data, std::size_t steps = 20, const Choice& choice = {}) {
    static_assert(detail::has_codes<Element>, "pare: awq() prepares for qint<bits, group> or nf4<group> weights");
    return and_then(model, [&](const auto& m) {
        using made = result<std::remove_cvref_t<decltype(m)>>;
        auto scaled = m;
        detail::model_inputs inputs;
        auto problem = detail::unfit_member("awq", scaled);
        if (!problem && steps == 0) {
            problem = error{error_code::invalid_argument, "awq: expected at least 1 step, found 0"};
        }
        if (!problem) {
            problem = detail::observe_inputs<Isa>("awq", scaled, data, true, inputs);
        }
        if (problem) {
            return made(*std::move(problem));
        }
        detail::for_each_factor_pair(scaled, [&](auto& layer, auto& next, const detail::met_channels& met) {
            const auto& w = detail::input_weights(next);
            const detail::storage_inputs& own = *inputs.find(&w);
            const auto size =
                detail::of_channels(own, met, [](const input_statistics& s, std::size_t c) { return s.mean_magnitude(c); });
            std::vector<float> best(met.channels, 1.0f);
            double least = detail::error_with_factors<Isa, Element>(w, own, met, best, choice);
            for (std::size_t step = 1; step <= steps; ++step) {
                const double power = static_cast<double>(step) / static_cast<double>(steps);
                double smallest = 1e30, largest = 1e-30;
                std::vector<double> s(met.channels);
                for (std::size_t c = 0; c < met.channels; ++c) {
                    s[c] = std::pow((std::max)(size[c], 1e-4), power);
                    smallest = (std::min)(smallest, s[c]);
                    largest = (std::max)(largest, s[c]);
                }
                std::vector<float> factor(met.channels);
                for (std::size_t c = 0; c < met.channels; ++c) {
                    factor[c] = static_cast<float>(s[c] / std::sqrt(smallest * largest));
                }
                const double e = detail::error_with_factors<Isa, Element>(w, own, met, factor, choice);
                if (e >= 0.0 && (e < least || least < 0.0)) {
                    least = e;
                    best = factor;
                }
            }
            detail::move_factors(layer, next, met, best);
        });
        return made(std::move(scaled));
    });
}

PARE_NAMESPACE_END

#endif
