#ifndef PARE_QUANTIZE_SENSITIVITY_HPP
#define PARE_QUANTIZE_SENSITIVITY_HPP

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <pare/nn/prepare.hpp>
#include <pare/nn/selection.hpp>
#include <pare/nn/summary.hpp>
#include <pare/quantize/weights.hpp>
#include <pare/train/evaluate.hpp>
#include <pare/types/mixed_weights.hpp>

PARE_NAMESPACE_BEGIN

/// The ways to store a layer that quantize_to() chooses from, unless it is told others. The first is what the model has.
using mixed_precision = mixed_weights<candidate<float, as_float>, candidate<bfloat16, as_float>, candidate<qint8, dynamic_range>,
                                      candidate<qint4<64>, dynamic_range>>;

/// What one candidate would be for one layer, all others being as they are.
struct candidate_sensitivity {
    std::string weights;      // what it is: "qint8 full, activations quantized per row"
    bool possible = false;    // e.g. blocks of ggml want rows of whole blocks
    std::size_t bytes = 0;    // of the weights
    double divergence = 0.0;  // of the network's outputs: see sensitivity_of()
};

/// What the candidates would be for one layer, or one matrix of weights of it.
struct layer_sensitivity {
    std::string path;  // "0.weight"
    std::vector<candidate_sensitivity> candidates;
};

namespace detail {

/// w by the rules of the function that makes the element's weights.
template <class Element>
result<weight_matrix<Element, full>> stored_as(const weight_matrix<float, full>& w, const std::string& path) {
    if constexpr (is_real<Element>) {
        if (auto problem = unfit_weight(w, path)) {
            return *std::move(problem);
        }
        weight_matrix<Element, full> rounded(w.structure);
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            rounded.values[i] = Element(w.values[i]);
            if (!is_finite(float{rounded.values[i]})) {
                return error{error_code::invalid_argument, sentence("quantize: ", path, ": expected weights that ",
                                                                    element_storage<Element>::name, " holds, found ", w.values[i])};
            }
        }
        return rounded;
    } else {
        return quantize_weights_to<Element, granularity::per_channel>(w, path, round_to_nearest{});
    }
}

/// Float weights to mixed ones, as they are.
template <class Mixed>
struct mix_weights {
    auto operator()(const member_path&, const weight_matrix<float, full>& w, as_float) const {
        return mapped_weights<Mixed, as_chosen>{Mixed(std::in_place_index<0>, w), {}};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        static_assert(std::is_same_v<Weights, void>,
                      "pare: quantize_to() and sensitivity_of() take a model of full float weights: one in training must be frozen "
                      "first with freeze(), one that is quantized cannot be quantized again");
        return mapped_weights<Weights, Activations>{w, a};
    }
};

/// A network with the candidate 0 everywhere, whose weights can be exchanged one by one. Matrices of weights are numbered in the
/// order of for_each_member.
template <class Mixed, class Model>
class mixed_model {
    static_assert(std::is_same_v<typename Mixed::template candidate_at<0>::element, float> &&
                      std::is_same_v<typename Mixed::template candidate_at<0>::activations, as_float>,
                  "pare: the first candidate must be candidate<float, as_float>, which is what the model has");

public:
    static constexpr std::size_t candidates = Mixed::candidates;

    explicit mixed_model(const Model& model) : floats_(model), model_(model) {}

    const Model& model() const noexcept { return model_; }
    std::size_t layers() const {
        std::size_t count = 0;
        for_each_layer(floats_, [&](std::size_t, const member_path&, const auto&) { ++count; });
        return count;
    }

    /// Gives a layer another candidate. Errors: weights that the candidate cannot hold.
    std::optional<error> choose(std::size_t layer, std::size_t wanted) {
        std::optional<error> problem;
        const weight_matrix<float, full>* floats = nullptr;
        for_each_layer(floats_, [&](std::size_t i, const member_path&, const Mixed& w) {
            floats = i == layer ? w.template get<0>() : floats;
        });
        for_each_layer(model_, [&](std::size_t i, const member_path& path, Mixed& w) {
            if (i == layer) {
                problem = store<0>(w, *floats, wanted, path);
            }
        });
        return problem;
    }

    /// What is known of the candidates of a layer without running the network.
    result<layer_sensitivity> describe(std::size_t layer) {
        layer_sensitivity about;
        for_each_layer(floats_, [&](std::size_t i, const member_path& path, const Mixed&) {
            about.path = i == layer ? path.text() : about.path;
        });
        for (std::size_t c = 0; c < Mixed::candidates; ++c) {
            candidate_sensitivity one;
            if (auto problem = choose(layer, c); !problem) {
                one.possible = true;
                for_each_layer(model_, [&](std::size_t i, const member_path&, const Mixed& w) {
                    if (i == layer) {
                        one.weights = w.describe();
                        one.bytes = w.bytes();
                    }
                });
            } else if (problem->code != error_code::invalid_argument) {
                return *std::move(problem);
            }
            about.candidates.push_back(std::move(one));
        }
        choose(layer, 0);
        return about;
    }

private:
    template <class M, class F>
    static void for_each_layer(M& model, const F& f) {
        std::size_t index = 0;
        for_each_member(model, [&](const member_path& path, auto& member) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, Mixed>) {
                f(index++, path, member);
            }
        });
    }
    template <std::size_t I>
    static std::optional<error> store(Mixed& w, const weight_matrix<float, full>& floats, std::size_t wanted,
                                      const member_path& path) {
        if (wanted != I) {
            if constexpr (I + 1 < Mixed::candidates) {
                return store<I + 1>(w, floats, wanted, path);
            }
            return std::nullopt;
        }
        auto made = stored_as<typename Mixed::template candidate_at<I>::element>(floats, path.text());
        if (!made) {
            return made.error();
        }
        w = Mixed(std::in_place_index<I>, *std::move(made));
        return std::nullopt;
    }

    Model floats_;
    Model model_;
};
template <class Mixed, class Model, class Selection>
auto make_mixed(const Model& model, Selection selection) {
    auto all = map_selected_weights(model, mix_weights<Mixed>{}, selection);
    return mixed_model<Mixed, decltype(all)>(all);
}

/// The outputs of a model for a data set, one row after the other, in `outputs`.
template <class Isa, class Model, class Data, class Executor>
std::optional<error> outputs_of(const Model& model, const Data& data, Executor& exec, std::vector<float>& outputs) {
    outputs.clear();
    return run_over(prepare<Isa>(model), data, exec, [&](std::size_t, const auto&, matrix_view<const float> y) {
        outputs.insert(outputs.end(), y.data, y.data + y.rows * y.columns);
    });
}

/// The mean over rows of n logits of KL(softmax(a) || softmax(b)).
inline double mean_divergence(std::span<const float> a, std::span<const float> b, std::size_t n) {
    const auto log_sum = [n](const float* x) {
        double largest = static_cast<double>(x[0]);
        for (std::size_t i = 1; i < n; ++i) {
            largest = static_cast<double>(x[i]) > largest ? static_cast<double>(x[i]) : largest;
        }
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += std::exp(static_cast<double>(x[i]) - largest);
        }
        return largest + std::log(sum);
    };
    double total = 0.0;
    for (std::size_t row = 0; row < a.size(); row += n) {
        const double of_a = log_sum(a.data() + row), of_b = log_sum(b.data() + row);
        for (std::size_t i = row; i < row + n; ++i) {
            const double log_p = static_cast<double>(a[i]) - of_a;
            total += std::exp(log_p) * (log_p - (static_cast<double>(b[i]) - of_b));
        }
    }
    return total / static_cast<double>(a.size() / n);
}
/// The mean squared difference.
inline double mean_square(std::span<const float> a, std::span<const float> b) {
    double total = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        total += d * d;
    }
    return total / static_cast<double>(a.size());
}

/// See sensitivity_of().
template <class Isa, class Mixed, class Model, class Data, class Executor>
result<std::vector<layer_sensitivity>> measure_sensitivity(mixed_model<Mixed, Model>& mixed, const Data& data, Executor& exec) {
    if (data.size() == 0) {
        return error{error_code::invalid_data, "sensitivity_of: expected at least one sample, found none"};
    }
    std::vector<layer_sensitivity> layers;
    for (std::size_t layer = 0; layer < mixed.layers(); ++layer) {
        auto about = mixed.describe(layer);
        if (!about) {
            return about.error();
        }
        layers.push_back(*std::move(about));
    }
    std::vector<float> floats, outputs;
    if (auto problem = outputs_of<Isa>(mixed.model(), data, exec, floats)) {
        return *std::move(problem);
    }
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        for (std::size_t c = 1; c < Mixed::candidates; ++c) {
            candidate_sensitivity& one = layers[layer].candidates[c];
            if (!one.possible) {
                continue;
            }
            mixed.choose(layer, c);
            if (auto problem = outputs_of<Isa>(mixed.model(), data, exec, outputs)) {
                return *std::move(problem);
            }
            one.divergence = labelled_dataset<Data> ? mean_divergence(floats, outputs, floats.size() / data.size())
                                                    : mean_square(floats, outputs);
            if (!is_finite(static_cast<float>(one.divergence))) {
                return error{error_code::invalid_data, sentence("sensitivity_of: ", layers[layer].path, " as ", one.weights,
                                                                ": expected finite outputs, found others")};
            }
        }
        mixed.choose(layer, 0);
    }
    return layers;
}

}  // namespace detail

/// How much a model suffers from each layer: for each matrix of weights and each candidate, what becomes of the outputs where only
/// that matrix is so stored. With labels, the mean over the data set of KL(softmax of the float model's logits || softmax of
/// these); with targets, the mean squared difference of outputs. Takes a model of float weights, or a result of one, and a
/// selection of layers. A run over the data per layer and candidate; Dong et al. 2019 (HAWQ) and Banner et al. 2019 use such
/// orders. Errors: no sample, those of the data, weights that are NaN or infinite, outputs that are.
template <class Candidates = mixed_precision, class Isa = isa::native, class Model, dataset Data, class Selection = every_layer,
          executor Executor = serial_executor>
result<std::vector<layer_sensitivity>> sensitivity_of(const Model& model, const Data& data, Selection selection = {},
                                                      Executor&& exec = {}) {
    return and_then(model, [&](const auto& m) {
        auto mixed = detail::make_mixed<Candidates>(m, selection);
        return detail::measure_sensitivity<Isa>(mixed, data, exec);
    });
}

/// A line per layer and candidate.
inline std::string describe(std::span<const layer_sensitivity> layers) {
    std::string text;
    for (const layer_sensitivity& layer : layers) {
        for (const candidate_sensitivity& c : layer.candidates) {
            if (c.possible) {
                text += sentence(layer.path, " as ", c.weights, ": ", c.bytes, " bytes, divergence ", c.divergence, "\n");
            }
        }
    }
    return text;
}

PARE_NAMESPACE_END

#endif
