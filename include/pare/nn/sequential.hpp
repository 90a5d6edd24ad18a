#ifndef PARE_NN_SEQUENTIAL_HPP
#define PARE_NN_SEQUENTIAL_HPP

#include <algorithm>
#include <tuple>

#include <pare/core/tuple.hpp>
#include <pare/nn/training_chain.hpp>

PARE_NAMESPACE_BEGIN

/// The shapes of layers one after the other.
template <class... Plans>
struct sequential_plan {
    static constexpr bool is_static = (Plans::is_static && ...);

    std::tuple<Plans...> plans;

    /// The shape of the first layer that takes only one; layers before it must keep shapes.
    constexpr auto input_shape() const noexcept requires(has_input_shape<Plans> || ...) {
        constexpr bool has[] = {has_input_shape<Plans>...};
        return std::get<static_cast<std::size_t>(std::find(has, has + sizeof...(Plans), true) - has)>(plans).input_shape();
    }

    template <class Shape>
    constexpr auto output_shape(const Shape& input) const noexcept {
        return walk(input, [](auto, const auto&...) {});
    }

    template <class Shape>
    constexpr std::size_t scratch_bytes(std::size_t batch, const Shape& input) const noexcept {
        std::size_t largest = 0;
        walk(input, [&](auto, const auto& plan, const auto& in, const auto&) {
            largest = (std::max)(largest, pare::scratch_bytes(plan, batch, in));
        });
        return 2 * scratch_bytes_of<float>(batch * intermediate_size(input)) + largest;
    }

    /// The size of the largest sample between two layers.
    template <class Shape>
    constexpr std::size_t intermediate_size(const Shape& input) const noexcept {
        std::size_t largest = 0;
        walk(input, [&](auto index, const auto&, const auto&, const auto& out) {
            if constexpr (index + 1 < sizeof...(Plans)) {
                largest = (std::max)(largest, out.size());
            }
        });
        return largest;
    }

    /// Calls f(index, plan, input shape, output shape) for each layer and returns the shape after the last.
    template <std::size_t I = 0, class Shape, class F>
    constexpr auto walk(const Shape& in, F&& f) const {
        if constexpr (I == sizeof...(Plans)) {
            return in;
        } else {
            const auto out = std::get<I>(plans).output_shape(in);
            f(std::integral_constant<std::size_t, I>{}, std::get<I>(plans), in, out);
            return walk<I + 1>(out, f);
        }
    }
};

/// Layers one after the other. torch.nn.Sequential, whose names it uses: "0.weight", "2.bias".
template <class... Layers>
struct sequential {
    static constexpr bool takes_single_steps = (pare::takes_single_steps<Layers> && ...);

    std::tuple<Layers...> layers;

    explicit sequential(Layers... l) : layers(std::move(l)...) {
        if constexpr (has_input_shape<decltype(plan())>) {
            (void)plan().output_shape(plan().input_shape());  // shapes that disagree are found here
        }
    }

    constexpr auto plan() const {
        return detail::apply([](const auto&... l) { return sequential_plan<decltype(l.plan())...>{{l.plan()...}}; }, layers);
    }

    template <class Context, class T, std::size_t... X, class U, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const T, X...> x, tensor_view<U, Y...> y) const noexcept {
        forward_from(ctx, x, y, nullptr);
    }
    /// For each layer that carries something, that.
    std::size_t state_floats(std::size_t batch) const noexcept {
        return detail::apply([&](const auto&... l) { return (std::size_t{0} + ... + pare::state_floats(l, batch)); }, layers);
    }
    template <class Context, class X, class Y>
    void forward_from(Context& ctx, const X& x, const Y& y, float* state) const noexcept {
        Context inner = ctx;
        const std::size_t size = x.extent(0) * plan().intermediate_size(sample_shape(x));
        float* const buffer = inner.scratch.template take<float>(size);
        step<0>(inner, x, y, state, buffer, inner.scratch.template take<float>(size));
    }

    /// For each layer what it saves, then its output, but for the last and those that are in the place of their input.
    template <std::size_t... E>
    std::size_t saved_floats(std::size_t batch, const extents<E...>& input) const noexcept {
        std::size_t count = 0;
        plan().walk(input, [&](auto index, const auto&, const auto& in, const auto& out) {
            if constexpr (!chain::skipped[index]) {
                count += saved_piece(pare::saved_floats(std::get<index>(layers), batch, in));
                count += index + 1 < sizeof...(Layers) && !chain::in_place[index] ? saved_piece(batch * out.size()) : 0;
            }
        });
        return count;
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward_training(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y,
                          std::span<float> saved) noexcept {
        training_step<0>(ctx, x, static_cast<float*>(nullptr), y, saved);
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...> y,
                  tensor_view<const float, Y...> dy, tensor_view<float, X...> dx, std::span<float> gradient,
                  std::span<float> saved) const noexcept {
        backward_step<0>(ctx, x, static_cast<float*>(nullptr), y, dy, dx, gradient, saved,
                         places_of_gradients(x.extent(0), sample_shape(x)));
    }

    /// For forward() of the layers as they are, too.
    template <class Isa, std::size_t... E>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<E...>& input) const noexcept {
        const std::size_t inference = 2 * scratch_bytes_of<float>(batch * plan().intermediate_size(input));
        return largest_scratch(batch, input, [&](std::size_t, std::size_t between, const auto& layer, const auto& in) {
            return (std::max)(between, inference) + pare::training_scratch_bytes<Isa>(layer, batch, in);
        });
    }

    /// A layer that is at work has as scratch the gradients of the layers before it, too, and its own until it writes that.
    template <class Isa, std::size_t... E>
    std::size_t scratch_before_gradient_bytes(std::size_t batch, const extents<E...>& input) const noexcept {
        return largest_scratch(batch, input, [&](std::size_t before, std::size_t between, const auto& layer, const auto& in) {
            const auto beyond = [](std::size_t bytes, std::size_t floats) {
                const std::size_t given = floats * sizeof(float) / alignment * alignment;
                return bytes > given ? bytes - given : 0;
            };
            return (std::max)(
                beyond(between + pare::gradient_scratch_bytes<Isa>(layer, batch, in), before),
                beyond(between + pare::training_scratch_bytes<Isa>(layer, batch, in), before + parameter_count(layer)));
        });
    }

    std::string describe() const {
        std::string text;
        detail::apply([&](const auto&... l) { ((text += (text.empty() ? "" : " + ") + pare::describe_layer(l)), ...); }, layers);
        return text;
    }

    template <class Self>
    static auto parts(Self& self) noexcept {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return named_parts<number<I>...>(std::get<I>(self.layers)...);
        }
        (std::index_sequence_for<Layers...>{});
    }
    template <class... Others>
    static auto with_parts(Others... others) {
        return pare::sequential<Others...>(std::move(others)...);
    }

private:
    /// In the names of members.
    template <std::size_t I>
    static constexpr std::size_t number = []<std::size_t... J>(std::index_sequence<J...>) {
        return (std::size_t{J < I && has_number<Layers>} + ...);
    }
    (std::index_sequence_for<Layers...>{});

    template <std::size_t I>
    using layer_at = std::tuple_element_t<I, std::tuple<Layers...>>;
    /// Layers that do nothing hand x on; the last one has to copy.
    template <std::size_t I>
    static constexpr bool skipped = passes_through<layer_at<I>>&& I + 1 < sizeof...(Layers);
    using chain = training_chain<Layers...>;

    /// x in the shape that it has behind a layer which hands it on.
    template <std::size_t I, class T, std::size_t... E>
    auto behind(tensor_view<T, dyn, E...> x) const noexcept {
        return batch_of(x.data(), x.extent(0), std::get<I>(layers).plan().output_shape(sample_shape(x)));
    }

    template <std::size_t I, class Context, class X, class Y>
    void step(Context& ctx, const X& x, const Y& y, float* state, float* buffer, float* other) const noexcept {
        const auto& layer = std::get<I>(layers);
        if constexpr (skipped<I>) {
            step<I + 1>(ctx, behind<I>(x), y, state, buffer, other);
        } else if constexpr (I + 1 == sizeof...(Layers)) {
            pare::forward_from(layer, ctx, x, y, state);
        } else {
            using element = typename detail::output_element<layer_at<I>, typename X::value_type>::type;
            const auto shape = layer.plan().output_shape(sample_shape(x));
            const auto out = batch_of(reinterpret_cast<element*>(buffer), x.extent(0), shape);
            pare::forward_from(layer, ctx, x, out, state);
            step<I + 1>(ctx, batch_of(const_cast<const element*>(out.data()), x.extent(0), shape), y, state, other, buffer);
        }
    }

    /// Weights that are quantized in training have to know the batch norm behind them, which scales them in inference.
    template <class Layer, class Next>
    static void follow_norm(Layer& layer, const Next& next) noexcept {
        if constexpr (requires(const float* p) { layer.weights.follow(next), layer.scaled(p, p); }) {
            layer.weights.follow(next);
        }
    }

    /// x lies at `place` of the saved numbers, but for that of the first layer.
    template <std::size_t I, class Context, class X, class Y>
    void training_step(const Context& ctx, const X& x, float* place, const Y& y, std::span<float> saved) noexcept {
        if constexpr (chain::skipped[I]) {
            training_step<I + 1>(ctx, behind<I>(x), place, y, saved);
        } else {
            auto& layer = std::get<I>(layers);
            Context inner = ctx;
            inner.random = ctx.random.split(I);
            const auto own = take_saved(saved, pare::saved_floats(layer, x.extent(0), sample_shape(x)));
            if constexpr (I + 1 < sizeof...(Layers)) {
                follow_norm(layer, std::get<I + 1>(layers));
            }
            if constexpr (I + 1 == sizeof...(Layers)) {
                pare::forward_training(layer, inner, x, y, own);
            } else {
                const auto shape = layer.plan().output_shape(sample_shape(x));
                float* const out = output_of<I>(place, saved, x.extent(0) * shape.size());
                pare::forward_training(layer, inner, x, batch_of(out, x.extent(0), shape), own);
                training_step<I + 1>(ctx, batch_of(static_cast<const float*>(out), x.extent(0), shape), out, y, saved);
            }
        }
    }
    template <std::size_t I>
    static float* output_of(float* place, std::span<float>& saved, std::size_t size) noexcept {
        if constexpr (chain::in_place[I]) {
            return place;
        } else {
            return take_saved(saved, size).data();
        }
    }

    template <class Shape>
    auto places_of_gradients(std::size_t batch, const Shape& input) const noexcept {
        typename chain::sizes inputs{};
        plan().walk(input, [&](auto index, const auto&, const auto& in, const auto&) { inputs[index] = in.size(); });
        return chain::place_gradients(batch, inputs);
    }

    /// The most that gradients between layers and the layers themselves, bytes(parameters before it, layer, input), take from the
    /// scratch at a time.
    template <class Shape, class Bytes>
    std::size_t largest_scratch(std::size_t batch, const Shape& input, const Bytes& bytes) const noexcept {
        const auto places = places_of_gradients(batch, input);
        std::size_t largest = 0, before = 0;
        plan().walk(input, [&](auto index, const auto&, const auto& in, const auto&) {
            const auto& layer = std::get<index>(layers);
            const std::size_t between = scratch_bytes_of<float>(places.end[index]);
            largest = (std::max)(largest, bytes(before, between, layer, in));
            before += parameter_count(layer);
        });
        return largest;
    }

    /// Layers I and above. dy belongs to the output of the last, dx to the input of layer I, which lies at `place`.
    template <std::size_t I, class Context, class X, class Y, class Dx>
    void backward_step(const Context& ctx, const X& x, float* place, const Y& y, const Y& dy, const Dx& dx,
                       std::span<float> gradient, std::span<float> saved, const typename chain::gradient_places& places,
                       bool trained_before = false) const noexcept {
        if constexpr (chain::skipped[I]) {
            backward_step<I + 1>(ctx, behind<I>(x), place, y, dy, behind<I>(dx), gradient, saved, places, trained_before);
        } else {
            const auto& layer = std::get<I>(layers);
            const std::span<float> own_gradient = gradient.first(parameter_count(layer));
            const auto own = take_saved(saved, pare::saved_floats(layer, x.extent(0), sample_shape(x)));
            Context inner = ctx;
            float* const between = inner.scratch.template take<float>(places.end[I]);
            if constexpr (I + 1 == sizeof...(Layers)) {
                pare::backward(layer, inner, x, y, dy, dx, own_gradient, own);
            } else {
                const auto shape = layer.plan().output_shape(sample_shape(x));
                float* const out = output_of<I>(place, saved, x.extent(0) * shape.size());
                const auto out_view = batch_of(static_cast<const float*>(out), x.extent(0), shape);
                const bool trained = trained_before || !own_gradient.empty();
                float* const d = !trained && dx.data() == nullptr       ? nullptr
                                 : chain::dx_in_place[chain::behind[I]] ? out
                                                                        : between + places.begin[chain::behind[I]];
                Context deeper = ctx;
                deeper.scratch = ctx.scratch.with(own_gradient);  // which is not written yet
                backward_step<I + 1>(deeper, out_view, out, y, dy, batch_of(d, x.extent(0), shape),
                                     gradient.subspan(own_gradient.size()), saved, places, trained);
                pare::backward(layer, inner, x, out_view, batch_of(static_cast<const float*>(d), x.extent(0), shape), dx,
                               own_gradient, own);
            }
        }
    }
};

namespace detail {

/// A sequential of the layers that are tied: moved, or copied from constant ones.
template <class... Layers>
auto tied_layers(std::tuple<Layers&...> tied) {
    return detail::apply([](auto&... l) { return sequential<std::remove_const_t<Layers>...>(std::move(l)...); }, tied);
}

template <class In>
struct output_element<sequential<>, In> {
    using type = In;
};
template <class First, class... Rest, class In>
struct output_element<sequential<First, Rest...>, In>
    : output_element<sequential<Rest...>, typename output_element<First, In>::type> {};

}  // namespace detail

PARE_NAMESPACE_END

#endif
