#ifndef PARE_KERNELS_PACKED_FULL_HPP
#define PARE_KERNELS_PACKED_FULL_HPP

#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/gemm_f32.hpp>
#include <pare/kernels/gemm_int8.hpp>
#include <pare/kernels/packed.hpp>
#include <pare/kernels/quantized_elementwise.hpp>

PARE_NAMESPACE_BEGIN

/// Float, bfloat16 or float16 weights for the float product.
template <class Element, class Isa>
requires detail::is_real<Element>
class packed<weight_matrix<Element, full>, Isa> {
    using kernel = kernels::gemm_f32_kernel<Isa, Element>;

public:
    static constexpr const char* kernel_name = "gemm_f32";

    explicit packed(const weight_matrix<Element, full>& w)
        : rows_(w.rows()), columns_(w.columns()), values_(kernel::packed_size(w.rows(), w.columns())) {
        kernel::pack({w.values.data(), 1, columns_}, rows_, columns_, values_.data());
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept { return values_.size() * sizeof(Element); }
    std::string describe() const {
        return sentence(detail::element_storage<Element>::name, " full, ", kernel_name, " on ", Isa::name);
    }

    static constexpr std::size_t scratch_bytes(as_float, std::size_t, std::size_t, std::size_t) noexcept { return 0; }

    template <class Context, class... Stages>
    void multiply(as_float, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        kernels::gemm_f32_packed<Isa>(ctx.executor, x.rows, rows_, columns_, {x.data, x.stride, 1}, values_.data(),
                                      kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
    }

    template <std::size_t Rows, std::size_t Columns, class Context, class... Stages>
    PARE_FLATTEN void multiply_row(as_float, Context&, const float* x, float* y, Stages... stages) const noexcept {
        kernels::gemm_f32_row<Isa, Rows, Columns>(x, values_.data(), kernels::epilogue<float, Stages...>(y, Rows, stages...));
    }

private:
    std::size_t rows_;
    std::size_t columns_;
    aligned_array<Element> values_;
};

/// Byte weights for the product with bytes.
template <class Isa>
class packed<weight_matrix<qint8, full>, Isa> {
    using kernel = kernels::gemm_int8_kernel<Isa>;
    using activation = typename simd::ops<Isa>::activation;

public:
    static constexpr const char* kernel_name = "gemm_int8";

    explicit packed(const weight_matrix<qint8, full>& w)
        : rows_(w.rows()),
          columns_(w.columns()),
          values_(kernel::packed_size(w.rows(), w.columns())),
          column_sums_(kernel::layout::padded(w.rows())),
          scales_(w.scales) {
        kernel::pack(w.values.data(), rows_, columns_, values_.data(), column_sums_.data());
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept {
        return values_.size() + column_sums_.size() * sizeof(std::int32_t) + scales_.size() * sizeof(float);
    }
    std::string describe() const { return sentence("qint8 full, ", kernel_name, " on ", Isa::name); }
    const float* scales() const noexcept { return scales_.data(); }
    const std::int32_t* column_sums() const noexcept { return column_sums_.data(); }

    template <dynamic_activations Activations>
    static constexpr std::size_t scratch_bytes(Activations, std::size_t batch, std::size_t, std::size_t columns) noexcept {
        return kernels::quantized_scratch_bytes<activation>(batch, columns);
    }

    template <dynamic_activations Activations, class Context, class... Stages>
    void multiply(Activations a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        const kernels::packed_int8 w = {values_.data(), column_sums_.data(), rows_, columns_};
        kernels::for_each_quantized_block<Isa, activation>(a, ctx, x, [&](std::size_t first, const auto& q, arena) {
            kernels::gemm_int8<Isa>(
                ctx.executor, q.rows, q.values, q.stride, w,
                kernels::epilogue<float, kernels::dequantize, Stages...>(
                    y.row(first), y.stride, {q.scales, q.zero_points, scales_.data(), column_sums_.data()}, stages...));
        });
    }

    template <std::size_t Rows, std::size_t Columns, dynamic_activations Activations, class Context, class... Stages>
    PARE_FLATTEN void multiply_row(Activations, Context& ctx, const float* x, float* y, Stages... stages) const noexcept {
        arena scratch = ctx.scratch;
        auto* const bytes = scratch.template take<activation>(Columns);
        const quantization q =
            kernels::quantize_row<Isa, kernels::row_quantization::affine, typename Activations::rules>(x, Columns, bytes);
        kernels::gemm_int8_row<Isa, Rows, Columns>(
            bytes, kernels::packed_int8{values_.data(), column_sums_.data(), Rows, Columns},
            kernels::epilogue<float, kernels::dequantize, Stages...>(
                y, Rows, {&q.scale, &q.zero_point, scales_.data(), column_sums_.data()}, stages...));
    }

    /// Where steps take 16-bit numbers, bytes become such once, not at every step.
    static constexpr bool widens = sizeof(activation) > 1;
    using operand = std::conditional_t<widens, activation, std::uint8_t>;

    static constexpr std::size_t scratch_bytes(static_range, std::size_t batch, std::size_t, std::size_t columns) noexcept {
        return widens ? scratch_bytes_of<operand>(block_rows(batch) * columns) : 0;
    }

    template <class Context, class Output, class... Stages>
    void multiply(const static_range&, Context& ctx, const matrix_view<const std::uint8_t>& x, const matrix_view<Output>& y,
                  Stages... stages) const noexcept {
        const kernels::packed_int8 w = {values_.data(), column_sums_.data(), rows_, columns_};
        if constexpr (widens) {
            PARE_ASSERT(x.stride == columns_, "rows of %zu bytes lie %zu apart", columns_, x.stride);
            arena scratch = ctx.scratch;
            const std::size_t block = block_rows(x.rows);
            operand* const wide = scratch.template take<operand>(block * columns_);
            for (std::size_t first = 0; first < x.rows; first += block) {
                const std::size_t rows = x.rows - first < block ? x.rows - first : block;
                kernels::for_each_part(ctx.executor, rows * columns_, [&](std::size_t at, std::size_t count) {
                    kernels::widen_bytes<Isa>(count, wide + at, x.row(first) + at);
                });
                kernels::gemm_int8<Isa>(ctx.executor, rows, wide, columns_, w,
                                        kernels::epilogue<Output, Stages...>(y.row(first), y.stride, stages...));
            }
        } else {
            kernels::gemm_int8<Isa>(ctx.executor, x.rows, x.data, x.stride, w,
                                    kernels::epilogue<Output, Stages...>(y.data, y.stride, stages...));
        }
    }

    template <std::size_t Rows, std::size_t Columns, class Context, class Output, class... Stages>
    PARE_FLATTEN void multiply_row(const static_range&, Context& ctx, const std::uint8_t* x, Output* y,
                                   Stages... stages) const noexcept {
        const kernels::packed_int8 w{values_.data(), column_sums_.data(), Rows, Columns};
        const kernels::epilogue<Output, Stages...> finish(y, Rows, stages...);
        if constexpr (widens) {
            arena scratch = ctx.scratch;
            operand* const wide = scratch.template take<operand>(Columns);
            kernels::widen_bytes<Isa>(Columns, wide, x);
            kernels::gemm_int8_row<Isa, Rows, Columns>(static_cast<const operand*>(wide), w, finish);
        } else {
            kernels::gemm_int8_row<Isa, Rows, Columns>(x, w, finish);
        }
    }

private:
    static constexpr std::size_t block_rows(std::size_t batch) noexcept {
        return batch < kernels::quantized_block_rows ? batch : kernels::quantized_block_rows;
    }

    std::size_t rows_;
    std::size_t columns_;
    aligned_array<std::int8_t> values_;
    aligned_array<std::int32_t> column_sums_;
    aligned_array<float> scales_;
};

PARE_NAMESPACE_END

#endif
