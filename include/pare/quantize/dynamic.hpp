#ifndef PARE_QUANTIZE_DYNAMIC_HPP
#define PARE_QUANTIZE_DYNAMIC_HPP

#include <pare/kernels/gemm_int8.hpp>
#include <pare/nn/layer.hpp>
#include <pare/quantize/weights.hpp>
#include <pare/types/activations.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Maps float weights to qint8 and remembers the first that cannot be mapped (which keep their shape).
template <granularity Granularity>
struct quantize_float_weights {
    std::optional<error>* problem;

    template <class Layout>
    auto operator()(const member_path& path, const weight_matrix<float, Layout>& w, as_float) const {
        if (!*problem && w.columns() > kernels::int8_largest_depth) {
            *problem = error{error_code::invalid_argument,
                             sentence("quantize_dynamic: ", path.text(), ": expected at most ", kernels::int8_largest_depth,
                                      " inputs, so that sums of products fit 32 bits; found ", w.columns())};
        }
        auto quantized = quantize_weights(w, Granularity, path.text());
        if (!quantized) {
            if (!*problem) {
                *problem = quantized.error();
            }
            return mapped_weights<weight_matrix<qint8, Layout>, dynamic_range>{weight_matrix<qint8, Layout>(w.structure), {}};
        }
        return mapped_weights<weight_matrix<qint8, Layout>, dynamic_range>{*std::move(quantized), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights&, Activations) const {
        static_assert(
            std::is_same_v<Weights, void>,
            "pare: quantize_dynamic() takes a model of float weights: one in training must be frozen first with freeze(), one that "
            "is quantized cannot be quantized again");
        return mapped_weights<Weights, Activations>{};
    }
};

}  // namespace detail

/// The model with its weights as qint8, symmetric, one scale per output channel (or per tensor), and with activations that are
/// quantized row by row as they come, with the range that they have at that moment. torch.quantization.quantize_dynamic(model,
/// dtype=qint8) with finer granularity. A sparse model stays sparse. Takes a model or a result of one. Errors: weights or biases
/// that are NaN or infinite.
template <granularity Granularity = granularity::per_channel, class Model>
auto quantize_dynamic(const Model& model) {
    return and_then(model, [](const auto& m) {
        std::optional<error> problem;
        for_each_member(m, [&](const member_path& path, const auto& member) {
            if constexpr (requires { member.extent(0); }) {
                for (const float value : member) {
                    if (!is_finite(value) && !problem) {
                        problem = error{error_code::invalid_data,
                                        sentence("quantize_dynamic: ", path.text(), ": expected finite numbers, found ",
                                                 is_nan(value) ? "NaN" : "an infinity")};
                    }
                }
            }
        });
        auto quantized = map_weights(m, detail::quantize_float_weights<Granularity>{&problem});
        return problem ? result<decltype(quantized)>(*std::move(problem)) : result<decltype(quantized)>(std::move(quantized));
    });
}

PARE_NAMESPACE_END

#endif
