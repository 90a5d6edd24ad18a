#ifndef PARE_KERNELS_SPMM_FOURS_HPP
#define PARE_KERNELS_SPMM_FOURS_HPP

#include <pare/core/workspace.hpp>
#include <pare/kernels/epilogue.hpp>
#include <pare/kernels/sparse_groups.hpp>
#include <pare/kernels/tiles.hpp>

PARE_NAMESPACE_BEGIN

/// Products of dense activations and weights of which fours of inputs are zero, in bytes: C = X W^T. Outputs have their fours where
/// they want, so that a vector of outputs would meet as many different activations.
namespace kernels {

/// The stored fours of all outputs, and their product. Samples lie in the lanes of a vector, the weights of a four are the same for
/// all. Few samples would leave most lanes empty: where the instruction set looks up activations by lane
/// (ops<Isa>::look_up_operand), there is a second copy of the weights for them, in which 16 outputs go side by side through a
/// window of 32 fours.
template <class Isa, class Index>
class sparse_fours {
    using V = simd::ops<Isa>;
    using steps = byte_steps<Isa>;
    using activation = typename steps::activation;
    static constexpr std::size_t depth = steps::depth;
    static constexpr std::size_t words = 4 / depth;  // of 32 bits, of which each holds the weights of a step
    static constexpr std::size_t most_vectors = 2;
    static constexpr std::size_t panel = 4 * V::lanes;  // outputs that are finished together
    static_assert(depth * 4 % 8 == 0);

public:
    static constexpr const char* name = "spmm_fours";
    static constexpr bool looks_up = requires(const std::uint8_t* a) { V::look_up_operand(a, a); };
    /// Up to so many samples are multiplied one by one.
    static constexpr std::size_t few = looks_up ? 5 : 0;

    /// for_each(f) calls f(row, column, value) for the weights of a matrix [n, k].
    template <class ForEach>
    sparse_fours(std::size_t n, std::size_t k, const ForEach& for_each)
        : n_(n), k_(k), groups_(1, 4, n, k, for_each), weights_(groups_.stored() * words), column_sums_(n) {
        for_each([&](std::size_t row, std::size_t column, std::int8_t v) {
            if (v != 0) {
                constexpr std::size_t bits = 32 / depth;
                const std::uint32_t field = static_cast<std::uint32_t>(v) & (0xffffffffu >> (32 - bits));
                std::int32_t& word = weights_[groups_.find(row, column) * words + column % 4 / depth];
                word = static_cast<std::int32_t>(static_cast<std::uint32_t>(word) | field << column % depth * bits);
                column_sums_[row] += v;
            }
        });
        if constexpr (looks_up) {
            make_windows();
        }
    }

    std::size_t bytes() const noexcept {
        const std::size_t numbers =
            weights_.size() + column_sums_.size() + window_begin_.size() + window_.size() + window_weights_.size();
        return groups_.bytes() + numbers * sizeof(std::int32_t) + window_index_.size();
    }
    const std::int32_t* column_sums() const noexcept { return column_sums_.data(); }

    static constexpr std::size_t scratch_bytes(std::size_t batch, std::size_t k) noexcept {
        const std::size_t one_row = few == 0 ? 0 : 4 * shifted_size(k), tile = batch <= few ? 0 : tile_rows(batch) * round_up(k, 4);
        return scratch_bytes_of<activation>(one_row > tile ? one_row : tile);
    }

    /// C [m, n] = X [m, k] * W^T. The epilogue takes the sums and stores. O(m * stored).
    template <class Executor, class X, class Epilogue>
    PARE_NOINLINE void multiply(Executor& executor, arena scratch, std::size_t m, const X* x, std::size_t x_stride,
                                const Epilogue& epilogue) const {
        static_assert(steps::template correction<X> == 0);
        const std::size_t count = (n_ + panel - 1) / panel;
        const auto for_each_panel = [&](std::size_t rows, const auto& run) {
            if (rows * groups_.stored() * 4 < parallel_threshold) {
                serial_executor{}.for_each(count, run);
            } else {
                executor.for_each(count, run);
            }
        };
        for (std::size_t row = 0; row < m;) {
            arena piece = scratch;
            const std::size_t left = m - row;
            if constexpr (looks_up) {
                if (left <= few) {
                    activation* const shifted = piece.take<activation>(4 * shifted_size(k_));
                    shift(x + row * x_stride, shifted);
                    for_each_panel(1, [&](std::size_t p) { multiply_by_windows(shifted, row, p * panel, epilogue); });
                    ++row;
                    continue;
                }
            }
            const std::size_t width = tile_rows(left), rows = left < width ? left : width;
            activation* const xt = piece.take<activation>(width * round_up(k_, 4));
            regroup<Isa, steps, 4>(x + row * x_stride, x_stride, rows, width, k_, xt);
            for_each_panel(rows, [&](std::size_t p) {
                if (width > V::lanes) {
                    multiply_by_lanes<most_vectors>(xt, row, rows, p * panel, epilogue);
                } else {
                    multiply_by_lanes<1>(xt, row, rows, p * panel, epilogue);
                }
            });
            row += rows;
        }
    }

private:
    static constexpr std::size_t tile_rows(std::size_t rows) noexcept {
        return rows > V::lanes ? most_vectors * V::lanes : V::lanes;
    }

    /// Some outputs, from `column` on, of up to Vectors * lanes rows xt [groups, words, Vectors * lanes, depth].
    template <std::size_t Vectors, class Epilogue>
    PARE_FLATTEN PARE_NOINLINE void multiply_by_lanes(const activation* xt, std::size_t row, std::size_t rows, std::size_t column,
                                                      const Epilogue& epilogue) const noexcept {
        constexpr std::size_t width = Vectors * V::lanes;
        alignas(64) std::int32_t tile[width * panel];
        alignas(64) float sums[V::lanes * width];  // what is transposed are floats
        const std::size_t columns = n_ - column < panel ? n_ - column : panel;
        for (std::size_t c = 0; c < columns; c += V::lanes) {
            for (std::size_t j = 0; j < V::lanes; ++j) {
                typename V::i32 sum[2][Vectors];
                PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                    sum[0][v] = sum[1][v] = V::set(std::int32_t{0});
                }
                const auto add = [&](typename V::i32(&s)[Vectors], std::size_t i) {
                    const activation* const x = xt + std::size_t{groups_.index[i]} * (4 * width);
                    PARE_UNROLL for (std::size_t w = 0; w < words; ++w) {
                        const auto weights = V::as_weights(V::set(weights_[i * words + w]));
                        PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                            s[v] = V::dot(s[v], V::load_operand(x + (w * width + v * V::lanes) * depth), weights);
                        }
                    }
                };
                const std::size_t output = column + c + j;
                std::size_t i = output < n_ ? groups_.begin[output] : 0;
                const std::size_t end = output < n_ ? groups_.begin[output + 1] : 0;
                for (; i + 2 <= end; i += 2) {
                    add(sum[0], i);
                    add(sum[1], i + 1);
                }
                if (i < end) {
                    add(sum[0], i);
                }
                PARE_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
                    V::store(sums + j * width + v * V::lanes, V::from_bits(sum[0][v] + sum[1][v]));
                }
            }
            for (std::size_t r = 0; r < rows; r += 4) {
                typename V::f32 transposed[4];
                V::load_transposed(sums + r, width, transposed);
                for (std::size_t i = 0; i < 4; ++i) {
                    V::store(tile + (r + i) * panel + c, V::bits(transposed[i]));
                }
            }
        }
        epilogue.template finish<Isa>(tile, panel, row, rows, column, columns);
    }

    // ---- windows

    /// A row of activations lies in scratch memory four times, each 16 bytes further: a window that begins with any of 4 * 4 bytes
    /// lies on a cache line in one of them.
    static constexpr std::size_t shifted_size(std::size_t k) noexcept { return round_up(k, 64) + 128; }

    template <class X>
    void shift(const X* x, X* out) const noexcept {
        const std::size_t size = shifted_size(k_);
        for (std::size_t copy = 0; copy < 4; ++copy, out += size) {
            const std::size_t length = k_ > 16 * copy ? k_ - 16 * copy : 0;
            if (length != 0) {
                std::memcpy(out, x + 16 * copy, length);
            }
            std::memset(out + length, 0, size - length);
        }
    }

    /// Each window begins with the four that is the least one left among 16 outputs, or up to three before it, and takes the next
    /// four of every output for which that lies in the window; other outputs wait, with weights that are zero.
    void make_windows() {
        constexpr std::size_t lanes = V::lanes;
        const std::size_t slices = (n_ + lanes - 1) / lanes, copy_lines = shifted_size(k_) / 64;
        window_begin_ = aligned_array<std::uint32_t>(slices + 1);
        for (const bool filling : {false, true}) {
            std::uint32_t i = 0;
            for (std::size_t s = 0; s < slices; ++s) {
                std::uint32_t next[lanes] = {}, end[lanes] = {};
                for (std::size_t j = 0; j < lanes && s * lanes + j < n_; ++j) {
                    next[j] = groups_.begin[s * lanes + j];
                    end[j] = groups_.begin[s * lanes + j + 1];
                }
                for (;; ++i) {
                    std::size_t least = k_;
                    for (std::size_t j = 0; j < lanes; ++j) {
                        if (next[j] < end[j] && groups_.index[next[j]] < least) {
                            least = groups_.index[next[j]];
                        }
                    }
                    if (least == k_) {
                        break;
                    }
                    const std::size_t begin = least / 4 * 4;
                    if (filling) {
                        window_[i] = static_cast<std::uint32_t>(begin / 4 % 4 * copy_lines + begin / 16);
                    }
                    for (std::size_t j = 0; j < lanes; ++j) {
                        if (next[j] < end[j] && groups_.index[next[j]] < begin + 32) {
                            if (filling) {
                                window_index_[i * lanes + j] = static_cast<std::uint8_t>(groups_.index[next[j]] - begin);
                                window_weights_[i * lanes + j] = weights_[next[j]];
                            }
                            ++next[j];
                        }
                    }
                }
                window_begin_[s + 1] = i;
            }
            if (!filling) {
                window_ = aligned_array<std::uint32_t>(i);
                window_index_ = aligned_array<std::uint8_t>(i * lanes);
                window_weights_ = aligned_array<std::int32_t>(i * lanes);
            }
        }
    }

    /// Some outputs, from `column` on, of one row.
    template <class Epilogue>
    PARE_FLATTEN PARE_NOINLINE void multiply_by_windows(const activation* shifted, std::size_t row, std::size_t column,
                                                        const Epilogue& epilogue) const noexcept {
        alignas(64) std::int32_t tile[panel];
        const std::size_t columns = n_ - column < panel ? n_ - column : panel;
        for (std::size_t c = 0; c < columns; c += V::lanes) {
            const auto add = [&](typename V::i32 sum, std::size_t i) {
                const auto x = V::look_up_operand(shifted + std::size_t{window_[i]} * 64, window_index_.data() + i * V::lanes);
                return V::dot(sum, x, V::as_weights(V::load(window_weights_.data() + i * V::lanes)));
            };
            auto first = V::set(std::int32_t{0}), second = first;
            std::size_t i = window_begin_[(column + c) / V::lanes];
            const std::size_t end = window_begin_[(column + c) / V::lanes + 1];
            for (; i + 2 <= end; i += 2) {
                first = add(first, i);
                second = add(second, i + 1);
            }
            if (i < end) {
                first = add(first, i);
            }
            V::store(tile + c, first + second);
        }
        epilogue.template finish<Isa>(tile, panel, row, 1, column, columns);
    }

    std::size_t n_;
    std::size_t k_;
    sparse_groups<Index> groups_;
    aligned_array<std::int32_t> weights_;         // [stored, words]
    aligned_array<std::int32_t> column_sums_;     // [n]
    aligned_array<std::uint32_t> window_begin_;   // [slices of 16 outputs + 1]
    aligned_array<std::uint32_t> window_;         // [windows], where they begin, in cache lines of the shifted activations
    aligned_array<std::uint8_t> window_index_;    // [windows, lanes]
    aligned_array<std::int32_t> window_weights_;  // [windows, lanes]
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
