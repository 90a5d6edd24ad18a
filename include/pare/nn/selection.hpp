#ifndef PARE_NN_SELECTION_HPP
#define PARE_NN_SELECTION_HPP

#include <pare/core/fixed_string.hpp>
#include <pare/nn/layer.hpp>

PARE_NAMESPACE_BEGIN

/// Which layers an optimization takes. Those that it does not take stay as they are, and so do their types, which is why names are
/// template arguments. A name is a layer's place, as members of a state dict have it ("2", "3.body.0"; what lies in a container is
/// meant by the container's), or its kind ("dense", "conv2d", "lstm", ...: `kind` in the layer). One that fits no layer of the
/// model does not compile.
///
///     quantize_dynamic(model, only<"dense", "lstm">{})
///     quantize_weights_only<qint4<64>>(model, except<"0", "embedding">{})

/// All layers.
struct every_layer {};

/// The layers of these names.
template <fixed_string... Names>
struct only {};

/// All layers but those of these names.
template <fixed_string... Names>
struct except {};

/// All layers that have a `kind` but the first and the last of them, which are often worth leaving alone.
struct inner_layers {};

/// What may stand where a selection is expected.
template <class T>
inline constexpr bool is_selection = std::is_same_v<T, every_layer> || std::is_same_v<T, inner_layers>;
template <fixed_string... Names>
inline constexpr bool is_selection<only<Names...>> = true;
template <fixed_string... Names>
inline constexpr bool is_selection<except<Names...>> = true;

namespace detail {

constexpr std::size_t length_of(std::size_t number) noexcept {
    return number < 10 ? 1 : 1 + length_of(number / 10);
}
template <std::size_t Size>
constexpr std::size_t length_of(const fixed_string<Size>&) noexcept {
    return Size - 1;
}

/// The place of a layer: the names, or numbers, of what it is in, and its own.
template <auto... Names>
struct layer_path {
    static constexpr auto text = [] {
        std::array<char, (length_of(Names) + ... + sizeof...(Names)) + 1> all{};
        std::size_t at = 0;
        [[maybe_unused]] const auto append = [&](const auto& name) {
            if (at != 0) {
                all[at++] = '.';
            }
            const std::size_t length = length_of(name);
            if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(name)>>) {
                std::size_t rest = name;
                for (std::size_t i = length; i-- > 0; rest /= 10) {
                    all[at + i] = static_cast<char>('0' + rest % 10);
                }
            } else {
                for (std::size_t i = 0; i < length; ++i) {
                    all[at + i] = name.text[i];
                }
            }
            at += length;
        };
        (append(Names), ...);
        return all;
    }();
    template <auto Name>
    using in = layer_path<Names..., Name>;
};

/// Whether a layer at this place is the one, or of the kind, that a name means.
template <class Path, class Layer>
constexpr bool is_called(std::string_view name) noexcept {
    if constexpr (requires { Layer::kind; }) {
        if (name == std::string_view(Layer::kind)) {
            return true;
        }
    }
    return name == std::string_view(Path::text.data());
}

/// Whether a selection takes a layer, where it takes (or does not take) what the layer is in.
template <class Path, class Layer, fixed_string... Names>
constexpr bool is_taken(only<Names...>, bool outer) noexcept {
    return outer || (is_called<Path, Layer>(Names.view()) || ...);
}
template <class Path, class Layer, fixed_string... Names>
constexpr bool is_taken(except<Names...>, bool outer) noexcept {
    return outer && !(is_called<Path, Layer>(Names.view()) || ...);
}

/// inner_layers of a model.
template <class Model>
struct inner_layers_of {};

/// The places of the first and of the last layer that has a kind.
struct end_layers {
    std::string_view first;
    std::string_view last;
};
template <class Path, class Layer>
constexpr end_layers ends_of(end_layers ends) noexcept {
    if constexpr (requires { Layer::kind; }) {
        ends.last = std::string_view(Path::text.data());
        ends.first = ends.first.empty() ? ends.last : ends.first;
    } else if constexpr (has_parts<Layer>) {
        parts_type<Layer>::for_each_type([&]<auto Name, class Inner>() {
            ends = ends_of<typename Path::template in<Name>, Inner>(ends);
        });
    }
    return ends;
}
template <class Path, class Layer, class Model>
constexpr bool is_taken(inner_layers_of<Model>, bool outer) noexcept {
    constexpr std::string_view place(Path::text.data());
    constexpr end_layers ends = ends_of<layer_path<>, Model>({});
    return outer && place != ends.first && place != ends.last;
}

/// Whether any layer of a model is called so.
template <class Path, class Layer>
constexpr bool contains_layer(std::string_view name) noexcept {
    bool found = is_called<Path, Layer>(name);
    if constexpr (has_parts<Layer>) {
        parts_type<Layer>::for_each_type([&]<auto Name, class Inner>() {
            found = found || contains_layer<typename Path::template in<Name>, Inner>(name);
        });
    }
    return found;
}
template <class Model, fixed_string... Names>
constexpr bool contains_all(only<Names...>) noexcept {
    return (contains_layer<layer_path<>, Model>(Names.view()) && ...);
}
template <class Model, fixed_string... Names>
constexpr bool contains_all(except<Names...>) noexcept {
    return (contains_layer<layer_path<>, Model>(Names.view()) && ...);
}

/// f for the weights of layers that are taken, at a place inside a model.
template <class Selection, class Path, bool Taken, class F>
struct selecting {
    F f;

    template <class Weights, class Activations, class... Structure>
    auto operator()(const member_path& path, const Weights& w, Activations a, const Structure&... structure) const {
        if constexpr (!Taken) {
            return mapped_weights<Weights, Activations>{w, a};
        } else if constexpr (std::is_same_v<Path, layer_path<>>) {
            return map_member(f, path, w, a, structure...);
        } else {
            return map_member(f, member_path(Path::text.data(), path), w, a, structure...);
        }
    }
    /// The same for a layer in the one here: see map_weights_in.
    template <auto Name, class Layer>
    auto inside() const {
        using path = typename Path::template in<Name>;
        constexpr bool taken = is_taken<path, Layer>(Selection{}, Taken);
        if constexpr (requires { f.template inside<Name, Layer>(); }) {
            auto inner = f.template inside<Name, Layer>();
            return selecting<Selection, path, taken, decltype(inner)>{inner};
        } else {
            return selecting<Selection, path, taken, F>{f};
        }
    }
};

template <fixed_string... Names>
constexpr bool takes_unnamed(only<Names...>) noexcept {
    return false;
}
template <fixed_string... Names>
constexpr bool takes_unnamed(except<Names...>) noexcept {
    return true;
}

}  // namespace detail

/// map_weights of the layers that a selection takes.
template <class Model, class F, class Selection>
auto map_selected_weights(const Model& model, const F& f, Selection selection) {
    if constexpr (std::is_same_v<Selection, every_layer>) {
        return map_weights(model, f);
    } else if constexpr (std::is_same_v<Selection, inner_layers>) {
        using path = detail::layer_path<>;
        constexpr bool taken = detail::is_taken<path, Model>(detail::inner_layers_of<Model>{}, true);
        return map_weights(model, detail::selecting<detail::inner_layers_of<Model>, path, taken, F>{f});
    } else {
        static_assert(detail::contains_all<Model>(selection),
                      "pare: a name in only<...> or except<...> is neither the place nor the kind of any layer of this model");
        using path = detail::layer_path<>;
        constexpr bool taken = detail::is_taken<path, Model>(Selection{}, detail::takes_unnamed(Selection{}));
        return map_weights(model, detail::selecting<Selection, path, taken, F>{f});
    }
}

PARE_NAMESPACE_END

#endif
