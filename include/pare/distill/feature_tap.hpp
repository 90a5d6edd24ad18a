#ifndef PARE_DISTILL_FEATURE_TAP_HPP
#define PARE_DISTILL_FEATURE_TAP_HPP

#include <optional>

#include <pare/core/tuple.hpp>
#include <pare/distill/feature_losses.hpp>
#include <pare/kernels/elementwise.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/selection.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/nn/training.hpp>
#include <pare/train/initialize.hpp>

PARE_NAMESPACE_BEGIN

/// How what flows inside a model is seen: a layer that does nothing else is put behind the one at a place, and taken out again.
namespace detail {

/// Tells which shape passes: whoever walks through the plans of a model walks through this one, too, in whatever container it is.
struct noted_shape {
    static constexpr bool is_static = false;

    feature_shape* shape;

    template <class Shape>
    constexpr Shape output_shape(const Shape& input) const noexcept {
        const std::size_t channels = input[Shape::rank - 1];
        *shape = {input.size() / channels, channels};
        return input;
    }
};

/// What a tap shares with its loss: from the forward pass what the student gives, and from the loss, for the backward pass, the
/// derivative by it. Where there is a projection, the derivative is by what that gives.
struct tapped_features {
    feature_shape shape;
    feature_shape teacher_shape;
    std::size_t number = 0;  // of the loss
    std::size_t batch = 0;
    const float* features = nullptr;
    std::optional<dense<dyn, dyn>> projection;
    aligned_array<float> projected;
    aligned_array<float> gradient;
    aligned_array<float> of_teacher;

    /// Once both shapes are known.
    void allocate(std::size_t most, bool projects, const random_numbers& random) {
        if (projects) {
            projection.emplace(shape.channels, teacher_shape.channels);
            auto& w = projection->weights;
            for (std::size_t i = 0; i < w.values.size(); ++i) {
                w.values[i] = lecun_normal{}(random, i, w.columns(), w.rows());
            }
            projected = aligned_array<float>(most * teacher_shape.size());
        }
        gradient = aligned_array<float>(most * (projects ? teacher_shape.size() : shape.size()));
        of_teacher = aligned_array<float>(most * teacher_shape.size());
    }
    feature_batch<float> student_batch() const noexcept {
        return projection ? feature_batch<float>{projected.data(), batch, teacher_shape}
                          : feature_batch<float>{features, batch, shape};
    }
};

/// y = x, behind a layer of a student in training; dx = dy + the derivative of the loss. The parameters of the projection are its
/// own: "projection.<number of the loss>.weight".
struct feature_tap {
    static constexpr bool has_number = false;
    static constexpr bool passes_through = true;

    tapped_features* tapped;

    noted_shape plan() const noexcept { return {&tapped->shape}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        std::copy(x.begin(), x.end(), y.begin());
    }

    template <class Context, std::size_t... E>
    void forward_training(Context& ctx, tensor_view<const float, E...> x, tensor_view<float, E...> y,
                          std::span<float>) const noexcept {
        std::copy(x.begin(), x.end(), y.begin());
        tapped->features = y.data();
        tapped->batch = x.extent(0);
        if (tapped->projection) {
            forward_layer(*tapped->projection, ctx, rows(x.data(), tapped->shape),
                          rows(tapped->projected.data(), tapped->teacher_shape));
        }
    }

    template <class Context, std::size_t... E>
    void backward(Context& ctx, tensor_view<const float, E...> x, tensor_view<const float, E...>, tensor_view<const float, E...> dy,
                  tensor_view<float, E...> dx, std::span<float> gradient, std::span<float>) const noexcept {
        Context inner = ctx;
        const float* d = tapped->gradient.data();
        if (tapped->projection) {
            float* const through = dx.data() == nullptr ? nullptr : inner.scratch.template take<float>(x.size());
            pare::backward(*tapped->projection, inner, rows(x.data(), tapped->shape),
                           rows(static_cast<const float*>(tapped->projected.data()), tapped->teacher_shape),
                           rows(d, tapped->teacher_shape), rows(through, tapped->shape), gradient, {});
            d = through;
        }
        if (dx.data() != nullptr) {
            kernels::transform<typename Context::isa>(
                ctx.executor, x.size(), dx.data(), [](auto a, auto b) { return a + b; }, dy.data(), d);
        }
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        return !tapped->projection ? 0
                                   : scratch_bytes_of<float>(batch * input.size()) +
                                         pare::training_scratch_bytes<Isa>(*tapped->projection, batch * tapped->shape.positions,
                                                                           extents<dyn>(tapped->shape.channels));
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        if (self.tapped->projection) {
            pare::for_each_member(*self.tapped->projection, [&](const member_path& path, auto& member) {
                f(member_path("projection", member_path(self.tapped->number, path)), member);
            });
        }
    }

private:
    template <class T>
    tensor_view<T, dyn, dyn> rows(T* data, const feature_shape& shape) const noexcept {
        return batch_of(data, tapped->batch * shape.positions, extents<dyn>(shape.channels));
    }
};

/// y = x, behind a layer of a teacher; sink->append(batch) sees x.
template <class Sink>
struct teacher_tap {
    static constexpr bool has_number = false;

    Sink* sink;

    noted_shape plan() const noexcept { return {&sink->shape}; }

    template <class Context, std::size_t... E>
    void forward(Context&, tensor_view<const float, E...> x, tensor_view<float, E...> y) const noexcept {
        std::copy(x.begin(), x.end(), y.begin());
        sink->append({x.data(), x.extent(0), sink->shape});
    }
};

template <class Layer>
inline constexpr bool is_sequential = false;
template <class... Layers>
inline constexpr bool is_sequential<sequential<Layers...>> = true;

template <class... Layers>
auto sequential_of(std::tuple<Layers...> layers) {
    return detail::apply([](auto&&... l) { return sequential<Layers...>(std::move(l)...); }, std::move(layers));
}

/// Whether a tap can be put behind the layer at a place of a model: in a sequential, or one itself.
template <fixed_string Place, class Path, class Layer>
constexpr bool can_be_tapped() noexcept {
    bool found = false;
    if constexpr (has_parts<Layer>) {
        parts_type<Layer>::for_each_type([&]<auto Name, class Inner>() {
            using path = typename Path::template in<Name>;
            constexpr bool here = std::string_view(path::text.data()) == Place.view();
            found = found || (here && has_number<Inner> && (is_sequential<Layer> || is_sequential<Inner>)) ||
                    can_be_tapped<Place, path, Inner>();
        });
    }
    return found;
}

/// The model with a tap behind the layer at a place.
template <fixed_string Place, class Path = layer_path<>, class Layer, class Tap>
auto with_tap(const Layer& layer, const Tap& tap) {
    if constexpr (!can_be_tapped<Place, Path, Layer>()) {
        return layer;
    } else {
        const auto inside = [&]<auto Name, class Inner>(const Inner& inner) {
            using path = typename Path::template in<Name>;
            auto made = with_tap<Place, path>(inner, tap);
            if constexpr (std::string_view(path::text.data()) != Place.view() || !has_number<Inner>) {
                return std::tuple<decltype(made)>(std::move(made));
            } else {
                return std::tuple<decltype(made), Tap>(std::move(made), tap);
            }
        };
        if constexpr (is_sequential<Layer>) {
            auto layers =
                Layer::parts(layer).mapped([&]<auto Name>(const auto& inner) { return inside.template operator()<Name>(inner); });
            return sequential_of(detail::apply([](auto&&... l) { return std::tuple_cat(std::move(l)...); }, std::move(layers)));
        } else {
            return map_parts(layer, [&]<auto Name>(const auto& inner) {
                auto made = inside.template operator()<Name>(inner);
                if constexpr (std::tuple_size_v<decltype(made)> == 1) {
                    return std::get<0>(std::move(made));
                } else {
                    return sequential_of(detail::append(std::move(std::get<0>(made).layers), tap));
                }
            });
        }
    }
}

template <class Layer>
constexpr bool has_tap() noexcept {
    bool found = std::is_same_v<Layer, feature_tap>;
    if constexpr (has_parts<Layer>) {
        parts_type<Layer>::for_each_type([&]<auto, class Inner>() { found = found || has_tap<Inner>(); });
    }
    return found;
}

/// The model without its feature_taps.
template <class Layer>
auto without_taps(const Layer& layer) {
    if constexpr (!has_tap<Layer>()) {
        return layer;
    } else if constexpr (is_sequential<Layer>) {
        const auto kept = []<class Inner>(const Inner& inner) {
            if constexpr (std::is_same_v<Inner, feature_tap>) {
                return std::tuple<>();
            } else {
                return std::tuple<decltype(without_taps(inner))>(without_taps(inner));
            }
        };
        return sequential_of(detail::apply([&](const auto&... l) { return std::tuple_cat(kept(l)...); }, layer.layers));
    } else {
        return map_parts(layer, [&]<auto>(const auto& inner) { return without_taps(inner); });
    }
}

}  // namespace detail

PARE_NAMESPACE_END

#endif
