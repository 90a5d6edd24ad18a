#ifndef PARE_KERNELS_PACKED_BSR_HPP
#define PARE_KERNELS_PACKED_BSR_HPP

#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/packed.hpp>
#include <pare/kernels/packed_csr.hpp>
#include <pare/kernels/spmm_fours.hpp>
#include <pare/kernels/spmm_panels.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Whether blocks of so few outputs are multiplied output by output: in panels most lanes would be empty. At a quarter of a vector
/// panels are better for few samples of bytes, unless activations are looked up.
template <class Isa, class Element>
constexpr bool are_few_outputs(std::size_t outputs) noexcept {
    const bool panels_at_a_quarter = std::is_same_v<Element, qint8> && !simd::looks_up_operands<Isa>;
    return 4 * outputs + (panels_at_a_quarter ? 1 : 0) <= simd::ops<Isa>::lanes;
}

/// The form in which blocks of R x C are multiplied.
template <class Isa, class Element, std::size_t R, std::size_t C, class Index>
auto bsr_product_of() {
    if constexpr (std::is_same_v<Element, float>) {
        return std::type_identity<sparse_panels<Isa, float_steps<Isa>, (C % 4 == 0 ? 4 : C % 2 == 0 ? 2 : 1), Index>>{};
    } else if constexpr (are_few_outputs<Isa, Element>(R)) {
        return std::type_identity<sparse_fours<Isa, Index>>{};
    } else {
        return std::type_identity<sparse_panels<Isa, byte_steps<Isa>, 4, Index>>{};
    }
}
template <class Isa, class Element, std::size_t R, std::size_t C, class Index>
using bsr_product = typename decltype(bsr_product_of<Isa, Element, R, C, Index>())::type;

}  // namespace kernels

/// Floats in blocks of few outputs are multiplied one by one, as compressed sparse rows.
template <std::size_t R, std::size_t C, class Index, class Isa>
requires(kernels::are_few_outputs<Isa, float>(R)) class packed<weight_matrix<float, basic_bsr<R, C, Index>>, Isa>
    : public packed<weight_matrix<float, basic_csr<Index>>, Isa> {
    using rows_only = weight_matrix<float, basic_csr<Index>>;

public:
    explicit packed(const weight_matrix<float, basic_bsr<R, C, Index>>& w)
        : packed<rows_only, Isa>(without_blocks(w)), stored_(w.values.size()) {}

    std::string describe() const {
        return sentence("float ", basic_bsr<R, C, Index>::name, " (", stored_, " of ", this->rows() * this->columns(),
                        " stored) as ", packed<rows_only, Isa>::describe());
    }

private:
    static rows_only without_blocks(const weight_matrix<float, basic_bsr<R, C, Index>>& w) {
        aligned_array<float> all(w.rows() * w.columns());
        w.structure.for_each(
            [&](std::size_t row, std::size_t column, std::size_t i) { all[row * w.columns() + column] = w.values[i]; });
        const auto at = [&](std::size_t row, std::size_t column) { return all[row * w.columns() + column]; };
        rows_only rows(typename basic_csr<Index>::structure(w.rows(), w.columns(),
                                                            [&](std::size_t r, std::size_t c) { return at(r, c) != 0; }));
        rows.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) { rows.values[i] = at(row, column); });
        return rows;
    }

    std::size_t stored_;
};

/// Weights in blocks, float or bytes.
template <class Element, std::size_t R, std::size_t C, class Index, class Isa>
class packed<weight_matrix<Element, basic_bsr<R, C, Index>>, Isa> {
    using weights = weight_matrix<Element, basic_bsr<R, C, Index>>;
    using product = kernels::bsr_product<Isa, Element, R, C, Index>;

public:
    static constexpr const char* kernel_name = product::name;

    explicit packed(const weights& w)
        : rows_(w.rows()),
          columns_(w.columns()),
          stored_(w.values.size()),
          product_(
              w.rows(), w.columns(),
              [&](const auto& f) {
                  w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) { f(row, column, w.values[i]); });
              }),
          scales_(w.scales) {}

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept { return product_.bytes() + scales_.size() * sizeof(float); }
    std::string describe() const {
        return sentence(detail::element_storage<Element>::name, " ", basic_bsr<R, C, Index>::name, " (", stored_, " of ",
                        rows_ * columns_, " stored), ", kernel_name, " on ", Isa::name);
    }
    const float* scales() const noexcept { return scales_.data(); }
    const std::int32_t* column_sums() const noexcept requires std::is_same_v<Element, qint8> { return product_.column_sums(); }

    static constexpr std::size_t scratch_bytes(as_float, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires std::is_same_v<Element, float> {
        return product::scratch_bytes(batch, columns);
    }
    template <class Context, class... Stages>
    requires std::is_same_v<Element, float>
    void multiply(as_float, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        product_.multiply(ctx.executor, ctx.scratch, x.rows, x.data, x.stride,
                          kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
    }

    template <dynamic_activations Activations>
    static constexpr std::size_t scratch_bytes(Activations, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires std::is_same_v<Element, qint8> {
        return kernels::quantized_scratch_bytes<activation>(batch, columns) + product::scratch_bytes(batch, columns);
    }
    template <dynamic_activations Activations, class Context, class... Stages>
    requires std::is_same_v<Element, qint8>
    void multiply(Activations a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        kernels::for_each_quantized_block<Isa, activation>(a, ctx, x, [&](std::size_t first, const auto& q, arena scratch) {
            product_.multiply(
                ctx.executor, scratch, q.rows, q.values, q.stride,
                kernels::epilogue<float, kernels::dequantize, Stages...>(
                    y.row(first), y.stride, {q.scales, q.zero_points, scales_.data(), product_.column_sums()}, stages...));
        });
    }

    static constexpr std::size_t scratch_bytes(static_range, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires std::is_same_v<Element, qint8> {
        return product::scratch_bytes(batch, columns);
    }
    template <class Context, class Output, class... Stages>
    requires std::is_same_v<Element, qint8>
    void multiply(const static_range&, Context& ctx, const matrix_view<const std::uint8_t>& x, const matrix_view<Output>& y,
                  Stages... stages) const noexcept {
        product_.multiply(ctx.executor, ctx.scratch, x.rows, x.data, x.stride,
                          kernels::epilogue<Output, Stages...>(y.data, y.stride, stages...));
    }

private:
    using activation = typename simd::ops<Isa>::activation;

    std::size_t rows_;
    std::size_t columns_;
    std::size_t stored_;
    product product_;
    aligned_array<float> scales_;
};

PARE_NAMESPACE_END

#endif
