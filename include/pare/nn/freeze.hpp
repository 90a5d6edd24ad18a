#ifndef PARE_NN_FREEZE_HPP
#define PARE_NN_FREEZE_HPP

#include <pare/core/result.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

struct freeze_weights {
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, const Activations& a) const {
        auto activations = frozen_activations(a);
        if constexpr (requires { w.frozen(); }) {
            return mapped_weights<decltype(w.frozen()), decltype(activations)>{w.frozen(), activations};
        } else {
            return mapped_weights<Weights, decltype(activations)>{w, activations};
        }
    }

private:
    template <class Activations>
    static auto frozen_activations(const Activations& a) {
        if constexpr (requires { a.frozen(); }) {
            return a.frozen();
        } else {
            return a;
        }
    }
};

}  // namespace detail

/// The model that training was about: storages that exist only for training become what they stand for, others stay.
template <class Model>
auto freeze(const Model& model) {
    return and_then(model, [](const auto& m) { return map_weights(m, detail::freeze_weights{}); });
}

PARE_NAMESPACE_END

#endif
