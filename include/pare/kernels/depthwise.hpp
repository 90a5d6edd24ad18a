#ifndef PARE_KERNELS_DEPTHWISE_HPP
#define PARE_KERNELS_DEPTHWISE_HPP

#include <array>
#include <cstring>
#include <utility>

#include <pare/kernels/depthwise_window.hpp>
#include <pare/kernels/finish.hpp>

PARE_NAMESPACE_BEGIN

/// Depthwise convolutions: as many groups as channels, so that an output sees one channel. A vector holds neighbouring outputs, and
/// a step of the dot product takes as many taps of each as it is deep. What a row of output pixels sees is first interleaved for
/// that, some columns at a time, into an array that stays in the first-level cache; each column is read again by every pixel that
/// sees it. Borders are made there too, so that the image needs none.
namespace kernels {

/// Weights in the order in which a depthwise convolution reads them.
template <class Weight>
struct packed_depthwise {
    const Weight* data;
    const std::int32_t* column_sums;  // of bytes: [padded outputs] sums of the weights of each output
};

/// Weight is std::int8_t or float.
template <class Isa, class Weight>
struct depthwise_kernel : depthwise_window<Isa, Weight> {
    using base = depthwise_window<Isa, Weight>;
    using V = simd::ops<Isa>;
    using typename base::cell;
    using typename base::layout;
    using typename base::number;
    using typename base::visit;
    template <class A>
    using source = typename base::template source<A>;
    using base::depth;
    using base::interleave_rows;
    using base::most_pixels;
    using base::most_sums;
    using base::of_bytes;
    using base::window_cells;

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

    /// What some output pixels see of some outputs' channels: in the array of interleaved cells, or in the image itself.
    struct window {
        const cell* cells;
        std::size_t group_stride, step_stride, pixel_stride;
    };

    /// Weights of a vector of outputs, `steps` steps of each of some groups; those of the next vector are vector_stride apart.
    struct weights {
        const Weight* data;
        std::size_t groups, steps, group_stride, vector_stride;
        const std::int32_t* column_sums;
    };
    /// out [pixels, vectors * lanes], pixels out_stride apart, = correction * column sums, or what is there already, + the products
    /// of all steps of all groups.
    using sum_function = void (*)(const window& in, const weights& w, std::size_t vectors, std::int32_t correction, bool resume,
                                  number* out, std::size_t out_stride);

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
                                          [[maybe_unused]] std::int32_t correction, bool resume, number* out,
                                          std::size_t out_stride) {
        constexpr std::size_t step_size = V::lanes * depth;
        for (std::size_t v = 0; v < vectors; ++v) {
            decltype(V::set(number{})) sum[Pixels];
            if (resume) {
                PARE_UNROLL for (std::size_t p = 0; p < Pixels; ++p) {
                    sum[p] = V::load(out + p * out_stride + v * V::lanes);
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
            for (std::size_t g = 0; g < all.groups; ++g, x += in.group_stride) {
                const Weight* b = all.data + v * all.vector_stride + g * all.group_stride;
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
                V::store(out + p * out_stride + v * V::lanes, sum[p]);
            }
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
        const bool in_place = !of_bytes && in.multiplier() == 1;
        const std::size_t most = in_place ? most_pixels : at_once.pixels;
        if (in_place) {
            const std::size_t seen = s.dilation_width * (s.kernel_width - 1) + 1;
            const std::size_t left = (s.padding_width + s.stride_width - 1) / s.stride_width;
            const std::size_t end = s.width + s.padding_width < seen ? 0 : (s.width + s.padding_width - seen) / s.stride_width + 1;
            if (left < end) {
                cut[1] = left;
                cut[2] = end;
            }
        }
        const auto tiles_of = [&](std::size_t part) { return (cut[part + 1] - cut[part] + most - 1) / most; };
        const std::size_t tiles = tiles_of(0) + tiles_of(1) + tiles_of(2);
        const auto run = [&](std::size_t task) {
            std::size_t part = 0, i = task % tiles;
            for (; i >= tiles_of(part); ++part) {
                i -= tiles_of(part);
            }
            const std::size_t width = cut[part + 1] - cut[part], x = width * i / tiles_of(part);
            const std::size_t pixels = width * (i + 1) / tiles_of(part) - x;
            for (std::size_t panel = 0; panel < layout::count(s.outputs); ++panel) {
                if constexpr (!of_bytes) {
                    if (in_place && multiply_in_place(in, taps, task / tiles, cut[part] + x, pixels, panel, w, epilogue)) {
                        continue;
                    }
                }
                for (std::size_t p = 0; p < pixels; p += at_once.pixels) {
                    multiply_panel(in, taps, at_once, task / tiles * taps.sharing, cut[part] + x + p,
                                   pixels - p < at_once.pixels ? pixels - p : at_once.pixels, panel, w, epilogue);
                }
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
                        std::size_t vectors, std::int32_t correction, bool resume, number* out, std::size_t out_stride) {
        window part = in;
        for (std::size_t parts = (pixels + most_sums - 1) / most_sums; parts > 0; --parts) {
            const std::size_t count = (pixels + parts - 1) / parts;
            find(s, taps, count)(part, w, vectors, correction, resume, out, out_stride);
            part.cells += count * in.pixel_stride;
            out += count * out_stride;
            pixels -= count;
        }
    }

    static constexpr std::ptrdiff_t offset(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

    /// The taps [first, first + count) of a kernel that lie inside an image, where it begins at `begin` in one direction.
    struct tap_range {
        std::size_t first, count;

        tap_range(std::ptrdiff_t begin, std::size_t taps, std::size_t dilation, std::size_t length) noexcept {
            const std::size_t before = begin < 0 ? (static_cast<std::size_t>(-begin) + dilation - 1) / dilation : 0;
            const std::ptrdiff_t left = offset(length) - begin;
            const std::size_t until = left <= 0 ? 0 : (static_cast<std::size_t>(left) + dilation - 1) / dilation;
            first = before < taps ? before : taps;
            count = until < first ? 0 : (until < taps ? until : taps) - first;
        }
    };

    /// Some pixels of row y, from x on, of the floats of one panel, which are read where they are; taps outside the image are left
    /// out. False where that would read behind the image.
    template <class Epilogue>
    static bool multiply_in_place(const source<float>& in, const tap_groups& taps, std::size_t y, std::size_t x, std::size_t pixels,
                                  std::size_t panel, packed_depthwise<float> w, const Epilogue& epilogue) {
        const convolution& s = in.s;
        const std::size_t vectors = layout::vectors(s.outputs, panel), first = panel * layout::width;
        const std::ptrdiff_t top = offset(y * s.stride_height) - offset(s.padding_height);
        const std::ptrdiff_t left = offset(x * s.stride_width) - offset(s.padding_width);
        const std::ptrdiff_t right = left + offset((pixels - 1) * s.stride_width + (s.kernel_width - 1) * s.dilation_width);
        const tap_range rows(top, s.kernel_height, s.dilation_height, s.height);
        const std::ptrdiff_t row = top + offset(rows.first * s.dilation_height);
        const std::ptrdiff_t bottom = row + offset(rows.count * s.dilation_height) - offset(s.dilation_height);
        const std::ptrdiff_t last = right < offset(s.width) ? right : offset(s.width) - 1;
        if (rows.count != 0 && last >= 0 && !in.readable(bottom, last, first, vectors * V::lanes)) {
            return false;
        }
        const auto multiply = [&](std::ptrdiff_t column, const tap_range& columns, std::size_t count, float* sums,
                                  std::size_t stride) {
            const bool some = rows.count != 0 && columns.count != 0;
            const window seen = {some ? in.pixel(row, column) + first : in.image, s.dilation_height * s.width * s.channels,
                                 s.dilation_width * s.channels, s.stride_width * s.channels};
            const std::size_t group_size = taps.steps * V::lanes, vector_size = taps.groups * group_size;
            const float* const b = w.data + first / V::lanes * vector_size + rows.first * group_size + columns.first * V::lanes;
            add_all(seen, s, taps, {b, some ? rows.count : 0, columns.count, group_size, vector_size, nullptr}, count, vectors, 0,
                    false, sums, stride);
        };
        finish_stored_tile<Isa, float, most_pixels * layout::width>(
            epilogue, s.output_pixels(),
            {y * s.output_width() + x, pixels, first, layout::columns(s.outputs, panel), vectors * V::lanes},
            [&](float* sums, std::size_t stride) {
                if (left >= 0 && right < offset(s.width)) {
                    multiply(left, {left, s.kernel_width, s.dilation_width, s.width}, pixels, sums, stride);
                    return;
                }
                for (std::size_t p = 0; p < pixels; ++p) {
                    const std::ptrdiff_t begin = left + offset(p * s.stride_width);
                    const tap_range columns(begin, s.kernel_width, s.dilation_width, s.width);
                    multiply(begin + offset(columns.first * s.dilation_width), columns, 1, sums + p * stride, stride);
                }
            });
        return true;
    }

    /// Some pixels of row y and the rows that share its window, from x on, of the outputs of one panel.
    template <class A, class Epilogue>
    static void multiply_panel(const source<A>& in, const tap_groups& taps, const visit& at_once, std::size_t y, std::size_t x,
                               std::size_t pixels, std::size_t panel, packed_depthwise<Weight> w, const Epilogue& epilogue) {
        alignas(64) cell cells[window_cells];
        const convolution& s = in.s;
        const std::size_t vectors = layout::vectors(s.outputs, panel), numbers = vectors * V::lanes;
        const std::size_t first = panel * layout::width;
        const std::size_t group_size = taps.steps * V::lanes * depth;
        const std::size_t steps_size = taps.groups * group_size;  // weights of a vector of outputs
        const std::size_t group_rows = taps.along_rows ? s.dilation_height : depth * s.dilation_height;
        const std::ptrdiff_t row = offset(y * s.stride_height) - offset(s.padding_height);
        const std::ptrdiff_t column = offset(x * s.stride_width) - offset(s.padding_width);
        const bool one_visit = at_once.groups == taps.groups && at_once.steps == taps.steps;
        for (std::size_t shared = 0; shared < taps.sharing && y + shared < s.output_height(); ++shared) {
            const auto multiply_visits = [&](number* sums, std::size_t stride) {
                for (std::size_t g = 0; g < taps.groups; g += at_once.groups) {
                    const std::size_t groups = taps.groups - g < at_once.groups ? taps.groups - g : at_once.groups;
                    for (std::size_t t = 0; t < taps.steps; t += at_once.steps) {
                        const std::size_t steps = taps.steps - t < at_once.steps ? taps.steps - t : at_once.steps;
                        const std::size_t columns = (pixels - 1) * s.stride_width + (steps - 1) * taps.step_width + 1;
                        const Weight* const b = w.data + shared * variant_size(s, taps) + first / V::lanes * steps_size +
                                                g * group_size + t * V::lanes * depth;
                        const window seen = {cells, columns * numbers * depth, taps.step_width * numbers * depth,
                                             s.stride_width * numbers * depth};
                        for (std::size_t i = g; i < g + groups && (shared == 0 || !one_visit); ++i) {
                            interleave_rows(in, taps, row + offset(i * group_rows), column + offset(t * taps.step_width), columns,
                                            panel, cells + (i - g) * seen.group_stride);
                        }
                        add_all(seen, s, taps, {b, groups, steps, group_size, steps_size, w.column_sums != nullptr ? w.column_sums + first : nullptr}, pixels, vectors,
                                correction<A>(), g + t != 0, sums, stride);
                    }
                }
            };
            finish_stored_tile<Isa, number, most_pixels * layout::width>(
                epilogue, s.output_pixels(),
                {(y + shared) * s.output_width() + x, pixels, first, layout::columns(s.outputs, panel), numbers}, multiply_visits);
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
