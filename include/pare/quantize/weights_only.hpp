#ifndef PARE_QUANTIZE_WEIGHTS_ONLY_HPP
#define PARE_QUANTIZE_WEIGHTS_ONLY_HPP

#include <pare/quantize/dynamic.hpp>

PARE_NAMESPACE_BEGIN

/// The model with its weights as qint8 (a scale per output), qint<bits, group>, nf4<group> or blocks of ggml, and activations as
/// the floats that they are: weights become floats again on the way into the product. Smaller, with no error but that of the
/// weights, and faster where memory is the limit, which is at small batches. Zeros, pruned weights, stay zero, but where groups have a
/// minimum (qscheme::minimum, q4_1, q5_1, q4_K), which need not have a code for zero. Takes a model or a result of one, and a
/// selection of layers, as quantize_dynamic(); errors as there.
template <class Element, class Model, class Selection = every_layer>
requires(!code_choice<Selection>) auto quantize_weights_only(const Model& model, Selection selection = {}) {
    static_assert(detail::in_groups<Element> || std::is_same_v<Element, qint8>,
                  "pare: quantize_weights_only() makes qint8, qint<bits, group> or nf4<group> weights, or blocks of ggml");
    return detail::quantize_model<Element, granularity::per_channel, as_float>(model, selection);
}

/// The same for qint<bits, group> or nf4<group>, with scales of groups chosen by mse_clipped{} or hqq{} (quantize/code_choice.hpp)
/// instead of round_to_nearest{}.
template <class Element, class Model, code_choice Choice, class Selection = every_layer>
auto quantize_weights_only(const Model& model, const Choice& choice, Selection selection = {}) {
    return detail::quantize_model<Element, granularity::per_channel, as_float>(model, selection, choice);
}

PARE_NAMESPACE_END

#endif
