#include <cstdio>

#include <pare/pare.hpp>
using namespace pare;

int main() {
    const random_numbers random(seed{1}, 0);  // points in the plane, labelled by the quarter that they lie in
    aligned_array<float> points(2 * 4000);
    std::vector<std::int32_t> quarters(4000);
    for (std::size_t i = 0; i < points.size(); ++i) {
        points[i] = random.uniform(i, -1.0f, 1.0f);
        quarters[i / 2] += points[i] < 0.0f ? 0 : i % 2 == 0 ? 1 : 2;
    }
    const auto data = *labeled_data<float, 2>::make("quarters", {}, 4, points, quarters);
    const auto model = initialized(sequential(dense<2, 256>(), relu(), dense<256, 4>()), he_normal{}, seed{2});
    const auto pruned = prune(model, data, cross_entropy{}, adam{.learning_rate = 3e-3f}, magnitude{}, unstructured{},
                              polynomial_decay{.final_sparsity = 0.8, .end_step = 500}, {.epochs = 12}, progress_bar());
    const auto small = quantize_dynamic(sparsify<csr>(freeze(pruned)));  // an error on the way comes out here
    const auto ready = prepare<isa::native>(*small);
    workspace space = workspace_for(ready, 1);
    float logits[4];
    run(ready, std::array{0.5f, -0.5f}, logits, space);  // noexcept, allocates nothing
    std::printf("%s%zu of 4000 wrong\n", describe(ready).c_str(), *count_errors(ready, data));
}
