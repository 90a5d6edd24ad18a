#ifndef PARE_NN_FAKE_QUANTIZED_HPP
#define PARE_NN_FAKE_QUANTIZED_HPP

#include <algorithm>
#include <cmath>
#include <concepts>

#include <pare/kernels/fake_quantize.hpp>
#include <pare/kernels/quantize.hpp>
#include <pare/nn/masked.hpp>
#include <pare/nn/trainable.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/fake_quantization.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Weights that are trained each by itself, and which products see as they are.
template <class Weights>
concept float_storage = requires(Weights& w) {
    trainable_values(w);
    requires !requires { w.seen; } && !requires { w.codes; };
};

}  // namespace detail

/// Float weights in training, of which products see what they become when they are quantized as Policy says. Where scales are those
/// of the range, they follow the weights from step to step, and the gradient goes straight through; learned ones begin as 2 mean|w|
/// / sqrt(largest) and are trained (Esser et al. 2020). frozen() is the quantized weights: the integers and scales that the next
/// step would see.
///
/// Batch norms: one directly behind the layer, in the same sequential, is part of the weights in inference, where it scales row i
/// by c[i] = weight / sqrt(running_var + epsilon). Rows that have scales of their own keep their integers. With one scale for all,
/// what has to be quantized in training too is w * c: products see quantized(w * c) / c, and the batch norm goes on by itself, with
/// the statistics of the batch or, frozen, the running ones; c counts as a constant for gradients. Jacob et al. 2018, section 3.2;
/// Krishnamoorthi 2018, section 3.2.2.
template <weight_policy Policy, class Inner>
struct fake_quantized {
    static_assert(Policy.is_known(),
                  "pare: weights are quantized in training to 2, 3, 4 or 8 bits; affine ones in groups, with scales of the range");
    static_assert(
        detail::float_storage<Inner>,
        "pare: fake_quantized<Policy, Inner> is for float weights, or masked ones: these are quantized already, or share values");

    static constexpr weight_policy policy = Policy;
    static constexpr bool affine = Policy.scheme == qscheme::affine;
    static constexpr bool one_scale = Policy.group == 0 && Policy.scales == granularity::per_tensor;
    static constexpr bool learned = Policy.step == step_size::learned;
    using element = std::conditional_t<Policy.group == 0, qint8,
                                       qint<Policy.bits, Policy.group == 0 ? 16 : Policy.group, float, Policy.scheme>>;

    Inner inner;
    weight_matrix<float, full> seen;          // by products
    aligned_array<float> scales;              // one, one a row, or one a group; 0 where a learned one has not begun yet
    aligned_array<std::int32_t> zero_points;  // of groups
    aligned_array<float> channel_scale;       // c, where there is one scale; 1 where no batch norm follows
    aligned_array<float> folded;              // w * c

    fake_quantized() = default;
    explicit fake_quantized(Inner w)
        : inner(std::move(w)),
          seen(inner.rows(), inner.columns()),
          scales(one_scale ? 1 : inner.rows() * groups()),
          zero_points(affine ? scales.size() : 0),
          channel_scale(one_scale ? inner.rows() : 0),
          folded(one_scale ? seen.values.size() : 0) {
        std::fill(channel_scale.begin(), channel_scale.end(), 1.0f);
        if constexpr (learned) {  // their scales begin where a batch norm is known
            std::copy_n(product_values(inner), seen.values.size(), seen.values.data());
        } else {
            refresh<isa::scalar>();
        }
    }

    std::size_t rows() const noexcept { return inner.rows(); }
    std::size_t columns() const noexcept { return inner.columns(); }
    std::size_t bytes() const noexcept { return inner.bytes() + scales.size() * sizeof(float); }
    std::string describe() const { return sentence(inner.describe(), ", quantized in training to ", Policy.bits, " bits"); }

    void apply_mask() noexcept requires requires(Inner& w) { w.apply_mask(); }
    { inner.apply_mask(); }

    /// Scales and what products see, from the weights as they are now. O(rows * columns).
    template <class Isa>
    void refresh() noexcept {
        if constexpr (one_scale) {
            const float* const w = product_values(inner);
            for (std::size_t i = 0; i < folded.size(); ++i) {
                folded[i] = exact_multiply(w[i], channel_scale[i / columns()]);
            }
        }
        const float* const w = quantized_values();
        update_scales<Isa>(w);
        for_each_segment([&](std::size_t first, std::size_t count, std::size_t s) {
            kernels::fake_quantize<Isa>(count, w + first, quantization_of(s), seen.values.data() + first);
        });
        if constexpr (one_scale) {
            for (std::size_t i = 0; i < folded.size(); ++i) {
                seen.values[i] /= channel_scale[i / columns()];
            }
        }
    }

    /// Takes c from the batch norm behind the layer, where there is one scale. A channel that it does not scale counts as it is.
    template <class Norm>
    requires requires(const Norm& norm) { norm.inference_scale(std::size_t{}); }
    void follow([[maybe_unused]] const Norm& norm) noexcept {
        if constexpr (one_scale) {
            for (std::size_t row = 0; row < rows(); ++row) {
                const float c = norm.inference_scale(row);
                channel_scale[row] = is_finite(c) && std::fabs(c) > smallest_scale ? c : 1.0f;
            }
        }
    }

    /// What is quantized: w, or w * c.
    const float* quantized_values() const noexcept {
        if constexpr (one_scale) {
            return folded.data();
        } else {
            return product_values(inner);
        }
    }
    /// c of a row.
    float scale_of_channel(std::size_t row) const noexcept {
        if constexpr (one_scale) {
            return channel_scale[row];
        } else {
            return 1.0f;
        }
    }

    fake_quantization quantization_of(std::size_t s) const noexcept {
        const float scale = scales[s] > smallest_scale ? scales[s] : smallest_scale;  // training may push it below zero
        return {{scale, affine ? zero_points[s] : 0}, Policy.smallest(), Policy.largest()};
    }

    /// The scale of a row where it has only one: what it is multiplied by as a whole.
    float scale_of_row(std::size_t row) const noexcept requires(Policy.group == 0) {
        return exact_divide(quantization_of(one_scale ? 0 : row).q.scale, std::fabs(scale_of_channel(row)));
    }

    /// Calls f(first weight, count, index of the scale) for weights that lie together and share a scale.
    template <class F>
    void for_each_segment(F&& f) const {
        const std::size_t width = Policy.group == 0 ? columns() : Policy.group;
        std::size_t s = 0;
        for (std::size_t row = 0; row < rows(); ++row) {
            for (std::size_t first = 0; first < columns(); first += width) {
                f(row * columns() + first, (std::min)(width, columns() - first), s);
                s += one_scale ? 0 : 1;
            }
        }
    }
    /// How many weights share scale s.
    std::size_t sharing(std::size_t s) const noexcept {
        if constexpr (Policy.group != 0) {
            return (std::min)(Policy.group, columns() - s % groups() * Policy.group);
        } else {
            return one_scale ? rows() * columns() : columns();
        }
    }

    /// The weights [rows, columns] quantized; row i times factor[i], where there are factors, by its scales: the integers are the
    /// same, or their negatives.
    weight_matrix<element, full> frozen(const float* factor = nullptr) const {
        fake_quantized now = *this;
        if constexpr (has_mask<Inner>) {
            now.apply_mask();
        }
        now.template refresh<isa::scalar>();
        weight_matrix<element, full> quantized(rows(), columns());
        const float* const w = now.quantized_values();
        now.for_each_segment([&](std::size_t first, std::size_t count, std::size_t s) {
            const fake_quantization f = now.quantization_of(s);
            const std::size_t row = first / columns();
            float scale = exact_divide(f.q.scale, std::fabs(scale_of_channel(row)));
            bool negative = scale_of_channel(row) < 0.0f;
            if (factor != nullptr) {
                scale = exact_multiply(scale, std::fabs(factor[row]));
                negative = negative != (factor[row] < 0.0f);
            }
            scale = scale < smallest_scale ? smallest_scale : scale;
            const float inverse = exact_divide(1.0f, f.q.scale);
            const auto code = [&](std::size_t i) {
                const std::int32_t q = quantize_value(w[i], inverse, f.q.zero_point, f.smallest, f.largest);
                return negative ? f.smallest + f.largest - q : q;
            };
            if constexpr (Policy.group == 0) {
                quantized.scales[row] = scale;
                for (std::size_t i = first; i < first + count; ++i) {
                    quantized.values[i] = static_cast<std::int8_t>(code(i));
                }
            } else {
                using storage = detail::element_storage<element>;
                quantized.scales[s] = scale;
                if constexpr (affine) {
                    quantized.zero_points[s] = static_cast<std::uint8_t>(negative ? f.largest - f.q.zero_point : f.q.zero_point);
                }
                for (std::size_t i = first; i < first + count; ++i) {
                    storage::set_code(quantized, row, i - row * columns(), code(i) + (affine ? 0 : storage::format::middle));
                }
            }
        });
        return quantized;
    }

private:
    std::size_t groups() const noexcept {
        return Policy.group == 0 ? 1 : (inner.columns() + Policy.group - 1) / (Policy.group == 0 ? 1 : Policy.group);
    }

    template <class Isa>
    void update_scales(const float* w) noexcept {
        if constexpr (learned) {
            begin_learned_scales<Isa>(w);
        } else {
            kernels::value_range range;
            for_each_segment([&](std::size_t first, std::size_t count, std::size_t s) {
                const kernels::value_range own = kernels::range_of<Isa>(w + first, count);
                range.min = one_scale && range.min < own.min ? range.min : own.min;
                range.max = one_scale && range.max > own.max ? range.max : own.max;
                if constexpr (affine) {
                    const quantization q = affine_quantization(range.min, range.max, Policy.smallest(), Policy.largest());
                    scales[s] = q.scale;
                    zero_points[s] = q.zero_point;
                } else {
                    scales[s] = symmetric_quantization((std::max)(range.max, -range.min), Policy.largest()).scale;
                }
            });
        }
    }
    template <class Isa>
    void begin_learned_scales(const float* w) noexcept {
        if (scales.empty() || scales[0] != 0.0f) {
            return;
        }
        using V = simd::ops<Isa>;
        for_each_segment([&](std::size_t first, std::size_t count, std::size_t s) {
            scales[s] += kernels::sum_of<Isa>(
                count, [](auto v) { return V::maximum(v, -v); }, w + first);
        });
        for (std::size_t s = 0; s < scales.size(); ++s) {
            const float mean = scales[s] / static_cast<float>(sharing(s));
            const float begin = 2.0f * mean / std::sqrt(static_cast<float>(Policy.largest()));
            scales[s] = begin > smallest_scale ? begin : 1.0f;
        }
    }
};

template <weight_policy Policy, class Inner, class Activations, class Context, class... Stages>
void multiply(const fake_quantized<Policy, Inner>& w, const Activations&, Context& ctx, const matrix_view<const float>& x,
              const matrix_view<float>& y, Stages... stages) noexcept {
    multiply(w.seen, as_float{}, ctx, x, y, stages...);
}
template <weight_policy Policy, class Inner, class Context>
void multiply_transposed(const fake_quantized<Policy, Inner>& w, Context& ctx, const matrix_view<const float>& dy,
                         const matrix_view<float>& dx) noexcept {
    multiply_transposed(w.seen, ctx, dy, dx);
}
template <weight_policy Policy, class Inner, class Context>
void multiply_gradient(const fake_quantized<Policy, Inner>& w, Context& ctx, const matrix_view<const float>& x,
                       const matrix_view<const float>& dy, const matrix_view<float>& dw) noexcept {
    multiply_gradient(w.seen, ctx, x, dy, dw);
}
template <weight_policy Policy, class Inner>
const float* product_values(const fake_quantized<Policy, Inner>& w) noexcept {
    return w.seen.values.data();
}
template <weight_policy Policy, class Inner>
std::span<float> trainable_values(fake_quantized<Policy, Inner>& w) noexcept {
    return trainable_values(w.inner);
}
template <weight_policy Policy, class Inner>
requires(Policy.step == step_size::learned) std::span<float> trainable_scales(fake_quantized<Policy, Inner>& w)
noexcept {
    return {w.scales.data(), w.scales.size()};
}
template <class Isa, weight_policy Policy, class Inner>
std::size_t product_scratch_bytes(const fake_quantized<Policy, Inner>& w, std::size_t batch) noexcept {
    return product_scratch_bytes<Isa>(w.seen, batch);
}

/// The straight-through estimator, and before it the gradient of learned scales, each times step_gradient_factor. With a batch norm
/// behind, c cancels out of the first and divides the second.
template <weight_policy Policy, class Inner, class Context>
void finish_gradient(const fake_quantized<Policy, Inner>& w, Context&, float* gradient) noexcept {
    using isa = typename Context::isa;
    const float* const values = w.quantized_values();
    float* const of_scales = gradient + w.rows() * w.columns();
    if constexpr (Policy.step == step_size::learned) {
        std::fill_n(of_scales, w.scales.size(), 0.0f);
    }
    w.for_each_segment([&](std::size_t first, std::size_t count, std::size_t s) {
        const fake_quantization f = w.quantization_of(s);
        if constexpr (Policy.step == step_size::learned) {
            const float sum = kernels::fake_quantize_scale_gradient<isa>(count, values + first, f, gradient + first);
            of_scales[s] += opaque(sum / w.scale_of_channel(first / w.columns()) * step_gradient_factor(w.sharing(s), f.largest));
        }
        kernels::fake_quantize_gradient<isa>(count, values + first, f, gradient + first, gradient + first);
    });
}

PARE_NAMESPACE_END

#endif
