#ifndef PARE_KERNELS_PACKED_DISPATCH_HPP
#define PARE_KERNELS_PACKED_DISPATCH_HPP

#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include <pare/kernels/batch_norm.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/kernels/packed_conv.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Which class holds packed weights: packed<Weights, Isa>, or packed_convolution<Weights, Isa>.
struct matrix_form {
    template <class Weights, class Isa>
    using type = packed<Weights, Isa>;
};
struct convolution_form {
    template <class Weights, class Isa>
    using type = packed_convolution<Weights, Isa>;
};

/// The operations on weights, in the unit of an instruction set.
template <class Form, class Weights>
struct pack_operation {
    template <class Isa, class Executor>
    static void run(Executor&, const dispatch_abi::weights* from, kernels::convolution shape, void** made) {
        const auto keep = [&](std::size_t row, std::size_t column) {
            const std::size_t i = row * from->columns + column;
            return from->kept == nullptr || (from->kept[i / 8] >> i % 8 & 1) != 0;
        };
        Weights w(typename Weights::layout::structure(from->rows, from->columns, keep));
        fill(w.values, from->values, from->value_bytes);
        fill(w.scales, from->scales, from->scale_bytes);
        fill(w.zero_points, from->zero_points, from->zero_point_bytes);
        using form = typename Form::template type<Weights, Isa>;
        if constexpr (std::is_constructible_v<form, const Weights&, const kernels::convolution&>) {
            *made = new form(w, shape);
        } else {
            *made = new form(w);
        }
    }

private:
    template <class T>
    static void fill(aligned_array<T>& array, const void* bytes, std::size_t count) noexcept {
        PARE_ASSERT(array.size() * sizeof(T) == count,
                    "a layout made again from which elements it stores has %zu bytes, expected %zu", array.size() * sizeof(T),
                    count);
        if (const std::size_t size = (std::min)(count, array.size() * sizeof(T)); size != 0) {
            std::memcpy(static_cast<void*>(array.data()), bytes, size);
        }
    }
};
template <class Form, class Weights>
struct copy_operation {
    template <class Isa, class Executor>
    static void run(Executor&, const void* self, void** made) {
        using form = typename Form::template type<Weights, Isa>;
        *made = new form(*static_cast<const form*>(self));
    }
};
template <class Form, class Weights>
struct destroy_operation {
    template <class Isa, class Executor>
    static void run(Executor&, void* self) {
        delete static_cast<typename Form::template type<Weights, Isa>*>(self);
    }
};
template <class Form, class Weights>
struct bytes_operation {
    template <class Isa, class Executor>
    static void run(Executor&, const void* self, std::size_t* bytes) {
        *bytes = static_cast<const typename Form::template type<Weights, Isa>*>(self)->bytes();
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
template <class Weights, class Activations, class... Stages>
struct convolve_operation {
    template <class Isa, class Executor>
    static void run(Executor& executor, const void* self, dispatch_abi::product p, kernels::convolution shape, Stages... stages) {
        static_cast<const packed_convolution<Weights, Isa>*>(self)->convolve(
            Activations{}, executor, arena(p.scratch, p.scratch_bytes), shape, p.x, p.y, stages...);
    }
};
template <class Form, class Weights>
using weights_operations = kernels::operation_list<pack_operation<Form, Weights>, copy_operation<Form, Weights>,
                                                   destroy_operation<Form, Weights>, bytes_operation<Form, Weights>>;
/// What the table needs for weights that multiply activations of some kinds, and for those that also convolve. Stages behind are a
/// bias, alone or with a ReLU.
template <class Weights, class... Activations>
using product_operations = typename kernels::joined<
    weights_operations<matrix_form, Weights>,
    kernels::operation_list<multiply_operation<Weights, Activations>, multiply_operation<Weights, Activations, kernels::add_bias>,
                            multiply_operation<Weights, Activations, kernels::add_bias, kernels::rectify>>...>::type;
template <class Weights, class... Activations>
using convolution_operations = typename kernels::joined<
    weights_operations<convolution_form, Weights>,
    kernels::operation_list<convolve_operation<Weights, Activations, kernels::add_bias>,
                            convolve_operation<Weights, Activations, kernels::add_bias, kernels::rectify>>...>::type;

/// Packed weights of a form, those of the instruction set that was chosen, behind a pointer. A value.
template <class Form, class Weights>
class weights_in_table {
    using sizes = typename Form::template type<Weights, isa::widest>;

public:
    weights_in_table(const Weights& w, const kernels::convolution& shape, isa::dispatch chosen)
        : chosen_(chosen), rows_(w.rows()), columns_(w.columns()), stored_(w.structure.stored()), text_(w.describe()) {
        aligned_array<unsigned char> kept;
        if constexpr (!std::is_same_v<typename Weights::layout, full>) {  // stored() counts what blocks are padded by, too
            kept = aligned_array<unsigned char>((rows_ * columns_ + 7) / 8);
            w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t) {
                const std::size_t i = row * columns_ + column;
                kept[i / 8] = static_cast<unsigned char>(kept[i / 8] | 1u << i % 8);
            });
        }
        const dispatch_abi::weights from = {rows_,
                                            columns_,
                                            kept.data(),
                                            w.values.data(),
                                            w.values.size() * sizeof(typename Weights::storage),
                                            w.scales.data(),
                                            w.scales.size() * sizeof(typename Weights::scale),
                                            w.zero_points.data(),
                                            w.zero_points.size() * sizeof(typename Weights::zero_point)};
        call<pack_operation<Form, Weights>>(&from, shape, &packed_);
    }
    weights_in_table(const weights_in_table& other)
        : chosen_(other.chosen_), rows_(other.rows_), columns_(other.columns_), stored_(other.stored_), text_(other.text_) {
        call<copy_operation<Form, Weights>>(static_cast<const void*>(other.packed_), &packed_);
    }
    weights_in_table(weights_in_table&& other) noexcept
        : chosen_(other.chosen_),
          rows_(other.rows_),
          columns_(other.columns_),
          stored_(other.stored_),
          text_(std::move(other.text_)),
          packed_(std::exchange(other.packed_, nullptr)) {}
    weights_in_table& operator=(weights_in_table other) noexcept {
        std::swap(chosen_, other.chosen_);
        std::swap(rows_, other.rows_);
        std::swap(columns_, other.columns_);
        std::swap(stored_, other.stored_);
        text_.swap(other.text_);
        std::swap(packed_, other.packed_);
        return *this;
    }
    ~weights_in_table() {
        if (packed_ != nullptr) {
            call<destroy_operation<Form, Weights>>(packed_);
        }
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept {
        std::size_t bytes = 0;
        call<bytes_operation<Form, Weights>>(static_cast<const void*>(packed_), &bytes);
        return bytes;
    }
    std::string describe() const {
        return (stored_ == rows_ * columns_ ? text_ : sentence(text_, " (", stored_, " of ", rows_ * columns_, " stored)")) +
               sentence(", ", sizes::kernel_name, " on ", chosen_.running());
    }

protected:
    template <class Operation, class... Arguments>
    void call(const Arguments&... arguments) const {
        kernels::call_in_table<Operation>(chosen_, nullptr, arguments...);
    }
    /// Operation(packed weights, p, arguments...), where p also gets the memory of an arena.
    template <class Operation, class Executor, class... Arguments>
    void call_with(Executor& executor, arena scratch, dispatch_abi::product p, const Arguments&... arguments) const {
        p.scratch_bytes = scratch.left() / alignment * alignment;
        p.scratch = scratch.take<std::byte>(p.scratch_bytes);
        const auto functions = kernels::functions_of(executor);
        kernels::call_in_table<Operation>(chosen_, &functions, static_cast<const void*>(packed_), p, arguments...);
    }
    /// Calls product(all stages but the last), then applies the last to what it wrote, which is still in the cache.
    template <class Context, class Product, class... Stages>
    void apply_last(Context& ctx, matrix_view<float> y, const Product& product, const Stages&... stages) const {
        const std::tuple<Stages...> all(stages...);
        constexpr std::size_t last = sizeof...(Stages) - 1;
        using apply = kernels::apply_operation<std::tuple_element_t<last, std::tuple<Stages...>>>;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            product(std::get<I>(all)...);
        }
        (std::make_index_sequence<last>{});
        const bool dense = y.stride == y.columns;
        for (std::size_t r = 0; r < y.rows; r += dense ? y.rows : 1) {
            kernels::call<apply>(ctx, dense ? y.rows : 1, y.columns, static_cast<const float*>(y.row(r)), y.row(r),
                                 std::get<last>(all));
        }
    }

    isa::dispatch chosen_;

private:
    std::size_t rows_;
    std::size_t columns_;
    std::size_t stored_;
    std::string text_;
    void* packed_ = nullptr;
};

}  // namespace detail

/// Names packed weights that are behind a table.
template <class Weights>
struct dispatched;

/// Packed weights of isa::dispatch, whatever their storage.
template <class Weights>
class packed<dispatched<Weights>, isa::dispatch> : public detail::weights_in_table<detail::matrix_form, Weights> {
    using base = detail::weights_in_table<detail::matrix_form, Weights>;

public:
    packed(const Weights& w, isa::dispatch chosen) : base(w, {}, chosen) {}

    /// Enough for every instruction set.
    template <class Activations>
    requires multiplies<pare::packed<Weights, isa::widest>, Activations>
    static constexpr std::size_t scratch_bytes(Activations a, std::size_t batch, std::size_t rows, std::size_t columns) noexcept {
        return pare::packed<Weights, isa::widest>::scratch_bytes(a, batch, rows, columns);
    }

    template <class Activations, class Context, class... Stages>
    void multiply(Activations a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  const Stages&... stages) const noexcept {
        using operation = detail::multiply_operation<Weights, Activations, Stages...>;
        if constexpr (kernels::is_dispatched<operation>) {
            this->template call_with<operation>(
                ctx.executor, ctx.scratch,
                dispatch_abi::product{nullptr, 0, x.data, y.data, x.rows, x.columns, y.columns, x.stride, y.stride}, stages...);
        } else {
            static_assert(sizeof...(Stages) != 0,
                          "pare: isa::dispatch has no product of these weights and activations: see the list in nn/dispatch.hpp");
            if constexpr (sizeof...(Stages) != 0) {
                this->apply_last(
                    ctx, y, [&](const auto&... first) { multiply(a, ctx, x, y, first...); }, stages...);
            }
        }
    }
};

template <class Weights>
class packed_convolution<dispatched<Weights>, isa::dispatch> : public detail::weights_in_table<detail::convolution_form, Weights>,
                                                               public detail::note_of<packed_convolution<Weights, isa::widest>> {
    using base = detail::weights_in_table<detail::convolution_form, Weights>;
    using sizes = packed_convolution<Weights, isa::widest>;

public:
    packed_convolution(const Weights& w, const kernels::convolution& s, isa::dispatch chosen) : base(w, s, chosen) {}

    template <class Activations>
    static constexpr std::size_t scratch_bytes(Activations a, const kernels::convolution& s) noexcept requires requires {
        sizes::scratch_bytes(a, s);
    }
    { return sizes::scratch_bytes(a, s); }

    template <class Activations, class Executor, class... Stages>
    void convolve(Activations a, Executor& executor, arena scratch, const kernels::convolution& s, const float* x, float* y,
                  const Stages&... stages) const noexcept {
        using operation = detail::convolve_operation<Weights, Activations, Stages...>;
        if constexpr (kernels::is_dispatched<operation>) {
            this->template call_with<operation>(executor, scratch, dispatch_abi::product{nullptr, 0, x, y, 0, 0, 0, 0, 0}, s,
                                                stages...);
        } else {
            static_assert(sizeof...(Stages) != 0, "pare: isa::dispatch has no convolution by these weights: see nn/dispatch.hpp");
            if constexpr (sizeof...(Stages) != 0) {
                context<isa::dispatch, Executor> ctx{.executor = executor, .scratch = scratch, .instruction_set = this->chosen_};
                this->apply_last(
                    ctx, matrix_view<float>(y, s.output_pixels(), s.outputs),
                    [&](const auto&... first) { convolve(a, executor, scratch, s, x, y, first...); }, stages...);
            }
        }
    }
};

PARE_NAMESPACE_END

#endif
