#ifndef PARE_QUANTIZE_QAT_HPP
#define PARE_QUANTIZE_QAT_HPP

#include <limits>
#include <optional>

#include <pare/kernels/conv.hpp>
#include <pare/kernels/gemm_int8.hpp>
#include <pare/nn/fake_quantized.hpp>
#include <pare/nn/fake_range.hpp>
#include <pare/nn/fold.hpp>
#include <pare/nn/freeze.hpp>
#include <pare/nn/selection.hpp>
#include <pare/train/hooks.hpp>

PARE_NAMESPACE_BEGIN

/// What flows into layers stays float; that into convolutions, which have no other kernel, becomes bytes as it comes.
inline constexpr input_policy inputs_as_float{.bits = 0};

namespace detail {

template <class Layer>
concept has_activations = requires(const Layer& layer) {
    layer.activations;
};

/// Float weights, masked or not, become fake_quantized; what flows into layers that can do that, a fake_range, into others
/// dynamic_range, which floats stand for in training.
template <weight_policy Weights, input_policy Inputs, bool HasActivations>
struct fake_quantize_weights {
    float averaging;

    template <class W, class Activations>
    auto operator()(const member_path&, const W& w, Activations a) const {
        return quantized<std::conditional_t<Inputs.bits == 0, as_float, dynamic_range>>(w, a);
    }
    template <class W, class Activations>
    auto operator()(const member_path&, const W& w, Activations a, const kernels::convolution&) const {
        return quantized<dynamic_range>(w, a);
    }
    template <class W, class Activations>
    auto operator()(const member_path&, const W& w, Activations a, looked_up) const {
        return mapped_weights<W, Activations>{w, a};
    }

    template <auto Name, class Layer>
    auto inside() const {
        return fake_quantize_weights<Weights, Inputs, has_activations<Layer>>{averaging};
    }

private:
    /// `Otherwise` where there is no fake_range.
    template <class Otherwise, class W, class Activations>
    auto quantized(const W& w, Activations a) const {
        constexpr bool is_float = std::is_same_v<Activations, as_float> && float_storage<W>;
        static_assert(is_float,
                      "pare: prepare_qat() takes a model of float weights, masked ones too: one that is quantized, or prepared for "
                      "that, cannot be quantized again");
        if constexpr (is_float && Inputs.bits != 0 && HasActivations) {
            fake_range<Inputs> range;
            range.averaging = averaging;
            return mapped_weights<fake_quantized<Weights, W>, fake_range<Inputs>>{fake_quantized<Weights, W>(w), range};
        } else if constexpr (is_float) {
            return mapped_weights<fake_quantized<Weights, W>, Otherwise>{fake_quantized<Weights, W>(w), {}};
        } else {
            return mapped_weights<W, Activations>{w, a};
        }
    }
};

/// Weights that are about to be frozen, with what a batch norm behind them multiplies rows by.
template <class Weights>
struct folding {
    Weights weights;
    aligned_array<float> factor;

    std::size_t rows() const noexcept { return weights.rows(); }
    std::size_t columns() const noexcept { return weights.columns(); }
    auto frozen() const {
        if constexpr (Weights::one_scale) {
            if (!factor.empty()) {  // what is quantized is the product with the batch norm as it is now
                Weights now = weights;
                now.follow(*this);
                return now.frozen(factor.data());
            }
        }
        return weights.frozen(factor.data());
    }
    float inference_scale(std::size_t row) const noexcept { return factor[row]; }
};
template <class Weights>
void scale_rows(folding<Weights>& w, const float* factor) noexcept {
    if (w.factor.empty()) {
        w.factor = aligned_array<float>(w.rows());
        std::fill(w.factor.begin(), w.factor.end(), 1.0f);
    }
    for (std::size_t row = 0; row < w.rows(); ++row) {
        w.factor[row] = exact_multiply(w.factor[row], factor[row]);
    }
}
struct fold_weights {
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, const Activations& a) const {
        if constexpr (requires { w.frozen(w.channel_scale.data()); }) {
            return mapped_weights<folding<Weights>, Activations>{{w, {}}, a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
};

/// The first member with which a model in training cannot be converted.
template <class Model>
std::optional<error> unfit_for_conversion(Model& model) {
    if (const auto name = parameter_not_finite(model); !name.empty()) {
        return error{error_code::invalid_data, sentence("convert: ", name, ": expected finite numbers, found NaN or an infinity")};
    }
    std::optional<error> problem;
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if (problem) {
            return;
        }
        if constexpr (requires { member.has_range(); }) {
            if (!member.has_range()) {
                problem = error{error_code::invalid_data,
                                sentence("convert: ", path.text(),
                                         ": expected a range that training has seen, found none: train the model first")};
            }
        } else if constexpr (requires { member.seen; }) {
            if (member.columns() > kernels::int8_largest_depth && member.policy.group == 0) {
                problem = error{error_code::invalid_argument,
                                sentence("convert: ", path.text(), ": expected at most ", kernels::int8_largest_depth,
                                         " weights in a row, so that sums of products fit 32 bits; found ", member.columns())};
            }
        }
    });
    return problem;
}

/// Calls f(layer) for a layer and for all that are in it.
template <class Layer, class F>
void for_each_layer(Layer& layer, const F& f) {
    f(layer);
    if constexpr (has_parts<Layer>) {
        Layer::parts(layer).for_each([&]<auto>(auto& inner) { for_each_layer(inner, f); });
    }
}

}  // namespace detail

/// The model for quantization-aware training: what fit() then trains are float weights, of which products see what will be left of
/// them (fake_quantized), multiplied by inputs that are quantized in the same way (fake_range, in dense layers and convolutions;
/// `averaging` is how fast moving averages of ranges follow). For weights of 4 bits with learned scales and inputs of 4 bits:
///
///     auto net = prepare_qat<weight_policy{.bits = 4, .step = step_size::learned}, input_policy{.bits = 4}>(trained);
///     fit(net, ...);
///     auto small = convert(net);
///
/// Best begun from a model that is trained. Takes a model or a result of one; layers that the selection does not take (only<...>,
/// except<...>) and tables of embeddings stay as they are. A model that is pruned, masked, is pruned on while it is trained.
/// torch.ao.quantization.prepare_qat. Jacob et al. 2018; Krishnamoorthi 2018; Esser et al. 2020.
template <weight_policy Weights = weight_policy{}, input_policy Inputs = input_policy{}, class Model, class Selection = every_layer>
auto prepare_qat(const Model& model, Selection selection = {}, float averaging = 0.01f) {
    static_assert(Inputs.bits == 0 || Weights.group == 0,
                  "pare: weights in groups multiply floats: prepare_qat<weights, inputs_as_float>()");
    return and_then(model, [&](const auto& m) {
        using layer = std::remove_cvref_t<decltype(m)>;
        return map_selected_weights(m, detail::fake_quantize_weights<Weights, Inputs, detail::has_activations<layer>>{averaging},
                                    selection);
    });
}

/// The model that prepare_qat() and training were about, quantized to the integers and scales that products saw: weights as qint8,
/// from -2^(bits - 1) + 1 on where there are fewer bits, or qint<bits, group>; inputs as static_range, in a network of bytes. What
/// flows into layers that have no such inputs, recurrent ones and attention, was float in training and becomes bytes as it comes,
/// dynamic_range, unless it was asked to stay float (inputs_as_float). Biases were rounded in training as the network of bytes
/// rounds them, but not those that take up a batch norm now, as by fold_batch_norm(): there it goes into scales and biases, and
/// what does nothing in inference is left out. Takes a model or a result of one. Errors: a model that has not been trained since,
/// and so knows no ranges; parameters that are not finite; rows too long for sums of 32 bits.
template <class Model>
auto convert(const Model& model) {
    return and_then(model, [](auto m) {
        using converted = decltype(freeze(detail::fold_inside(map_weights(m, detail::fold_weights{}))));
        if (auto problem = detail::unfit_for_conversion(m)) {
            return result<converted>(*std::move(problem));
        }
        return result<converted>(freeze(detail::fold_inside(map_weights(m, detail::fold_weights{}))));
    });
}

/// The callback that ends, in quantization-aware training, what still moves beside the parameters: from these steps on (counted
/// from 0, over all epochs) ranges of inputs stay as they are, and batch norms use their running statistics, which stay, as in
/// inference. Krishnamoorthi 2018, section 3.2.2: some epochs before the end. torch.ao.quantization.disable_observer,
/// freeze_bn_stats.
struct qat_freezing {
    static constexpr std::size_t never = (std::numeric_limits<std::size_t>::max)();

    std::size_t ranges_at_step = never;
    std::size_t batch_norms_at_step = never;

    template <class Model>
    void on_step_begin(Model& model, const training_state& state) const {
        const bool ranges = state.step >= ranges_at_step, norms = state.step >= batch_norms_at_step;
        detail::for_each_layer(model, [&](auto& layer) {
            if constexpr (requires { layer.activations.frozen_range; }) {
                layer.activations.frozen_range = layer.activations.frozen_range || ranges;
            } else if constexpr (requires { layer.running_var, layer.frozen; }) {
                layer.frozen = layer.frozen || norms;
            }
        });
    }
};

PARE_NAMESPACE_END

#endif
