#ifndef PARE_QUANTIZE_STATIC_HPP
#define PARE_QUANTIZE_STATIC_HPP

#include <memory>
#include <optional>
#include <vector>

#include <pare/core/tuple.hpp>
#include <pare/nn/branches.hpp>
#include <pare/nn/fold.hpp>
#include <pare/nn/selection.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/observers.hpp>
#include <pare/quantize/watched_input.hpp>
#include <pare/train/evaluate.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// Floats that stay floats, while other layers become bytes.
struct kept_as_float : as_float {};

template <class From, class To>
struct change_activations {
    template <class Weights, class Activations, class... Structure>
    auto operator()(const member_path&, const Weights& w, Activations a, const Structure&...) const {
        if constexpr (std::is_same_v<Activations, From> && are_float_weights<Weights>) {  // no others become bytes
            return mapped_weights<Weights, To>{w, {}};
        } else {
            return mapped_weights<Weights, Activations>{w, a};
        }
    }
};

template <fixed_string... Names>
except<Names...> all_others(only<Names...>) {
    return {};
}
template <fixed_string... Names>
only<Names...> all_others(except<Names...>) {
    return {};
}

/// The model with the layers that a selection does not take marked as such.
template <class Model, class Selection>
auto mark_kept(const Model& model, Selection selection) {
    if constexpr (std::is_same_v<Selection, every_layer>) {
        return model;
    } else {
        return map_selected_weights(model, change_activations<as_float, kept_as_float>{}, all_others(selection));
    }
}

/// A watched network as one of bytes: weights become qint8, what is watched in front of them the range of their input, elsewhere
/// quantized_values.
template <granularity Granularity, class Observer>
struct quantize_watched {
    template <class... Layers>
    auto operator()(const sequential<Layers...>& network) const {
        return detail::apply([&](const auto&... l) { return quantized(std::tuple<>(), l...); }, network.layers);
    }
    template <class Layer>
    auto operator()(const Layer& layer) const {
        if constexpr (maps_layers<Layer>) {
            return map_layers(layer, *this);
        } else {
            return layer;
        }
    }

private:
    using watched = watched_input<Observer>;

    template <class Done>
    auto quantized(Done done) const {
        return tied_layers(done);
    }
    template <class Done, class Layer, class... Rest>
    auto quantized(Done done, const Layer& layer, const Rest&... rest) const {
        auto made = (*this)(layer);
        return quantized(tie_more(done, made), rest...);
    }
    template <class Done, class... Rest>
    auto quantized(Done done, const watched& input, const Rest&... rest) const {
        quantized_values bytes{range_of(input)};
        return quantized(tie_more(done, bytes), rest...);
    }
    /// A function needs no bytes for numbers that it makes the same of.
    template <class Done, class Function, class... Rest>
    auto quantized(Done done, const watched& input, const activation<Function>& layer, const Rest&... rest) const {
        observed_range range = *input.watching->range();
        if constexpr (requires { Function::flat_below; }) {
            range.min = (std::max)(range.min, Function::flat_below);
        }
        if constexpr (requires { Function::flat_above; }) {
            range.max = (std::min)(range.max, Function::flat_above);
        }
        quantized_values bytes{{affine_quantization<quint8>(range.min, range.max)}};
        return quantized(tie_more(done, bytes, layer), rest...);
    }
    template <class Done, class Layer, class... Rest>
        requires takes_static_range<Layer>
    auto quantized(Done done, const watched& input, const Layer& layer, const Rest&... rest) const {
        auto made = layer.map_weights([&](const member_path& path, const auto& w, as_float) {
            auto bytes = *quantize_weights(w, Granularity, path.text());  // unfit_weights() has seen them
            return mapped_weights<decltype(bytes), static_range>{std::move(bytes), range_of(input)};
        });
        return quantized(tie_more(done, made), rest...);
    }

    static static_range range_of(const watched& input) {
        const observed_range range = *input.watching->range();  // unusable_range() has seen it
        return {affine_quantization<quint8>(range.min, range.max)};
    }
};

template <class Layer>
inline constexpr bool holds_product = [] {
    bool any = takes_static_range<Layer>;
    if constexpr (has_parts<Layer>) {
        parts_type<Layer>::for_each_type([&]<auto, class Inner>() { any = any || holds_product<Inner>; });
    }
    return any;
}();

/// The first weights that cannot become qint8 for static ranges.
template <class Model>
std::optional<error> unfit_weights(const Model& model) {
    std::optional<error> problem;
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if constexpr (requires { unfit_weight(member, path.text()); }) {
            if (!problem) {
                problem = unfit_weight(member, path.text());
            }
            const auto check_depth = [&](const auto& w) {
                if (!problem && w.columns() > kernels::int8_largest_depth) {  // also of sparse ones: it bounds their biases
                    problem = error{error_code::invalid_argument,
                                    sentence("quantize_static: ", path.text(), ": expected at most ", kernels::int8_largest_depth,
                                             " inputs, so that sums of products and a bias fit 32 bits; found ", w.columns())};
                }
            };
            if constexpr (requires { member.structure; }) {
                check_depth(member);
            } else {
                member.visit([&](auto, const auto& held) { check_depth(held); });
            }
        }
    });
    return problem;
}

/// The first place where an observer has no range.
template <class Observer, class Model>
std::optional<error> unusable_range(const Model& watched) {
    std::optional<error> problem;
    for_each_member(watched, [&](const member_path& path, const auto& member) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, Observer>) {
            if (const auto range = member.range(); !range && !problem) {
                problem = error{range.error().code, sentence("quantize_static: ", path.text(), ": ", range.error().message)};
            }
        }
    });
    return problem;
}

/// Samples one after the other, or a data set, through a prepared model; progress(done, total) behind each batch.
template <class Isa, class Model, class Data, class Progress>
std::optional<error> run_samples(const prepared<Isa, Model>& ready, const Data& data, const Progress& progress) {
    if constexpr (dataset<Data>) {
        serial_executor serial;
        return run_over(ready, data, serial, [&](std::size_t first, const auto&, const matrix_view<const float>& y) {
            progress(first + y.rows, std::size_t{data.size()});
        });
    } else {
        constexpr std::size_t most = 256;
        const std::span<const float> numbers(data);
        const std::size_t inputs = ready.input_size(), outputs = ready.output_size(), total = numbers.size() / inputs;
        if (numbers.size() % inputs != 0) {
            return error{error_code::invalid_argument, sentence("quantize_static: expected samples of ", inputs,
                                                                " numbers each; found ", numbers.size(), " numbers in all")};
        }
        workspace space = workspace_for(ready, most);
        std::vector<float> y(most * outputs);
        for (std::size_t first = 0; first < total; first += most) {
            const std::size_t batch = (std::min)(most, total - first);
            run(ready, numbers.subspan(first * inputs, batch * inputs), std::span(y).first(batch * outputs), space);
            progress(first + batch, total);
        }
        return std::nullopt;
    }
}

struct no_progress {
    void operator()(std::size_t, std::size_t) const noexcept {}
};

}  // namespace detail

/// The model as a network of bytes: weights of dense layers and convolutions as qint8, symmetric, one scale per output channel (or
/// per tensor), and what flows into them as quint8, always with the same quantization, which comes from the ranges that an observer
/// sees of each while the float model runs over the data; between layers there are bytes alone (nn/static_network.hpp). Batch norms
/// are folded first, as by fold_batch_norm(), from whose model names of members are. Layers that have no form for bytes stay
/// floats. torch.ao.quantization.prepare and convert; Jacob et al. 2018, section 2.
///
/// The data are a data set, or samples one after the other, contiguous floats; a few hundred suffice. progress(samples done,
/// samples in all) is called behind each batch. Takes a model or a result of one. Errors: no sample, samples that do not fit the
/// model or are NaN or infinite, or become so in some layer, whose name the message says; weights or biases that are NaN or
/// infinite. Layers that the selection does not take (only<...>, except<...>) stay as they are. O(samples * cost of the model).
template <granularity Granularity = granularity::per_channel, class Model, class Data, observer Observer = minmax_observer,
          class Progress = detail::no_progress, class Selection = every_layer>
auto quantize_static(const Model& model, const Data& data, const Observer& watching = {}, const Progress& progress = {},
                     Selection selection = {}) {
    static_assert(dataset<Data> || std::convertible_to<const Data&, std::span<const float>>,
                  "pare: quantize_static() takes a data set, or samples as contiguous floats");
    static_assert(std::invocable<const Progress&, std::size_t, std::size_t>,
                  "pare: the progress of quantize_static() is called as progress(samples done, samples in all)");
    return and_then(model, [&](const auto& m) {
        const auto network = detail::fold_inside(detail::mark_kept(m, selection));
        static_assert(detail::holds_product<std::remove_const_t<decltype(network)>>,
                      "pare: quantize_static() takes a model with float weights in a dense layer or a convolution: one in training "
                      "must be frozen first with freeze(), one that is quantized cannot be quantized again");
        std::vector<std::unique_ptr<Observer>> observers;
        const auto watched = detail::watch_inputs<Observer, false>(observers, watching)(network);
        const auto quantize = [&] {
            const auto marked = detail::quantize_watched<Granularity, Observer>{}(watched);
            if constexpr (std::is_same_v<Selection, every_layer>) {
                return marked;
            } else {
                return map_weights(marked, detail::change_activations<detail::kept_as_float, as_float>{});
            }
        };
        using quantized = decltype(quantize());
        auto problem = detail::member_not_finite("quantize_static", network);
        if (!problem) {
            problem = detail::unfit_weights(network);
        }
        if (!problem && std::size(data) == 0) {
            problem = error{error_code::invalid_data, "quantize_static: expected samples to calibrate with, found none"};
        }
        if (!problem) {
            problem = detail::run_samples(prepare<isa::native>(watched), data, progress);
        }
        if (!problem) {
            problem = detail::unusable_range<Observer>(watched);
        }
        return problem ? result<quantized>(*std::move(problem)) : result<quantized>(quantize());
    });
}

PARE_NAMESPACE_END

#endif
