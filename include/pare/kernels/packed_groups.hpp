#ifndef PARE_KERNELS_PACKED_GROUPS_HPP
#define PARE_KERNELS_PACKED_GROUPS_HPP

#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/gemm_groups.hpp>
#include <pare/kernels/packed.hpp>

PARE_NAMESPACE_BEGIN

/// 4-bit weights for the product with bytes: qint4, or blocks of ggml that mean the same.
template <class Element, class Isa>
requires(detail::element_storage<Element>::nibble_group > 0) class packed<weight_matrix<Element, full>, Isa> {
    using storage = detail::element_storage<Element>;
    static constexpr std::size_t group = storage::nibble_group;
    using kernel = kernels::gemm_groups_kernel<Isa, group>;

public:
    static constexpr const char* kernel_name = "gemm_groups";

    explicit packed(const weight_matrix<Element, full>& w)
        : rows_(w.rows()),
          columns_(w.columns()),
          values_(kernel::packed_bytes(w.rows(), w.columns())),
          scales_(kernel::packed_scales(w.rows(), w.columns())) {
        const auto* const values = w.values.data();
        kernel::pack(
            rows_, columns_, [&](std::size_t row, std::size_t column) { return storage::integer(values, row, column, columns_); },
            [&](std::size_t row, std::size_t g) { return storage::group_scale(values, w.scales.data(), row, g, columns_); },
            values_.data(), scales_.data());
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept { return values_.size() + scales_.size() * sizeof(float); }
    std::string describe() const { return sentence(storage::name, " full in groups of ", group, ", ", kernel_name, " on ", Isa::name); }

    static constexpr std::size_t scratch_bytes(dynamic_range, std::size_t batch, std::size_t, std::size_t columns) noexcept {
        return kernels::quantized_scratch_bytes<std::int8_t>(batch, columns);
    }

    template <class Context, class... Stages>
    void multiply(dynamic_range, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        const kernels::packed_nibbles w = {values_.data(), scales_.data(), rows_, columns_};
        kernels::for_each_quantized_block<Isa, std::int8_t, kernels::row_quantization::symmetric>(
            ctx, x, [&](std::size_t first, const auto& q, arena) {
                kernels::gemm_groups<Isa, group>(ctx.executor, q.rows, q.values, q.stride, w,
                                                 kernels::epilogue<float, kernels::scale_rows, Stages...>(
                                                     y.row(first), y.stride, kernels::scale_rows{q.scales}, stages...));
            });
    }

private:
    std::size_t rows_;
    std::size_t columns_;
    aligned_array<std::uint8_t> values_;
    aligned_array<float> scales_;
};

PARE_NAMESPACE_END

#endif
