#include <algorithm>
#include <cstdio>
#include <functional>

#include <pare/io/model.hpp>
#include <pare/pare.hpp>
using namespace pare;

/// A layer of one's own: y = x * linear(x), number by number. Its weights are those of the layer in it, so that training, pruning,
/// quantization, saving and prepare() reach them. It inherits from nothing and is registered nowhere.
template <class Linear>
struct gate {
    static constexpr const char* kind = "gate";
    Linear linear;

    static auto parts(auto& self) { return named_parts<"linear">(self.linear); }
    auto with_parts(auto other) const { return gate<decltype(other)>{std::move(other)}; }
    auto plan() const { return linear.plan(); }
    void forward(auto& context, auto x, auto y) const noexcept {
        forward_layer(linear, context, x, y);
        std::transform(x.begin(), x.end(), y.begin(), y.begin(), std::multiplies<>());
    }

    // What follows is for training. z = linear(x) is saved, the gradient by it is in scratch memory.
    std::size_t saved_floats(std::size_t batch, auto input) const {
        return saved_piece(batch * input.size()) + pare::saved_floats(linear, batch, input);
    }
    void forward_training(auto& context, auto x, auto y, std::span<float> saved) {
        const auto z = batch_like(y, take_saved(saved, y.size()).data());
        pare::forward_training(linear, context, x, z, saved);
        std::transform(x.begin(), x.end(), z.begin(), y.begin(), std::multiplies<>());
    }
    void backward(auto context, auto x, auto y, auto dy, auto dx, std::span<float> gradient, std::span<float> saved) const {
        const auto z = batch_like<const float>(y, take_saved(saved, y.size()).data());
        float* const dz = context.scratch.template take<float>(x.size());
        std::transform(x.begin(), x.end(), dy.begin(), dz, std::multiplies<>());
        pare::backward(linear, context, x, z, batch_like<const float>(y, dz), dx, gradient, saved);
        for (std::size_t i = 0; dx.data() != nullptr && i < dx.size(); ++i) {
            dx.data()[i] += dy.data()[i] * z.data()[i];
        }
    }
    template <class Isa>
    std::size_t training_scratch_bytes(std::size_t batch, auto input) const {
        return scratch_bytes_of<float>(batch * input.size()) + pare::training_scratch_bytes<Isa>(linear, batch, input);
    }
};

int main() {
    const random_numbers random(seed{1}, 0);  // points in the plane, labelled by the quarter that they lie in
    aligned_array<float> points(2 * 4000);
    std::vector<std::int32_t> quarters(4000);
    for (std::size_t i = 0; i < points.size(); ++i) {
        points[i] = random.uniform(i, -1.0f, 1.0f);
        quarters[i / 2] += points[i] < 0.0f ? 0 : i % 2 == 0 ? 1 : 2;
    }
    const auto data = *labeled_data<float, 2>::make("quarters", {}, 4, points, quarters);
    const auto model = initialized(sequential(dense<2, 32>(), gate<dense<32, 32>>(), dense<32, 4>()), he_normal{}, seed{2});
    const auto pruned = prune(model, data, cross_entropy{}, adam{.learning_rate = 3e-3f}, magnitude{}, unstructured{},
                              polynomial_decay{.final_sparsity = 0.5, .end_step = 300}, {.epochs = 10});
    const auto small = quantize_dynamic(freeze(pruned));
    if (!small) {
        std::printf("%s\n", small.error().message.c_str());
        return 1;
    }
    const auto ready = prepare<isa::native>(*small);
    std::printf("%s%zu of 4000 wrong\n", describe(ready).c_str(), *count_errors(ready, data));
    if (const auto problem = save(small, "custom_layer.safetensors")) {
        std::printf("%s\n", problem->message.c_str());
        return 1;
    }
}
