#ifndef PARE_NN_EMBEDDING_HPP
#define PARE_NN_EMBEDDING_HPP

#include <algorithm>

#include <pare/nn/trainable.hpp>
#include <pare/types/activations.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

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

inline constexpr std::size_t no_row = static_cast<std::size_t>(-1);

/// The row that a number of the input names: an integer in a float, exact up to 2^24. no_row where there is none of that number.
inline std::size_t row_of(float index, std::size_t rows) noexcept {
    const bool known = !is_nan(index) && index >= 0.0f && index < static_cast<float>(rows);
    PARE_ASSERT(known, "an embedding of %zu rows is given index %g", rows, static_cast<double>(index));
    return known ? static_cast<std::size_t>(index) : no_row;
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

    embedding() requires(detail::all_static<Rows, Width>&& std::constructible_from<Weights, std::size_t, std::size_t>)
        : embedding(Rows, Width) {}
    embedding(std::size_t rows, std::size_t width) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : weights(rows, width) {}
    explicit embedding(Weights w) : weights(std::move(w)) {}

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
    void forward(Context&, const X& x, const Y& y) const noexcept {
        const std::size_t n = weights.columns();
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::size_t row = detail::row_of(x.data()[i], weights.rows());
            for (std::size_t j = 0; j < n; ++j) {
                y.data()[i * n + j] = row == detail::no_row ? 0.0f : detail::weight_at(weights, row, j);
            }
        }
    }

    /// The gradient of a row is the sum of those of its uses; indices have none.
    template <class Context, class X, class Y, class Dx>
    void backward(Context&, const X& x, const Y&, const Y& dy, const Dx& dx, std::span<float> gradient) const noexcept {
        const std::size_t n = weights.columns();
        std::fill(gradient.begin(), gradient.end(), 0.0f);
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (const std::size_t row = detail::row_of(x.data()[i], weights.rows()); row != detail::no_row) {
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
        f("weight", self.weights);
    }
    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = map_member(f, "weight", weights, Activations{}, looked_up{});
        return embedding<Rows, Width, decltype(mapped.weights), decltype(mapped.activations)>(std::move(mapped.weights));
    }

    std::string describe() const {
        return sentence("embedding ", weights.rows(), " x ", weights.columns(), ": ", weights.describe());
    }
};

/// What an embedding_bag makes of its rows.
enum class bag_mode { sum, mean, max };

/// The sum, the mean or the maximum of the rows that a sample [n] names: [n] becomes [Width]. torch.nn.EmbeddingBag on bags of one
/// length; its default is the mean. Indices as in `embedding`.
template <std::size_t Rows, std::size_t Width, bag_mode Mode = bag_mode::mean, class Weights = weight_matrix<float, full>,
          class Activations = as_float>
struct embedding_bag {
    static constexpr const char* kind = "embedding_bag";
    static constexpr bool trainable = requires(Weights & w) { trainable_values(w); };

    Weights weights;  // [Rows, Width]

    embedding_bag() requires(detail::all_static<Rows, Width>&& std::constructible_from<Weights, std::size_t, std::size_t>)
        : embedding_bag(Rows, Width) {}
    embedding_bag(std::size_t rows, std::size_t width) requires std::constructible_from<Weights, std::size_t, std::size_t>
        : weights(rows, width) {}
    explicit embedding_bag(Weights w) : weights(std::move(w)) {}

    struct plan_type {
        static constexpr bool is_static = Width != dyn;
        extents<Width> width;

        template <std::size_t N>
        constexpr extents<Width> output_shape(const extents<N>&) const noexcept {
            return width;
        }
    };
    plan_type plan() const noexcept { return {extents<Width>(extents<dyn>(weights.columns()))}; }

    template <class Context, class X, class Y>
    void forward(Context&, const X& x, const Y& y) const noexcept {
        const std::size_t n = weights.columns(), bag = x.extent(1);
        for (std::size_t b = 0; b < x.extent(0); ++b) {
            float* const out = y.data() + b * n;
            std::fill(out, out + n, 0.0f);
            for (std::size_t i = 0; i < bag; ++i) {
                const std::size_t row = detail::row_of(x.data()[b * bag + i], weights.rows());
                for (std::size_t j = 0; j < n; ++j) {
                    const float value = row == detail::no_row ? 0.0f : detail::weight_at(weights, row, j);
                    out[j] = Mode != bag_mode::max ? out[j] + value : i == 0 || value > out[j] ? value : out[j];
                }
            }
            for (std::size_t j = 0; Mode == bag_mode::mean && j < n; ++j) {
                out[j] /= static_cast<float>(bag);
            }
        }
    }

    /// That of a maximum goes to the first row that has it.
    template <class Context, class X, class Y, class Dx>
    void backward(Context&, const X& x, const Y& y, const Y& dy, const Dx& dx, std::span<float> gradient) const noexcept {
        const std::size_t n = weights.columns(), bag = x.extent(1);
        const float share = Mode == bag_mode::mean ? 1.0f / static_cast<float>(bag) : 1.0f;
        std::fill(gradient.begin(), gradient.end(), 0.0f);
        for (std::size_t b = 0; b < x.extent(0); ++b) {
            for (std::size_t j = 0; j < n; ++j) {
                bool open = true;
                for (std::size_t i = 0; i < bag && open; ++i) {
                    const std::size_t row = detail::row_of(x.data()[b * bag + i], weights.rows());
                    if (row != detail::no_row &&
                        (Mode != bag_mode::max || detail::weight_at(weights, row, j) == y.data()[b * n + j])) {
                        gradient[row * n + j] += share * dy.data()[b * n + j];
                        open = Mode != bag_mode::max;
                    }
                }
            }
        }
        if (dx.data() != nullptr) {
            std::fill(dx.begin(), dx.end(), 0.0f);
        }
    }

    template <class Self, class F>
    static void members(Self& self, F&& f) {
        f("weight", self.weights);
    }
    template <class F>
    auto map_weights(F&& f) const {
        auto mapped = map_member(f, "weight", weights, Activations{}, looked_up{});
        return embedding_bag<Rows, Width, Mode, decltype(mapped.weights), decltype(mapped.activations)>(std::move(mapped.weights));
    }

    std::string describe() const {
        return sentence("embedding_bag ", weights.rows(), " x ", weights.columns(), ": ", weights.describe());
    }
};

PARE_NAMESPACE_END

#endif
