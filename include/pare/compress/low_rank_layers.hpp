#ifndef PARE_COMPRESS_LOW_RANK_LAYERS_HPP
#define PARE_COMPRESS_LOW_RANK_LAYERS_HPP

#include <pare/compress/low_rank_factors.hpp>
#include <pare/nn/conv.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>

PARE_NAMESPACE_BEGIN

/// Convolutions by singular values: the kernel to `rank` channels, then a pointwise convolution.
struct svd_form {
    static constexpr bool is_tucker = false;
};
/// Convolutions as Tucker-2: a pointwise convolution to fewer channels, the kernel between few channels, a pointwise convolution.
/// Dense layers and convolutions of which it is known that their kernel is one pixel are factorized by singular values.
struct tucker_form {
    static constexpr bool is_tucker = true;
};

namespace detail {

/// How a layer is factorized:
///
///     is_product                      it is a dense layer or a convolution
///     known, groups                   its shape, as far as it is a constant: dyn where not
///     is_tucker<Form>                 whether Form has a factor for its inputs
///     shape_of(layer)                 its shape
///     make<Outputs, Inputs>(layer, ranks, factors)
///                                     the layers, of factor_ranks that are constants or dyn; Inputs 0: no factor of their own
template <class Layer>
struct factorization {
    static constexpr bool is_product = false;
};

inline weight_matrix<float, full> matrix_of(std::size_t rows, std::size_t columns, const std::vector<float>& values) {
    weight_matrix<float, full> w(rows, columns);
    std::copy(values.begin(), values.end(), w.values.begin());
    return w;
}

template <std::size_t In, std::size_t Out, class Weights, class Activations>
struct factorization<dense<In, Out, Weights, Activations>> {
    using layer_type = dense<In, Out, Weights, Activations>;
    static constexpr bool is_product = true;
    static constexpr bool has_floats = std::is_same_v<layer_type, dense<In, Out>>;
    static constexpr weights_shape known{Out, 1, In};
    static constexpr std::size_t groups = 1;
    template <class Form>
    static constexpr bool is_tucker = false;

    static weights_shape shape_of(const layer_type& layer) noexcept { return {layer.weights.rows(), 1, layer.weights.columns()}; }
    static std::size_t groups_of(const layer_type&) noexcept { return 1; }

    template <std::size_t Rank, std::size_t>
    static auto make(const layer_type& layer, const factor_ranks& ranks, const low_rank_factors& f) {
        const weights_shape s = shape_of(layer);
        return sequential(dense<In, Rank>(matrix_of(ranks.outputs, s.inputs, f.core), tensor<float, Rank>(ranks.outputs), false),
                          dense<Rank, Out>(matrix_of(s.outputs, ranks.outputs, f.last), layer.bias, layer.has_bias));
    }
};

template <std::size_t Rank, std::size_t In, std::size_t Out, size2d Kernel, conv_options Options, class Weights, class Activations>
struct factorization<convolution_layer<Rank, In, Out, Kernel, Options, Weights, Activations>> {
    using layer_type = convolution_layer<Rank, In, Out, Kernel, Options, Weights, Activations>;
    static constexpr bool is_product = true;
    static constexpr bool has_floats = std::is_same_v<Weights, weight_matrix<float, full>> && std::is_same_v<Activations, as_float>;
    static constexpr bool fixed_kernel = Kernel.width != dyn;
    static constexpr weights_shape known{Out, fixed_kernel ? Kernel.height* Kernel.width : dyn, In};
    static constexpr std::size_t groups = fixed_kernel ? Options.groups : dyn;
    template <class Form>
    static constexpr bool is_tucker = Form::is_tucker && known.taps != 1;

    static weights_shape shape_of(const layer_type& layer) noexcept {
        const std::size_t taps = layer.moves.value.kernel.height * layer.moves.value.kernel.width;
        return {layer.weights.rows(), taps, layer.weights.columns() / taps};
    }
    static std::size_t groups_of(const layer_type& layer) noexcept { return layer.moves.value.groups; }

    template <std::size_t Outputs, std::size_t Inputs>
    static auto make(const layer_type& layer, const factor_ranks& ranks, const low_rank_factors& f) {
        const weights_shape s = shape_of(layer);
        constexpr conv_options plain = [] {
            conv_options o = Options;
            o.bias = false;
            return o;
        }();
        auto last = pointwise<Outputs, Out>(matrix_of(s.outputs, ranks.outputs, f.last), layer.bias, layer.has_bias);
        if constexpr (Inputs == 0) {
            return sequential(
                convolution_layer<Rank, In, Outputs, Kernel, plain, Weights, Activations>(
                    matrix_of(ranks.outputs, s.taps * s.inputs, f.core), tensor<float, Outputs>(ranks.outputs), false, layer.moves),
                std::move(last));
        } else {
            return sequential(
                pointwise<In, Inputs>(matrix_of(ranks.inputs, s.inputs, f.first), tensor<float, Inputs>(ranks.inputs), false),
                convolution_layer<Rank, Inputs, Outputs, Kernel, plain, Weights, Activations>(
                    matrix_of(ranks.outputs, s.taps * ranks.inputs, f.core), tensor<float, Outputs>(ranks.outputs), false,
                    layer.moves),
                std::move(last));
        }
    }

private:
    template <std::size_t From, std::size_t To>
    static auto pointwise(weight_matrix<float, full> w, tensor<float, To> bias, bool has_bias) {
        constexpr conv_options with_or_without{};
        return convolution_layer<Rank, From, To, size2d(1), with_or_without, Weights, Activations>(std::move(w), std::move(bias),
                                                                                                   has_bias, {});
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
