#ifndef PARE_KERNELS_GEMM_GROUPS_HPP
#define PARE_KERNELS_GEMM_GROUPS_HPP

#include <cstring>

#include <pare/kernels/groups_layout.hpp>
#include <pare/simd/dot4.hpp>

PARE_NAMESPACE_BEGIN

/// Products of bytes and of weights whose scale changes along k, whatever their `group_format`: the sum of a group is exact in
/// int32, then becomes a float, times the group's scale, and is added to those before it.
namespace kernels {

template <class Isa, class Format>
struct gemm_groups_kernel {
    using V = simd::ops<Isa>;
    using layout = packed_groups_layout<Isa, Format>;
    static constexpr simd::register_tile tile = layout::tile;
    using operand = decltype(simd::broadcast_signed<Isa>(static_cast<const std::int8_t*>(nullptr)));

    /// What a code is too large by in the dot product.
    static constexpr bool flipped = Format::bits == 8 && !simd::weights_are_unsigned<Isa>;
    static constexpr std::int32_t excess = (Format::offset == group_offset::none ? Format::middle : 0) - (flipped ? 128 : 0);

    /// Where one row cannot hide the shift of every second step: its codes stay where they are, as multiples of 16, and have sums
    /// of their own.
    static constexpr bool can_stay = Format::bits == 4 && layout::steps == 2 && simd::weights_are_unsigned<Isa>;

    template <std::size_t Step, bool Stay>
    PARE_INLINE static typename V::weights weights(typename V::i32 codes) noexcept {
        if constexpr (Stay && Step == 1) {
            return V::as_weights(codes & V::set(static_cast<std::int32_t>(0xf0f0f0f0u)));
        } else if constexpr (flipped) {
            return V::as_weights(codes ^ V::set(static_cast<std::int32_t>(0x80808080u)));
        } else if constexpr (layout::steps == 1) {
            return V::as_weights(codes);
        } else {
            constexpr std::uint32_t mask = layout::in_each((1u << Format::bits) - 1u, layout::depth);
            const auto shifted = Step == 0 ? codes : V::template shift_right<Format::bits * Step>(codes);
            return V::as_weights(shifted & V::set(static_cast<std::int32_t>(mask)));
        }
    }

    /// A load that a compiler does not repeat, whatever it thinks of registers: loads are what limits a lone row.
    PARE_INLINE static typename V::i32 once(typename V::i32 codes) noexcept {
        if constexpr (V::lanes == 1) {
            return codes;
        } else {
            return V::bits(V::opaque(V::from_bits(codes)));
        }
    }

    using tile_function = void (*)(const std::int8_t* a, std::size_t a_stride, const std::int32_t* sums, const std::uint8_t* b,
                                   std::size_t k, float* out, std::size_t out_stride);

    /// out [Rows, Panels * Vectors * lanes], rows out_stride apart, = the sums of all groups, times their scales. `sums` [Rows,
    /// groups] are those of the activations.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_FLATTEN static void multiply_tile(const std::int8_t* a, std::size_t a_stride, const std::int32_t* sums,
                                           const std::uint8_t* b, std::size_t k, float* out, std::size_t out_stride) {
        constexpr std::size_t columns = Panels * Vectors;
        constexpr bool stay = Rows == 1 && can_stay;
        if constexpr (stay && columns > 4) {  // those are sums enough
            constexpr std::size_t first = Vectors < 4 ? 4 / Vectors : 1;
            multiply_tile<1, Vectors, first>(a, a_stride, sums, b, k, out, out_stride);
            multiply_tile<1, Vectors, Panels - first>(a, a_stride, sums, b + first * layout::panel_bytes(k), k,
                                                      out + first * Vectors * V::lanes, out_stride);
            return;
        }
        const std::size_t groups = Format::groups(k);
        const grouped_rows<std::int8_t, Rows, Format::size> rows(a, a_stride, k);
        typename V::f32 total[Rows][columns];
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                total[r][c] = V::set(0.0f);
            }
        }
        for (std::size_t place = 0; place < groups; ++place) {
            const typename layout::template group_view<Vectors> group = {b + place * layout::group_bytes(Vectors * V::lanes),
                                                                         layout::panel_bytes(k)};
            PARE_PREFETCH(b + (place * layout::group_bytes(Vectors * V::lanes) + 4096));  // where hardware stops, a page on
            const std::int8_t* x = rows.piece(place);
            const std::size_t stride = rows.piece_stride(place);
            typename V::i32 sum[stay ? 2 : 1][Rows][columns];
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                const auto start = V::set(excess == 0 ? 0 : -excess * sums[r * groups + place]);
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    sum[0][r][c] = start;
                    if constexpr (stay) {
                        sum[1][r][c] = V::set(std::int32_t{0});
                    }
                }
            }
            for (std::size_t w = 0; w < layout::words; ++w, x += layout::per_word) {
                operand xr[layout::steps][Rows];
                PARE_UNROLL for (std::size_t t = 0; t < layout::steps; ++t) {
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                        xr[t][r] = simd::broadcast_signed<Isa>(x + r * stride + t * layout::depth);
                    }
                }
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    const auto codes = once(group.codes(w, c));
                    const auto step = [&](auto t) {
                        auto& chain = sum[stay ? std::size_t{t} : 0];
                        const auto wc = weights<t, stay>(codes);
                        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                            chain[r][c] = simd::dot_signed<Isa>(chain[r][c], xr[t][r], wc);
                        }
                    };
                    [&]<std::size_t... T>(std::index_sequence<T...>) {
                        (step(std::integral_constant<std::size_t, T>{}), ...);
                    }
                    (std::make_index_sequence<layout::steps>{});
                }
            }
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                const auto scale = group.scales(c);
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    auto exact = V::to_float(stay ? sum[0][r][c] + V::template shift_right<4>(sum[stay][r][c]) : sum[0][r][c]);
                    const auto all = V::set(static_cast<float>(sums[r * groups + place]));
                    if constexpr (Format::offset == group_offset::zero_point) {
                        exact = exact - V::opaque(group.offsets(c) * all);  // both are integers below 2^24
                    }
                    total[r][c] = V::opaque(total[r][c] + V::opaque(exact * scale));
                    if constexpr (Format::offset == group_offset::minimum) {
                        total[r][c] = V::opaque(total[r][c] + V::opaque(group.offsets(c) * all));
                    }
                }
            }
        }
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                V::store(out + r * out_stride + c * V::lanes, total[r][c]);
            }
        }
    }

    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    struct pick {
        static constexpr tile_function value = &multiply_tile<Rows, Vectors, Panels>;
    };
};

/// The sum of N bytes. Not inlined: compilers would take the loop around it for the one to vectorize.
template <std::size_t N>
PARE_NOINLINE std::int32_t sum_of_bytes(const std::int8_t* x) noexcept {
    static_assert(N % 8 == 0 && N <= 256);
    constexpr std::uint64_t halves = 0x00ff00ff00ff00ffu;
    std::uint64_t sums = 0;  // of bytes + 128, in four 16-bit numbers
    for (std::size_t i = 0; i < N; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, x + i, 8);
        word ^= 0x8080808080808080u;
        sums += (word & halves) + (word >> 8 & halves);
    }
    return static_cast<std::int32_t>(sums * 0x0001000100010001u >> 48) - 128 * static_cast<std::int32_t>(N);
}

/// sums [m, groups] = those of a [m, k] over the groups, an unfinished one first.
template <class Format>
void sum_groups(std::size_t m, const std::int8_t* a, std::size_t a_stride, std::size_t k, std::int32_t* sums) noexcept {
    const std::size_t whole = k / Format::size;
    for (std::size_t i = 0; i < m; ++i, a += a_stride) {
        if (k % Format::size != 0) {
            *sums = 0;
            for (std::size_t c = whole * Format::size; c < k; ++c) {
                *sums += a[c];
            }
            ++sums;
        }
        for (std::size_t g = 0; g < whole; ++g) {
            *sums++ = sum_of_bytes<Format::size>(a + g * Format::size);
        }
    }
}

/// Element (i, j) is the sum over the groups g, an unfinished one first, of what reference::multiply_groups says; the epilogue
/// takes it and stores. a [m, w.k] holds qint8, sums [m, groups] come from sum_groups. O(m n k).
template <class Isa, class Format, class Executor, class Epilogue>
PARE_NOINLINE void gemm_groups(Executor& executor, std::size_t m, const std::int8_t* a, std::size_t a_stride,
                               const std::int32_t* sums, const packed_groups& w, const Epilogue& epilogue) {
    using kernel = gemm_groups_kernel<Isa, Format>;
    for_each_groups_tile<Isa, kernel>(
        executor, m, w, epilogue, [&](auto multiply, std::size_t row, const std::uint8_t* b, float* out, std::size_t stride) {
            multiply(a + row * a_stride, a_stride, sums + row * Format::groups(w.k), b, w.k, out, stride);
        });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
