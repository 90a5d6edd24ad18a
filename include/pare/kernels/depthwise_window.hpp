#ifndef PARE_KERNELS_DEPTHWISE_WINDOW_HPP
#define PARE_KERNELS_DEPTHWISE_WINDOW_HPP

#include <type_traits>

#include <pare/kernels/conv.hpp>
#include <pare/kernels/tiles.hpp>
#include <pare/simd/dot4.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// How the taps of a kernel are taken `depth` at a time: from as many rows of it, or neighbours in a row where that wastes fewer.
struct tap_groups {
    bool along_rows;
    std::size_t groups;      // of rows
    std::size_t steps;       // in each group
    std::size_t step_width;  // columns of the image from one step to the next
    std::size_t row_step;    // rows of the image from one of the `depth` taps to the next
    std::size_t column_step;
    std::size_t sharing;  // rows of the output that the same `depth` rows of the image suffice for

    constexpr tap_groups(const convolution& s, std::size_t depth) noexcept {
        const std::size_t rows = (s.kernel_height + depth - 1) / depth, neighbours = (s.kernel_width + depth - 1) / depth;
        along_rows = s.kernel_height * neighbours < rows * s.kernel_width;
        groups = along_rows ? s.kernel_height : rows;
        steps = along_rows ? neighbours : s.kernel_width;
        step_width = s.dilation_width * (along_rows ? depth : 1);
        row_step = along_rows ? 0 : s.dilation_height;
        column_step = along_rows ? s.dilation_width : 0;
        const bool enough = !along_rows && rows == 1 && s.dilation_height == 1;
        sharing = enough ? (depth - s.kernel_height) / s.stride_height + 1 : 1;
    }
};

/// The array of interleaved cells from which a depthwise convolution with weights of this kind reads what some output pixels see,
/// and how it is filled. Weight is std::int8_t or float.
template <class Isa, class Weight>
struct depthwise_window {
    using V = simd::ops<Isa>;
    static constexpr bool of_bytes = std::is_same_v<Weight, std::int8_t>;
    static constexpr std::size_t depth = of_bytes ? V::dot_depth : 1;
    using cell = std::conditional_t<of_bytes, typename V::activation, float>;
    using number = std::conditional_t<of_bytes, std::int32_t, float>;

    /// Pixels whose sums are in registers at once, a vector of outputs each; outputs and pixels of a row that share a window of
    /// interleaved cells, and its size.
    static constexpr std::size_t most_sums = 8;
    static constexpr std::size_t most_vectors = 4;
    static constexpr std::size_t most_pixels = 3 * most_sums;
    static constexpr std::size_t window_cells = 16384 / sizeof(cell);
    using layout = panels<Isa, simd::register_tile{most_sums, most_vectors}>;
    static constexpr std::size_t window_columns = window_cells / (layout::width * depth);

    /// One image and what lies around it.
    template <class A>
    struct source {
        const convolution& s;
        const A* image;  // [height, width, channels]
        A outside[layout::width];

        std::size_t multiplier() const noexcept { return s.outputs / s.channels; }
        bool has(std::ptrdiff_t row, std::ptrdiff_t column) const noexcept {
            return static_cast<std::size_t>(row) < s.height && static_cast<std::size_t>(column) < s.width;
        }
        const A* pixel(std::ptrdiff_t row, std::ptrdiff_t column) const noexcept {
            return image + (static_cast<std::size_t>(row) * s.width + static_cast<std::size_t>(column)) * s.channels;
        }
        /// Whether a whole panel can be read from a channel of a pixel on: it may end in later pixels.
        bool readable(std::ptrdiff_t row, std::ptrdiff_t column, std::size_t channel, std::size_t numbers) const noexcept {
            const auto before = static_cast<std::size_t>(row) * s.width + static_cast<std::size_t>(column);
            return multiplier() == 1 && before * s.channels + channel + numbers <= s.height * s.width * s.channels;
        }
    };

    /// How many pixels, groups and steps fit one window. All of a kernel's, unless it is huge.
    struct visit {
        std::size_t pixels = most_pixels;
        std::size_t groups;
        std::size_t steps;

        constexpr visit(const convolution& s, const tap_groups& taps) noexcept : groups(taps.groups), steps(taps.steps) {
            const std::size_t least = s.output_width() < 4 ? s.output_width() : 4;
            while (pixels > least && groups * columns(s, taps) > window_columns) {
                --pixels;
            }
            if (groups * columns(s, taps) > window_columns) {
                groups = 1;
                while (pixels > 1 && (pixels - 1) * s.stride_width + 1 > window_columns / 2) {
                    --pixels;
                }
                while (steps > 1 && columns(s, taps) > window_columns) {
                    --steps;
                }
            }
        }
        constexpr std::size_t columns(const convolution& s, const tap_groups& taps) const noexcept {
            return (pixels - 1) * s.stride_width + (steps - 1) * taps.step_width + 1;
        }
    };

    template <class A>
    PARE_INLINE static void put(const A* const (&rows)[depth], std::size_t vectors, cell* out) noexcept {
        for (std::size_t v = 0; v < vectors; ++v) {
            if constexpr (of_bytes) {
                const A* vector[depth];
                for (std::size_t d = 0; d < depth; ++d) {
                    vector[d] = rows[d] + v * V::lanes;
                }
                simd::interleave<Isa>(vector, out + v * V::lanes * depth);
            } else {
                V::store(out + v * V::lanes, V::load(rows[0] + v * V::lanes));
            }
        }
    }

    /// Interleaves the `depth` rows that begin at (row, column) of the image, for a panel of outputs.
    template <class A>
    PARE_FLATTEN PARE_NOINLINE static void interleave_rows(const source<A>& in, const tap_groups& taps, std::ptrdiff_t row,
                                                           std::ptrdiff_t column, std::size_t columns, std::size_t panel,
                                                           cell* out) noexcept {
        const convolution& s = in.s;
        const std::size_t vectors = layout::vectors(s.outputs, panel);
        const std::size_t numbers = vectors * V::lanes, first = panel * layout::width;
        const auto tap_row = [&](std::size_t d) { return row + static_cast<std::ptrdiff_t>(d * taps.row_step); };
        const auto tap_column = [&](std::size_t d) { return column + static_cast<std::ptrdiff_t>(d * taps.column_step); };
        const auto whole = [&](std::size_t d, std::ptrdiff_t c) {  // all that is read there is in the image, or nothing is
            return static_cast<std::size_t>(tap_row(d)) >= s.height ||
                   (in.has(tap_row(d), tap_column(d) + c) && in.readable(tap_row(d), tap_column(d) + c, first, numbers));
        };
        const auto all_whole = [&](std::ptrdiff_t c) {
            for (std::size_t d = 0; d < depth; ++d) {
                if (!whole(d, c)) {
                    return false;
                }
            }
            return true;
        };
        const auto end = static_cast<std::ptrdiff_t>(columns);
        std::ptrdiff_t c = 0;
        while (c < end) {
            std::ptrdiff_t last = end;  // of the columns from c on that are whole
            while (last > c && !all_whole(last - 1)) {
                --last;
            }
            if (last > c && all_whole(c)) {
                const A* rows[depth];
                std::size_t stride[depth];
                for (std::size_t d = 0; d < depth; ++d) {
                    const bool inside = static_cast<std::size_t>(tap_row(d)) < s.height;
                    rows[d] = inside ? in.pixel(tap_row(d), tap_column(d) + c) + first : in.outside;
                    stride[d] = inside ? s.channels : 0;
                }
                for (; c < last; ++c, out += numbers * depth) {
                    put(rows, vectors, out);
                    for (std::size_t d = 0; d < depth; ++d) {
                        rows[d] += stride[d];
                    }
                }
            } else {
                A copies[depth][layout::width] = {};
                const A* rows[depth];
                for (std::size_t d = 0; d < depth; ++d) {
                    rows[d] = in.outside;
                    if (in.has(tap_row(d), tap_column(d) + c)) {
                        const A* const pixel = in.pixel(tap_row(d), tap_column(d) + c);
                        for (std::size_t i = 0; i < layout::columns(s.outputs, panel); ++i) {
                            copies[d][i] = pixel[(first + i) / in.multiplier()];
                        }
                        rows[d] = copies[d];
                    }
                }
                put(rows, vectors, out);
                ++c;
                out += numbers * depth;
            }
        }
    }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
