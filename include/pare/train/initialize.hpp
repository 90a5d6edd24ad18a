#ifndef PARE_TRAIN_INITIALIZE_HPP
#define PARE_TRAIN_INITIALIZE_HPP

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/nn/layer.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// An initializer gives the weights of one matrix: float operator()(numbers, i, inputs, outputs) const, the i-th of them, or all at
/// once, void fill(numbers, values, inputs, outputs) const, as a matrix [outputs, inputs]. The i-th is told the inputs that one
/// output sees and the outputs that one input reaches, PyTorch's fan_in and fan_out: of a convolution both count the pixels of its
/// window. One with float bias(numbers, i, inputs) const gives biases too; else they become zero. One with float row(numbers, i)
/// const gives tables whose rows are looked up other numbers, and one with float projection(numbers, i, inputs, outputs) const
/// the weights of queries, keys and values of self-attention. What a table has for padding is zero.

namespace detail {

inline float random_normal(const random_numbers& numbers, std::size_t i, float variance) noexcept {
    return numbers.normal(i) * std::sqrt(variance);
}
/// Of the same variance: in [-sqrt(3 variance), sqrt(3 variance)].
inline float random_uniform(const random_numbers& numbers, std::size_t i, float variance) noexcept {
    const float bound = std::sqrt(3.0f * variance);
    return numbers.uniform(i, -bound, bound);
}
inline float per(float variance, std::size_t count) noexcept {
    return variance / static_cast<float>(count);
}

/// The inputs and outputs of weights [outputs, inputs, window...], in the order of a state dict, as PyTorch counts them.
struct fans {
    std::size_t inputs;
    std::size_t outputs;
};
inline fans fans_of(const weight_matrix<float, full>& weights) noexcept {
    return {weights.columns(), weights.rows()};
}
inline fans fans_of(const weight_matrix<float, full>&, const file_axes& axes) noexcept {
    std::size_t window = 1;
    for (std::size_t axis = 2; axis < axes.rank; ++axis) {
        window *= axes.shape[axis];
    }
    return {axes.shape[1] * window, axes.shape[0] * window};
}
inline fans fans_of(const weight_matrix<float, full>& weights, const looked_up&) noexcept {
    return fans_of(weights);
}

template <class Initializer>
void fill_weights(weight_matrix<float, full>& w, const Initializer& initializer, const random_numbers& numbers,
                  std::string_view leaf, const fans& f) {
    if constexpr (requires { initializer.fill(numbers, std::span(w.values), w.columns(), w.rows()); }) {
        initializer.fill(numbers, std::span(w.values), w.columns(), w.rows());
    } else {
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            w.values[i] = initializer(numbers, i, f.inputs, f.outputs);
        }
    }
    if constexpr (requires { initializer.projection(numbers, 0, f.inputs, f.outputs); }) {
        for (std::size_t i = 0; leaf == "in_proj_weight" && i < w.values.size(); ++i) {
            w.values[i] = initializer.projection(numbers, i, f.inputs, f.outputs);
        }
    }
}

/// What tables have besides.
template <class Initializer>
void fill_rows(weight_matrix<float, full>& w, const Initializer& initializer, const random_numbers& numbers,
               const looked_up& table) {
    if constexpr (requires { initializer.row(numbers, 0); }) {
        for (std::size_t i = 0; i < w.values.size(); ++i) {
            w.values[i] = initializer.row(numbers, i);
        }
    }
    for (std::size_t j = 0; table.padding_row < w.rows() && j < w.columns(); ++j) {
        w.values[table.padding_row * w.columns() + j] = 0.0f;
    }
}
template <class Initializer>
void fill_rows(weight_matrix<float, full>&, const Initializer&, const random_numbers&, const file_axes&) {}

}  // namespace detail

/// Variance 2 / inputs: for ReLU. He, Zhang, Ren, Sun 2015, eq. 10. torch.nn.init.kaiming_normal_.
struct he_normal {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t) const noexcept {
        return detail::random_normal(numbers, i, detail::per(2.0f, inputs));
    }
};
/// torch.nn.init.kaiming_uniform_.
struct he_uniform {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t) const noexcept {
        return detail::random_uniform(numbers, i, detail::per(2.0f, inputs));
    }
};

/// Variance 2 / (inputs + outputs): for tanh. Glorot, Bengio 2010, eq. 16. torch.nn.init.xavier_normal_.
struct glorot_normal {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t outputs) const noexcept {
        return detail::random_normal(numbers, i, detail::per(2.0f, inputs + outputs));
    }
};
/// torch.nn.init.xavier_uniform_.
struct glorot_uniform {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t outputs) const noexcept {
        return detail::random_uniform(numbers, i, detail::per(2.0f, inputs + outputs));
    }
};

/// Variance 1 / inputs. LeCun, Bottou, Orr, Mueller 1998, eq. 16.
struct lecun_normal {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t) const noexcept {
        return detail::random_normal(numbers, i, detail::per(1.0f, inputs));
    }
};
struct lecun_uniform {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t) const noexcept {
        return detail::random_uniform(numbers, i, detail::per(1.0f, inputs));
    }
};

/// What the layers of torch.nn begin with. Linear, Conv1d, Conv2d, ConvTranspose2d, RNN, LSTM, GRU: weights and biases in [-1 /
/// sqrt(n), 1 / sqrt(n)], n being fan_in or, of recurrent layers, the hidden units. Embedding and EmbeddingBag: the normal
/// distribution. MultiheadAttention: its projections of the inputs as glorot_uniform, zero biases.
struct pytorch_default {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t) const noexcept {
        return bias(numbers, i, inputs);
    }
    float bias(const random_numbers& numbers, std::size_t i, std::size_t inputs) const noexcept {
        return detail::random_uniform(numbers, i, detail::per(1.0f / 3.0f, inputs));
    }
    float row(const random_numbers& numbers, std::size_t i) const noexcept { return numbers.normal(i); }
    float projection(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t outputs) const noexcept {
        return glorot_uniform{}(numbers, i, inputs, outputs);
    }
};

/// gain times a matrix whose rows, or whose columns where they are fewer, are orthogonal to each other and of length 1, each such
/// matrix as probable as any other. Saxe, McClelland, Ganguli 2014. torch.nn.init.orthogonal_. O(inputs * outputs * the lesser of
/// both).
struct orthogonal {
    float gain = 1.0f;

    void fill(const random_numbers& numbers, std::span<float> values, std::size_t inputs, std::size_t outputs) const {
        const std::size_t count = (std::min)(inputs, outputs), length = (std::max)(inputs, outputs);
        std::vector<double> v(count * length);  // vector k, [length], at v + k * length
        for (std::size_t i = 0; i < v.size(); ++i) {
            v[i] = static_cast<double>(numbers.normal(i));
        }
        for (std::size_t k = 0; k < count; ++k) {
            double* const now = v.data() + k * length;
            const auto dot = [&](const double* other) {
                double sum = 0.0;
                for (std::size_t i = 0; i < length; ++i) {
                    sum += now[i] * other[i];
                }
                return sum;
            };
            for (std::size_t pass = 0; pass < 2; ++pass) {  // the second removes what rounding left of the first
                for (std::size_t j = 0; j < k; ++j) {
                    const double* const before = v.data() + j * length;
                    const double along = dot(before);
                    for (std::size_t i = 0; i < length; ++i) {
                        now[i] -= along * before[i];
                    }
                }
            }
            const double size = std::sqrt(dot(now));
            for (std::size_t i = 0; i < length; ++i) {
                now[i] /= size;
            }
        }
        for (std::size_t o = 0; o < outputs; ++o) {
            for (std::size_t i = 0; i < inputs; ++i) {
                const double x = inputs >= outputs ? v[o * length + i] : v[i * length + o];
                values[o * inputs + i] = gain * static_cast<float>(x);
            }
        }
    }
};

/// Gives every float weight matrix of a model its first values and every bias too (zero, with most initializers); what else a layer
/// has, such as the scales of a normalization, stays as the layer begins. The same seed gives the same model.
template <class Model, class Initializer>
void initialize(Model& model, const Initializer& initializer, seed s) {
    std::vector<std::size_t> hidden;  // of recurrent weights, in order: the columns of weight_hh belong to weight_ih too
    for_each_member(model, [&](const member_path& path, auto& member) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, weight_matrix<float, full>>) {
            if (std::string_view(path.leaf()).starts_with("weight_hh")) {
                hidden.push_back(member.columns());
            }
        }
    });
    std::uint64_t stream = 0, bias_stream = std::uint64_t{1} << 35;
    std::size_t seen_hidden = 0, inputs = 1;
    std::string owner;  // the layer whose weights came last: its biases have as many inputs
    const auto layer_of = [](const member_path& path) {
        std::string text = path.text();
        text.resize(text.size() - std::string_view(path.leaf()).size());
        return text;
    };
    for_each_member(model, [&](const member_path& path, auto& member, const auto&... axes) {
        using type = std::remove_cvref_t<decltype(member)>;
        const std::string_view leaf(path.leaf());
        if constexpr (std::is_same_v<type, weight_matrix<float, full>>) {
            const random_numbers numbers(s, stream++);
            const auto fans = detail::fans_of(member, axes...);
            inputs = fans.inputs;
            owner = layer_of(path);
            if constexpr (requires { initializer.bias(numbers, 0, inputs); }) {
                inputs = leaf.starts_with("weight_ih") && seen_hidden < hidden.size() ? hidden[seen_hidden] : inputs;
            }
            seen_hidden += leaf.starts_with("weight_hh") ? 1u : 0u;
            detail::fill_weights(member, initializer, numbers, leaf, {inputs, fans.outputs});
            (detail::fill_rows(member, initializer, numbers, axes), ...);
        } else {
            static_assert(
                requires { member.shape(); }, "pare: initialize() takes a model whose weights are float and full");
            if (leaf.starts_with("bias") || leaf.ends_with("bias")) {
                std::fill(member.begin(), member.end(), typename type::value_type{});
                const random_numbers numbers(s, bias_stream++);
                if constexpr (requires(float* to) { to = member.data(), initializer.bias(numbers, 0, inputs); }) {
                    for (std::size_t i = 0; leaf.starts_with("bias") && layer_of(path) == owner && i < member.size(); ++i) {
                        member.data()[i] = initializer.bias(numbers, i, inputs);
                    }
                }
            }
        }
    });
}

/// The same for a model in an expression: auto m = initialized(sequential(...), he_normal{}, seed{1}).
template <class Model, class Initializer>
Model initialized(Model model, const Initializer& initializer, seed s) {
    initialize(model, initializer, s);
    return model;
}

PARE_NAMESPACE_END

#endif
