#ifndef PARE_KERNELS_PACKED_N_OF_M_HPP
#define PARE_KERNELS_PACKED_N_OF_M_HPP

#include <pare/kernels/dynamic.hpp>
#include <pare/kernels/gemm_n_of_m.hpp>
#include <pare/kernels/packed_full.hpp>

PARE_NAMESPACE_BEGIN

/// N of each M weights, float or bytes, where the instruction set chooses activations for them.
template <class Element, std::size_t N, std::size_t M, class Isa>
requires kernels::multiplies_n_of_m<Isa, typename weight_matrix<Element, n_of_m<N, M>>::storage, N, M>
class packed<weight_matrix<Element, n_of_m<N, M>>, Isa> {
    using weights = weight_matrix<Element, n_of_m<N, M>>;
    using layout = kernels::n_of_m_layout<Isa, typename weights::storage, N, M>;
    using activation = typename simd::ops<Isa>::activation;
    static constexpr bool is_float = std::is_same_v<Element, float>;

public:
    static constexpr const char* kernel_name = "gemm_n_of_m";

    explicit packed(const weights& w)
        : rows_(w.rows()),
          columns_(w.columns()),
          data_(layout::bytes(w.rows(), w.columns())),
          column_sums_(is_float ? 0 : layout::panel::padded(w.rows())),
          scales_(w.scales) {
        layout::pack(w.structure, w.values.data(), data_.data());
        if constexpr (!is_float) {
            w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) { column_sums_[row] += w.values[i]; });
        }
    }

    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t bytes() const noexcept {
        return data_.size() + column_sums_.size() * sizeof(std::int32_t) + scales_.size() * sizeof(float);
    }
    std::string describe() const {
        return sentence(is_float ? "float " : "qint8 ", n_of_m<N, M>::name, ", ", kernel_name, " on ", Isa::name);
    }
    const float* scales() const noexcept { return scales_.data(); }
    const std::int32_t* column_sums() const noexcept requires(!is_float) { return column_sums_.data(); }

    static constexpr std::size_t scratch_bytes(as_float, std::size_t, std::size_t, std::size_t) noexcept requires is_float {
        return 0;
    }
    template <dynamic_activations Activations>
    static constexpr std::size_t scratch_bytes(Activations, std::size_t batch, std::size_t, std::size_t columns) noexcept
        requires(!is_float) {
        return kernels::quantized_scratch_bytes<activation>(batch, columns);
    }
    static constexpr std::size_t scratch_bytes(static_range, std::size_t, std::size_t, std::size_t) noexcept requires(!is_float) {
        return 0;
    }

    template <class Context, class... Stages>
    requires is_float void multiply(as_float, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                                    Stages... stages) const noexcept {
        kernels::gemm_n_of_m<Isa, N, M>(ctx.executor, x.rows, x.data, x.stride, view(),
                                        kernels::epilogue<float, Stages...>(y.data, y.stride, stages...));
    }
    template <dynamic_activations Activations, class Context, class... Stages>
    requires(!is_float) void multiply(Activations a, Context& ctx, const matrix_view<const float>& x, const matrix_view<float>& y,
                                      Stages... stages) const noexcept {
        kernels::for_each_quantized_block<Isa, activation>(a, ctx, x, [&](std::size_t first, const auto& q, arena) {
            kernels::gemm_n_of_m<Isa, N, M>(
                ctx.executor, q.rows, q.values, q.stride, view(),
                kernels::epilogue<float, kernels::dequantize, Stages...>(
                    y.row(first), y.stride, {q.scales, q.zero_points, scales_.data(), column_sums_.data()}, stages...));
        });
    }
    template <class Context, class Output, class... Stages>
    requires(!is_float) void multiply(const static_range&, Context& ctx, const matrix_view<const std::uint8_t>& x,
                                      const matrix_view<Output>& y, Stages... stages) const noexcept {
        kernels::gemm_n_of_m<Isa, N, M>(ctx.executor, x.rows, x.data, x.stride, view(),
                                        kernels::epilogue<Output, Stages...>(y.data, y.stride, stages...));
    }

private:
    kernels::packed_n_of_m_view view() const noexcept {
        return {data_.data(), is_float ? nullptr : column_sums_.data(), rows_, columns_};
    }

    std::size_t rows_;
    std::size_t columns_;
    aligned_array<std::uint8_t> data_;
    aligned_array<std::int32_t> column_sums_;
    aligned_array<float> scales_;
};

/// Elsewhere they are expanded once, when the model is prepared: never slower than full weights, and no smaller.
template <class Element, std::size_t N, std::size_t M, class Isa>
class packed<weight_matrix<Element, n_of_m<N, M>>, Isa> : public packed<weight_matrix<Element, full>, Isa> {
    using expanded = packed<weight_matrix<Element, full>, Isa>;

public:
    /// Of the widest instruction set, in the place of whichever runs.
    static constexpr const char* kernel_name =
        std::is_same_v<Element, float> ? "gemm_n_of_m or gemm_f32" : "gemm_n_of_m or gemm_int8";

    explicit packed(const weight_matrix<Element, n_of_m<N, M>>& w) : expanded(in_full(w)) {}

    std::string describe() const { return sentence(n_of_m<N, M>::name, " expanded to ", expanded::describe()); }

private:
    static weight_matrix<Element, full> in_full(const weight_matrix<Element, n_of_m<N, M>>& w) {
        weight_matrix<Element, full> all(w.rows(), w.columns());
        w.structure.for_each(
            [&](std::size_t row, std::size_t column, std::size_t i) { all.values[row * w.columns() + column] = w.values[i]; });
        all.scales = w.scales;
        return all;
    }
};

PARE_NAMESPACE_END

#endif
