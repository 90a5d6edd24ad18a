#ifndef PARE_QUANTIZE_CODE_CHOICE_HPP
#define PARE_QUANTIZE_CODE_CHOICE_HPP

#include <cmath>

#include <pare/quantize/weight_group.hpp>

PARE_NAMESPACE_BEGIN

/// How the scale of a group of weights is chosen, and its zero point or minimum: a function object
///
///     template <class Element> weight_group<Element> choose(std::span<const float> weights) const
///
/// whose weights are finite, at most 2^62 and at least one. Codes are then the nearest ones.

template <class Choice>
concept code_choice = requires(const Choice& choice, std::span<const float> weights) {
    choice.template choose<qint4<64, float, qscheme::minimum>>(weights).fits();
};

/// All codes on the range of the weights. O(n).
struct round_to_nearest {
    template <class Element>
    weight_group<Element> choose(std::span<const float> weights) const noexcept {
        float min = weights[0], max = weights[0];
        for (const float w : weights) {
            min = w < min ? w : min;
            max = w > max ? w : max;
        }
        return weight_group<Element>::of_range(min, max);
    }
};

/// The range of the weights times that factor of 1, ..., `least`, in `steps` steps, with which the sum of squared errors is least;
/// of equal ones the largest. Ranges shrink to zero, with minima to their middle. Choukroun et al. 2019, section 3. O(n steps).
struct mse_clipped {
    float least = 0.25f;
    std::size_t steps = 75;

    template <class Element>
    weight_group<Element> choose(std::span<const float> weights) const noexcept {
        float min = weights[0], max = weights[0];
        for (const float w : weights) {
            min = w < min ? w : min;
            max = w > max ? w : max;
        }
        auto best = weight_group<Element>::of_range(min, max);
        double least_error = squared_error(best, weights);
        for (std::size_t i = 1; i <= steps; ++i) {
            const float factor = 1.0f - (1.0f - least) * static_cast<float>(i) / static_cast<float>(steps);
            const float center = weight_group<Element>::format::offset == group_offset::minimum ? 0.5f * min + 0.5f * max : 0.0f;
            const auto clipped =
                weight_group<Element>::of_range(center + (min - center) * factor, center + (max - center) * factor);
            const double e = squared_error(clipped, weights);
            if (e < least_error || !best.fits()) {
                best = clipped;
                least_error = e;
            }
        }
        return best;
    }

private:
    template <class Element>
    static double squared_error(const weight_group<Element>& group, std::span<const float> weights) noexcept {
        double sum = 0.0;
        for (const float w : weights) {
            const double e = static_cast<double>(group.real(group.code(w))) - static_cast<double>(w);
            sum += e * e;
        }
        return sum;
    }
};

/// Half-quadratic quantization: the scale of the range, and the zero point z (or minimum -z s) that minimizes sum |e|^norm of the
/// errors e = w / s - (code - z), which forgives outliers. By iterations of
///
///     u = sign(e) max(|e| - |e|^(norm - 1) / beta, 0);    z = mean(code - (w / s - u));    beta *= growth
///
/// of which the best z is kept; they end when one gives no better z. Errors are in steps of the scale, so that the size of weights
/// does not matter. For affine weights, and those with minima, whose z need not be an integer. Badri, Shaji 2023 (HQQ). O(n
/// iterations).
struct hqq {
    float norm = 0.7f;
    float beta = 10.0f;
    float growth = 1.01f;
    std::size_t iterations = 20;

    template <class Element>
    weight_group<Element> choose(std::span<const float> weights) const noexcept {
        using group = weight_group<Element>;
        static_assert(group::format::has_offset,
                      "pare: hqq moves zero points: it takes weights with qscheme::affine or qscheme::minimum");
        const auto power = [](double x, float p) { return std::pow(x, static_cast<double>(p)); };
        group best = round_to_nearest{}.choose<Element>(weights);
        double least_error = -1.0;
        group now = best;
        double b = static_cast<double>(beta);
        for (std::size_t i = 0; i <= iterations; ++i, b *= static_cast<double>(growth)) {
            const double scale = static_cast<double>(float{now.scale()});
            double error = 0.0, zero = 0.0;
            for (const float w : weights) {
                const std::int32_t code = now.code(w);
                const double e = (static_cast<double>(w) - static_cast<double>(now.real(code))) / scale;
                const double size = std::fabs(e);
                error += power(size, norm);
                const double kept = size > 0.0 ? size - power(size, norm - 1.0f) / b : 0.0;
                const double u = kept > 0.0 ? std::copysign(kept, e) : 0.0;
                zero += code - (static_cast<double>(w) / scale - u);
            }
            if (least_error >= 0.0 && !(error < least_error)) {
                break;
            }
            least_error = error;
            best = now;
            zero /= static_cast<double>(weights.size());
            now = now.with_offset(static_cast<float>(group::format::offset == group_offset::zero_point ? zero : -zero * scale));
        }
        return best;
    }
};

PARE_NAMESPACE_END

#endif
