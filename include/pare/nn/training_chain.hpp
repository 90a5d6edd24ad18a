#ifndef PARE_NN_TRAINING_CHAIN_HPP
#define PARE_NN_TRAINING_CHAIN_HPP

#include <algorithm>
#include <array>

#include <pare/nn/training.hpp>

PARE_NAMESPACE_BEGIN

/// Where layers one after the other keep their numbers in training, so that it takes little memory.
template <class... Layers>
struct training_chain {
    static constexpr std::size_t count = sizeof...(Layers);
    using flags = std::array<bool, count>;
    using sizes = std::array<std::size_t, count>;

    /// Layers that do nothing hand x on; the last one has to copy.
    static constexpr flags skipped = [] {
        flags f = {passes_through_training<Layers>...};
        for (std::size_t i = count; i-- > 0;) {
            f[i] = f[i] && i + 1 < count;
        }
        return f;
    }();
    /// The layer that takes what a layer gives; `count` behind the last.
    static constexpr sizes behind = [] {
        sizes b{};
        for (std::size_t i = count, next = count; i-- > 0;) {
            b[i] = next;
            next = skipped[i] ? next : i;
        }
        return b;
    }();
    /// Whether nobody needs the numbers of x any more when a layer gets its dy: the layer before ignores what it gave.
    static constexpr flags input_is_free = [] {
        constexpr flags ignores = {backward_ignores_y<Layers>...};
        flags f{};
        for (std::size_t i = 0; i < count; ++i) {
            if (!skipped[i] && behind[i] < count) {
                f[behind[i]] = ignores[i];
            }
        }
        return f;
    }();
    /// y is in the place of x, and dx too.
    static constexpr flags in_place = [] {
        flags f = {works_in_place<Layers>...};
        for (std::size_t i = 0; i < count; ++i) {
            f[i] = f[i] && input_is_free[i] && i + 1 < count;
        }
        return f;
    }();
    /// dx is in the place of x.
    static constexpr flags dx_in_place = [] {
        flags f = {(gradient_in_place<Layers> && !changes_inputs_in_training<Layers>)...};
        for (std::size_t i = 0; i < count; ++i) {
            f[i] = in_place[i] || (f[i] && input_is_free[i]);
        }
        return f;
    }();

    /// Where in the scratch, in floats, dx of each layer begins, and what is behind it and dy.
    struct gradient_places {
        sizes begin{};
        sizes end{};
    };

    /// For samples of these sizes before each layer, from the last layer on: dx is before dy, where it fits, else behind it;
    /// nowhere for the first layer and those in place.
    static constexpr gradient_places place_gradients(std::size_t batch, const sizes& inputs) noexcept {
        constexpr std::size_t first = static_cast<std::size_t>(std::find(skipped.begin(), skipped.end(), false) - skipped.begin());
        gradient_places places;
        std::size_t dy_begin = 0, dy_end = 0;
        for (std::size_t i = count; i-- > first;) {
            if (!skipped[i]) {
                const std::size_t size = i == first || dx_in_place[i] ? 0 : saved_piece(batch * inputs[i]);
                places.begin[i] = size <= dy_begin ? 0 : dy_end;
                places.end[i] = (std::max)(dy_end, places.begin[i] + size);
                dy_begin = places.begin[i];
                dy_end = dy_begin + size;
            }
        }
        return places;
    }
};

PARE_NAMESPACE_END

#endif
