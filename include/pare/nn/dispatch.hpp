#ifndef PARE_NN_DISPATCH_HPP
#define PARE_NN_DISPATCH_HPP

#include <cstring>
#include <string>

#include <pare/kernels/attention.hpp>
#include <pare/kernels/layer_norm.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/kernels/recurrent.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sigmoid.hpp>
#include <pare/nn/softmax.hpp>

PARE_NAMESPACE_BEGIN

// ---- what isa::dispatch can do

namespace detail {

/// Operations on weights of one kind that meet activations of one kind: making, copying and destroying their packed form, and
/// multiplying, with each chain of stages.
template <class Weights>
struct pack_operation;
template <class Weights>
struct copy_operation;
template <class Weights>
struct destroy_operation;
template <class Weights>
struct bytes_operation;
template <class Weights, class Activations, class... Stages>
struct multiply_operation;
template <class Layer>
struct forward_operation;

template <class Weights, class Activations>
using product_operations =
    kernels::operation_list<pack_operation<Weights>, copy_operation<Weights>, destroy_operation<Weights>, bytes_operation<Weights>,
                            multiply_operation<Weights, Activations>, multiply_operation<Weights, Activations, kernels::add_bias>,
                            multiply_operation<Weights, Activations, kernels::add_bias, kernels::rectify>>;

/// The list. A storage of weights takes part by a line here: it must be a weight_matrix, and packed<Weights, Isa> must be able to
/// multiply. A layer without members, trivially copyable, takes part by a line, too. A kernel that a layer with weights calls
/// beside `multiply` takes part as an operation: see kernels/operation.hpp. Whatever is not here fails to compile with a sentence.
using operations = kernels::joined<
    product_operations<weight_matrix<float, full>, as_float>, product_operations<weight_matrix<bfloat16, full>, as_float>,
    product_operations<weight_matrix<qint8, full>, dynamic_range>,
    product_operations<weight_matrix<qint4<32>, full>, dynamic_range>,
    product_operations<weight_matrix<qint4<64>, full>, dynamic_range>,
    product_operations<weight_matrix<qint4<128>, full>, dynamic_range>,
    product_operations<weight_matrix<ggml::q4_0, full>, dynamic_range>, product_operations<weight_matrix<float, csr>, as_float>,
    product_operations<weight_matrix<float, csr32>, as_float>, product_operations<weight_matrix<qint8, csr>, dynamic_range>,
    product_operations<weight_matrix<qint8, csr32>, dynamic_range>,
    kernels::operation_list<forward_operation<relu>, forward_operation<relu6>, forward_operation<leaky_relu>,
                            forward_operation<hard_sigmoid>, forward_operation<hard_swish>, forward_operation<elu>,
                            forward_operation<sigmoid>, forward_operation<tanh_activation>, forward_operation<silu>,
                            forward_operation<gelu>, forward_operation<gelu_tanh>, forward_operation<softplus>,
                            forward_operation<softmax>, forward_operation<log_softmax>>,
    kernels::operation_list<kernels::cell_operation<kernels::lstm_cell, false>, kernels::cell_operation<kernels::gru_cell, false>,
                            kernels::cell_operation<kernels::rnn_cell<kernels::tanh_function>, false>,
                            kernels::cell_operation<kernels::rnn_cell<kernels::relu_function>, false>,
                            kernels::layer_norm_rows::operation, kernels::attention_heads::operation>>::type;

}  // namespace detail

template <>
struct kernels::dispatched_operations<void> {
    using type = pare::detail::operations;
};

// ---- how it is done, in the unit of an instruction set

namespace detail {

template <class Weights>
struct pack_operation {
    template <class Isa, class Executor>
    static void run(Executor&, const dispatch_abi::weights* from, void** made) {
        const auto keep = [&](std::size_t row, std::size_t column) {
            const std::size_t i = row * from->columns + column;
            return from->kept == nullptr || (from->kept[i / 8] >> i % 8 & 1) != 0;
        };
        Weights w(typename Weights::layout::structure(from->rows, from->columns, keep));
        PARE_ASSERT(
            w.values.size() * sizeof(typename Weights::storage) == from->value_bytes && w.scales.size() == from->scale_count,
            "a layout made again from which elements it stores has %zu values, expected %zu bytes", w.values.size(),
            from->value_bytes);
        if (from->value_bytes != 0) {
            std::memcpy(w.values.data(), from->values, from->value_bytes);
        }
        if (from->scale_count != 0) {
            std::memcpy(w.scales.data(), from->scales, from->scale_count * sizeof(float));
        }
        *made = new packed<Weights, Isa>(w);
    }
};
template <class Weights>
struct copy_operation {
    template <class Isa, class Executor>
    static void run(Executor&, const void* self, void** made) {
        *made = new packed<Weights, Isa>(*static_cast<const packed<Weights, Isa>*>(self));
    }
};
template <class Weights>
struct destroy_operation {
    template <class Isa, class Executor>
    static void run(Executor&, void* self) {
        delete static_cast<packed<Weights, Isa>*>(self);
    }
};
template <class Weights>
struct bytes_operation {
    template <class Isa, class Executor>
    static void run(Executor&, const void* self, std::size_t* bytes) {
        *bytes = static_cast<const packed<Weights, Isa>*>(self)->bytes();
    }
};
template <class Weights, class Activations, class... Stages>
struct multiply_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, const void* self, dispatch_abi::product p, Stages... stages) {
        context<Isa, Executor> ctx{.executor = executor, .scratch = {p.scratch, p.scratch_bytes}};
        static_cast<const packed<Weights, Isa>*>(self)->multiply(Activations{}, ctx,
                                                                 matrix_view<const float>(p.x, p.rows, p.columns, p.x_stride),
                                                                 matrix_view<float>(p.y, p.rows, p.outputs, p.y_stride), stages...);
    }
};
template <class Layer>
struct forward_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, Layer layer, dispatch_abi::batch b) {
        context<Isa, Executor> ctx{.executor = executor, .scratch = {b.scratch, b.scratch_bytes}};
        if (b.rank == 2) {
            forward(layer, ctx, b, extents<dyn>(b.extents[1]));
        } else if (b.rank == 3) {
            forward(layer, ctx, b, extents<dyn, dyn>(b.extents[1], b.extents[2]));
        } else {
            forward(layer, ctx, b, extents<dyn, dyn, dyn>(b.extents[1], b.extents[2], b.extents[3]));
        }
    }

private:
    template <class Context, class Shape>
    static void forward(const Layer& layer, Context& ctx, const dispatch_abi::batch& b, const Shape& shape) {
        layer.forward(ctx, batch_of(b.x, b.extents[0], shape), batch_of(b.y, b.extents[0], layer.plan().output_shape(shape)));
    }
};

}  // namespace detail

// ---- how it is called

namespace detail {

/// Layers that have kernels of their own, through the table.
template <class Layer>
requires kernels::is_dispatched<forward_operation<Layer>>
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
        kernels::call<forward_operation<Layer>>(
            ctx, layer,
            dispatch_abi::batch{scratch.template take<std::byte>(left), left, x.data(), y.data(), extents, sizeof...(X)});
    }
};

/// A stage that the epilogues of the units do not have, as a layer.
template <class Function, class Context>
void apply_stage(const kernels::map_values<Function>& stage, Context& ctx, matrix_view<float> y) noexcept {
    activation<Function> layer;
    layer.function = stage.f;
    const bool dense = y.stride == y.columns;
    for (std::size_t r = 0; r < y.rows; r += dense ? y.rows : 1) {
        const extents<dyn> shape(y.columns);
        const std::size_t rows = dense ? y.rows : 1;
        forward_layer(layer, ctx, batch_of(static_cast<const float*>(y.row(r)), rows, shape), batch_of(y.row(r), rows, shape));
    }
}
template <class Stage, class Context>
void apply_stage(const Stage&, Context&, matrix_view<float>) noexcept {
    static_assert(sizeof(Stage) == 0, "pare: isa::dispatch has no products with this stage behind: see nn/dispatch.hpp");
}

}  // namespace detail

/// Names packed weights that are behind a table.
template <class Weights>
struct dispatched;

/// Packed weights of isa::dispatch, whatever their storage: those of the instruction set that was chosen, behind a pointer.
template <class Weights>
class packed<dispatched<Weights>, isa::dispatch> {
public:
    packed(const Weights& w, isa::dispatch chosen)
        : chosen_(chosen), rows_(w.rows()), columns_(w.columns()), stored_(w.structure.stored()), text_(w.describe()) {
        aligned_array<unsigned char> kept;
        if (stored_ != rows_ * columns_) {
            kept = aligned_array<unsigned char>((rows_ * columns_ + 7) / 8);
            w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t) {
                const std::size_t i = row * columns_ + column;
                kept[i / 8] = static_cast<unsigned char>(kept[i / 8] | 1u << i % 8);
            });
        }
        const dispatch_abi::weights from = {
            rows_,           columns_,       kept.data(), w.values.data(), w.values.size() * sizeof(typename Weights::storage),
            w.scales.data(), w.scales.size()};
        call<detail::pack_operation<Weights>>(&from, &packed_);
    }
    packed(const packed& other)
        : chosen_(other.chosen_), rows_(other.rows_), columns_(other.columns_), stored_(other.stored_), text_(other.text_) {
        call<detail::copy_operation<Weights>>(static_cast<const void*>(other.packed_), &packed_);
    }
    packed(packed&& other) noexcept
        : chosen_(other.chosen_),
          rows_(other.rows_),
          columns_(other.columns_),
          stored_(other.stored_),
          text_(std::move(other.text_)),
          packed_(std::exchange(other.packed_, nullptr)) {}
    packed& operator=(packed other) noexcept {
        std::swap(chosen_, other.chosen_);
        std::swap(rows_, other.rows_);
        std::swap(columns_, other.columns_);
        std::swap(stored_, other.stored_);
        text_.swap(other.text_);
        std::swap(packed_, other.packed_);
        return *this;
    }
    ~packed() {
        if (packed_ != nullptr) {
            call<detail::destroy_operation<Weights>>(packed_);
        }
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept {
        std::size_t bytes = 0;
        call<detail::bytes_operation<Weights>>(static_cast<const void*>(packed_), &bytes);
        return bytes;
    }
    std::string describe() const {
        return (stored_ == rows_ * columns_ ? text_ : sentence(text_, " (", stored_, " of ", rows_ * columns_, " stored)")) +
               sentence(", ", pare::packed<Weights, isa::widest>::kernel_name, " on ", chosen_.running());
    }

    /// Enough for every instruction set.
    template <class Activations>
    requires multiplies<pare::packed<Weights, isa::widest>, Activations>
    static constexpr std::size_t scratch_bytes(Activations a, std::size_t batch, std::size_t rows, std::size_t columns) noexcept {
        return pare::packed<Weights, isa::widest>::scratch_bytes(a, batch, rows, columns);
    }

    /// With stages behind that the table does not have: functions are applied afterwards, to what is still in the cache.
    template <class Activations, class Context, class... Stages>
    void multiply(Activations a, Context& ctx, matrix_view<const float> x, matrix_view<float> y, Stages... stages) const noexcept {
        using operation = detail::multiply_operation<Weights, Activations, Stages...>;
        if constexpr (kernels::is_dispatched<operation>) {
            arena scratch = ctx.scratch;
            const std::size_t left = scratch.left() / alignment * alignment;
            const dispatch_abi::product p = {
                scratch.template take<std::byte>(left), left, x.data, y.data, x.rows, x.columns, y.columns, x.stride, y.stride};
            const auto executor = kernels::functions_of(ctx.executor);
            kernels::call_in_table<operation>(chosen_, &executor, static_cast<const void*>(packed_), p, stages...);
        } else if constexpr (sizeof...(Stages) != 0) {
            const std::tuple<Stages...> all(stages...);
            [&]<std::size_t... I>(std::index_sequence<I...>) {
                multiply(a, ctx, x, y, std::get<I>(all)...);
            }
            (std::make_index_sequence<sizeof...(Stages) - 1>{});
            detail::apply_stage(std::get<sizeof...(Stages) - 1>(all), ctx, y);
        } else {
            static_assert(sizeof(Activations) == 0,
                          "pare: isa::dispatch has no product of these weights and activations: see the list in nn/dispatch.hpp");
        }
    }

private:
    template <class Operation, class... Arguments>
    void call(const Arguments&... arguments) const {
        kernels::call_in_table<Operation>(chosen_, nullptr, arguments...);
    }

    isa::dispatch chosen_;
    std::size_t rows_;
    std::size_t columns_;
    std::size_t stored_;
    std::string text_;
    void* packed_ = nullptr;
};

namespace detail {

template <>
struct pack_weights<isa::dispatch> {
    isa::dispatch chosen;

    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a, looked_up) const {
        return mapped_weights<Weights, Activations>{w, a};
    }

    template <class Weights, class Activations>
    auto operator()(const member_path&, const Weights& w, Activations a) const {
        constexpr bool known = kernels::is_dispatched<multiply_operation<Weights, Activations>>;
        static_assert(
            known,
            "pare: prepare<isa::dispatch>() has no kernel for this storage of weights: nn/dispatch.hpp lists those that it "
            "has; freeze() the model first if it is still in training");
        if constexpr (known) {
            using made = packed<dispatched<Weights>, isa::dispatch>;
            return mapped_weights<made, Activations>{made(w, chosen), a};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
