#ifndef PARE_QUANTIZE_GPTQ_HPP
#define PARE_QUANTIZE_GPTQ_HPP

#include <algorithm>
#include <cmath>

#include <pare/quantize/dynamic.hpp>
#include <pare/train/inverse_hessian.hpp>

PARE_NAMESPACE_BEGIN

struct gptq_options {
    float damping = 0.01f;          // of the mean of the Hessian's diagonal, added to all of it
    bool activation_order = false;  // columns with large inputs first; scales of groups are then those of the float weights
    std::size_t block = 128;        // columns whose errors are passed on together, rounded up to whole groups
};

namespace detail {

/// A matrix of weights whose Hessian is known, column by column in `order`, U being that of the Hessian in this order.
template <class Isa, class Element, class Choice>
class gptq_rows {
    using storage = element_storage<Element>;

public:
    gptq_rows(const input_statistics& inputs, const gptq_options& o, const Choice& choice)
        : options_(o), choice_(choice), columns_(inputs.columns()), order_(columns_) {
        for (std::size_t i = 0; i < columns_; ++i) {
            order_[i] = i;
        }
        const std::vector<double>& h = inputs.second_moments();
        const auto diagonal = [&](std::size_t c) { return h[c * columns_ + c]; };
        if (o.activation_order) {
            std::sort(order_.begin(), order_.end(),
                      [&](std::size_t a, std::size_t b) { return diagonal(a) != diagonal(b) ? diagonal(a) > diagonal(b) : a < b; });
        }
        u_ = inverse_hessian_factor(inputs, o.damping, order_);
    }

    bool has_inverse() const noexcept { return !u_.empty() || columns_ == 0; }

    /// Quantizes a row; false where a scale does not fit its type.
    bool quantize(const float* weights, weight_matrix<Element, full>& to, std::size_t row) {
        const std::size_t groups = storage::format::groups(columns_);
        if (options_.activation_order) {
            for (std::size_t g = 0; g < groups; ++g) {
                if (!choose(to, row, g, weights + g * Element::group, weights + g * Element::group)) {
                    return false;
                }
            }
        }
        left_.resize(columns_);
        for (std::size_t i = 0; i < columns_; ++i) {
            left_[i] = weights[order_[i]];
        }
        const std::size_t block = round_up((std::max)(options_.block, std::size_t{1}), Element::group);
        errors_.resize(block);
        for (std::size_t first = 0; first < columns_; first += block) {
            const std::size_t end = (std::min)(first + block, columns_);
            for (std::size_t i = first; i < end; ++i) {
                const std::size_t column = order_[i], g = column / Element::group;
                if (!options_.activation_order && column % Element::group == 0 &&
                    !choose(to, row, g, weights + column, left_.data() + i)) {
                    return false;
                }
                const weight_group<Element>& group = groups_[g];
                const std::int32_t code = group.code(weights[column] == 0.0f ? 0.0f : left_[i]);
                storage::set_code(to, row, column, code);
                const float* const u = u_.data() + i * columns_;
                errors_[i - first] = (left_[i] - group.real(code)) / u[i];
                subtract_scaled<Isa>(end - i - 1, errors_[i - first], u + i + 1, left_.data() + i + 1);
            }
            for (std::size_t i = first; i < end && end < columns_; ++i) {
                subtract_scaled<Isa>(columns_ - end, errors_[i - first], u_.data() + i * columns_ + end, left_.data() + end);
            }
        }
        return true;
    }

private:
    /// For weights as they have become, those zero that were zero.
    bool choose(weight_matrix<Element, full>& to, std::size_t row, std::size_t g, const float* before, const float* weights) {
        const std::size_t groups = storage::format::groups(columns_);
        const std::size_t count = (std::min)(Element::group, columns_ - g * Element::group);
        if (g == 0) {
            groups_.clear();
        }
        kept_.assign(weights, weights + count);
        for (std::size_t i = 0; i < count; ++i) {
            kept_[i] = before[i] == 0.0f ? 0.0f : kept_[i];
        }
        groups_.push_back(choice_.template choose<Element>(std::span<const float>(kept_)));
        set_group(to, row * groups + g, groups_[g]);
        return groups_[g].fits();
    }

    const gptq_options& options_;
    const Choice& choice_;
    std::size_t columns_;
    std::vector<std::size_t> order_;
    std::vector<float> u_;
    std::vector<weight_group<Element>> groups_;
    std::vector<float> left_;
    std::vector<float> kept_;
    std::vector<float> errors_;
};

template <class Isa, class Element, class Choice>
result<weight_matrix<Element, full>> gptq_weights(const weight_matrix<float, full>& w, const storage_inputs& inputs,
                                                  const gptq_options& options, const Choice& choice) {
    if (auto problem = unfit_weight(w, inputs.name)) {
        return *std::move(problem);
    }
    weight_matrix<Element, full> quantized(w.structure);
    const std::size_t per_group = w.rows() / inputs.groups.size();
    for (std::size_t g = 0; g < inputs.groups.size(); ++g) {
        gptq_rows<Isa, Element, Choice> rows(inputs.groups[g], options, choice);
        if (!rows.has_inverse()) {
            return no_inverse_hessian("gptq", inputs.name, options.damping);
        }
        for (std::size_t row = g * per_group; row < (g + 1) * per_group; ++row) {
            if (!rows.quantize(w.values.data() + row * w.columns(), quantized, row)) {
                return scale_too_large(inputs.name, row);
            }
        }
    }
    return quantized;
}

template <class Isa, class Element, class Activations, class Choice>
struct gptq_all_weights {
    const model_inputs* inputs;
    const gptq_options* options;
    const Choice* choice;
    std::optional<error>* problem;

    auto operator()(const member_path& path, const weight_matrix<float, full>& w, as_float) const {
        using weights = weight_matrix<Element, full>;
        const storage_inputs* const own = inputs->find(&w);
        auto quantized = own == nullptr ? quantize_weights_in_groups<Element>(w, path.text(), *choice)  // rows that are looked up
                                        : gptq_weights<Isa, Element>(w, *own, *options, *choice);
        if (!quantized) {
            *problem = *problem ? *problem : quantized.error();
            return mapped_weights<weights, Activations>{weights(w.structure), {}};
        }
        return mapped_weights<weights, Activations>{*std::move(quantized), {}};
    }
    template <class Layout>
    auto operator()(const member_path&, const weight_matrix<float, Layout>&, as_float) const {
        static_assert(std::is_same_v<Layout, void>,
                      "pare: gptq() takes a model of full float weights: prune afterwards, or quantize a sparse model to qint8");
        return mapped_weights<weight_matrix<Element, full>, Activations>{};
    }
    template <class Weights, class Any>
    auto operator()(const member_path&, const Weights& w, Any a) const {  // of which calibration says that it cannot take them
        return mapped_weights<Weights, Any>{w, a};
    }
};

}  // namespace detail

/// The model with its weights as qint<bits, group> or nf4<group>, as quantize_weights_only() makes them, but with codes that keep
/// what the layers give on calibration data: the columns of a matrix are rounded one after the other, and the error of each is made
/// up for by those that are still floats, by the inverse of the Hessian X^T X of ||X W^T - X W'^T||^2:
///
///     e = (w_i - q(w_i)) / U_ii;    w_j -= e U_ij for j > i;    (X^T X + damping)^-1 = U^T U, U upper triangular
///
/// Weights that are zero, pruned ones, get the code of zero, and those behind them make up for what they would have become
/// (Frantar, Alistarh 2023, section 3.5); in groups with minima, which may have no code for zero, they get the nearest one.
///
/// X are all rows that the float model multiplies the weights by: of a convolution what each output pixel sees, of a recurrent
/// layer inputs and states of every step. A group's scale is chosen by `choice` when its first column comes up. Weights of which
/// rows are looked up are quantized as they are. With Activations = dynamic_range the layers quantize their inputs, too. Takes a
/// model or a result of one.
///
/// Errors: those of quantize_weights_only(); a data set without samples or one that does not fit the model; inputs of a layer that
/// are not finite; damping outside of (0, 1]. Cost: a pass over the data, O(columns^2) per row of X; O(columns^3 + rows columns^2)
/// per matrix, and 16 columns^2 bytes. Frantar, Ashkboos, Hoefler, Alistarh 2022, algorithm 1.
template <class Element, class Activations = as_float, class Isa = isa::native, class Model, dataset Data,
          class Choice = round_to_nearest, class Selection = every_layer>
auto gptq(const Model& model, const Data& data, const gptq_options& options = {}, const Choice& choice = {},
          Selection selection = {}) {
    static_assert(detail::has_codes<Element>, "pare: gptq() makes qint<bits, group> or nf4<group> weights");
    return and_then(model, [&](const auto& m) {
        detail::model_inputs inputs;
        std::optional<error> problem = detail::member_not_finite("gptq", m);
        const auto quantized = [&] {
            return map_selected_weights(
                m, detail::gptq_all_weights<Isa, Element, Activations, Choice>{&inputs, &options, &choice, &problem}, selection);
        };
        if (!problem) {
            problem = detail::damping_problem("gptq", options.damping);
        }
        return detail::after_calibration<Isa>("gptq", m, data, inputs, problem, quantized);
    });
}

PARE_NAMESPACE_END

#endif
