#ifndef PARE_KERNELS_DEPTHWISE_HPP
#define PARE_KERNELS_DEPTHWISE_HPP

#include <array>
#include <cstring>
#include <utility>

#include <pare/kernels/conv.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/tiles.hpp>
#include <pare/simd/dot4.hpp>

PARE_NAMESPACE_BEGIN

/// Depthwise convolutions: as many groups as channels, so that an output sees one channel. A vector holds neighbouring outputs, and
/// a step of the dot product takes as many taps of each as it is deep. What a row of output pixels sees is first interleaved for
/// that, some columns at a time, into an array that stays in the first-level cache; each column is read again by every pixel that
/// sees it. Borders are made there too, so that the image needs none.
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

/// Weights in the order in which a depthwise convolution reads them.
template <class Weight>
struct packed_depthwise {
    const Weight* data;
    const std::int32_t* column_sums;  // of bytes: [padded outputs] sums of the weights of each output
};

/// Weight is std::int8_t or float.
template <class Isa, class Weight>
struct depthwise_kernel {
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

    static constexpr std::size_t variant_size(const convolution& s, const tap_groups& taps) noexcept {
        return layout::padded(s.outputs) * taps.groups * taps.steps * depth;
    }
    static constexpr std::size_t packed_size(const convolution& s) noexcept {
        const tap_groups taps(s, depth);
        return taps.sharing * variant_size(s, taps);
    }
    static constexpr std::size_t column_sums_size(const convolution& s) noexcept { return layout::padded(s.outputs); }

    /// Packs w [outputs, kernel_height, kernel_width]: all taps of a vector of outputs one after the other; and again, moved down,
    /// for every further row of the output that the same rows of the image suffice for. `data` has packed_size numbers,
    /// `column_sums` column_sums_size, or is null for floats.
    static packed_depthwise<Weight> pack(const Weight* w, const convolution& s, Weight* data, std::int32_t* column_sums) noexcept {
        const tap_groups taps(s, depth);
        Weight* out = data;
        if constexpr (of_bytes) {
            for (std::size_t j = 0; j < column_sums_size(s); ++j) {
                column_sums[j] = 0;
                for (std::size_t i = 0; j < s.outputs && i < s.kernel_size(); ++i) {
                    column_sums[j] += w[j * s.kernel_size() + i];
                }
            }
        }
        const std::size_t steps = taps.groups * taps.steps;
        for (std::size_t i = 0; i < packed_size(s) / depth; ++i) {  // by vectors, steps and lanes
            const std::size_t moved = i * depth / variant_size(s, taps) * s.stride_height;
            const std::size_t row = i / (V::lanes * steps) * V::lanes % layout::padded(s.outputs) + i % V::lanes;
            const std::size_t group = i / V::lanes % steps / taps.steps, step = i / V::lanes % taps.steps;
            for (std::size_t d = 0; d < depth; ++d) {
                const std::size_t ky = taps.along_rows ? group : group * depth + d - moved;
                const std::size_t kx = taps.along_rows ? step * depth + d : step;
                const bool exists = row < s.outputs && ky < s.kernel_height && kx < s.kernel_width;
                *out++ = exists ? w[(row * s.kernel_height + ky) * s.kernel_width + kx] : Weight{0};
            }
        }
        return {data, column_sums};
    }

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

    /// What some output pixels see of some outputs' channels: in the array of interleaved cells, or in the image itself.
    struct window {
        const cell* cells;
        std::size_t group_stride, step_stride, pixel_stride;
    };

    /// Weights of a vector of outputs: `steps` steps of each group, of which the next vector's are vector_stride apart.
    struct weights {
        const Weight* data;
        std::size_t groups, steps, vector_stride;
        const std::int32_t* column_sums;
    };
    /// out [pixels, vectors * lanes] = correction * column sums, or what is there already, + the products of all steps of all
    /// groups.
    using sum_function = void (*)(const window& in, const weights& w, std::size_t vectors, std::int32_t correction, bool resume,
                                  number* out);

    PARE_INLINE static auto load_weight(const Weight* b) noexcept {
        if constexpr (of_bytes) {
            return V::load_weights(b);
        } else {
            return V::load(b);
        }
    }
    PARE_INLINE static auto load_cells(const cell* x) noexcept {
        if constexpr (of_bytes) {
            return V::load_operand(x);
        } else {
            return V::opaque(V::load(x));
        }
    }
    template <class Sum, class X, class W>
    PARE_INLINE static Sum multiply_add(Sum sum, X x, W w) noexcept {
        if constexpr (of_bytes) {
            return V::dot(sum, x, w);
        } else {
            return V::fma(x, w, sum);
        }
    }

    /// Some steps are taken together where they and the pixels are neighbours (Stride 1 or 2): each column that several pixels see
    /// is loaded once.
    template <std::size_t Pixels, std::size_t Together, std::size_t Stride>
    PARE_FLATTEN static void add_products(const window& in, const weights& all, std::size_t vectors,
                                          [[maybe_unused]] std::int32_t correction, bool resume, number* out) {
        constexpr std::size_t step_size = V::lanes * depth;
        for (std::size_t v = 0; v < vectors; ++v) {
            decltype(V::set(number{})) sum[Pixels];
            if (resume) {
                PARE_UNROLL for (std::size_t p = 0; p < Pixels; ++p) {
                    sum[p] = V::load(out + (p * vectors + v) * V::lanes);
                }
            } else {
                auto start = V::set(number{0});
                if constexpr (of_bytes) {
                    start = V::load(all.column_sums + v * V::lanes) * V::set(correction);
                }
                PARE_UNROLL for (std::size_t p = 0; p < Pixels; ++p) {
                    sum[p] = start;
                }
            }
            const cell* x = in.cells + v * step_size;
            const Weight* b = all.data + v * all.vector_stride;
            for (std::size_t g = 0; g < all.groups; ++g, x += in.group_stride) {
                std::size_t step = 0;
                for (; Together > 1 && step + Together <= all.steps; step += Together, b += Together * step_size) {
                    decltype(load_weight(b)) w[Together];
                    PARE_UNROLL for (std::size_t t = 0; t < Together; ++t) {
                        w[t] = load_weight(b + t * step_size);
                    }
                    PARE_UNROLL for (std::size_t c = 0; c < (Pixels - 1) * Stride + Together; ++c) {
                        const auto seen = load_cells(x + (step + c) * in.step_stride);
                        PARE_UNROLL for (std::size_t t = 0; t < Together; ++t) {
                            if (c >= t && (c - t) % Stride == 0 && (c - t) / Stride < Pixels) {
                                sum[(c - t) / Stride] = multiply_add(sum[(c - t) / Stride], seen, w[t]);
                            }
                        }
                    }
                }
                for (; step < all.steps; ++step, b += step_size) {
                    const auto w = load_weight(b);
                    PARE_UNROLL for (std::size_t p = 0; p < Pixels; ++p) {
                        sum[p] = multiply_add(sum[p], load_cells(x + step * in.step_stride + p * in.pixel_stride), w);
                    }
                }
            }
            PARE_UNROLL for (std::size_t p = 0; p < Pixels; ++p) {
                V::store(out + (p * vectors + v) * V::lanes, sum[p]);
            }
        }
    }

    /// The same for one pixel of floats at a border of zeros. `count` of the channels of a lone vector exist.
    template <std::size_t Vectors>
    PARE_INLINE static void add_products_at_border(const source<float>& in, const weights& all, std::ptrdiff_t top,
                                                   std::ptrdiff_t left, std::size_t channel, std::size_t count,
                                                   float* out) noexcept {
        const convolution& s = in.s;
        typename V::f32 sum[Vectors];
        PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
            sum[v] = V::set(0.0f);
        }
        const Weight* b = all.data;
        for (std::size_t ky = 0; ky < s.kernel_height; ++ky) {
            const std::ptrdiff_t row = top + static_cast<std::ptrdiff_t>(ky * s.dilation_height);
            for (std::size_t kx = 0; kx < s.kernel_width; ++kx, b += V::lanes) {
                const std::ptrdiff_t column = left + static_cast<std::ptrdiff_t>(kx * s.dilation_width);
                const float* const x = in.has(row, column) ? in.pixel(row, column) + channel : in.outside;
                PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                    const auto seen = Vectors == 1 && count != V::lanes ? V::load_partial(x, count) : V::load(x + v * V::lanes);
                    sum[v] = V::fma(seen, V::load(b + v * all.vector_stride), sum[v]);
                }
            }
        }
        PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
            V::store(out + v * V::lanes, sum[v]);
        }
    }
    PARE_FLATTEN PARE_NOINLINE static void add_products_at_border(const source<float>& in, weights w, std::ptrdiff_t top,
                                                                  std::ptrdiff_t left, std::size_t first, float* out) noexcept {
        if (first + layout::width <= in.s.channels) {
            add_products_at_border<most_vectors>(in, w, top, left, first, V::lanes, out);
            return;
        }
        for (; first < in.s.channels; first += V::lanes, w.data += w.vector_stride, out += V::lanes) {
            const std::size_t rest = in.s.channels - first;
            add_products_at_border<1>(in, w, top, left, first, rest < V::lanes ? rest : V::lanes, out);
        }
    }

    template <std::size_t Together, std::size_t Stride>
    static constexpr auto for_pixels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<sum_function, sizeof...(I)>{&add_products<I + 1, Together, Stride>...};
    }
    (std::make_index_sequence<most_sums>{});
    static sum_function find(const convolution& s, const tap_groups& taps, std::size_t pixels) noexcept {
        if (taps.step_width != 1 || s.stride_width > 2) {
            return for_pixels<1, 1>[pixels - 1];
        }
        return s.stride_width == 1 ? for_pixels<3, 1>[pixels - 1] : for_pixels<3, 2>[pixels - 1];
    }

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

    /// y [output pixels, outputs] of one image; `outside` is what lies around it.
    template <class A, class Executor, class Epilogue>
    static void multiply(Executor& executor, const convolution& s, const A* image, A outside, packed_depthwise<Weight> w,
                         const Epilogue& epilogue) {
        PARE_ASSERT(s.groups == s.channels && s.outputs % s.channels == 0, "%zu channels to %zu in %zu groups", s.channels,
                    s.outputs, s.groups);
        if (s.output_pixels() == 0) {
            return;
        }
        const tap_groups taps(s, depth);
        const visit at_once(s, taps);
        source<A> in = {s, image, {}};
        for (A& x : in.outside) {
            x = outside;
        }
        // Pixels that see a border in a row are computed apart where the others can be read in place.
        std::size_t cut[4] = {0, 0, s.output_width(), s.output_width()};
        if (!of_bytes && in.multiplier() == 1) {
            const std::size_t seen = s.dilation_width * (s.kernel_width - 1) + 1;
            const std::size_t left = (s.padding_width + s.stride_width - 1) / s.stride_width;
            const std::size_t end = s.width + s.padding_width < seen ? 0 : (s.width + s.padding_width - seen) / s.stride_width + 1;
            if (left < end) {
                cut[1] = left;
                cut[2] = end;
            }
        }
        const auto tiles_of = [&](std::size_t part) { return (cut[part + 1] - cut[part] + at_once.pixels - 1) / at_once.pixels; };
        const std::size_t tiles = tiles_of(0) + tiles_of(1) + tiles_of(2);
        const auto run = [&](std::size_t task) {
            std::size_t part = 0, i = task % tiles;
            for (; i >= tiles_of(part); ++part) {
                i -= tiles_of(part);
            }
            const std::size_t width = cut[part + 1] - cut[part], x = width * i / tiles_of(part);
            const std::size_t pixels = width * (i + 1) / tiles_of(part) - x;
            for (std::size_t panel = 0; panel < layout::count(s.outputs); ++panel) {
                multiply_panel(in, taps, at_once, task / tiles * taps.sharing, cut[part] + x, pixels, panel, w, epilogue);
            }
        };
        const std::size_t tasks = (s.output_height() + taps.sharing - 1) / taps.sharing * tiles;
        if (s.output_pixels() * s.outputs * s.kernel_size() < parallel_threshold) {
            serial_executor{}.for_each(tasks, run);
        } else {
            executor.for_each(tasks, run);
        }
    }

private:
    template <class A>
    static constexpr std::int32_t correction() noexcept {
        if constexpr (of_bytes) {
            return simd::shift_correction<Isa, A>;
        } else {
            return 0;
        }
    }

    /// add_products for any number of pixels.
    static void add_all(const window& in, const convolution& s, const tap_groups& taps, const weights& w, std::size_t pixels,
                        std::size_t vectors, std::int32_t correction, bool resume, number* out) {
        window part = in;
        for (std::size_t parts = (pixels + most_sums - 1) / most_sums; parts > 0; --parts) {
            const std::size_t count = (pixels + parts - 1) / parts;
            find(s, taps, count)(part, w, vectors, correction, resume, out);
            part.cells += count * in.pixel_stride;
            out += count * vectors * V::lanes;
            pixels -= count;
        }
    }

    /// Some pixels of row y and the rows that share its window, from x on, of the outputs of one panel.
    template <class A, class Epilogue>
    static void multiply_panel(const source<A>& in, const tap_groups& taps, const visit& at_once, std::size_t y, std::size_t x,
                               std::size_t pixels, std::size_t panel, packed_depthwise<Weight> w, const Epilogue& epilogue) {
        alignas(64) number sums[most_pixels * layout::width];
        alignas(64) cell cells[window_cells];
        const convolution& s = in.s;
        const std::size_t vectors = layout::vectors(s.outputs, panel), numbers = vectors * V::lanes;
        const std::size_t first = panel * layout::width;
        const std::size_t steps_size = taps.groups * taps.steps * V::lanes * depth;  // weights of a vector of outputs
        const std::size_t group_rows = taps.along_rows ? s.dilation_height : depth * s.dilation_height;
        const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(y * s.stride_height) - static_cast<std::ptrdiff_t>(s.padding_height);
        const std::ptrdiff_t column =
            static_cast<std::ptrdiff_t>(x * s.stride_width) - static_cast<std::ptrdiff_t>(s.padding_width);
        const bool one_visit = at_once.groups == taps.groups && at_once.steps == taps.steps;
        const auto store = [&](std::size_t output_row) {
            epilogue.template finish<Isa>(sums, numbers, output_row * s.output_width() + x, pixels, first,
                                          layout::columns(s.outputs, panel));
        };
        if constexpr (!of_bytes) {
            const std::ptrdiff_t bottom = row + static_cast<std::ptrdiff_t>((s.kernel_height - 1) * s.dilation_height);
            const auto seen = (pixels - 1) * s.stride_width + (s.kernel_width - 1) * s.dilation_width;
            const std::ptrdiff_t right = column + static_cast<std::ptrdiff_t>(seen);
            const bool inside = in.has(row, column) && in.has(bottom, right) && in.readable(bottom, right, first, numbers);
            if (in.multiplier() == 1) {
                const weights b = {w.data + first / V::lanes * steps_size, taps.groups, taps.steps, steps_size, nullptr};
                if (inside) {
                    add_all({in.pixel(row, column) + first, s.dilation_height * s.width * s.channels, s.dilation_width * s.channels,
                             s.stride_width * s.channels},
                            s, taps, b, pixels, vectors, 0, false, sums);
                } else {
                    for (std::size_t p = 0; p < pixels; ++p) {
                        add_products_at_border(in, b, row, column + static_cast<std::ptrdiff_t>(p * s.stride_width), first,
                                               sums + p * numbers);
                    }
                }
                store(y);
                return;
            }
        }
        for (std::size_t shared = 0; shared < taps.sharing && y + shared < s.output_height(); ++shared) {
            const Weight* b = w.data + shared * variant_size(s, taps) + first / V::lanes * steps_size;
            for (std::size_t g = 0; g < taps.groups; g += at_once.groups) {
                const std::size_t groups = taps.groups - g < at_once.groups ? taps.groups - g : at_once.groups;
                for (std::size_t t = 0; t < taps.steps; t += at_once.steps) {
                    const std::size_t steps = taps.steps - t < at_once.steps ? taps.steps - t : at_once.steps;
                    const std::size_t columns = (pixels - 1) * s.stride_width + (steps - 1) * taps.step_width + 1;
                    const std::ptrdiff_t top = row + static_cast<std::ptrdiff_t>(g * group_rows);
                    const std::ptrdiff_t left = column + static_cast<std::ptrdiff_t>(t * taps.step_width);
                    const window seen = {cells, columns * numbers * depth, taps.step_width * numbers * depth,
                                         s.stride_width * numbers * depth};
                    for (std::size_t i = 0; i < groups && (shared == 0 || !one_visit); ++i) {
                        interleave_rows(in, taps, top + static_cast<std::ptrdiff_t>(i * group_rows), left, columns, panel,
                                        cells + i * seen.group_stride);
                    }
                    add_all(seen, s, taps, {b, groups, steps, steps_size, w.column_sums + first}, pixels, vectors, correction<A>(),
                            g + t != 0, sums);
                    b += groups * steps * V::lanes * depth;
                }
            }
            store(y + shared);
        }
    }
};

/// y [output pixels, outputs] = the depthwise convolution of one image of bytes [height, width, channels] that lies in a border of
/// `outside`; groups = channels, weights packed by depthwise_kernel<Isa, std::int8_t>. The epilogue takes the exact sums and stores
/// y. Kernels of at most int8_largest_depth taps.
template <class Isa, class A, class Executor, class Epilogue>
PARE_NOINLINE void depthwise_int8(Executor& executor, const convolution& s, const A* image, A outside,
                                  packed_depthwise<std::int8_t> w, const Epilogue& epilogue) {
    PARE_ASSERT(s.kernel_size() <= int8_largest_depth, "%zu taps could overflow int32; at most %zu", s.kernel_size(),
                int8_largest_depth);
    depthwise_kernel<Isa, std::int8_t>::multiply(executor, s, image, outside, w, epilogue);
}

/// The same for floats in a border of zeros: one chain of multiply-adds per element, in the order of the taps.
template <class Isa, class Executor, class Epilogue>
PARE_NOINLINE void depthwise_f32(Executor& executor, const convolution& s, const float* image, packed_depthwise<float> w,
                                 const Epilogue& epilogue) {
    depthwise_kernel<Isa, float>::multiply(executor, s, image, 0.0f, w, epilogue);
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
