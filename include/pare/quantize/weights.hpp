#ifndef PARE_QUANTIZE_WEIGHTS_HPP
#define PARE_QUANTIZE_WEIGHTS_HPP

#include <optional>
#include <string_view>
#include <vector>

#include <pare/core/result.hpp>
#include <pare/types/granularity.hpp>
#include <pare/types/quantization.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// w as qint8 in the narrow range [-127, 127] and the same layout: scale = max |w| / 127 of each row, or of the whole matrix; q =
/// RNE(w * (1 / scale)). `name` is what errors call the weights. Errors: a weight that is NaN, infinite or larger than 2^62.
template <class Layout>
result<weight_matrix<qint8, Layout>> quantize_weights(const weight_matrix<float, Layout>& w, granularity g,
                                                      std::string_view name = "weight") {
    std::vector<float> magnitude(w.rows(), 0.0f);
    std::optional<error> problem;
    w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        const float value = w.values[i];
        if (!is_finite(value) && !problem) {
            problem = error{error_code::invalid_data,
                            sentence("quantize: ", name, ": expected finite weights, found ", is_nan(value) ? "NaN" : "an infinity",
                                     " at row ", row, ", column ", column)};
        }
        const float size = value < 0.0f ? -value : value;
        if (size > largest_range && !problem) {
            problem = error{error_code::invalid_data, sentence("quantize: ", name, ": expected weights of at most 2^62, found ",
                                                               value, " at row ", row, ", column ", column)};
        }
        magnitude[row] = size > magnitude[row] ? size : magnitude[row];
    });
    if (problem) {
        return *std::move(problem);
    }
    if (g == granularity::per_tensor) {
        float largest = 0.0f;
        for (const float m : magnitude) {
            largest = m > largest ? m : largest;
        }
        magnitude.assign(magnitude.size(), largest);
    }
    weight_matrix<qint8, Layout> quantized(w.structure);
    for (std::size_t row = 0; row < w.rows(); ++row) {
        quantized.scales[row] = symmetric_quantization<qint8>(magnitude[row]).scale;
        magnitude[row] = exact_divide(1.0f, quantized.scales[row]);
    }
    const std::vector<float>& inverse = magnitude;
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        quantized.values[i] =
            static_cast<std::int8_t>(quantize_value(w.values[i], inverse[row], 0, qint8::narrow_smallest, qint8::largest));
    });
    return quantized;
}

PARE_NAMESPACE_END

#endif
