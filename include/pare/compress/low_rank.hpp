#ifndef PARE_COMPRESS_LOW_RANK_HPP
#define PARE_COMPRESS_LOW_RANK_HPP

#include <pare/compress/low_rank_layers.hpp>
#include <pare/compress/low_rank_report.hpp>
#include <pare/compress/maybe_factorized.hpp>
#include <pare/nn/selection.hpp>

PARE_NAMESPACE_BEGIN

/// As template arguments of factorize(): the layer at this place by singular values to `Rank`, or, a convolution, as Tucker-2.
template <fixed_string Place, std::size_t Rank>
struct low_rank {
    static_assert(Rank > 0, "pare: low_rank<place, rank>: a rank is at least 1");
    static constexpr std::string_view place = Place.view();
    using form = svd_form;
    static constexpr factor_ranks ranks{Rank, 0};
};
template <fixed_string Place, std::size_t Inputs, std::size_t Outputs>
struct tucker {
    static_assert(Inputs > 0 && Outputs > 0, "pare: tucker<place, inputs, outputs>: ranks are at least 1");
    static constexpr std::string_view place = Place.view();
    using form = tucker_form;
    static constexpr factor_ranks ranks{Outputs, Inputs};
};

template <class Rule>
concept low_rank_rule = std::is_invocable_r_v<result<factor_ranks>, const Rule&, const rank_request&>;

namespace detail {

/// What is collected while a model is walked.
struct factorizing {
    rows_by_path rows;
    low_rank_report report;
    std::optional<error> problem;

    void fail(const std::string& path, error_code code, const std::string& why) {
        problem = problem ? problem : error{code, sentence("factorize: ", path.empty() ? "the layer" : path, ": ", why)};
    }
};

/// Ranks and factors of a layer; nothing where it stays as it is, for which the report says why, or cannot be factorized.
template <class Layer, class Rule>
std::optional<std::pair<factor_ranks, low_rank_factors>> factors_of(const std::string& path, const Layer& layer, bool is_tucker,
                                                                    const Rule& rule, factorizing& state) {
    using form = factorization<Layer>;
    const weights_shape s = form::shape_of(layer);
    const auto rows = state.rows[path];
    const std::size_t biases = layer.has_bias ? s.outputs : 0, groups = form::groups_of(layer);
    layer_low_rank line{path, "", {}, 0.0, layer.weights.values.size() + biases, 0, 0, 0};
    line.parameters_after = line.parameters_before;
    line.multiply_adds_after = line.multiply_adds_before = multiply_adds(s, {}, rows);
    const auto keep = [&](const std::string& why) {
        line.kept = why;
        state.report.layers.push_back(line);
        return std::nullopt;
    };
    if (state.problem) {
        return std::nullopt;
    }
    const std::vector<double> w(layer.weights.values.begin(), layer.weights.values.end());
    if (!std::all_of(w.begin(), w.end(), [](double x) { return is_finite(static_cast<float>(x)); })) {
        state.fail(path, error_code::invalid_data, "expected finite weights, found NaN or infinity");
        return std::nullopt;
    }
    if (groups != 1) {
        return keep(sentence("its channels are in ", groups, " groups"));
    }
    if (s.size() == 0) {
        return keep("it has no weights");
    }
    const singular_values outputs = singular_value_decomposition(w, s.outputs, s.taps * s.inputs);
    singular_values inputs;
    if (is_tucker) {
        inputs = singular_value_decomposition(by_inputs(w, s), s.inputs, s.outputs * s.taps);
    }
    const result<factor_ranks> ranks = rule(rank_request{s, outputs, is_tucker ? &inputs : nullptr});
    if (const auto checked = ranks ? checked_ranks(*ranks, s, is_tucker) : ranks; !checked) {
        state.fail(path, checked.error().code, checked.error().message);
        return std::nullopt;
    }
    line.ranks = *ranks;
    if (const std::size_t size = ranks->size(s); size >= s.size()) {
        return keep(sentence("its factors would have ", size, " weights instead of ", s.size()));
    }
    low_rank_factors factors = is_tucker ? tucker_factors(w, s, *ranks, outputs, inputs) : svd_factors(outputs, ranks->outputs);
    line.relative_error = factors.relative_error;
    line.parameters_after = ranks->size(s) + biases;
    line.multiply_adds_after = multiply_adds(s, *ranks, rows);
    state.report.layers.push_back(line);
    return std::pair(*ranks, std::move(factors));
}

/// Ranks that a rule gives for the layers that a selection takes.
template <class Form, class Rule, class Selection>
struct ranks_at_run_time {
    static constexpr bool names_products = false;
    const Rule& rule;

    template <class Path, class Layer, bool Outer>
    static constexpr bool takes = is_taken<Path, Layer>(Selection{}, Outer);

    template <class Path, class Layer>
    auto factorized(const Layer& layer, factorizing& state) const {
        using form = factorization<Layer>;
        constexpr bool is_tucker = form::template is_tucker<Form>;
        const auto make = [&](const factor_ranks& ranks, const low_rank_factors& f) {
            return form::template make<dyn, is_tucker ? dyn : 0>(layer, ranks, f);
        };
        using either = std::variant<Layer, decltype(make({}, {}))>;
        const auto factors = factors_of(Path::text.data(), layer, is_tucker, rule, state);
        return maybe_factorized(factors ? either(std::in_place_index<1>, make(factors->first, factors->second))
                                        : either(std::in_place_index<0>, layer));
    }
};

/// Ranks that are constants.
template <class... Ranks>
struct fixed_ranks {
    static constexpr bool names_products = true;
    template <class Path, class Layer, bool>
    static constexpr bool takes = ((Ranks::place == std::string_view(Path::text.data())) || ...);

    template <class Path, class Layer>
    auto factorized(const Layer& layer, factorizing& state) const {
        return with<Path, Layer, Ranks...>(layer, state);
    }

private:
    template <class Path, class Layer, class First, class... Rest>
    static auto with(const Layer& layer, factorizing& state) {
        if constexpr (First::place != std::string_view(Path::text.data())) {
            return with<Path, Layer, Rest...>(layer, state);
        } else {
            using form = factorization<Layer>;
            constexpr bool is_tucker = First::form::is_tucker;
            static_assert(form::template is_tucker<typename First::form> == is_tucker,
                          "pare: tucker<place, inputs, outputs> takes a convolution whose kernel has several pixels; use low_rank");
            constexpr weights_shape s = form::known;
            constexpr factor_ranks r = First::ranks;
            constexpr bool is_open = s.outputs == dyn || s.inputs == dyn || s.taps == dyn;
            const auto rule = [](const rank_request& of) { return checked_ranks(First::ranks, of.shape, of.is_tucker()); };
            const auto make = [&](const low_rank_factors& f) { return form::template make<r.outputs, r.inputs>(layer, r, f); };
            if constexpr (is_open) {
                using either = std::variant<Layer, decltype(make({}))>;
                const auto factors = factors_of(Path::text.data(), layer, is_tucker, rule, state);
                return maybe_factorized(factors ? either(std::in_place_index<1>, make(factors->second))
                                                : either(std::in_place_index<0>, layer));
            } else {
                static_assert(form::groups != 1 || checks(r, s, is_tucker),
                              "pare: a rank of factorize() is greater than the weights of the layer at this place (Layer) have");
                const auto factors = factors_of(Path::text.data(), layer, is_tucker, rule, state);
                if constexpr (form::groups != 1 || r.size(s) >= s.size()) {
                    return layer;
                } else {
                    const low_rank_factors none{std::vector<float>(r.inputs * s.inputs),
                                                std::vector<float>(r.outputs * s.taps * (is_tucker ? r.inputs : s.inputs)),
                                                std::vector<float>(s.outputs * r.outputs)};
                    return make(factors ? factors->second : none);
                }
            }
        }
    }
    static constexpr bool checks(const factor_ranks& r, const weights_shape& s, bool is_tucker) {
        const factor_ranks most = factor_ranks::most(s, is_tucker);
        return r.outputs <= most.outputs &&
               (!is_tucker || (r.inputs <= most.inputs && r.inputs <= s.taps * r.outputs && r.outputs <= s.taps * r.inputs));
    }
};

template <class Path, bool Outer, class Layer, class Ranks>
auto factorize_layer(const Layer& layer, const Ranks& ranks, factorizing& state) {
    constexpr bool taken = Ranks::template takes<Path, Layer, Outer>;
    static_assert(
        factorization<Layer>::is_product || !taken || !Ranks::names_products,
        "pare: the layer at a place in low_rank<...> or tucker<...> of factorize() is neither a dense layer nor a convolution");
    if constexpr (factorization<Layer>::is_product && taken) {
        static_assert(
            factorization<Layer>::has_floats,
            "pare: factorize() takes a model of float weights in full: one in training must be frozen first with freeze(); "
            "factorize before you prune, cluster and quantize");
        return ranks.template factorized<Path>(layer, state);
    } else if constexpr (has_parts<Layer>) {
        return map_parts(layer, [&]<auto Name>(const auto& inner) {
            return factorize_layer<typename Path::template in<Name>, taken>(inner, ranks, state);
        });
    } else {
        return layer;
    }
}

template <bool Outer, class Model, class Ranks>
auto factorized(const Model& model, const Ranks& ranks, low_rank_report* report) {
    factorizing state{rows_of_layers(model), {}, {}};
    auto made = factorize_layer<layer_path<>, Outer>(model, ranks, state);
    if (report != nullptr) {
        *report = std::move(state.report);
    }
    return state.problem ? result<decltype(made)>(*std::move(state.problem)) : result<decltype(made)>(std::move(made));
}

}  // namespace detail

/// The model with dense layers and convolutions as products of smaller ones: y = last(core(x)) in the place of y = W x + b, without
/// a function or a bias in between. Dense layers become dense(inputs, rank), dense(rank, outputs) by singular values; convolutions,
/// in svd_form, the kernel to `rank` channels and a pointwise convolution, in tucker_form a pointwise convolution, the kernel, and
/// a pointwise convolution. Strides, padding and dilation stay with the kernel. What is made can be trained, pruned, quantized and
/// saved as any other.
///
///     factorize(model, energy_share{0.9})                          rank_of{40}, parameter_share{0.25}, or a rule of one's own
///     factorize<tucker_form>(model, rank_of{16, 8}, only<"2">{})
///
/// A layer whose factors would not have fewer weights stays as it is, and so do convolutions in groups, which are known at run
/// time: each layer that the selection takes is a maybe_factorized, in which ranks are `dyn`. Takes a model or a result of one, of
/// float weights. `report`, if any, is of the layers up to an error. Errors, which name the layer: weights that are not finite,
/// ranks of 0 or above those of the matrix, shares outside of (0, 1]. Cost as singular_value_decomposition(). Denton, Zaremba,
/// Bruna, LeCun, Fergus 2014; Zhang, Zou, He, Sun 2015; Kim, Park, Yoo, Choi, Yang, Shin 2016.
template <class Form = svd_form, class Model, low_rank_rule Rule, class Selection = every_layer>
    requires requires { Form::is_tucker; }
auto factorize(const Model& model, const Rule& rule, Selection = {}, low_rank_report* report = nullptr) {
    return and_then(model, [&](const auto& m) {
        using plain = std::remove_cvref_t<decltype(m)>;
        if constexpr (std::is_same_v<Selection, every_layer>) {
            return detail::factorized<true>(m, detail::ranks_at_run_time<Form, Rule, except<>>{rule}, report);
        } else if constexpr (std::is_same_v<Selection, inner_layers>) {
            return detail::factorized<true>(m, detail::ranks_at_run_time<Form, Rule, detail::inner_layers_of<plain>>{rule}, report);
        } else {
            static_assert(detail::contains_all<plain>(Selection{}),
                          "pare: a name in only<...> or except<...> is neither the place nor the kind of any layer of this model");
            return detail::factorized<detail::takes_unnamed(Selection{})>(m, detail::ranks_at_run_time<Form, Rule, Selection>{rule},
                                                                          report);
        }
    });
}

/// The same with ranks that are constants of the network's type: factorize<low_rank<"0", 50>, tucker<"3", 8, 16>>(model). A layer
/// whose factors would not be smaller stays a layer of its type. Other layers stay. Where a layer's extents are known at run time
/// it is a maybe_factorized.
template <class Rank, class... Ranks, class Model>
    requires requires { Rank::place; }
auto factorize(const Model& model, low_rank_report* report = nullptr) {
    return and_then(model, [&](const auto& m) {
        using plain = std::remove_cvref_t<decltype(m)>;
        static_assert(detail::contains_layer<detail::layer_path<>, plain>(Rank::place) &&
                          (detail::contains_layer<detail::layer_path<>, plain>(Ranks::place) && ...),
                      "pare: a place in low_rank<...> or tucker<...> of factorize() is not that of any layer of this model");
        return detail::factorized<false>(m, detail::fixed_ranks<Rank, Ranks...>{}, report);
    });
}

PARE_NAMESPACE_END

#endif
