#ifndef PARE_KERNELS_GROUPS_LAYOUT_HPP
#define PARE_KERNELS_GROUPS_LAYOUT_HPP

#include <cstring>

#include <pare/core/aligned.hpp>
#include <pare/kernels/finish.hpp>
#include <pare/kernels/tiles.hpp>
#include <pare/types/group_format.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// The packed form of weights in groups, one stream of memory: panels as for gemm_int8, in a panel the groups along k, an
/// unfinished one first, in a group the codes, then the scales of all columns, then their offsets, where the format has any. Codes
/// lie in 32-bit words, one per column, where they are cheap to get at for the instruction set's dot product: step t takes bits of
/// every byte, or of every 16-bit half, from Bits * t on.
template <class Isa, class Format>
struct packed_groups_layout {
    using V = simd::ops<Isa>;
    using scale = typename Format::scale;
    static constexpr simd::register_tile tile = {V::int8_tile.rows / 2, V::int8_tile.vectors};  // every sum exists twice
    using panel = panels<Isa, tile>;

    static constexpr std::size_t depth = V::dot_depth;
    static constexpr std::size_t per_word = 32 / Format::bits;
    static constexpr std::size_t words = Format::size / per_word;
    static constexpr std::size_t steps = per_word / depth;
    static constexpr bool has_offset = Format::has_offset;

    /// The first bit of weight i in its word.
    static constexpr std::size_t bit(std::size_t i) noexcept { return i % depth * (32 / depth) + Format::bits * (i / depth); }
    /// All bits of the first of `count` equal parts of a word, in each of them.
    static constexpr std::uint32_t in_each(std::uint32_t bits, std::size_t count) noexcept {
        std::uint32_t word = 0;
        for (std::size_t i = 0; i < count; ++i) {
            word |= bits << i * (32 / count);
        }
        return word;
    }

    static constexpr std::size_t code_bytes(std::size_t width) noexcept { return words * width * 4; }
    static constexpr std::size_t scale_bytes(std::size_t width) noexcept {
        return Format::has_scale ? round_up(width * sizeof(scale), 4) : 0;
    }
    static constexpr std::size_t group_bytes(std::size_t width) noexcept {
        return code_bytes(width) + scale_bytes(width) * (has_offset ? 2 : 1);
    }
    static constexpr std::size_t panel_bytes(std::size_t k) noexcept { return Format::groups(k) * group_bytes(panel::width); }
    static constexpr std::size_t bytes(std::size_t n, std::size_t k) noexcept {
        const std::size_t whole = n / panel::width;
        const std::size_t rest = panel::padded(n) - whole * panel::width;
        return whole * panel_bytes(k) + (rest == 0 ? 0 : Format::groups(k) * group_bytes(rest));
    }

    /// Where group g lies, counted in groups.
    static constexpr std::size_t place(std::size_t g, std::size_t k) noexcept {
        return k % Format::size == 0 ? g : g == k / Format::size ? 0 : g + 1;
    }

    /// code(row, column), scale_of(row, group) and offset_of(row, group) give the weights [n, k]; an unfinished group is filled up
    /// with the code `padding`, by which zeros are multiplied.
    template <class Code, class ScaleOf, class OffsetOf>
    static void pack(std::size_t n, std::size_t k, const Code& code, const ScaleOf& scale_of, const OffsetOf& offset_of,
                     std::uint8_t* data, std::uint32_t padding = 0) noexcept {
        std::memset(data, 0, bytes(n, k));
        for (std::size_t p = 0; p < panel::count(n); ++p) {
            const std::size_t width = panel::vectors(n, p) * V::lanes;
            for (std::size_t g = 0; g < Format::groups(k); ++g) {
                std::uint8_t* const out = data + p * panel_bytes(k) + place(g, k) * group_bytes(width);
                for (std::size_t c = 0; c < width && p * panel::width + c < n; ++c) {
                    const std::size_t row = p * panel::width + c;
                    for (std::size_t w = 0; w < words; ++w) {
                        std::uint32_t word = 0;
                        for (std::size_t i = 0; i < per_word; ++i) {
                            const std::size_t column = g * Format::size + w * per_word + i;
                            word |= (column < k ? static_cast<std::uint32_t>(code(row, column)) : padding) << bit(i);
                        }
                        std::memcpy(out + (w * width + c) * 4, &word, 4);
                    }
                    if constexpr (Format::has_scale) {
                        const scale s = scale_of(row, g);
                        std::memcpy(out + code_bytes(width) + c * sizeof s, &s, sizeof s);
                    }
                    if constexpr (has_offset) {
                        const scale o = offset_of(row, g);
                        std::memcpy(out + code_bytes(width) + scale_bytes(width) + c * sizeof o, &o, sizeof o);
                    }
                }
            }
        }
    }

    /// Column c of a tile of Vectors per panel, in the group at `group`: a word of codes, scales, offsets.
    template <std::size_t Vectors>
    struct group_view {
        const std::uint8_t* group;
        std::size_t panel_bytes;

        PARE_INLINE typename V::i32 codes(std::size_t word, std::size_t c) const noexcept {
            return V::load(reinterpret_cast<const std::int32_t*>(at(c)) + (word * Vectors + c % Vectors) * V::lanes);
        }
        PARE_INLINE typename V::f32 scales(std::size_t c) const noexcept {
            const auto* const p = at(c) + code_bytes(Vectors * V::lanes);
            return simd::load_as_float<Isa>(reinterpret_cast<const scale*>(p) + c % Vectors * V::lanes);
        }
        PARE_INLINE typename V::f32 offsets(std::size_t c) const noexcept {
            const auto* const p = at(c) + code_bytes(Vectors * V::lanes) + scale_bytes(Vectors * V::lanes);
            return simd::load_as_float<Isa>(reinterpret_cast<const scale*>(p) + c % Vectors * V::lanes);
        }

    private:
        PARE_INLINE const std::uint8_t* at(std::size_t c) const noexcept { return group + c / Vectors * panel_bytes; }
    };
};

/// Weights [n, k] as packed_groups_layout has them.
struct packed_groups {
    const std::uint8_t* data;
    std::size_t n;
    std::size_t k;
    const float* levels = nf4_levels;  // 16, for formats that have levels
};

/// The rows of one tile in pieces of one group: the piece that is unfinished is copied and filled up with zeros. Pieces are counted
/// as the packed groups lie in memory.
template <class T, std::size_t Rows, std::size_t Group>
struct grouped_rows {
    const T* rows;
    std::size_t stride;
    std::size_t ragged;
    T tail[Rows * Group];

    PARE_INLINE grouped_rows(const T* a, std::size_t a_stride, std::size_t k) noexcept
        : rows(a), stride(a_stride), ragged(k % Group != 0 ? 1 : 0) {
        if (ragged != 0) {
            std::memset(tail, 0, sizeof tail);
            for (std::size_t r = 0; r < Rows; ++r) {
                std::memcpy(tail + r * Group, a + r * a_stride + k / Group * Group, k % Group * sizeof(T));
            }
        }
    }
    PARE_INLINE bool is_tail(std::size_t place) const noexcept { return place < ragged; }
    PARE_INLINE const T* piece(std::size_t place) const noexcept { return is_tail(place) ? tail : rows + (place - ragged) * Group; }
    PARE_INLINE std::size_t piece_stride(std::size_t place) const noexcept { return is_tail(place) ? Group : stride; }
};

/// Calls multiply(tile function, row, packed panels, sums, their stride) for every register tile of a kernel for weights in groups,
/// and the epilogue with the sums.
template <class Isa, class Kernel, class Executor, class Epilogue, class Multiply>
PARE_INLINE void for_each_groups_tile(Executor& executor, std::size_t m, const packed_groups& w, const Epilogue& epilogue,
                                      const Multiply& multiply) {
    using layout = typename Kernel::layout;
    using panel = typename layout::panel;
    for_each_tile<Isa, Kernel::tile>(
        executor, m, w.n, w.k, [&](std::size_t row, std::size_t rows, std::size_t first, std::size_t panels) {
            const std::size_t vectors = panel::vectors(w.n, first);
            const auto tile = tile_table<Kernel::tile, Kernel::template pick>::find(rows, vectors, panels);
            const std::size_t columns = panels > 1 ? panels * panel::width : panel::columns(w.n, first);
            finish_stored_tile<Isa, float, Kernel::tile.rows * panel::width>(
                epilogue, m, {row, rows, first * panel::width, columns, panels * vectors * panel::lanes},
                [&](float* sums, std::size_t stride) {
                    multiply(tile, row, w.data + first * layout::panel_bytes(w.k), sums, stride);
                });
        });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
