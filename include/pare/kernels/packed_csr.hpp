#ifndef PARE_KERNELS_PACKED_CSR_HPP
#define PARE_KERNELS_PACKED_CSR_HPP

#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/packed.hpp>
#include <pare/kernels/spmm.hpp>

PARE_NAMESPACE_BEGIN

/// Sparse weights, float or bytes, in slices of rows.
template <class Element, class Index, class Isa>
class packed<weight_matrix<Element, basic_csr<Index>>, Isa> {
    using weights = weight_matrix<Element, basic_csr<Index>>;
    using value = typename weights::storage;

public:
    static constexpr const char* kernel_name = "spmm";

    explicit packed(const weights& w)
        : rows_({w.structure.row_begin(), w.structure.column(), w.values.data(), w.rows(), w.columns()}),
          scales_(w.scales),
          column_sums_(std::is_same_v<Element, float> ? 0 : w.rows()) {
        if constexpr (!std::is_same_v<Element, float>) {
            w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) { column_sums_[row] += w.values[i]; });
        }
    }

    std::size_t rows() const noexcept { return rows_.rows(); }
    std::size_t columns() const noexcept { return rows_.columns(); }
    std::size_t bytes() const noexcept {
        return rows_.bytes() + scales_.size() * sizeof(float) + column_sums_.size() * sizeof(std::int32_t);
    }
    std::string describe() const {
        return sentence(weights().describe(), " (", rows_.stored(), " of ", rows() * columns(), " stored), ", kernel_name, " on ",
                        Isa::name);
    }

    static constexpr std::size_t scratch_bytes(as_float, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires std::is_same_v<Element, float> {
        return kernels::spmm_scratch_bytes<Isa, float>(batch, columns);
    }
    template <dynamic_activations Activations>
    static constexpr std::size_t scratch_bytes(Activations, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires std::is_same_v<Element, qint8> {
        return kernels::quantized_scratch_bytes<std::uint8_t>(batch, columns) +
               kernels::spmm_scratch_bytes<Isa, std::int32_t>(batch, columns);
    }

    template <class Context, class... Stages>
    requires std::is_same_v<Element, float>
    void multiply(as_float, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        kernels::spmm<Isa, float>(ctx.executor, ctx.scratch, x.rows, x.data, x.stride, rows_.view(),
                                  kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
    }

    template <dynamic_activations Activations, class Context, class... Stages>
    requires std::is_same_v<Element, qint8>
    void multiply(Activations a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        kernels::for_each_quantized_block<Isa, std::uint8_t>(a, ctx, x, [&](std::size_t first, const auto& q, arena scratch) {
            kernels::spmm<Isa, std::int32_t>(
                ctx.executor, scratch, q.rows, q.values, q.stride, rows_.view(),
                kernels::epilogue<float, kernels::dequantize, Stages...>(
                    y.row(first), y.stride, {q.scales, q.zero_points, scales_.data(), column_sums_.data()}, stages...));
        });
    }

    const float* scales() const noexcept { return scales_.data(); }
    const std::int32_t* column_sums() const noexcept requires std::is_same_v<Element, qint8> { return column_sums_.data(); }

    static constexpr std::size_t scratch_bytes(static_range, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires std::is_same_v<Element, qint8> {
        return kernels::spmm_scratch_bytes<Isa, std::int32_t>(batch, columns);
    }
    template <class Context, class Output, class... Stages>
    requires std::is_same_v<Element, qint8>
    void multiply(const static_range&, Context& ctx, const matrix_view<const std::uint8_t>& x, const matrix_view<Output>& y,
                  Stages... stages) const noexcept {
        kernels::spmm<Isa, std::int32_t>(ctx.executor, ctx.scratch, x.rows, x.data, x.stride, rows_.view(),
                                         kernels::epilogue<Output, Stages...>(y.data, y.stride, stages...));
    }

private:
    kernels::sliced_rows<Isa, value, Index> rows_;
    aligned_array<float> scales_;
    aligned_array<std::int32_t> column_sums_;
};

PARE_NAMESPACE_END

#endif
