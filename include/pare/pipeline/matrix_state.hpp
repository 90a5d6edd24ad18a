#ifndef PARE_PIPELINE_MATRIX_STATE_HPP
#define PARE_PIPELINE_MATRIX_STATE_HPP

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include <pare/nn/selection.hpp>
#include <pare/prune/masks.hpp>

PARE_NAMESPACE_BEGIN

/// A matrix of weights as it is between two stages of a pipeline.
struct matrix_state {
    std::string path;        // "0.weight"
    std::string storage;     // "codebook full"
    sparse_mask nonzero;     // which weights are not 0: [outputs, inputs]
    std::size_t values = 0;  // how many different numbers are stored
    std::size_t bits = 0;    // of each that is stored, scales aside
    std::size_t bytes = 0;   // of the matrix in a deployed model

    std::size_t size() const noexcept { return nonzero.size(); }
};

namespace detail {

/// The bits of a stored weight; of blocks of ggml, on average.
template <class Element>
inline constexpr std::size_t bits_of = [] {
    using storage = typename element_storage<Element>::type;
    if constexpr (is_codebook<Element>) {
        return std::size_t{std::bit_width(Element::size - 1)};
    } else if constexpr (ggml_block<Element>) {
        return (8 * sizeof(storage) + Element::size - 1) / Element::size;
    } else if constexpr (requires { Element::bits; }) {
        return std::size_t{Element::bits};
    } else {
        return 8 * sizeof(storage);
    }
}();

/// How many different numbers a matrix stores; 0 and -0 are one.
template <class Element, class Layout>
std::size_t different_values(const weight_matrix<Element, Layout>& w) {
    std::vector<std::uint32_t> numbers;
    w.structure.for_each([&](std::size_t row, std::size_t, std::size_t i) {
        const float x = w.real(row, i);
        numbers.push_back(x == 0.0f ? 0u : std::bit_cast<std::uint32_t>(x));
    });
    std::sort(numbers.begin(), numbers.end());
    return static_cast<std::size_t>(std::unique(numbers.begin(), numbers.end()) - numbers.begin());
}

template <class Weights>
matrix_state state_of(std::string path, const Weights& w) {
    matrix_state state{std::move(path), w.describe(), mask_of(w)};
    const auto measure = [&](const auto& matrix) {
        state.values = different_values(matrix);
        state.bits = bits_of<typename std::remove_cvref_t<decltype(matrix)>::element>;
        state.bytes = matrix.bytes();
    };
    if constexpr (requires { w.structure; }) {
        measure(w);
    } else if constexpr (requires { w.chosen(); }) {
        w.visit([&](auto, const auto& held) { measure(held); });
    } else {
        measure(w.frozen());
    }
    return state;
}

/// Writes down where the weights are that a selection takes.
struct list_weights {
    std::vector<std::string>* paths;

    template <class Weights, class Activations>
    auto operator()(const member_path& path, const Weights& w, Activations a) const {
        paths->push_back(path.text());
        return mapped_weights<Weights, Activations>{w, a};
    }
};

}  // namespace detail

/// The matrices of weights of a model, in the order of members. O(n log n).
template <class Model>
std::vector<matrix_state> matrix_states(const Model& model) {
    std::vector<matrix_state> states;
    for_each_member(model, [&](const member_path& path, const auto& member) {
        if constexpr (detail::masked_or_matrix<std::remove_cvref_t<decltype(member)>>) {
            states.push_back(detail::state_of(path.text(), member));
        }
    });
    return states;
}

PARE_NAMESPACE_END

#endif
