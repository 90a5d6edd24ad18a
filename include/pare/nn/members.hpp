#ifndef PARE_NN_MEMBERS_HPP
#define PARE_NN_MEMBERS_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <pare/core/result.hpp>
#include <pare/core/tensor.hpp>
#include <pare/core/tuple.hpp>
#include <pare/nn/parts.hpp>

// What layers hold, by name, and maps over it: members() and map_weights() of the layer protocol (nn/layer.hpp).

PARE_NAMESPACE_BEGIN

template <class... Layers>
struct sequential;

/// The name of a parameter inside a network, "2.weight": built only where somebody reads it.
class member_path {
public:
    member_path(const char* name) noexcept : name_(name) {}
    member_path(std::size_t index, const member_path& inner) noexcept : index_(index), inner_(&inner) {}
    member_path(const char* name, const member_path& inner) noexcept : name_(name), inner_(&inner) {}

    std::string text() const {
        return inner_ == nullptr  ? std::string(name_)
               : name_[0] == '\0' ? sentence(index_, ".", inner_->text())
                                  : sentence(name_, ".", inner_->text());
    }
    /// The last part: "weight".
    const char* leaf() const noexcept { return inner_ == nullptr ? name_ : inner_->leaf(); }
    /// Whether it is a member of the layer itself, not of a layer in it.
    bool is_own() const noexcept { return inner_ == nullptr; }

private:
    const char* name_ = "";
    std::size_t index_ = 0;
    const member_path* inner_ = nullptr;
};

/// Numbers of a layer that are saved with it, but not trained: running statistics.
template <class T, std::size_t... E>
struct buffer : tensor<T, E...> {
    using tensor<T, E...>::tensor;
};

/// How a state dict keeps a member whose axes are in another order here: as a tensor of `shape`, of which axis order[i] is axis i
/// here. A convolution's weights are [outputs, height, width, inputs] here and [outputs, inputs, height, width] there: order 0, 2,
/// 3, 1. In `groups`, axis 0 there has one part for each of them, and each part's numbers are together here.
struct file_axes {
    static constexpr std::size_t most = 4;

    std::size_t rank;
    std::array<std::size_t, most> shape;
    std::array<std::size_t, most> order;
    std::size_t groups = 1;

    /// Where number `here` of the member lies in the file's tensor, both row-major.
    std::size_t index_in_file(std::size_t here) const noexcept {
        std::array<std::size_t, most> at{};
        const std::size_t part = shape[0] / groups;
        for (std::size_t i = rank; i-- > 0;) {
            const std::size_t length = order[i] == 0 ? part : shape[order[i]];
            at[order[i]] = here % length;
            here /= length;
        }
        at[0] += here * part;  // what is left is the group
        std::size_t index = 0;
        for (std::size_t axis = 0; axis < rank; ++axis) {
            index = index * shape[axis] + at[axis];
        }
        return index;
    }
};

/// The structure of weights of which rows are looked up: prepare() leaves them as they are.
struct looked_up {
    std::size_t padding_row = dyn;  // one that stands for nothing: it begins as zeros
};

/// Weights and the kind of activations that they multiply: what maps over weights return.
template <class Weights, class Activations>
struct mapped_weights {
    Weights weights;
    Activations activations;
};

template <class Layer>
concept has_own_members = requires(Layer& l) {
    Layer::members(l, [](const member_path&, auto&, auto...) {});
};
template <class Layer>
concept has_members = has_own_members<Layer> || has_parts<Layer>;

namespace detail {

template <auto Name>
member_path path_in(const member_path& path) noexcept {
    if constexpr (std::is_integral_v<decltype(Name)>) {
        return {Name, path};
    } else {
        return {Name.text, path};
    }
}

}  // namespace detail

/// Calls f(member_path, member) for each weight storage, parameter tensor and buffer of a layer or a network, in the order of a
/// state dict; or f(member_path, member, file_axes) or f(member_path, member, looked_up), where f takes it, for those that have
/// one.
template <class Layer, class F>
void for_each_member(Layer& layer, F&& f) {
    using plain = std::remove_const_t<Layer>;
    const auto visit = [&](const member_path& path, auto& member, auto... axes) {
        if constexpr (sizeof...(axes) != 0 && std::invocable<F&, const member_path&, decltype(member), decltype(axes)...>) {
            f(path, member, axes...);
        } else {
            f(path, member);
        }
    };
    if constexpr (has_own_members<plain>) {
        plain::members(layer, visit);
    }
    if constexpr (has_parts<plain>) {
        plain::parts(layer).for_each([&]<auto Name>(auto& inner) {
            for_each_member(inner, [&](const member_path& path, auto& member, auto... axes) {
                visit(detail::path_in<Name>(path), member, axes...);
            });
        });
    }
}

/// What the map_weights of a layer calls for weights that an image or another structure is multiplied by, not rows: f(path,
/// weights, activations, structure) where f has an answer to that, as prepare() does, else f(path, weights, activations).
template <class F, class Weights, class Activations, class... Structure>
auto map_member(F&& f, const member_path& path, const Weights& weights, Activations activations, const Structure&... structure) {
    if constexpr (sizeof...(Structure) != 0 &&
                  std::invocable<F&, const member_path&, const Weights&, Activations, const Structure&...>) {
        return f(path, weights, activations, structure...);
    } else {
        return f(path, weights, activations);
    }
}

template <class Layer, class F>
auto map_weights(const Layer& layer, F&& f);

/// map_weights(layer, f) for a layer in another, whose members are called "Name.<their names>" (Name is a number or a
/// fixed_string); with f.inside<Name, Layer>() instead of f where f wants to know which layer it is.
template <auto Name, class Layer, class F>
auto map_weights_in(const Layer& layer, const F& f) {
    if constexpr (requires { f.template inside<Name, Layer>(); }) {
        return map_weights(layer, f.template inside<Name, Layer>());
    } else {
        return map_weights(layer, [&](const member_path& path, const auto& w, auto a, const auto&... structure) {
            return map_member(f, detail::path_in<Name>(path), w, a, structure...);
        });
    }
}

/// The layer with f.operator()<Name>(inner) of each layer in it.
template <has_parts Layer, class F>
auto map_parts(const Layer& layer, F&& f) {
    return detail::apply([&](auto&&... inner) { return layer.with_parts(std::move(inner)...); }, Layer::parts(layer).mapped(f));
}

/// The same with f(inner), for containers that are not unrolled as a sequential is.
template <class Layer, class F>
auto map_layers(const Layer& layer, F&& f) {
    return map_parts(
        layer, [&]<auto>(const auto& inner) { return f(inner); });
}
template <class Layer>
inline constexpr bool maps_layers = has_parts<Layer>;
template <class... Layers>
inline constexpr bool maps_layers<sequential<Layers...>> = false;

/// The layer with each of its weight storages replaced by what f makes of it; as it is where it has none.
template <class Layer, class F>
auto map_weights(const Layer& layer, F&& f) {
    if constexpr (requires { layer.map_weights(f); }) {
        return layer.map_weights(f);
    } else if constexpr (has_parts<Layer>) {
        return map_parts(
            layer, [&]<auto Name>(const auto& inner) { return map_weights_in<Name>(inner, f); });
    } else {
        return layer;
    }
}

PARE_NAMESPACE_END

#endif
