#include <pare/nn/parts.hpp>

#include <string>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"
#include "layer_gradients.hpp"

using namespace pare;

namespace {

/// y = scale * (first(x) + second(x)): a layer with a parameter of its own, two layers in it, and a number that is none.
template <class First, class Second>
struct scaled_sum {
    static constexpr const char* kind = "scaled sum";

    tensor<float, 1> scale;
    First first;
    Second second;
    int note = 0;

    static void members(auto& self, auto&& f) { f("scale", self.scale); }
    static auto parts(auto& self) { return named_parts<"first", "second">(self.first, self.second); }
    auto with_parts(auto a, auto b) const { return scaled_sum<decltype(a), decltype(b)>{scale, std::move(a), std::move(b), note}; }
    auto plan() const { return first.plan(); }

    void forward(auto& context, auto x, auto y) const noexcept {
        std::vector<float> other(y.size());
        forward_layer(first, context, x, y);
        forward_layer(second, context, x, batch_like(y, other.data()));
        for (std::size_t i = 0; i < y.size(); ++i) {
            y.data()[i] = scale(0) * (y.data()[i] + other[i]);
        }
    }
    void backward(auto& context, auto x, auto y, auto dy, auto dx, std::span<float> gradient) const {
        std::vector<float> d(dy.begin(), dy.end()), part(dx.size());
        gradient[0] = 0.0f;
        for (std::size_t i = 0; i < d.size(); ++i) {
            gradient[0] += d[i] * y.data()[i] / scale(0);
            d[i] *= scale(0);
        }
        const auto ds = batch_like<const float>(y, d.data());
        const std::span<float> own = gradient.subspan(1, parameter_count(first));
        pare::backward(first, context, x, y, ds, dx, own, {});
        pare::backward(second, context, x, y, ds, batch_like(x, part.data()), gradient.subspan(1 + own.size()), {});
        std::transform(part.begin(), part.end(), dx.begin(), dx.begin(), std::plus<>());
    }
    template <class Isa>
    std::size_t training_scratch_bytes(std::size_t batch, auto input) const {
        return (std::max)(pare::training_scratch_bytes<Isa>(first, batch, input),
                          pare::training_scratch_bytes<Isa>(second, batch, input));
    }
};

auto layer() {
    scaled_sum<dense<5, 3>, dense<5, 3>> made{.scale = {}, .first = {}, .second = dense<5, 3>(without_bias{}), .note = 7};
    made.scale(0) = 2.0f;
    return made;
}

}  // namespace

TEST_CASE("a layer's own members come first, then those of its parts, and so do gradients") {
    std::string names;
    auto net = sequential(relu(), layer());
    for_each_member(net, [&](const member_path& path, auto&) { names += path.text() + " "; });
    CHECK(names == "1.scale 1.first.weight 1.first.bias 1.second.weight ");
    check_gradients(layer(), extents<5>(), 4, [](const auto& x, const auto& p, std::size_t batch) {
        std::vector<double> y;
        for (std::size_t i = 0; i < batch * 3; ++i) {
            double sum = p[1 + 15 + i % 3];
            for (std::size_t k = 0; k < 5; ++k) {
                sum += (p[1 + i % 3 * 5 + k] + p[1 + 18 + i % 3 * 5 + k]) * x[i / 3 * 5 + k];
            }
            y.push_back(p[0] * sum);
        }
        return y;
    });
}

TEST_CASE("what follows from parts: mapped weights, selections, descriptions, whether a layer can be trained") {
    const auto some = *quantize_dynamic(layer(), only<"second">{});
    CHECK(describe_layer(some) == "scaled sum (dense 5 -> 3: float full; dense 5 -> 3: qint8 full, activations quantized per row)");
    CHECK(some.note == 7);
    CHECK(some.scale(0) == 2.0f);
    CHECK_FALSE(some.second.has_bias);
    STATIC_REQUIRE(is_trainable<decltype(layer())>);
    STATIC_REQUIRE_FALSE(is_trainable<std::remove_const_t<decltype(some)>>);
    CHECK_THAT(describe(*prepare<isa::native>(quantize_dynamic(layer()))),
               ContainsSubstring("scaled sum (dense 5 -> 3: qint8 full"));
}
