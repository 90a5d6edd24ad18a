#ifndef PARE_KERNELS_ATTENTION_HPP
#define PARE_KERNELS_ATTENTION_HPP

#include <cmath>

#include <pare/kernels/gemm_f32.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/kernels/softmax.hpp>

PARE_NAMESPACE_BEGIN

namespace kernels {

/// Scaled dot-product attention of one sequence, between its projections. qkv [steps, 3 width] has queries, keys and values side by
/// side, of `heads` heads of width / heads numbers each:
///
///     p_h = softmax(q_h k_h^T / sqrt(width / heads)), in causal attention only over this step and those before
///     out_h = p_h v_h
///
/// Products of floats: within the bounds of gemm_f32, and with the bits of the instruction set. Vaswani et al. 2017, eq. 1.
struct attention_heads {
    std::size_t steps;
    std::size_t width;
    std::size_t heads;
    bool causal;

    std::size_t head_width() const noexcept { return width / heads; }
    float scale() const noexcept { return 1.0f / std::sqrt(static_cast<float>(head_width())); }

    /// What the products of one head need: room for their packed right operands, which are [steps, head] and [head, steps].
    template <class Isa>
    static constexpr std::size_t product_scratch_bytes(std::size_t steps, std::size_t head) noexcept {
        const std::size_t scores = gemm_f32_scratch_bytes<Isa>(steps, head), values = gemm_f32_scratch_bytes<Isa>(head, steps);
        return scores > values ? scores : values;
    }

    /// probability [heads, steps, steps], out [steps, width].
    template <class Isa, class Executor>
    void forward(Executor& executor, arena scratch, const float* qkv, float* probability, float* out) const noexcept {
        const std::size_t d = head_width();
        for (std::size_t h = 0; h < heads; ++h) {
            float* const p = probability + h * steps * steps;
            gemm_f32<Isa>(executor, scratch, steps, steps, d, part(qkv, 0, h), transposed(part(qkv, 1, h)),
                          epilogue<float>(p, steps));
            for (std::size_t i = 0; i < steps; ++i) {
                using V = simd::ops<Isa>;
                float* const row = p + i * steps;
                const std::size_t seen = causal ? i + 1 : steps;
                transform<Isa>(
                    seen, row, [s = V::set(scale())](auto v) { return v * s; }, row);
                softmax_row<Isa>(row, seen, row);
                for (std::size_t j = seen; j < steps; ++j) {
                    row[j] = 0.0f;
                }
            }
            gemm_f32<Isa>(executor, scratch, steps, d, steps, {p, steps, 1}, part(qkv, 2, h), epilogue<float>(out + h * d, width));
        }
    }

    /// The gradient of qkv from that of out; takes [steps, steps] from the scratch.
    template <class Isa, class Executor>
    void backward(Executor& executor, arena scratch, const float* qkv, const float* probability, const float* dout,
                  float* dqkv) const noexcept {
        using V = simd::ops<Isa>;
        const std::size_t d = head_width();
        float* const ds = scratch.take<float>(steps * steps);
        const auto to = [&](std::size_t which, std::size_t h) { return epilogue<float>(dqkv + which * width + h * d, 3 * width); };
        for (std::size_t h = 0; h < heads; ++h) {
            const float* const p = probability + h * steps * steps;
            const strided_f32 scores = {ds, steps, 1}, g = {dout + h * d, width, 1};
            gemm_f32<Isa>(executor, scratch, steps, d, steps, transposed({p, steps, 1}), g, to(2, h));
            gemm_f32<Isa>(executor, scratch, steps, steps, d, g, transposed(part(qkv, 2, h)), epilogue<float>(ds, steps));
            for (std::size_t i = 0; i < steps; ++i) {
                float* const row = ds + i * steps;
                const float sum = sum_of<Isa>(
                    steps, [](auto a, auto b) { return a * b; }, row, p + i * steps);
                transform<Isa>(
                    steps, row, [m = V::set(sum), s = V::set(scale())](auto a, auto b) { return b * (a - m) * s; }, row,
                    p + i * steps);
            }
            gemm_f32<Isa>(executor, scratch, steps, d, steps, scores, part(qkv, 1, h), to(0, h));
            gemm_f32<Isa>(executor, scratch, steps, d, steps, transposed(scores), part(qkv, 0, h), to(1, h));
        }
    }

    /// forward() of `batch` sequences; takes the probabilities of one from the scratch.
    struct operation {
        template <class Isa, class Executor>
        static void run(Executor& executor, attention_heads self, std::size_t batch, const float* qkv, float* out,
                        std::byte* memory, std::size_t bytes) {
            arena scratch(memory, bytes);
            float* const probability = scratch.take<float>(self.heads * self.steps * self.steps);
            for (std::size_t b = 0; b < batch; ++b) {
                self.forward<Isa>(executor, scratch, qkv + b * self.steps * 3 * self.width, probability,
                                  out + b * self.steps * self.width);
            }
        }
    };
    template <class Isa>
    static constexpr std::size_t scratch_bytes(std::size_t steps, std::size_t width, std::size_t heads) noexcept {
        return scratch_bytes_of<float>(heads * steps * steps) + product_scratch_bytes<Isa>(steps, width / heads);
    }

private:
    /// Queries (0), keys (1) or values (2) of a head: [steps, head width].
    strided_f32 part(const float* qkv, std::size_t which, std::size_t h) const noexcept {
        return {qkv + which * width + h * head_width(), 3 * width, 1};
    }
    static strided_f32 transposed(strided_f32 m) noexcept { return {m.data, m.column_stride, m.row_stride}; }
};

}  // namespace kernels

PARE_NAMESPACE_END

#endif
