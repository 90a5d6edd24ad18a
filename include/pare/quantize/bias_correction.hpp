#ifndef PARE_QUANTIZE_BIAS_CORRECTION_HPP
#define PARE_QUANTIZE_BIAS_CORRECTION_HPP

#include <pare/quantize/dynamic.hpp>
#include <pare/train/input_statistics.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

template <class Member>
inline constexpr bool is_full_matrix = false;
template <class Element>
inline constexpr bool is_full_matrix<weight_matrix<Element, full>> = true;

/// The name of the bias beside weights: "2.bias" of "2.weight", "0.bias_ih_l0" of "0.weight_ih_l0".
inline std::string bias_beside(std::string weight) {
    const std::size_t at = weight.rfind("weight");
    return at == std::string::npos ? std::string() : weight.replace(at, 6, "bias");
}

}  // namespace detail

/// The quantized model with biases that make up for what its weights are off on average:
///
///     b[j] += sum over inputs c of (w[j][c] - w'[j][c]) E[x[c]],
///
/// w and x being those of the float model that it was made from, on calibration data. For full weights of any element, of every
/// layer with a bias for each row of them: in dense layers, convolutions, recurrent layers, self-attention. A layer without a bias
/// stays. Takes a quantized model or a result of one, and the float model with members of the same names. Errors: those of
/// calibration, see gptq(); weights that the float model does not have. A pass over the data. Nagel, van Baalen, Blankevoort,
/// Welling 2019, section 4.2.
template <class Isa = isa::native, class Quantized, class Model, dataset Data>
auto correct_biases(const Quantized& quantized, const Model& model, const Data& data) {
    return and_then(quantized, [&](const auto& q) {
        using made = result<std::remove_cvref_t<decltype(q)>>;
        auto corrected = q;
        detail::model_inputs inputs;
        auto problem = detail::member_not_finite("correct_biases", model);
        if (!problem) {
            problem = detail::observe_inputs<Isa>("correct_biases", model, data, false, inputs);
        }
        if (problem) {
            return made(*std::move(problem));
        }
        std::vector<std::pair<std::string, std::vector<double>>> missing;  // of each bias
        for_each_member(corrected, [&](const member_path& path, auto& member) {
            using type = std::remove_reference_t<decltype(member)>;
            if constexpr (detail::is_full_matrix<type>) {
                const detail::storage_inputs* own = nullptr;
                for (const auto& s : inputs.storages()) {
                    own = s->full_weights != nullptr && s->name == path.text() ? s.get() : own;
                }
                if (own == nullptr) {
                    return;  // rows that are looked up
                }
                const weight_matrix<float, full>& w = *own->full_weights;
                if (w.rows() != member.rows() || w.columns() != member.columns()) {
                    problem = error{error_code::invalid_argument,
                                    sentence("correct_biases: ", own->name, ": expected weights ", w.rows(), " x ", w.columns(),
                                             " as in the float model, found ", member.rows(), " x ", member.columns())};
                    return;
                }
                std::vector<double> difference(w.rows(), 0.0);
                for (std::size_t j = 0; j < w.rows(); ++j) {
                    const input_statistics& x = own->of_output(j, w.rows());
                    for (std::size_t c = 0; c < w.columns(); ++c) {
                        const std::size_t i = j * w.columns() + c;
                        difference[j] += (static_cast<double>(w.values[i]) - static_cast<double>(member.real(j, i))) * x.mean(c);
                    }
                }
                missing.emplace_back(detail::bias_beside(own->name), std::move(difference));
            } else if constexpr (requires { static_cast<float*>(member.data()); }) {
                for (const auto& [name, difference] : missing) {
                    for (std::size_t j = 0; name == path.text() && difference.size() == member.size() && j < difference.size();
                         ++j) {
                        member.data()[j] = static_cast<float>(static_cast<double>(member.data()[j]) + difference[j]);
                    }
                }
            }
        });
        return problem ? made(*std::move(problem)) : made(std::move(corrected));
    });
}

PARE_NAMESPACE_END

#endif
