#ifndef PARE_KERNELS_GEMM_GROUPS_F32_HPP
#define PARE_KERNELS_GEMM_GROUPS_F32_HPP

#include <pare/kernels/groups_layout.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Products of floats and weights in groups: the chains of multiply-adds of gemm_f32 with the numbers that the codes stand for,
/// which exist in registers only.
template <class Isa, class Format>
struct gemm_groups_f32_kernel {
    using V = simd::ops<Isa>;
    using layout = packed_groups_layout<Isa, Format>;
    static constexpr simd::register_tile tile = {V::f32_tile.rows, layout::tile.vectors};

    using levels = typename V::table16;

    /// The real numbers of weight I of every word, Format::real to the bit.
    template <std::size_t I>
    PARE_INLINE static typename V::f32 real(typename V::i32 codes, typename V::f32 scale, typename V::f32 offset,
                                            [[maybe_unused]] const levels& table) noexcept {
        constexpr int first = static_cast<int>(layout::bit(I));
        constexpr int bits = static_cast<int>(Format::bits);
        if constexpr (Format::offset == group_offset::none) {
            return V::to_float(V::template shift_right<32 - bits>(V::template shift_left<32 - bits - first>(codes))) *
                   scale;  // see `centered`
        } else if constexpr (Format::has_levels) {
            const auto level = V::look_up(table, V::template shift_right<first>(codes));
            if constexpr (Format::has_scale) {
                return level * scale;
            } else {
                return level;
            }
        } else {
            const auto code = V::to_float(V::template shift_right<first>(codes) & V::set((1 << bits) - 1));
            if constexpr (Format::offset == group_offset::zero_point) {
                return (code - offset) * scale;
            } else {
                return V::opaque(code * scale) + offset;
            }
        }
    }
    /// Codes with their middle at zero, as signed numbers of as many bits.
    PARE_INLINE static typename V::i32 centered(typename V::i32 codes) noexcept {
        constexpr std::uint32_t middles = layout::in_each(Format::middle, layout::per_word);
        return codes ^ V::set(static_cast<std::int32_t>(middles));
    }

    using tile_function = void (*)(const float* a, std::size_t a_stride, const std::uint8_t* b, std::size_t k,
                                   const float* levels_of_b, float* out, std::size_t out_stride);

    /// out [Rows, Panels * Vectors * lanes], rows out_stride apart, = a [Rows, k] * panels of b.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_FLATTEN static void multiply_tile(const float* a, std::size_t a_stride, const std::uint8_t* b, std::size_t k,
                                           [[maybe_unused]] const float* levels_of_b, float* out, std::size_t out_stride) {
        constexpr std::size_t columns = Panels * Vectors;
        const std::size_t groups = Format::groups(k);
        const grouped_rows<float, Rows, Format::size> rows(a, a_stride, k);
        levels table{};
        if constexpr (Format::has_levels) {
            table = V::load_table(levels_of_b);
        }
        typename V::f32 sum[Rows][columns];
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                sum[r][c] = V::set(0.0f);
            }
        }
        for (std::size_t g = 0; g < groups; ++g) {
            const std::size_t place = layout::place(g, k);
            const std::uint8_t* const at = b + place * layout::group_bytes(Vectors * V::lanes);
            const typename layout::template group_view<Vectors> group = {at, layout::panel_bytes(k)};
            PARE_PREFETCH(at + 4096);  // where hardware stops, a page on
            const float* x = rows.piece(place);
            const std::size_t stride = rows.piece_stride(place);
            typename V::f32 scale[columns], offset[columns];
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                if constexpr (Format::has_scale) {
                    scale[c] = group.scales(c);
                }
                if constexpr (layout::has_offset) {
                    offset[c] = group.offsets(c);
                }
            }
            for (std::size_t w = 0; w < layout::words; ++w, x += layout::per_word) {
                typename V::i32 codes[columns];
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    codes[c] = group.codes(w, c);
                    if constexpr (Format::offset == group_offset::none) {
                        codes[c] = centered(codes[c]);
                    }
                }
                const auto step = [&](auto i) {
                    typename V::f32 weight[columns];
                    PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                        weight[c] = real<i>(codes[c], scale[c], offset[c], table);
                    }
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                        const auto xr = V::set(x[r * stride + i]);
                        PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                            sum[r][c] = V::fma(xr, weight[c], sum[r][c]);
                        }
                    }
                };
                [&]<std::size_t... I>(std::index_sequence<I...>) {
                    (step(std::integral_constant<std::size_t, I>{}), ...);
                }
                (std::make_index_sequence<layout::per_word>{});
            }
        }
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                V::store(out + r * out_stride + c * V::lanes, sum[r][c]);
            }
        }
    }

    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    struct pick {
        static constexpr tile_function value = &multiply_tile<Rows, Vectors, Panels>;
    };
};

/// C [m, w.n] = A [m, w.k] * W^T in float; the epilogue stores C. O(m n k).
template <class Isa, class Format, class Executor, class Epilogue>
PARE_NOINLINE void gemm_groups_f32(Executor& executor, std::size_t m, const float* a, std::size_t a_stride, const packed_groups& w,
                                   const Epilogue& epilogue) {
    using kernel = gemm_groups_f32_kernel<Isa, Format>;
    for_each_groups_tile<Isa, kernel>(executor, m, w, epilogue,
                                      [&](auto multiply, std::size_t row, const std::uint8_t* b, float* out, std::size_t stride) {
                                          multiply(a + row * a_stride, a_stride, b, w.k, w.levels, out, stride);
                                      });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
