#ifndef PARE_TRAIN_INITIALIZE_HPP
#define PARE_TRAIN_INITIALIZE_HPP

#include <algorithm>
#include <cmath>
#include <string_view>
#include <type_traits>

#include <pare/core/random.hpp>
#include <pare/nn/layer.hpp>
#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// An initializer gives the weights of one matrix: float operator()(numbers, i, inputs, outputs) const, the i-th of them.

/// Normal, variance 2 / inputs. He, Zhang, Ren, Sun 2015, eq. 10.
struct he_normal {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t) const noexcept {
        return numbers.normal(i) * std::sqrt(2.0f / static_cast<float>(inputs));
    }
};

/// Normal, variance 2 / (inputs + outputs). Glorot, Bengio 2010.
struct glorot_normal {
    float operator()(const random_numbers& numbers, std::size_t i, std::size_t inputs, std::size_t outputs) const noexcept {
        return numbers.normal(i) * std::sqrt(2.0f / static_cast<float>(inputs + outputs));
    }
};

/// Gives every float weight matrix of a model its first values and sets every bias to zero; what else a layer has, such as the
/// scales of a normalization, stays as the layer begins. The same seed gives the same model.
template <class Model, class Initializer>
void initialize(Model& model, const Initializer& initializer, seed s) {
    std::uint64_t stream = 0;
    for_each_member(model, [&](const member_path& path, auto& member) {
        using type = std::remove_cvref_t<decltype(member)>;
        if constexpr (std::is_same_v<type, weight_matrix<float, full>>) {
            const random_numbers numbers(s, stream++);
            for (std::size_t i = 0; i < member.values.size(); ++i) {
                member.values[i] = initializer(numbers, i, member.columns(), member.rows());
            }
        } else {
            static_assert(
                requires { member.shape(); }, "pare: initialize() takes a model whose weights are float and full");
            if (std::string_view(path.leaf()).starts_with("bias")) {
                std::fill(member.begin(), member.end(), typename type::value_type{});
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
