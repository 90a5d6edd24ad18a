#ifndef PARE_QUANTIZE_ADAROUND_HPP
#define PARE_QUANTIZE_ADAROUND_HPP

#include <array>

#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/output_error.hpp>
#include <pare/train/optimizers.hpp>

PARE_NAMESPACE_BEGIN

/// The error of outputs counts 1 for each weight where all are rounded to nearest; the regularization stands beside it.
struct adaround_options {
    std::size_t iterations = 1000;
    float learning_rate = 0.01f;
    float regularization = 10.0f;
    float warm_up = 0.2f;       // the share of iterations without regularization
    float first_power = 20.0f;  // of the regularization, which falls to the last one
    float last_power = 2.0f;
};

namespace detail {

/// Rows of weights that see the same inputs: which of two neighbouring codes each weight takes.
template <class Isa, class Element, class Choice>
class adaround_rows {
    using group_type = weight_group<Element>;
    using storage = element_storage<Element>;

public:
    adaround_rows(const weight_matrix<float, full>& w, std::size_t first, std::size_t count, const input_statistics& inputs,
                  const Choice& choice)
        : weights_(w.values.data() + first * w.columns()),
          rows_(count),
          columns_(w.columns()),
          moments_(inputs.second_moments().begin(), inputs.second_moments().end()),
          lower_(count * columns_),
          difference_(count * columns_),
          gradient_(count * columns_) {
        for (std::size_t row = 0; row < count; ++row) {
            for (std::size_t c = 0; c < columns_; c += Element::group) {
                const std::size_t length = (std::min)(Element::group, columns_ - c);
                groups_.push_back(choice.template choose<Element>(std::span(weights_ + row * columns_ + c, length)));
            }
        }
        for (std::size_t i = 0; i < lower_.size(); ++i) {
            const auto least = static_cast<float>(group_type::least_code), most = static_cast<float>(group_type::largest_code);
            lower_[i] = (std::min)((std::max)(std::floor(group_of(i).position(weights_[i])), least), most);
        }
    }

    bool fits() const noexcept {
        return std::all_of(groups_.begin(), groups_.end(), [](const group_type& g) { return g.fits(); });
    }

    void round(const adaround_options& o, weight_matrix<Element, full>& to, std::size_t first_row) {
        const std::size_t n = lower_.size();
        std::vector<float> up(n), chosen(n), nearest(n);
        for (std::size_t i = 0; i < n; ++i) {
            nearest[i] = static_cast<float>(group_of(i).code(weights_[i])) - lower_[i];
        }
        const std::vector<double> rounded = row_errors(nearest);
        double error = 0.0;
        for (const double e : rounded) {
            error += e;
        }
        chosen = nearest;
        if (error > 0.0) {
            learn(o, static_cast<double>(n) / error, up);
            for (float& u : up) {
                u = u >= 0.5f ? 1.0f : 0.0f;
            }
            const std::vector<double> learned = row_errors(up);
            for (std::size_t i = 0; i < n; ++i) {
                chosen[i] = learned[i / columns_] < rounded[i / columns_] ? up[i] : nearest[i];
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t row = first_row + i / columns_;
            storage::set_code(to, row, i % columns_, static_cast<std::int32_t>(clamped(lower_[i] + chosen[i])));
        }
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            set_group(to, first_row * storage::format::groups(columns_) + g, groups_[g]);
        }
    }

private:
    const group_type& group_of(std::size_t i) const noexcept {
        return groups_[i / columns_ * storage::format::groups(columns_) + i % columns_ / Element::group];
    }
    static float clamped(float code) noexcept {
        return (std::min)((std::max)(code, static_cast<float>(group_type::least_code)),
                          static_cast<float>(group_type::largest_code));
    }
    /// What weights differ by where `up` of a step is added to the lower codes, and half the derivative of the outputs' squared
    /// error.
    void differ(const std::vector<float>& up) {
        for (std::size_t i = 0; i < lower_.size(); ++i) {
            difference_[i] = group_of(i).real_at(clamped(lower_[i] + up[i])) - weights_[i];
        }
        multiply_by_moments<Isa>(moments_, rows_, columns_, difference_.data(), gradient_.data());
    }
    std::vector<double> row_errors(const std::vector<float>& up) {
        differ(up);
        std::vector<double> errors(rows_, 0.0);
        for (std::size_t i = 0; i < lower_.size(); ++i) {
            errors[i / columns_] += static_cast<double>(difference_[i]) * static_cast<double>(gradient_[i]);
        }
        return errors;
    }
    /// up = h(v) after learning v; errors count `factor`.
    void learn(const adaround_options& o, double factor, std::vector<float>& up) {
        const std::size_t n = lower_.size();
        constexpr float stretch = 1.2f, shift = 0.1f;  // zeta - gamma and -gamma
        aligned_array<float> v(n), slope(n), m1(n), m2(n);
        for (std::size_t i = 0; i < n; ++i) {
            const float position = group_of(i).position(weights_[i]);
            const float part = (std::min)((std::max)(position - lower_[i], 0.0f), 1.0f);
            v[i] = -std::log(stretch / (part + shift) - 1.0f);
        }
        const adam optimizer{.learning_rate = o.learning_rate};
        const auto last = static_cast<float>(o.iterations);
        for (std::size_t step = 1; step <= o.iterations + 1; ++step) {
            for (std::size_t i = 0; i < n; ++i) {
                const float s = 1.0f / (1.0f + std::exp(-v[i])), h = stretch * s - shift;
                up[i] = (std::min)((std::max)(h, 0.0f), 1.0f);
                slope[i] = h > 0.0f && h < 1.0f && weights_[i] != 0.0f ? stretch * s * (1.0f - s) : 0.0f;
            }
            if (step > o.iterations) {
                break;
            }
            differ(up);
            const float progress = static_cast<float>(step) / last;
            const float annealed = (progress - o.warm_up) / (1.0f - o.warm_up);
            const float power = o.last_power + 0.5f * (o.first_power - o.last_power) * (1.0f + std::cos(annealed * 3.14159265f));
            for (std::size_t i = 0; i < n; ++i) {
                const float code = lower_[i] + up[i];
                const bool moves = code == clamped(code);
                float g = moves ? static_cast<float>(2.0 * factor) * gradient_[i] * float{group_of(i).scale()} : 0.0f;
                if (progress > o.warm_up) {
                    const float side = 2.0f * up[i] - 1.0f;
                    g -= o.regularization * 2.0f * power * std::copysign(std::pow(std::fabs(side), power - 1.0f), side);
                }
                slope[i] *= g;
            }
            optimizer.update<Isa>(n, v.data(), slope.data(), {m1.data(), m2.data()}, step);
        }
    }

    const float* weights_;
    std::size_t rows_;
    std::size_t columns_;
    std::vector<float> moments_;
    std::vector<group_type> groups_;
    std::vector<float> lower_;
    std::vector<float> difference_;
    std::vector<float> gradient_;
};

template <class Isa, class Element, class Activations, class Choice>
struct adaround_all_weights {
    const model_inputs* inputs;
    const adaround_options* options;
    const Choice* choice;
    std::optional<error>* problem;

    auto operator()(const member_path& path, const weight_matrix<float, full>& w, as_float) const {
        using weights = weight_matrix<Element, full>;
        auto quantized = quantized_weights(w, path.text());
        if (!quantized) {
            *problem = *problem ? *problem : quantized.error();
            return mapped_weights<weights, Activations>{weights(w.structure), {}};
        }
        return mapped_weights<weights, Activations>{*std::move(quantized), {}};
    }
    template <class Weights, class Any>
    auto operator()(const member_path&, const Weights&, Any) const {
        static_assert(std::is_same_v<Weights, void>, "pare: adaround() takes a model of full float weights");
        return mapped_weights<Weights, Any>{};
    }

private:
    result<weight_matrix<Element, full>> quantized_weights(const weight_matrix<float, full>& w, const std::string& name) const {
        const storage_inputs* const own = inputs->find(&w);
        if (own == nullptr) {  // rows that are looked up
            return quantize_weights_in_groups<Element>(w, name, *choice);
        }
        if (auto unfit = unfit_weight(w, name)) {
            return *std::move(unfit);
        }
        weight_matrix<Element, full> quantized(w.structure);
        const std::size_t count = w.rows() / own->groups.size();
        for (std::size_t g = 0; g < own->groups.size(); ++g) {
            adaround_rows<Isa, Element, Choice> rows(w, g * count, count, own->groups[g], *choice);
            if (!rows.fits()) {
                return scale_too_large(name, g * count);
            }
            rows.round(*options, quantized, g * count);
        }
        return quantized;
    }
};

}  // namespace detail

/// The model with its weights as qint<bits, group>, as quantize_weights_only() makes them, but each weight with one of the two
/// codes around it, up or down, so that layers give what they did on calibration data. For each matrix, with scales s by `choice`,
///
///     |X W^T - X W'^T|^2 / e + regularization * sum (1 - |2 h(v) - 1|^power),    W' = s * clamp(floor(W / s) + h(v)),
///     h(v) = clamp(1.2 sigmoid(v) - 0.1, 0, 1)
///
/// is minimized over v by Adam; the power falls, so that h becomes 0 or 1; then it is rounded. e is the error of rounding to
/// nearest per weight; rows for which that was better keep it. Weights that are zero, pruned ones, stay zero, but in groups with
/// minima, which may have no code for it. X are all rows that the float model multiplies the weights by, see gptq(). Weights of
/// which rows are looked up are rounded to nearest. With Activations = dynamic_range the layers quantize their inputs, too. Takes a
/// model or a result of one; fold batch norms before.
///
/// Errors: those of gptq(); iterations, a learning rate or powers that are not above 0, a warm_up outside of [0, 1). Cost: a pass
/// over the data, O(columns^2) per row of X; rows columns^2 multiplications per iteration and matrix. Nagel, Amjad, van Baalen,
/// Louizos, Blankevoort 2020, equations 21 to 24.
template <class Element, class Activations = as_float, class Isa = isa::native, class Model, dataset Data,
          class Choice = round_to_nearest, class Selection = every_layer>
auto adaround(const Model& model, const Data& data, const adaround_options& options = {}, const Choice& choice = {},
              Selection selection = {}) {
    static_assert(detail::has_codes<Element> && detail::multiplies_bytes<Element>,
                  "pare: adaround() makes qint<bits, group> weights");
    return and_then(model, [&](const auto& m) {
        detail::model_inputs inputs;
        std::optional<error> problem = detail::member_not_finite("adaround", m);
        const auto quantized = [&] {
            return map_selected_weights(
                m, detail::adaround_all_weights<Isa, Element, Activations, Choice>{&inputs, &options, &choice, &problem},
                selection);
        };
        const auto& o = options;
        const bool fit = o.iterations > 0 && o.learning_rate > 0.0f && o.warm_up >= 0.0f && o.warm_up < 1.0f &&
                         o.first_power > 0.0f && o.last_power > 0.0f && o.regularization >= 0.0f;
        if (!problem && !fit) {
            problem = error{error_code::invalid_argument,
                            sentence("adaround: expected iterations, a learning_rate and powers above 0, a warm_up in [0, 1) and a "
                                     "regularization of at least 0, found ",
                                     o.iterations, ", ", o.learning_rate, ", ", o.first_power, " and ", o.last_power, ", ",
                                     o.warm_up, " and ", o.regularization)};
        }
        return detail::after_calibration<Isa>("adaround", m, data, inputs, problem, quantized);
    });
}

PARE_NAMESPACE_END

#endif
