#ifndef PARE_NN_BRANCHES_HPP
#define PARE_NN_BRANCHES_HPP

#include <algorithm>

#include <pare/core/tuple.hpp>
#include <pare/nn/byte_layers.hpp>
#include <pare/nn/quantized_values.hpp>
#include <pare/nn/residual.hpp>

PARE_NAMESPACE_BEGIN

/// Containers whose branches all see the same x and give outputs of one shape but for the last extent.
namespace detail {

/// Columns [first, first + columns) of rows that are `width` long, to rows of their own, or back.
template <class T>
void copy_columns(std::size_t rows, std::size_t columns, const T* from, std::size_t from_width, T* to,
                  std::size_t to_width) noexcept {
    for (std::size_t r = 0; r < rows; ++r) {
        std::copy_n(from + r * from_width, columns, to + r * to_width);
    }
}

}  // namespace detail

/// How the outputs of branches become one: side by side along the last extent, or added up.
enum class branch_join { concatenate, add };

/// The shapes of branches.
template <branch_join Join, class... Plans>
struct branches_plan {
    static constexpr bool is_static = (Plans::is_static && ...);

    std::tuple<Plans...> plans;

    constexpr auto input_shape() const noexcept requires(has_input_shape<Plans> || ...) {
        constexpr bool has[] = {has_input_shape<Plans>...};
        return std::get<static_cast<std::size_t>(std::find(has, has + sizeof...(Plans), true) - has)>(plans).input_shape();
    }

    template <class Shape>
    constexpr auto output_shape(const Shape& input) const noexcept {
        return detail::apply([&](const auto&... p) { return join(p.output_shape(input)...); }, plans);
    }

    template <class Shape>
    constexpr std::size_t scratch_bytes(std::size_t batch, const Shape& input) const noexcept {
        std::size_t largest = 0, output = 0;
        detail::apply(
            [&](const auto&... p) {
                ((largest = (std::max)(largest, pare::scratch_bytes(p, batch, input)),
                  output = (std::max)(output, p.output_shape(input).size())),
                 ...);
            },
            plans);
        return scratch_bytes_of<float>(batch * output) + largest;
    }

private:
    /// Whether the first axes of two shapes have the same length, as far as the types know.
    template <class A, class B>
    static constexpr bool agree(const A&, const B&, std::size_t axes) noexcept {
        for (std::size_t axis = 0; axis < axes; ++axis) {
            const std::size_t a = A::static_extent(axis), b = B::static_extent(axis);
            if (a != b && a != dyn && b != dyn) {
                return false;
            }
        }
        return true;
    }

    template <std::size_t... E, class... Others>
    static constexpr auto join(const extents<E...>& first, const Others&... others) noexcept {
        constexpr std::size_t rank = sizeof...(E);
        static_assert(((Others::rank == rank) && ...), "pare: branches must give outputs with the same number of axes");
        constexpr std::size_t shared = Join == branch_join::add ? rank : rank - 1;
        static_assert((agree(extents<E...>{}, Others{}, shared) && ...),
                      "pare: branches must give outputs of the same shape (concat: but for the last extent)");
        for (std::size_t axis = 0; axis != shared; ++axis) {
            PARE_ASSERT(((others[axis] == first[axis]) && ...), "axis %zu: a branch gives %zu, another does not", axis,
                        first[axis]);
        }
        if constexpr (Join == branch_join::add) {
            return first;
        } else {
            constexpr std::size_t lengths[] = {extents<E...>::static_extent(rank - 1), Others::static_extent(rank - 1)...};
            constexpr bool fixed = std::find(lengths, lengths + sizeof...(Others) + 1, dyn) == lengths + sizeof...(Others) + 1;
            constexpr std::size_t width =
                fixed ? (extents<E...>::static_extent(rank - 1) + ... + Others::static_extent(rank - 1)) : dyn;
            return [&]<std::size_t... I>(std::index_sequence<I...>) {
                using shape = extents<extents<E...>::static_extent(I)..., width>;
                if constexpr (shape::is_static) {
                    return shape{};
                } else {
                    return shape(first[I]..., (first[rank - 1] + ... + others[rank - 1]));
                }
            }
            (std::make_index_sequence<rank - 1>{});
        }
    }
};

/// Layers that see the same x: see concat and parallel. Members are called "0.<name>", "1.<name>", as in torch.nn.ModuleList.
template <branch_join Join, class... Layers>
struct branches {
    static constexpr bool has_byte_form = Join == branch_join::concatenate || sizeof...(Layers) == 2;
    static constexpr bool takes_single_steps = (pare::takes_single_steps<Layers> && ...);

    std::tuple<Layers...> layers;

    explicit branches(Layers... l) : layers(std::move(l)...) {
        if constexpr (has_input_shape<decltype(plan())>) {
            (void)plan().output_shape(plan().input_shape());  // shapes that disagree are found here
        }
    }

    constexpr auto plan() const {
        return detail::apply([](const auto&... l) { return branches_plan<Join, decltype(l.plan())...>{{l.plan()...}}; }, layers);
    }

    template <class Context, class T, std::size_t... X, class U, std::size_t... Y>
    void forward(Context& ctx, tensor_view<const T, X...> x, tensor_view<U, Y...> y) const noexcept {
        forward_from(ctx, x, y, nullptr);
    }
    /// Those of the branches in order.
    std::size_t state_floats(std::size_t batch) const noexcept {
        return detail::apply([&](const auto&... l) { return (std::size_t{0} + ... + pare::state_floats(l, batch)); }, layers);
    }
    template <class Context, class X, class Y>
    void forward_from(Context& ctx, const X& x, const Y& y, float* state) const noexcept {
        Context inner = ctx;
        using element = typename Y::value_type;
        element* const out = inner.scratch.template take<element>(x.extent(0) * largest_output(sample_shape(x)));
        std::size_t first = 0;
        each(x, [&](auto i, const auto& layer, const auto& shape) {
            pare::forward_from(layer, inner, x, batch_of(out, x.extent(0), shape), state);
            put(inner, i == 0, out, last(shape), y, first);
        });
    }

    /// Each branch's output, then what it saves.
    template <std::size_t... N>
    std::size_t saved_floats(std::size_t batch, const extents<N...>& input) const noexcept {
        return detail::apply(
            [&](const auto&... l) {
                return (
                    std::size_t{0} + ... +
                    (saved_piece(batch * l.plan().output_shape(input).size()) + saved_piece(pare::saved_floats(l, batch, input))));
            },
            layers);
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void forward_training(Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y,
                          std::span<float> saved) noexcept {
        std::size_t first = 0;
        each(x, [&](auto i, const auto&, const auto& shape) {
            Context inner = ctx;
            inner.random = ctx.random.split(i);
            auto& layer = std::get<i>(layers);
            float* const out = take_saved(saved, x.extent(0) * shape.size()).data();
            const auto own = take_saved(saved, pare::saved_floats(layer, x.extent(0), sample_shape(x)));
            pare::forward_training(layer, inner, x, batch_of(out, x.extent(0), shape), own);
            put(inner, i == 0, out, last(shape), y, first);
        });
    }

    template <class Context, std::size_t... X, std::size_t... Y>
    void backward(Context& ctx, tensor_view<const float, X...> x, tensor_view<const float, Y...>, tensor_view<const float, Y...> dy,
                  tensor_view<float, X...> dx, std::span<float> gradient, std::span<float> saved) const noexcept {
        Context inner = ctx;
        const std::size_t batch = x.extent(0), width = dy.extent(sizeof...(Y) - 1), rows = dy.size() / width;
        float* const part = inner.scratch.template take<float>(batch * largest_output(sample_shape(x)));
        float* const sum = inner.scratch.template take<float>(x.size());
        std::size_t first = 0;
        each(x, [&](auto i, const auto& layer, const auto& shape) {
            const float* const out = take_saved(saved, batch * shape.size()).data();
            const auto own = take_saved(saved, pare::saved_floats(layer, batch, sample_shape(x)));
            const std::span<float> own_gradient = gradient.first(parameter_count(layer));
            gradient = gradient.subspan(own_gradient.size());
            const float* dout = dy.data();
            if constexpr (Join == branch_join::concatenate) {
                detail::copy_columns(rows, last(shape), dy.data() + first, width, part, last(shape));
                first += last(shape);
                dout = part;
            }
            float* const d = dx.data() == nullptr || i == 0 ? dx.data() : sum;
            pare::backward(layer, inner, x, batch_of(out, batch, shape), batch_of(dout, batch, shape),
                           batch_of(d, batch, sample_shape(x)), own_gradient, own);
            if (i != 0 && dx.data() != nullptr) {
                kernels::call<detail::add_numbers_operation>(ctx, x.size(), sum, dx.data());
            }
        });
    }

    template <class Isa, std::size_t... N>
    std::size_t training_scratch_bytes(std::size_t batch, const extents<N...>& input) const noexcept {
        const std::size_t largest = detail::apply(
            [&](const auto&... l) { return (std::max)({pare::training_scratch_bytes<Isa>(l, batch, input)...}); }, layers);
        return scratch_bytes_of<float>(batch * largest_output(input)) + scratch_bytes_of<float>(batch * input.size()) + largest;
    }

    template <class Self>
    static auto parts(Self& self) noexcept {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return named_parts<I...>(std::get<I>(self.layers)...);
        }
        (std::index_sequence_for<Layers...>{});
    }
    template <class... Others>
    static auto with_parts(Others... others) {
        return pare::branches<Join, Others...>(std::move(others)...);
    }

    /// Side by side, or the sum of two that end in quantized_values.
    template <class Lower>
    auto on_bytes(const static_range& x, const static_range& y, const Lower& lower) const
        requires(Join == branch_join::concatenate || (sizeof...(Layers) == 2 && (detail::ends_quantized<Layers> && ...))) {
        if constexpr (Join == branch_join::concatenate) {
            return map_layers(*this, [&](const auto& layer) { return lower(layer, x, y); });
        } else {
            const static_range &first = detail::last_range(std::get<0>(layers)), &second = detail::last_range(std::get<1>(layers));
            auto a = lower(std::get<0>(layers), x, first);
            auto b = lower(std::get<1>(layers), x, second);
            using plan_type = branches_plan<Join, decltype(a.plan()), decltype(b.plan())>;
            return detail::byte_sum<plan_type, decltype(a), decltype(b)>{
                {{a.plan(), b.plan()}}, {std::move(a), std::move(b)}, {first.input, second.input, detail::output_of(y)}, "sum of"};
        }
    }

    std::string describe() const {
        std::string text;
        detail::apply([&](const auto&... l) { ((text += (text.empty() ? "" : "; ") + describe_layer(l)), ...); }, layers);
        return (Join == branch_join::add ? "sum of (" : "concat (") + text + ")";
    }

private:
    template <class Shape>
    static std::size_t last(const Shape& shape) noexcept {
        return shape[Shape::rank - 1];
    }

    template <class Shape>
    std::size_t largest_output(const Shape& input) const noexcept {
        return detail::apply([&](const auto&... l) { return (std::max)({l.plan().output_shape(input).size()...}); }, layers);
    }

    /// Calls f(index, layer, shape of its output) for each branch.
    template <class X, class F>
    void each(const X& x, const F& f) const {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (f(std::integral_constant<std::size_t, I>{}, std::get<I>(layers),
               std::get<I>(layers).plan().output_shape(sample_shape(x))),
             ...);
        }
        (std::index_sequence_for<Layers...>{});
    }

    /// The output of a branch to where it belongs in y.
    template <class Context, class T, class Y>
    static void put(Context& ctx, bool is_first, const T* out, std::size_t columns, const Y& y, std::size_t& first) {
        if constexpr (Join == branch_join::concatenate) {
            const std::size_t width = y.extent(Y::extents_type::rank - 1);
            detail::copy_columns(y.size() / width, columns, out, columns, y.data() + first, width);
            first += columns;
        } else if (is_first) {
            std::copy_n(out, y.size(), y.data());
        } else {
            kernels::call<detail::add_numbers_operation>(ctx, y.size(), out, y.data());
        }
    }
};

namespace detail {

template <branch_join Join, class First, class... Rest, class In>
struct output_element<branches<Join, First, Rest...>, In> : output_element<First, In> {};

}  // namespace detail

/// y = the outputs of all branches side by side along the last extent, the channels. torch.cat of them.
template <class... Layers>
auto concat(Layers... layers) {
    return branches<branch_join::concatenate, Layers...>(std::move(layers)...);
}
/// y = the sum of the outputs of all branches.
template <class... Layers>
auto parallel(Layers... layers) {
    return branches<branch_join::add, Layers...>(std::move(layers)...);
}

PARE_NAMESPACE_END

#endif
