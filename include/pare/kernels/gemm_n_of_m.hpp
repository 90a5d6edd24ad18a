#ifndef PARE_KERNELS_GEMM_N_OF_M_HPP
#define PARE_KERNELS_GEMM_N_OF_M_HPP

#include <bit>
#include <cstring>
#include <utility>

#include <pare/core/aligned.hpp>
#include <pare/kernels/finish.hpp>
#include <pare/simd/choose.hpp>
#include <pare/types/n_of_m.hpp>

PARE_NAMESPACE_BEGIN

/// Products of dense activations and of weights of which N of each M consecutive inputs are stored: C = X W^T. Weights stay as they
/// are, and each lane chooses the activations that belong to its own. One output takes the bytes of its weights and N index_bits
/// per group, which is what limits a product of few rows.
namespace kernels {

/// The packed form, one stream of memory: panels as for gemm_int8, in a panel units along the inputs, in a unit one vector of
/// indices for each vector of outputs, then `steps` times the weights of all outputs, `depth` per lane. Indices of a lane lie in
/// its 32-bit word where the instruction set gets at them by one shift: those of step t begin at bit slot * t of the word (depth 1)
/// or of each byte (depth 4).
template <class Isa, class Value, std::size_t N, std::size_t M>
struct n_of_m_layout {
    using V = simd::ops<Isa>;
    static constexpr std::size_t depth = 4 / sizeof(Value);
    static constexpr std::size_t slot = depth == 1 ? n_of_m<N, M>::index_bits : std::bit_ceil(n_of_m<N, M>::index_bits);
    static constexpr std::size_t steps = depth == 1 ? 32 / slot / N * N : 8 / slot;
    static constexpr std::size_t unit_stored = steps * depth;
    static constexpr std::size_t unit_inputs = unit_stored / N * M;

    /// Whether units consist of whole groups, and, for bytes, the inputs of a step lie in the 16 from which it chooses.
    static constexpr bool fits = std::has_single_bit(M) && M <= 16 && steps > 0 && unit_stored % N == 0 &&
                                 (depth == 1 || (N <= depth ? depth % N == 0 && depth / N * M <= 16 : M == 16));

    static constexpr simd::register_tile full_tile = depth == 1 ? V::f32_tile : V::int8_tile;
    /// Chosen activations take a register for each row: where there are 16, tiles have half as many of them.
    static constexpr simd::register_tile tile = {full_tile.vectors < 3 ? full_tile.rows / 2 : full_tile.rows, full_tile.vectors};
    using panel = panels<Isa, tile>;

    static constexpr std::size_t units(std::size_t k) noexcept { return (k + unit_inputs - 1) / unit_inputs; }
    static constexpr std::size_t unit_bytes(std::size_t width) noexcept { return width * 4 * (1 + steps); }
    static constexpr std::size_t panel_bytes(std::size_t k) noexcept { return units(k) * unit_bytes(panel::width); }
    static constexpr std::size_t bytes(std::size_t n, std::size_t k) noexcept { return units(k) * unit_bytes(panel::padded(n)); }

    /// The first input of the 16 from which step t chooses, counted from the unit's first, and where in them the groups of its four
    /// weights begin, a byte each.
    static constexpr std::size_t table(std::size_t t) noexcept { return t * depth / N * M / 16 * 16; }
    static constexpr std::int32_t group_begins(std::size_t t) noexcept {
        std::uint32_t word = 0;
        for (std::size_t d = 0; d < depth; ++d) {
            word |= static_cast<std::uint32_t>((t * depth + d) / N * M % 16) << 8 * d;
        }
        return static_cast<std::int32_t>(word);
    }

    /// `data` has bytes(rows, columns), all zero.
    static void pack(const typename n_of_m<N, M>::structure& structure, const Value* values, std::uint8_t* data) noexcept {
        const std::size_t n = structure.rows(), k = structure.columns(), stored = structure.stored_per_row();
        structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
            const std::size_t p = row / panel::width, c = row % panel::width, width = panel::vectors(n, p) * V::lanes;
            const std::size_t j = i - row * stored, t = j % unit_stored / depth, d = j % depth;
            std::uint8_t* const unit = data + p * panel_bytes(k) + j / unit_stored * unit_bytes(width);
            std::uint32_t word;
            std::memcpy(&word, unit + c * 4, 4);
            word |= static_cast<std::uint32_t>(column % M) << (32 / depth * d + slot * t);
            std::memcpy(unit + c * 4, &word, 4);
            std::memcpy(unit + (t + 1) * width * 4 + c * 4 + d * sizeof(Value), values + i, sizeof(Value));
        });
    }
};

/// Weights [n, k] as n_of_m_layout has them.
struct packed_n_of_m_view {
    const std::uint8_t* data;
    const std::int32_t* column_sums;  // [padded n] of bytes, over k; null for floats
    std::size_t n;
    std::size_t k;
};

/// Whether an instruction set multiplies such weights without expanding them.
template <class Isa, class Value, std::size_t N, std::size_t M>
inline constexpr bool multiplies_n_of_m = [] {
    if constexpr (std::is_same_v<Value, float>) {
        return simd::chooses_floats<Isa, M> && n_of_m_layout<Isa, Value, N, M>::fits;
    } else if constexpr (std::is_same_v<Value, std::int8_t>) {
        return simd::chooses_bytes<Isa> && n_of_m_layout<Isa, Value, N, M>::fits;
    } else {
        return false;
    }
}();

/// X are the activations: float, or bytes for weights that are bytes.
template <class Isa, class X, std::size_t N, std::size_t M>
struct gemm_n_of_m_kernel {
    using V = simd::ops<Isa>;
    static constexpr bool is_float = std::is_same_v<X, float>;
    using value = std::conditional_t<is_float, float, std::int8_t>;
    using number = std::conditional_t<is_float, float, std::int32_t>;
    using layout = n_of_m_layout<Isa, value, N, M>;
    static constexpr simd::register_tile tile = layout::tile;
    static constexpr bool corrects = !is_float && simd::shift_correction<Isa, std::conditional_t<is_float, std::uint8_t, X>> != 0;

    using tile_function = void (*)(const X* x, std::size_t x_stride, const std::uint8_t* b, const std::int32_t* column_sums,
                                   std::size_t k, number* out, std::size_t out_stride);

    /// out [Rows, Panels * Vectors * lanes], rows out_stride apart. Each float is one chain of multiply-adds in the order of the
    /// inputs, that of gemm_f32 without its zeros.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    PARE_FLATTEN static void multiply_tile(const X* x, std::size_t x_stride, const std::uint8_t* b, const std::int32_t* column_sums,
                                           std::size_t k, number* out, std::size_t out_stride) {
        constexpr std::size_t columns = Panels * Vectors;
        X tail[Rows][layout::unit_inputs];
        const std::size_t whole = k / layout::unit_inputs, rest = k % layout::unit_inputs;
        if (rest != 0) {
            std::memset(tail, 0, sizeof tail);
            for (std::size_t r = 0; r < Rows; ++r) {
                std::memcpy(tail[r], x + r * x_stride + whole * layout::unit_inputs, rest * sizeof(X));
            }
        }
        decltype(V::set(number{})) sum[Rows][columns];
        PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
            auto start = V::set(number{0});
            if constexpr (corrects) {
                start = V::load(column_sums + c * V::lanes) * V::set(simd::shift_correction<Isa, X>);
            }
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                sum[r][c] = start;
            }
        }
        const std::size_t panel_bytes = layout::panel_bytes(k);
        for (std::size_t u = 0; u < whole + (rest != 0 ? 1 : 0); ++u, b += layout::unit_bytes(Vectors * V::lanes)) {
            const X* xs[Rows];
            PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                xs[r] = u < whole ? x + r * x_stride + u * layout::unit_inputs : tail[r];
            }
            multiply_unit<Rows, Vectors, Panels>(xs, b, panel_bytes, sum);
        }
        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
            PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                V::store(out + r * out_stride + c * V::lanes, sum[r][c]);
            }
        }
    }

    /// The same, as many panels at once as there are registers for. A lone row of floats reads three streams of memory, as that of
    /// gemm_f32 does; otherwise four sums hide what one waits for.
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    static void multiply_panels(const X* x, std::size_t x_stride, const std::uint8_t* b, const std::int32_t* column_sums,
                                std::size_t k, number* out, std::size_t out_stride) {
        constexpr std::size_t most = (is_float && Rows == 1 && V::lanes >= 16 ? 12 : 4) / Vectors;
        constexpr std::size_t together = Panels < most ? Panels : most;
        const auto multiply = [&](auto panels, std::size_t first) {
            multiply_tile<Rows, Vectors, panels>(x, x_stride, b + first * layout::panel_bytes(k),
                                                 corrects ? column_sums + first * Vectors * V::lanes : nullptr, k,
                                                 out + first * Vectors * V::lanes, out_stride);
        };
        for (std::size_t first = 0; first + together <= Panels; first += together) {
            multiply(std::integral_constant<std::size_t, together>{}, first);
        }
        if constexpr (Panels % together != 0) {
            multiply(std::integral_constant<std::size_t, Panels % together>{}, Panels - Panels % together);
        }
    }

    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
    struct pick {
        static constexpr tile_function value = &multiply_panels<Rows, Vectors, Panels>;
    };

private:
    template <std::size_t Rows, std::size_t Vectors, std::size_t Panels, class Sum>
    PARE_INLINE static void multiply_unit(const X* const (&x)[Rows], const std::uint8_t* b, std::size_t panel_bytes,
                                          Sum (&sum)[Rows][Panels * Vectors]) noexcept {
        constexpr std::size_t columns = Panels * Vectors;
        const auto vector = [&](std::size_t c, std::size_t place) {
            return b + c / Vectors * panel_bytes + (place * Vectors + c % Vectors) * V::lanes * 4;
        };
        typename V::i32 indices[columns];
        PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
            indices[c] = V::load(reinterpret_cast<const std::int32_t*>(vector(c, 0)));
        }
        if constexpr (is_float) {
            for (std::size_t group = 0; group < layout::steps / N; ++group) {
                typename V::f32 inputs[Rows];
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    inputs[r] = V::template repeat<M>(x[r] + group * M);
                }
                PARE_UNROLL for (std::size_t i = 0; i < N; ++i) {
                    PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                        const auto w = V::load(reinterpret_cast<const float*>(vector(c, 1 + group * N + i)));
                        PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                            sum[r][c] = V::fma(V::template choose<M>(inputs[r], indices[c]), w, sum[r][c]);
                        }
                        indices[c] = V::template shift_right<static_cast<int>(layout::slot)>(indices[c]);
                    }
                }
            }
        } else {
            const auto step = [&](auto t) {
                constexpr auto mask = static_cast<std::int32_t>((M - 1) * 0x01010101u);
                typename V::operand inputs[Rows];
                PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                    inputs[r] = V::repeat_16(x[r] + layout::table(t));
                }
                PARE_UNROLL for (std::size_t c = 0; c < columns; ++c) {
                    auto bits = indices[c];
                    if constexpr (t != 0) {
                        bits = V::template shift_right<static_cast<int>(layout::slot * t)>(bits);
                    }
                    const auto chosen = V::byte_indices(bits, V::set(mask), V::set(layout::group_begins(t)));
                    const auto w = V::load_weights(reinterpret_cast<const std::int8_t*>(vector(c, 1 + t)));
                    PARE_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
                        sum[r][c] = V::dot(sum[r][c], V::choose_bytes(inputs[r], chosen), w);
                    }
                }
            };
            [&]<std::size_t... T>(std::index_sequence<T...>) {
                (step(std::integral_constant<std::size_t, T>{}), ...);
            }
            (std::make_index_sequence<layout::steps>{});
        }
    }
};

/// C [m, w.n] = X [m, w.k] * W^T, summed in float, or in std::int32_t (exact, under the depth limit of gemm_int8) for bytes. The
/// epilogue takes the sums and stores. O(m n k N / M).
template <class Isa, std::size_t N, std::size_t M, class Executor, class X, class Epilogue>
PARE_NOINLINE void gemm_n_of_m(Executor& executor, std::size_t m, const X* x, std::size_t x_stride, const packed_n_of_m_view& w,
                               const Epilogue& epilogue) {
    using kernel = gemm_n_of_m_kernel<Isa, X, N, M>;
    using layout = typename kernel::layout;
    using panel = typename layout::panel;
    for_each_tile<Isa, kernel::tile>(
        executor, m, w.n, w.k, [&](std::size_t row, std::size_t rows, std::size_t first, std::size_t panels) {
            const std::size_t vectors = panel::vectors(w.n, first), column = first * panel::width;
            const std::size_t columns = panels > 1 ? panels * panel::width : panel::columns(w.n, first);
            const auto multiply = tile_table<kernel::tile, kernel::template pick>::find(rows, vectors, panels);
            finish_stored_tile<Isa, typename kernel::number, kernel::tile.rows * panel::width>(
                epilogue, m, {row, rows, column, columns, panels * vectors * panel::lanes},
                [&](typename kernel::number* sums, std::size_t stride) {
                    multiply(x + row * x_stride, x_stride, w.data + first * layout::panel_bytes(w.k),
                             kernel::corrects ? w.column_sums + column : nullptr, w.k, sums, stride);
                });
        });
}

}  // namespace kernels

PARE_NAMESPACE_END

#endif
