#ifndef PARE_KERNELS_GEMM_GROUPS_HPP
#define PARE_KERNELS_GEMM_GROUPS_HPP

#include <array>
#include <cstring>

#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/tiles.hpp>
#include <pare/simd/dot4.hpp>
#include <pare/types/qint.hpp>

PARE_NAMESPACE_BEGIN

/// Products of bytes and 4-bit weights whose scale changes along k: the sum of a group is exact in int32, then becomes a float,
/// times the group's scale, and is added to those before it.
namespace kernels {

/// Weights in the order in which gemm_groups reads them: panels as for gemm_int8; along k in pairs of steps, the nibbles of one
/// byte belonging to the same lane of both.
struct packed_nibbles {
    const std::uint8_t* data;
    const float* scales;  // [groups, width] for each panel
    std::size_t n;
    std::size_t k;
};

template <class Isa, std::size_t Group>
struct gemm_groups_kernel {
    using V = simd::ops<Isa>;
    using operand = decltype(simd::broadcast_signed<Isa>(static_cast<const std::int8_t*>(nullptr)));
    /// Every sum exists twice, of the group and of all.
    static constexpr simd::register_tile tile = {V::int8_tile.rows / 2, V::int8_tile.vectors};
    static constexpr std::size_t depth = V::dot_depth;
    using layout = panels<Isa, tile>;

    static constexpr std::size_t groups(std::size_t k) noexcept { return (k + Group - 1) / Group; }
    static constexpr std::size_t packed_bytes(std::size_t n, std::size_t k) noexcept {
        return layout::padded(n) * groups(k) * (Group / 2);
    }
    static constexpr std::size_t packed_scales(std::size_t n, std::size_t k) noexcept { return layout::padded(n) * groups(k); }

    /// integer(row, column) and scale(row, group) give the weights [n, k]; integers from -8 to 7.
    template <class Integer, class Scale>
    static void pack(std::size_t n, std::size_t k, const Integer& integer, const Scale& scale, std::uint8_t* data,
                     float* scales) noexcept {
        std::memset(data, 0, packed_bytes(n, k));
        for (std::size_t p = 0; p < layout::count(n); ++p) {
            const std::size_t width = layout::vectors(n, p) * V::lanes;
            std::uint8_t* const out = data + p * layout::width * groups(k) * (Group / 2);
            float* const out_scales = scales + p * layout::width * groups(k);
            for (std::size_t c = 0; c < width; ++c) {
                const std::size_t row = p * layout::width + c;
                for (std::size_t i = 0; i < groups(k) * Group; ++i) {
                    const int q = (row < n && i < k ? integer(row, i) : 0) + qint4<Group>::offset;
                    const std::size_t step = i / depth;
                    std::uint8_t& byte = out[(step / 2 * width + c) * depth + i % depth];
                    byte = static_cast<std::uint8_t>(byte | (step % 2 == 0 ? q : q << 4));
                }
                for (std::size_t g = 0; g < groups(k); ++g) {
                    out_scales[g * width + c] = row < n ? scale(row, g) : 0.0f;
                }
            }
        }
    }

    static constexpr auto eights = [] {
        std::array<std::int8_t, depth * V::lanes> bytes{};
        bytes.fill(8);
        return bytes;
    }();
    PARE_INLINE static typename V::i32 dot(typename V::i32 sum, operand a, typename V::weights w) noexcept {
        return simd::dot_signed<Isa>(sum, a, w);
    }

    using tile_function = void (*)(const std::int8_t* a, std::size_t a_stride, const std::uint8_t* b, const float* scales,
                                   std::size_t k, float* out);

    /// out [Rows, Panels * Vectors * lanes] = the sums of all groups, times their scales.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_FLATTEN static void multiply_tile(const std::int8_t* a, std::size_t a_stride, const std::uint8_t* b, const float* scales,
                                           std::size_t k, float* out) {
        constexpr std::size_t columns = Panels * Vectors;
        constexpr std::size_t group_bytes = Vectors * V::lanes * (Group / 2);
        constexpr std::size_t pair_bytes = Vectors * V::lanes * depth;
        const std::size_t panel_bytes = layout::width * groups(k) * (Group / 2);
        const std::size_t panel_scales = layout::width * groups(k);
        typename V::f32 total[Rows][columns];
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                total[r][c] = V::set(0.0f);
            }
        }
        const auto eight = V::load_weights(eights.data());
        const auto add_group = [&](const std::int8_t* x, std::size_t x_stride, const std::uint8_t* group, const float* scale) {
            typename V::i32 sum[Rows][columns];
            typename V::i32 all[Rows];  // of the activations, in every lane: nibbles are too large by 8
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                all[r] = V::set(std::int32_t{0});
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    sum[r][c] = V::set(std::int32_t{0});
                }
            }
            for (std::size_t pair = 0; pair < Group / (2 * depth); ++pair, group += pair_bytes, x += 2 * depth) {
                operand even[Rows], odd[Rows];
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    even[r] = simd::broadcast_signed<Isa>(x + r * x_stride);
                    odd[r] = simd::broadcast_signed<Isa>(x + r * x_stride + depth);
                    all[r] = dot(dot(all[r], even[r], eight), odd[r], eight);
                }
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    typename V::weights low, high;
                    V::load_nibbles(group + c / Vectors * panel_bytes + c % Vectors * V::lanes * depth, low, high);
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                        sum[r][c] = dot(dot(sum[r][c], even[r], low), odd[r], high);
                    }
                }
            }
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                const auto s = V::load(scale + c / Vectors * panel_scales + c % Vectors * V::lanes);
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    total[r][c] = V::opaque(total[r][c] + V::opaque(V::to_float(sum[r][c] - all[r]) * s));
                }
            }
        };
        const std::size_t whole = k / Group;
        if (k % Group != 0) {  // an unfinished group goes first: behind the loop, the compiler would keep every sum twice
            std::int8_t tail[Rows * Group] = {};
            for (std::size_t r = 0; r < Rows; ++r) {
                for (std::size_t i = whole * Group; i < k; ++i) {
                    tail[r * Group + i % Group] = a[r * a_stride + i];
                }
            }
            add_group(tail, Group, b + whole * group_bytes, scales + whole * Vectors * V::lanes);
        }
        for (std::size_t g = 0; g < whole; ++g) {
            add_group(a + g * Group, a_stride, b + g * group_bytes, scales + g * Vectors * V::lanes);
        }
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                V::store(out + (r * columns + c) * V::lanes, total[r][c]);
            }
        }
    }

    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    struct pick {
        static constexpr tile_function value = &multiply_tile<Rows, Vectors, Panels>;
    };
};

/// Element (i, j) is the sum over the groups g, the unfinished one first, of scale[j][g] * float(sum over k in g of a(i, k) *
/// q[j][k]), each product and each sum rounded by itself; the epilogue takes it and stores. a [m, w.k] holds qint8. O(m n k).
template <class Isa, std::size_t Group, class Executor, class Epilogue>
PARE_NOINLINE void gemm_groups(Executor& executor, std::size_t m, const std::int8_t* a, std::size_t a_stride,
                               const packed_nibbles& w, const Epilogue& epilogue) {
    using kernel = gemm_groups_kernel<Isa, Group>;
    using V = simd::ops<Isa>;
    using layout = typename kernel::layout;
    using table = tile_table<kernel::tile, kernel::template pick>;
    for_each_tile<Isa, kernel::tile>(
        executor, m, w.n, w.k, [&](std::size_t row, std::size_t rows, std::size_t panel, std::size_t panels) {
            alignas(64) float sums[kernel::tile.rows * kernel::tile.vectors * V::lanes];
            const std::size_t column = panel * layout::width;
            const std::size_t vectors = layout::vectors(w.n, panel);
            const std::size_t first_group = column * kernel::groups(w.k);
            const auto multiply = table::find(rows, vectors, panels);
            multiply(a + row * a_stride, a_stride, w.data + first_group * (Group / 2), w.scales + first_group, w.k, sums);
            epilogue.template finish<Isa>(sums, panels * vectors * V::lanes, row, rows, column,
                                          panels > 1 ? panels * layout::width : layout::columns(w.n, panel));
        });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
