#ifndef PARE_NN_DISPATCH_HPP
#define PARE_NN_DISPATCH_HPP

#include <pare/kernels/attention.hpp>
#include <pare/kernels/layer_norm.hpp>
#include <pare/kernels/lookup.hpp>
#include <pare/kernels/packed_dispatch.hpp>
#include <pare/kernels/recurrent.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/nn/softmax.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// y = layer(x), for a layer without members that is trivially copyable.
template <class Layer>
struct forward_operation;

/// What stands for pools there.
template <pool_kind Kind, std::size_t Rank>
using pool_in_table = pool_layer<Kind, Rank, size2d(dyn), pool_options{}>;

/// The list of what the units of isa::dispatch have. A storage of weights takes part by a line here: it must be a weight_matrix,
/// and packed<Weights, Isa> must multiply. A layer without members, trivially copyable, takes part by a line, too. A kernel that a
/// layer with weights calls beside `multiply` takes part as an operation: see kernels/operation.hpp. Whatever is not here fails to
/// compile with a sentence.
using operations = kernels::joined<
    product_operations<weight_matrix<float, full>, as_float>, product_operations<weight_matrix<bfloat16, full>, as_float>,
    product_operations<weight_matrix<float16, full>, as_float>,
    product_operations<weight_matrix<qint8, full>, dynamic_range, dynamic_tensor_range<>>,
    product_operations<weight_matrix<qint4<32>, full>, dynamic_range>,
    product_operations<weight_matrix<qint4<64>, full>, dynamic_range>,
    product_operations<weight_matrix<qint4<128>, full>, dynamic_range>,
    product_operations<weight_matrix<qint4<64, float16>, full>, dynamic_range>,
    product_operations<weight_matrix<ggml::q8_0, full>, dynamic_range>,
    product_operations<weight_matrix<ggml::q4_0, full>, dynamic_range>,
    product_operations<weight_matrix<ggml::q4_K, full>, dynamic_range>,
    product_operations<weight_matrix<ggml::q6_K, full>, dynamic_range>, product_operations<weight_matrix<float, csr>, as_float>,
    product_operations<weight_matrix<float, csr32>, as_float>, product_operations<weight_matrix<qint8, csr>, dynamic_range>,
    product_operations<weight_matrix<qint8, csr32>, dynamic_range>, product_operations<weight_matrix<float, bsr<16, 4>>, as_float>,
    product_operations<weight_matrix<qint8, bsr<16, 4>>, dynamic_range>,
    product_operations<weight_matrix<float, n_of_m<2, 4>>, as_float>,
    product_operations<weight_matrix<qint8, n_of_m<2, 4>>, dynamic_range>,
    convolution_operations<weight_matrix<float, full>, as_float>, convolution_operations<weight_matrix<bfloat16, full>, as_float>,
    convolution_operations<weight_matrix<float16, full>, as_float>,
    convolution_operations<weight_matrix<qint8, full>, dynamic_range, dynamic_tensor_range<>>,
    convolution_operations<weight_matrix<qint4<64>, full>, dynamic_range>,
    convolution_operations<weight_matrix<float, csr>, as_float>, convolution_operations<weight_matrix<qint8, csr>, dynamic_range>,
    convolution_operations<weight_matrix<float, bsr<16, 4>>, as_float>,
    convolution_operations<weight_matrix<qint8, bsr<16, 4>>, dynamic_range>,
    convolution_operations<weight_matrix<float, n_of_m<2, 4>>, as_float>,
    convolution_operations<weight_matrix<qint8, n_of_m<2, 4>>, dynamic_range>,
    kernels::operation_list<
        kernels::apply_operation<kernels::scale_columns>, kernels::apply_operation<kernels::map_values<kernels::relu_function>>,
        kernels::apply_operation<kernels::map_values<kernels::relu6_function>>,
        kernels::apply_operation<kernels::map_values<kernels::leaky_relu_function>>,
        kernels::apply_operation<kernels::map_values<kernels::hard_sigmoid_function>>,
        kernels::apply_operation<kernels::map_values<kernels::hard_swish_function>>,
        kernels::apply_operation<kernels::map_values<kernels::elu_function>>,
        kernels::apply_operation<kernels::map_values<kernels::sigmoid_function>>,
        kernels::apply_operation<kernels::map_values<kernels::tanh_function>>,
        kernels::apply_operation<kernels::map_values<kernels::silu_function>>,
        kernels::apply_operation<kernels::map_values<kernels::gelu_function>>,
        kernels::apply_operation<kernels::map_values<kernels::gelu_tanh_function>>,
        kernels::apply_operation<kernels::map_values<kernels::softplus_function>>,
        kernels::cell_operation<kernels::lstm_cell, false>, kernels::cell_operation<kernels::gru_cell, false>,
        kernels::cell_operation<kernels::rnn_cell<kernels::tanh_function>, false>,
        kernels::cell_operation<kernels::rnn_cell<kernels::relu_function>, false>, kernels::layer_norm_rows::operation,
        kernels::attention_heads::operation, kernels::dequantize_row_operation, add_numbers_operation, forward_operation<softmax>,
        forward_operation<log_softmax>, forward_operation<pool_in_table<pool_kind::max, 1>>,
        forward_operation<pool_in_table<pool_kind::average, 1>>, forward_operation<pool_in_table<pool_kind::max, 2>>,
        forward_operation<pool_in_table<pool_kind::average, 2>>>>::type;

}  // namespace detail

template <>
struct kernels::dispatched_operations<void> {
    using type = pare::detail::operations;
};

namespace detail {

/// What stands for a layer in the table: the same with extents that are known at run time.
template <class Layer>
const Layer& in_table(const Layer& layer) noexcept {
    return layer;
}
template <pool_kind Kind, std::size_t Rank, size2d Kernel, pool_options Options>
auto in_table(const pool_layer<Kind, Rank, Kernel, Options>& layer) noexcept {
    pool_in_table<Kind, Rank> same(size2d(1));
    same.moves.value = layer.moves.value;
    return same;
}
template <class Layer>
using type_in_table = std::remove_cvref_t<decltype(in_table(std::declval<const Layer&>()))>;

/// How many axes samples of a layer have: any number, or one.
template <class Layer>
inline constexpr std::size_t axes_of = 0;
template <pool_kind Kind, std::size_t Rank, size2d Kernel, pool_options Options>
inline constexpr std::size_t axes_of<pool_layer<Kind, Rank, Kernel, Options>> = Rank + 1;

template <class Layer>
struct forward_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, Layer layer, dispatch_abi::batch b) {
        context<Isa, Executor> ctx{.executor = executor, .scratch = {b.scratch, b.scratch_bytes}};
        forward<1>(layer, ctx, b);
        forward<2>(layer, ctx, b);
        forward<3>(layer, ctx, b);
    }

private:
    template <std::size_t Axes, class Context>
    static void forward(const Layer& layer, Context& ctx, const dispatch_abi::batch& b) {
        if constexpr (axes_of<Layer> == 0 || axes_of<Layer> == Axes) {
            if (b.rank == Axes + 1) {
                const auto shape = [&]<std::size_t... I>(std::index_sequence<I...>) {
                    return extents<(I < Axes ? dyn : 0)...>(b.extents[I + 1]...);
                }
                (std::make_index_sequence<Axes>{});
                layer.forward(ctx, batch_of(b.x, b.extents[0], shape),
                              batch_of(b.y, b.extents[0], layer.plan().output_shape(shape)));
            }
        }
    }
};

/// Layers that have kernels of their own, through the table.
template <class Layer>
requires kernels::is_dispatched<forward_operation<type_in_table<Layer>>>
struct forward_on<isa::dispatch, Layer> {
    template <class Context, std::size_t... X, std::size_t... Y>
    static void forward(const Layer& layer, Context& ctx, tensor_view<const float, X...> x, tensor_view<float, Y...> y) noexcept {
        static_assert(sizeof...(X) >= 2 && sizeof...(X) <= 4, "pare: isa::dispatch takes samples of one to three axes");
        arena scratch = ctx.scratch;
        const std::size_t left = scratch.left() / alignment * alignment;
        std::size_t extents[sizeof...(X)];
        for (std::size_t i = 0; i < sizeof...(X); ++i) {
            extents[i] = x.extent(i);
        }
        kernels::call<forward_operation<type_in_table<Layer>>>(
            ctx, in_table(layer),
            dispatch_abi::batch{scratch.template take<std::byte>(left), left, x.data(), y.data(), extents, sizeof...(X)});
    }
};
template <class Function>
struct forward_on<isa::dispatch, activation<Function>> {
    template <class Context, std::size_t... E>
    static void forward(const activation<Function>& layer, Context& ctx, tensor_view<const float, E...> x,
                        tensor_view<float, E...> y) noexcept {
        kernels::call<kernels::apply_operation<kernels::map_values<Function>>>(ctx, x.extent(0), x.size() / x.extent(0), x.data(),
                                                                               y.data(), layer.stage());
    }
};

template <class Weights>
struct packed_candidate<Weights, isa::dispatch> {
    using matrix = packed<dispatched<Weights>, isa::dispatch>;
    using convolution = packed_convolution<dispatched<Weights>, isa::dispatch>;
};

template <>
struct pack_weights<isa::dispatch> {
    isa::dispatch chosen;

    /// One sentence for all layers of a static network.
    template <class Activations>
    static constexpr bool refused() noexcept {
        constexpr bool is_static = std::is_same_v<Activations, static_range>;
        static_assert(!is_static,
                      "pare: isa::dispatch has no static networks: prepare one for isa::native or another instruction set, or use "
                      "quantize_dynamic()");
        return is_static;
    }

    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        constexpr bool known = kernels::is_dispatched<multiply_operation<Weights, Activations>>;
        static_assert(
            known || refused<Activations>(),
            "pare: prepare<isa::dispatch>() has no kernel for this storage of weights: nn/dispatch.hpp lists those that it "
            "has; freeze() the model first if it is still in training");
        if constexpr (known) {
            using made = packed<dispatched<Weights>, isa::dispatch>;
            return mapped_weights<made, Activations>{made(w, chosen), a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, const kernels::convolution& s) const {
        constexpr bool known = kernels::is_dispatched<convolve_operation<Weights, Activations, kernels::add_bias>>;
        static_assert(
            known || refused<Activations>(),
            "pare: prepare<isa::dispatch>() has no convolution by this storage of weights: nn/dispatch.hpp lists those that "
            "it has; freeze() the model first if it is still in training");
        if constexpr (known) {
            using made = packed_convolution<dispatched<Weights>, isa::dispatch>;
            return mapped_weights<made, Activations>{made(w, s, chosen), a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
    /// One of several, each of which must be in the list.
    template <class... Candidates, class Activations>
    auto operator()(const member_path&, const mixed_weights<Candidates...>& w, Activations a) const {
        constexpr bool known =
            (kernels::is_dispatched<
                 multiply_operation<typename Candidates::weights, decltype(activations_of<Candidates>(std::declval<Activations>()))>> &&
             ...);
        static_assert(known || refused<Activations>(),
                      "pare: prepare<isa::dispatch>() has no kernel for one of the candidates of these mixed_weights: "
                      "nn/dispatch.hpp lists those that it has");
        if constexpr (known) {
            using made = packed<mixed_weights<Candidates...>, isa::dispatch>;
            return mapped_weights<made, Activations>{made(w, chosen), a};
        } else {
            return mapped_weights<mixed_weights<Candidates...>, Activations>{w, a};
        }
    }
    template <class... Candidates, class Activations>
    auto operator()(const member_path&, const mixed_weights<Candidates...>& w, Activations a, const kernels::convolution& s) const {
        constexpr bool known =
            (kernels::is_dispatched<
                 convolve_operation<typename Candidates::weights, decltype(activations_of<Candidates>(std::declval<Activations>())),
                                    kernels::add_bias>> &&
             ...);
        static_assert(known || refused<Activations>(),
                      "pare: prepare<isa::dispatch>() has no convolution by one of the candidates of these mixed_weights: "
                      "nn/dispatch.hpp lists those that it has");
        if constexpr (known) {
            using made = packed_convolution<mixed_weights<Candidates...>, isa::dispatch>;
            return mapped_weights<made, Activations>{made(w, s, chosen), a};
        } else {
            return mapped_weights<mixed_weights<Candidates...>, Activations>{w, a};
        }
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
