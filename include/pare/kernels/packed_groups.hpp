#ifndef PARE_KERNELS_PACKED_GROUPS_HPP
#define PARE_KERNELS_PACKED_GROUPS_HPP

#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/gemm_groups.hpp>
#include <pare/kernels/gemm_groups_f32.hpp>
#include <pare/kernels/packed.hpp>

PARE_NAMESPACE_BEGIN

/// Weights in groups with a scale each: qint, nf4 and the blocks of ggml. Codes of 3 bits are packed in 4.
template <class Element, class Isa>
requires detail::in_groups<Element>
class packed<weight_matrix<Element, full>, Isa> {
    using storage = detail::element_storage<Element>;
    using format = typename storage::format;
    using layout = kernels::packed_groups_layout<Isa, format>;

    static constexpr bool multiplies_bytes = !format::has_levels;

public:
    static constexpr const char* kernel_name = "gemm_groups";

    explicit packed(const weight_matrix<Element, full>& w)
        : rows_(w.rows()), columns_(w.columns()), values_(layout::bytes(w.rows(), w.columns())) {
        layout::pack(
            rows_, columns_, [&](std::size_t row, std::size_t column) { return storage::code_at(w, row, column); },
            [&](std::size_t row, std::size_t g) { return storage::scale_at(w, row, g); },
            [&](std::size_t row, std::size_t g) { return storage::offset_at(w, row, g); }, values_.data());
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept { return values_.size(); }
    std::string describe() const {
        const char* const beside[] = {"scales", "scales and zero points", "scales and minima", "scales"};
        static_assert(format::has_scale);
        return sentence(storage::name, " full in groups of ", format::size, ": ", format::bits, " bits and ",
                        sizeof(typename format::scale) == 2 ? "float16 " : "float ", beside[static_cast<int>(format::offset)], ", ",
                        kernel_name, " on ", Isa::name);
    }

    static constexpr std::size_t scratch_bytes(as_float, std::size_t, std::size_t, std::size_t) noexcept { return 0; }
    static constexpr std::size_t scratch_bytes(dynamic_range, std::size_t batch, std::size_t,
                                               std::size_t columns) noexcept requires(multiplies_bytes) {
        const std::size_t rows = batch < kernels::quantized_block_rows ? batch : kernels::quantized_block_rows;
        return kernels::quantized_scratch_bytes<std::int8_t>(batch, columns) +
               scratch_bytes_of<std::int32_t>(rows * format::groups(columns));
    }

    template <class Context, class... Stages>
    void multiply(as_float, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        kernels::gemm_groups_f32<Isa, format>(ctx.executor, x.rows, x.data, x.stride, {values_.data(), rows_, columns_},
                                              kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
    }
    template <class Context, class... Stages>
    void multiply(dynamic_range, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept requires(multiplies_bytes) {
        const kernels::packed_groups w = {values_.data(), rows_, columns_};
        kernels::for_each_quantized_block<Isa, std::int8_t, kernels::row_quantization::symmetric>(
            ctx, x, [&](std::size_t first, const auto& q, arena scratch) {
                std::int32_t* const sums = scratch.take<std::int32_t>(q.rows * format::groups(columns_));
                kernels::sum_groups<format>(q.rows, q.values, q.stride, columns_, sums);
                kernels::gemm_groups<Isa, format>(ctx.executor, q.rows, q.values, q.stride, sums, w,
                                                  kernels::epilogue<float, kernels::scale_rows, Stages...>(
                                                      y.row(first), y.stride, kernels::scale_rows{q.scales}, stages...));
            });
    }

private:
    std::size_t rows_;
    std::size_t columns_;
    aligned_array<std::uint8_t> values_;
};

/// Weights that share at most 16 values: codes of 4 bits, which the product looks up. The same bits as with floats. A group is what
/// a row is filled up to.
template <std::size_t K, class Isa>
    requires(K <= 16)
class packed<weight_matrix<codebook<K>, full>, Isa> {
    using format = group_format<4, 16, float, group_offset::shared_levels>;
    using layout = kernels::packed_groups_layout<Isa, format>;

public:
    static constexpr const char* kernel_name = "gemm_groups";

    explicit packed(const weight_matrix<codebook<K>, full>& w)
        : rows_(w.rows()), columns_(w.columns()), levels_(16), codes_(layout::bytes(w.rows(), w.columns())) {
        std::copy(w.scales.begin(), w.scales.end(), levels_.begin());
        const auto code = [&](std::size_t row, std::size_t column) {
            const std::uint8_t c = w.values[row * columns_ + column];
            PARE_ASSERT(c < K, "weight %zu, %zu has code %u of a codebook of %zu values", row, column, unsigned{c}, K);
            return c % 16;
        };
        const auto nothing = [](std::size_t, std::size_t) { return 0.0f; };
        const auto finite = std::find_if(levels_.begin(), levels_.end(), [](float x) { return is_finite(x); });
        layout::pack(rows_, columns_, code, nothing, nothing, codes_.data(),
                     static_cast<std::uint32_t>(finite - levels_.begin()) % 16);
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept { return codes_.size() + levels_.size() * sizeof(float); }
    std::string describe() const {
        return sentence(codebook<K>::name, " full of ", K, " values: 4 bits, ", kernel_name, " on ", Isa::name);
    }

    static constexpr std::size_t scratch_bytes(as_float, std::size_t, std::size_t, std::size_t) noexcept { return 0; }

    template <class Context, class... Stages>
    void multiply(as_float, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                  Stages... stages) const noexcept {
        kernels::gemm_groups_f32<Isa, format>(ctx.executor, x.rows, x.data, x.stride,
                                              {codes_.data(), rows_, columns_, levels_.data()},
                                              kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
    }

private:
    std::size_t rows_;
    std::size_t columns_;
    aligned_array<float> levels_;
    aligned_array<std::uint8_t> codes_;
};

namespace detail {

/// The weights as the kernel for this kind of activations takes them: bytes that floats are multiplied by lie in groups, all of a row
/// with its scale.
template <class Weights, class Activations>
const Weights& in_form_for(const Weights& w, const Activations&) noexcept {
    return w;
}
inline weight_matrix<qint<8, 256>, full> in_form_for(const weight_matrix<qint8, full>& w, const as_float&) {
    using storage = element_storage<qint<8, 256>>;
    weight_matrix<qint<8, 256>, full> grouped(w.structure);
    w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        storage::set_code(grouped, row, column, w.values[i] + storage::format::middle);
    });
    for (std::size_t i = 0; i < grouped.scales.size(); ++i) {
        grouped.scales[i] = w.scales[i / storage::format::groups(w.columns())];
    }
    return grouped;
}
/// The floats that weights with shared values stand for.
template <std::size_t K, class Layout>
weight_matrix<float, Layout> decoded(const weight_matrix<codebook<K>, Layout>& w) {
    weight_matrix<float, Layout> floats(w.structure);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        floats.values[i] = w.scales[w.values[i]];
    }
    return floats;
}
template <std::size_t K, class Layout>
    requires(K > 16 || !std::is_same_v<Layout, full>)
weight_matrix<float, Layout> in_form_for(const weight_matrix<codebook<K>, Layout>& w, const as_float&) {
    return decoded(w);
}
/// The same for convolutions, whose float kernels copy no patches, and which have few weights for the work they do.
template <class Weights, class Activations>
decltype(auto) convolution_form_for(const Weights& w, const Activations& a) {
    return in_form_for(w, a);
}
template <std::size_t K, class Layout>
weight_matrix<float, Layout> convolution_form_for(const weight_matrix<codebook<K>, Layout>& w, const as_float&) {
    return decoded(w);
}
template <class Weights, class Activations>
using form_for = std::remove_cvref_t<decltype(in_form_for(std::declval<const Weights&>(), std::declval<const Activations&>()))>;

}  // namespace detail

PARE_NAMESPACE_END

#endif
