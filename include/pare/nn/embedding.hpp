#ifndef PARE_NN_EMBEDDING_HPP
#define PARE_NN_EMBEDDING_HPP

#include <algorithm>
#include <cstdint>

#include <pare/core/result.hpp>
#include <pare/kernels/lookup.hpp>
#include <pare/kernels/operation.hpp>
#include <pare/nn/trainable.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/quantization.hpp>
#include <pare/types/row_quint.hpp>

PARE_NAMESPACE_BEGIN

/// No row of a table.
inline constexpr std::size_t no_row = looked_up{}.padding_row;

/// What torch.nn.Embedding and EmbeddingBag take besides the sizes.
struct embedding_options {
    std::size_t padding_index = no_row;  // a row that stands for nothing: it begins as zeros, and has no gradient
};

namespace detail {

/// A weight as the float that it stands for, whatever the storage.
template <class Weights>
float weight_at(const Weights& w, std::size_t row, std::size_t column) noexcept {
    if constexpr (requires { w.inner; }) {
        return weight_at(w.inner, row, column);
    } else {
        static_assert(std::is_same_v<typename Weights::layout, full>,
                      "pare: an embedding looks up whole rows: its weights are stored in full");
        return w.real(row, row * w.columns() + column);
    }
}

/// out [columns] = a row of a table as floats.
template <class Context, class Weights>
void look_up(Context& ctx, const Weights& w, std::size_t row, float* out) noexcept {
    if constexpr (requires { requires of_rows<typename Weights::element>; }) {
        using storage = element_storage<typename Weights::element>;
        kernels::call<kernels::dequantize_row_operation>(
            ctx,
            kernels::table_row{w.values.data() + row * storage::bytes_per_row(w.columns()), w.columns(), Weights::element::bits,
                               w.scales[row], w.zero_points[row]},
            out);
    } else {
        for (std::size_t j = 0; j < w.columns(); ++j) {
            out[j] = weight_at(w, row, j);
        }
    }
}

/// The row that a number of the input names: an integer in a float, exact up to 2^24. no_row where there is none of that number.
inline std::size_t row_of(float index, std::size_t rows) noexcept {
    const bool known = !is_nan(index) && index >= 0.0f && index < static_cast<float>(rows);
    PARE_ASSERT(known, "an embedding of %zu rows is given index %g", rows, static_cast<double>(index));
    return known ? static_cast<std::size_t>(index) : no_row;
}

inline void check_padding([[maybe_unused]] const embedding_options& o, [[maybe_unused]] std::size_t rows) noexcept {
    PARE_ASSERT(o.padding_index == no_row || o.padding_index < rows, "padding_index %zu of an embedding of %zu rows",
                o.padding_index, rows);
}

template <class Weights>
std::string describe_table(const Weights& w, const embedding_options& o) {
    return sentence(w.rows(), " x ", w.columns(), ": ", w.describe(),
                    o.padding_index == no_row ? std::string() : sentence(", padding ", o.padding_index));
}

template <std::size_t... N>
constexpr bool all_static = ((N != dyn) && ...);

}  // namespace detail

/// Row x[i] of a table of vectors for each number of a sample: [n] becomes [n, Width], [a, b] becomes [a, b, Width]. A network's
/// inputs are floats: indices come as floats whose values are integers, exact up to 2^24 rows. torch.nn.Embedding. Rows and Width
/// may be `dyn`. Weights may be quantized: rows become floats when they are looked up.
template <std::size_t Rows, std::size_t Width, class Weights = weight_matrix<float, full>, class Activations = as_float>
struct embedding {
    static constexpr const char* kind = "embedding";
    static constexpr bool takes_single_steps = true;
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };

    Weights weights;  // [Rows, Width]
    embedding_options options;

    explicit embedding(embedding_options o = {}) requires(
        detail::all_static<Rows, Width>&& std::constructible_from<Weights, std::size_t, std::size_t>)
        : embedding(Rows, Width, o) {}
    embedding(std::size_t rows, std::size_t width,
              embedding_options o = {}) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : embedding(Weights(rows, width), o) {}
    explicit embedding(Weights w, embedding_options o = {}) : weights(std::move(w)), options(o) {
        detail::check_padding(options, weights.rows());
    }

    struct plan_type {
        static constexpr bool is_static = Width != dyn;
        extents<Width> width;

        template <std::size_t... N>
        constexpr extents<N..., Width> output_shape(const extents<N...>& input) const noexcept {
            if constexpr (extents<N..., Width>::is_static) {
                return {};
            } else {
                return [&]<std::size_t... I>(std::index_sequence<I...>) {
                    return extents<N..., Width>(input[I]..., width[0]);
                }
                (std::make_index_sequence<sizeof...(N)>{});
            }
        }
    };
    plan_type plan() const noexcept { return {extents<Width>(extents<dyn>(weights.columns()))}; }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y) const noexcept {
        const std::size_t n = weights.columns();
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::size_t row = detail::row_of(x.data()[i], weights.rows());
            if (row == no_row) {
                std::fill_n(y.data() + i * n, n, 0.0f);
            } else {
                detail::look_up(ctx, weights, row, y.data() + i * n);
            }
        }
    }

    /// The gradient of a row is the sum of those of its uses; indices have none.
    template <class Context, class X, class Y, class Dx>
    void backward(Context&, const X& x, const Y&, const Y& dy, const Dx& dx, std::span<float> gradient) const noexcept {
        const std::size_t n = weights.columns();
        std::fill(gradient.begin(), gradient.end(), 0.0f);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::size_t row = detail::row_of(x.data()[i], weights.rows());
            if (row != no_row && row != options.padding_index) {
                for (std::size_t j = 0; j < n; ++j) {
                    gradient[row * n + j] += dy.data()[i * n + j];
                }
            }
        }
        if (dx.data() != nullptr) {
            std::fill(dx.begin(), dx.end(), 0.0f);
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight", self.weights, looked_up{self.options.padding_index});
    }
    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = map_member(f, "weight", weights, Activations{}, looked_up{options.padding_index});
        return embedding<Rows, Width, decltype(mapped.weights), decltype(mapped.activations)>(std::move(mapped.weights), options);
    }

    std::string describe() const { return sentence("embedding ", detail::describe_table(weights, options)); }
};

/// What an embedding_bag makes of its rows.
enum class bag_mode { sum, mean, max, weighted_sum };

/// The sum, the mean or the maximum of the rows that a sample [n] names: [n] becomes [Width]. torch.nn.EmbeddingBag; its default is
/// the mean. Indices as in `embedding`. A row `padding_index` does not count: smaller bags are filled up with it (see padded_bags),
/// and one that has nothing else gives zeros. Of a weighted_sum, a sample [2 n] has n indices and then the weight of each,
/// PyTorch's per_sample_weights, which have a gradient.
template <std::size_t Rows, std::size_t Width, bag_mode Mode = bag_mode::mean, class Weights = weight_matrix<float, full>,
          class Activations = as_float>
struct embedding_bag {
    static constexpr const char* kind = "embedding_bag";
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };
    static constexpr bool weighted = Mode == bag_mode::weighted_sum;

    Weights weights;  // [Rows, Width]
    embedding_options options;

    explicit embedding_bag(embedding_options o = {}) requires(
        detail::all_static<Rows, Width>&& std::constructible_from<Weights, std::size_t, std::size_t>)
        : embedding_bag(Rows, Width, o) {}
    embedding_bag(std::size_t rows, std::size_t width,
                  embedding_options o = {}) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : embedding_bag(Weights(rows, width), o) {}
    explicit embedding_bag(Weights w, embedding_options o = {}) : weights(std::move(w)), options(o) {
        detail::check_padding(options, weights.rows());
    }

    struct plan_type {
        static constexpr bool is_static = Width != dyn;
        extents<Width> width;

        template <std::size_t N>
        constexpr extents<Width> output_shape([[maybe_unused]] const extents<N>& input) const noexcept {
            static_assert(!weighted || N == dyn || N % 2 == 0,
                          "pare: the samples of a weighted embedding_bag are indices and as many weights");
            PARE_ASSERT(!weighted || input[0] % 2 == 0,
                        "a weighted embedding_bag is given %zu numbers: not as many weights as indices", input[0]);
            return width;
        }
        template <std::size_t N>
        constexpr std::size_t scratch_bytes(std::size_t, const extents<N>&) const noexcept {
            return scratch_bytes_of<float>(width[0]);
        }
    };
    plan_type plan() const noexcept { return {extents<Width>(extents<dyn>(weights.columns()))}; }

    template <class Context, class X, class Y>
    void forward(Context& ctx, const X& x, const Y& y) const noexcept {
        Context inner = ctx;
        const std::size_t n = weights.columns();
        float* const one = inner.scratch.template take<float>(n);
        for (std::size_t b = 0; b < x.extent(0); ++b) {
            float* const out = y.data() + b * n;
            std::size_t seen = 0;
            std::fill(out, out + n, 0.0f);
            for_each_row(x, b, [&](std::size_t row, const float* weight) {
                detail::look_up(inner, weights, row, one);
                for (std::size_t j = 0; j < n; ++j) {
                    const float value = one[j];
                    if constexpr (Mode == bag_mode::max) {
                        out[j] = seen == 0 || value > out[j] ? value : out[j];
                    } else {
                        out[j] += weighted ? opaque(*weight * value) : value;
                    }
                }
                ++seen;
            });
            for (std::size_t j = 0; Mode == bag_mode::mean && seen != 0 && j < n; ++j) {
                out[j] /= static_cast<float>(seen);
            }
        }
    }

    /// That of a maximum goes to the first row that has it; indices have none.
    template <class Context, class X, class Y, class Dx>
    void backward(Context&, const X& x, const Y& y, const Y& dy, const Dx& dx, std::span<float> gradient) const noexcept {
        const std::size_t n = weights.columns();
        std::fill(gradient.begin(), gradient.end(), 0.0f);
        if (dx.data() != nullptr) {
            std::fill(dx.begin(), dx.end(), 0.0f);
        }
        for (std::size_t b = 0; b < x.extent(0); ++b) {
            const float* const g = dy.data() + b * n;
            std::size_t seen = 0;
            for_each_row(x, b, [&](std::size_t, const float*) { ++seen; });
            const float share = Mode == bag_mode::mean ? 1.0f / static_cast<float>(seen) : 1.0f;
            if constexpr (Mode == bag_mode::max) {
                for (std::size_t j = 0; j < n; ++j) {
                    bool open = true;
                    for_each_row(x, b, [&](std::size_t row, const float*) {
                        if (open && detail::weight_at(weights, row, j) == y.data()[b * n + j]) {
                            gradient[row * n + j] += g[j];
                            open = false;
                        }
                    });
                }
            } else {
                for_each_row(x, b, [&](std::size_t row, const float* weight) {
                    for (std::size_t j = 0; j < n; ++j) {
                        gradient[row * n + j] += opaque((weighted ? *weight : share) * g[j]);
                    }
                    for (std::size_t j = 0; weighted && dx.data() != nullptr && j < n; ++j) {
                        dx.data()[weight - x.data()] += opaque(detail::weight_at(weights, row, j) * g[j]);
                    }
                });
            }
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight", self.weights, looked_up{self.options.padding_index});
    }
    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = map_member(f, "weight", weights, Activations{}, looked_up{options.padding_index});
        return embedding_bag<Rows, Width, Mode, decltype(mapped.weights), decltype(mapped.activations)>(std::move(mapped.weights),
                                                                                                        options);
    }

    std::string describe() const {
        constexpr const char* names[] = {"sum", "mean", "max", "weighted sum"};
        return sentence("embedding_bag ", detail::describe_table(weights, options), ", ", names[static_cast<std::size_t>(Mode)]);
    }

private:
    /// Calls f(row, pointer to its weight) for the rows of bag b that count; without weights the pointer is to the index.
    template <class X, class F>
    void for_each_row(const X& x, std::size_t b, const F& f) const {
        const std::size_t bag = weighted ? x.extent(1) / 2 : x.extent(1);
        const float* const indices = x.data() + b * x.extent(1);
        for (std::size_t i = 0; i < bag; ++i) {
            const std::size_t row = detail::row_of(indices[i], weights.rows());
            if (row != no_row && row != options.padding_index) {
                f(row, indices + i + (weighted ? bag : 0));
            }
        }
    }
};

/// Bags of different sizes as samples of one: PyTorch's `input` and `offsets`, where each bag begins, as rows of `length` indices,
/// filled up with `padding_index`, and with per_sample_weights [2 length], filled up with zeros. Errors: offsets that do not begin
/// with 0, decrease or go beyond the input, a bag that is longer, another number of weights.
inline result<aligned_array<float>> padded_bags(std::span<const std::int64_t> input, std::span<const std::int64_t> offsets,
                                                std::size_t length, std::size_t padding_index,
                                                std::span<const float> per_sample_weights = {}) {
    const bool weighted = !per_sample_weights.empty();
    if (weighted && per_sample_weights.size() != input.size()) {
        return error{error_code::invalid_argument, sentence("padded_bags: per_sample_weights: expected ", input.size(),
                                                            " weights, one for each index; found ", per_sample_weights.size())};
    }
    aligned_array<float> rows(offsets.size() * length * (weighted ? 2 : 1));
    float* row = rows.data();
    for (std::size_t b = 0; b < offsets.size(); ++b) {
        const std::int64_t end = b + 1 < offsets.size() ? offsets[b + 1] : static_cast<std::int64_t>(input.size());
        if (offsets[b] < 0 || offsets[b] > end || end > static_cast<std::int64_t>(input.size()) || (b == 0 && offsets[b] != 0)) {
            return error{error_code::invalid_argument,
                         sentence("padded_bags: offsets: expected numbers that rise from 0 to at most ", input.size(), "; found ",
                                  offsets[b], " for bag ", b)};
        }
        const auto first = static_cast<std::size_t>(offsets[b]), count = static_cast<std::size_t>(end) - first;
        if (count > length) {
            return error{error_code::invalid_argument,
                         sentence("padded_bags: bag ", b, ": expected at most ", length, " indices, found ", count)};
        }
        for (std::size_t i = 0; i < length; ++i, ++row) {
            *row = static_cast<float>(i < count ? input[first + i] : static_cast<std::int64_t>(padding_index));
        }
        for (std::size_t i = 0; weighted && i < length; ++i, ++row) {
            *row = i < count ? per_sample_weights[first + i] : 0.0f;
        }
    }
    return rows;
}

PARE_NAMESPACE_END

#endif
