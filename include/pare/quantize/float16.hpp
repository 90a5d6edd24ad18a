#ifndef PARE_QUANTIZE_FLOAT16_HPP
#define PARE_QUANTIZE_FLOAT16_HPP

#include <optional>

#include <pare/quantize/bfloat16.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Float weights to float16, with the first that does not fit.
struct round_weights_to_float16 : round_weights<float16> {
    std::optional<error>* problem;

    explicit round_weights_to_float16(std::optional<error>* p) noexcept : problem(p) {}

    auto operator()(const member_path& path, const weight_matrix<float, full>& w, as_float a) const {
        auto rounded = round_weights<float16>::operator()(path, w, a);
        for (std::size_t i = 0; i < w.values.size() && !*problem; ++i) {
            if (!is_finite(rounded.weights.values[i])) {
                *problem = error{error_code::invalid_data,
                                 sentence("to_float16: ", path.text(), ": expected weights of at most 65504, found ", w.values[i],
                                          " at row ", i / w.columns(), ", column ", i % w.columns())};
            }
        }
        return rounded;
    }
    using round_weights<float16>::operator();
};

}  // namespace detail

/// The model with its weights rounded to float16, half of the bytes: each is off by at most 2^-11 of itself, and those below 2^-14
/// by at most 2^-25. Products are computed in float, from the bits that are stored. Takes a model or a result of one, and a
/// selection of layers. Errors: weights that are NaN or beyond 65504.
template <class Model, class Selection = every_layer>
auto to_float16(const Model& model, Selection selection = {}) {
    return and_then(model, [&](const auto& m) {
        std::optional<error> problem;
        auto rounded = map_selected_weights(m, detail::round_weights_to_float16(&problem), selection);
        return problem ? result<decltype(rounded)>(*std::move(problem)) : result<decltype(rounded)>(std::move(rounded));
    });
}

PARE_NAMESPACE_END

#endif
