#include <cstdio>

#include <pare/io/model.hpp>
#include <pare/pare.hpp>
using namespace pare;

/// A layer of one's own: y = x * (W x), number by number. Its weights are a storage like any other, so that training, pruning,
/// quantization, saving and prepare() reach them. It inherits from nothing and is registered nowhere.
template <std::size_t N, class Weights = weight_matrix<float, full>, class Activations = as_float>
struct gate {
    Weights weights{N, N};

    static constexpr dense_plan<N, N, Weights, Activations> plan() { return {}; }
    void forward(auto& context, tensor_view<const float, dyn, N> x, tensor_view<float, dyn, N> y) const noexcept {
        multiply(weights, Activations{}, context, x, y);
        multiply_numbers(y.data(), x, y.data());
    }
    static void members(auto& self, auto&& f) { f("weight", self.weights); }
    auto map_weights(auto&& f) const {
        auto mapped = f("weight", weights, Activations{});
        return gate<N, decltype(mapped.weights), decltype(mapped.activations)>{std::move(mapped.weights)};
    }

    std::string describe() const { return sentence("gate ", N, ": ", weights.describe(), Activations::note); }

    // What follows is for training. W x is saved, the gradient by it is in scratch memory.
    static std::size_t saved_floats(std::size_t batch, extents<N>) { return batch * N; }
    void forward_training(auto& context, tensor_view<const float, dyn, N> x, tensor_view<float, dyn, N> y, std::span<float> saved) {
        multiply(weights, Activations{}, context, x, tensor_view<float, dyn, N>(saved.data(), x.extent(0)));
        multiply_numbers(saved.data(), x, y.data());
    }
    void backward(auto context, tensor_view<const float, dyn, N> x, tensor_view<const float, dyn, N>,
                  tensor_view<const float, dyn, N> dy, tensor_view<float, dyn, N> dx, std::span<float> gradient,
                  std::span<const float> saved) const noexcept {
        const tensor_view<float, dyn, N> dwx(context.scratch.template take<float>(x.size()), x.extent(0));
        multiply_numbers(dy.data(), x, dwx.data());
        multiply_gradient(weights, context, x, dwx, matrix_view<float>(gradient.data(), N, N));
        if (dx.data() != nullptr) {
            multiply_transposed(weights, context, dwx, dx);
            for (std::size_t i = 0; i < dx.size(); ++i) {
                dx.data()[i] += dy.data()[i] * saved[i];
            }
        }
    }
    template <class Isa>
    std::size_t training_scratch_bytes(std::size_t batch, extents<N>) const {
        return scratch_bytes_of<float>(batch * N) + product_scratch_bytes<Isa>(weights, batch);
    }

private:
    static void multiply_numbers(const float* a, tensor_view<const float, dyn, N> b, float* product) {
        for (std::size_t i = 0; i < b.size(); ++i) {
            product[i] = a[i] * b.data()[i];
        }
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
    const auto model = initialized(sequential(dense<2, 32>(), gate<32>(), dense<32, 4>()), he_normal{}, seed{2});
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
