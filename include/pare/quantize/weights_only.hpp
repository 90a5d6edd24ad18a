#ifndef PARE_QUANTIZE_WEIGHTS_ONLY_HPP
#define PARE_QUANTIZE_WEIGHTS_ONLY_HPP

#include <pare/quantize/dynamic.hpp>

PARE_NAMESPACE_BEGIN

/// The model with its weights as qint4 or blocks of ggml and activations as the floats that they are: weights become floats again
/// on the way into the product. Smaller, with no error but that of the weights, and faster where memory is the limit, which is at
/// small batches. Takes a model or a result of one, and a selection of layers, as quantize_dynamic(); errors as there.
template <class Element, class Model, class Selection = every_layer>
auto quantize_weights_only(const Model& model, Selection selection = {}) {
    static_assert(detail::in_groups<Element>, "pare: quantize_weights_only() makes qint4<group> weights or blocks of ggml");
    return detail::quantize_model<Element, granularity::per_channel, as_float>(model, selection);
}

PARE_NAMESPACE_END

#endif
