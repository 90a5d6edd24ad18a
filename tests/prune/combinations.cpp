// What comes behind pruning leaves zeros zero.

#include <pare/prune.hpp>
#include <pare/quantize.hpp>

#include <pare/nn.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../quantize/calibration_samples.hpp"

using namespace pare;

namespace {

/// How many zeros of the weights before are none in a model, which may be a result of one. Members have the same names.
template <class Model>
std::size_t lost_zeros(const model_masks& before, const Model& made) {
    std::size_t lost = 0;
    const auto count = [&](const auto& model) {
        const model_masks after = masks_of(model);
        REQUIRE(after.size() == before.size());
        for (std::size_t m = 0; m < before.size(); ++m) {
            REQUIRE(after[m].path == before[m].path);
            REQUIRE(after[m].mask.size() == before[m].mask.size());
            for (std::size_t i = 0; i < before[m].mask.size(); ++i) {
                lost += after[m].mask.keeps(i) && !before[m].mask.keeps(i);
            }
        }
        return 0;
    };
    if constexpr (is_result<Model>) {
        INFO((made ? "made" : made.error().message));
        REQUIRE(made);
        count(*made);
    } else {
        count(made);
    }
    return lost;
}

constexpr std::size_t inputs = 64, outputs = 8;
const calibration_samples samples{200, inputs, outputs};

auto pruned_network() {
    const auto net =
        initialized(sequential(dense<dyn, dyn>(inputs, 32), relu(), dense<dyn, dyn>(32, outputs)), he_normal{}, seed{1});
    return *freeze(prune(net, magnitude{}, n_of_m<2, 4>{}, 0.5));
}

}  // namespace

TEST_CASE("zeros stay zero in other elements and layouts") {
    const auto net = pruned_network();
    const auto before = masks_of(net);
    CHECK(before[0].mask.kept() == inputs * 32 / 2);
    CHECK(lost_zeros(before, freeze(net)) == 0);
    CHECK(lost_zeros(before, to_bfloat16(net)) == 0);
    CHECK(lost_zeros(before, to_float16(net)) == 0);
    CHECK(lost_zeros(before, quantize_dynamic(net)) == 0);
    CHECK(lost_zeros(before, quantize_dynamic<dialect::torch>(net)) == 0);
    CHECK(lost_zeros(before, quantize_static(net, samples)) == 0);
    CHECK(lost_zeros(before, quantize_weights_only<qint4<16>>(net)) == 0);
    CHECK(lost_zeros(before, quantize_weights_only<qint4<16, float, qscheme::affine>>(net)) == 0);
    CHECK(lost_zeros(before, quantize_weights_only<nf4<16>>(net)) == 0);
    CHECK(lost_zeros(before, quantize_weights_only<ggml::q4_0>(net)) == 0);
    // groups with a minimum need not have a code for zero: their docstring says so
    CHECK(lost_zeros(before, quantize_weights_only<qint4<16, float, qscheme::minimum>>(net)) > 0);

    CHECK(lost_zeros(before, sparsify<csr>(net)) == 0);
    CHECK(lost_zeros(before, sparsify<csr32>(net)) == 0);
    CHECK(lost_zeros(before, sparsify<bsr<2, 4>>(net)) == 0);
    CHECK(lost_zeros(before, sparsify<n_of_m<2, 4>>(net)) == 0);
    CHECK(masks_of(*sparsify<n_of_m<2, 4>>(net)) == before);
    // prune, sparsify, quantize: every layout has the integers of the full one
    const auto full_bytes = masks_of(*quantize_dynamic(net));
    CHECK(masks_of(*quantize_dynamic(sparsify<csr>(net))) == full_bytes);
    CHECK(masks_of(*quantize_dynamic(sparsify<n_of_m<2, 4>>(net))) == full_bytes);
    CHECK(masks_of(*sparsify<csr>(quantize_dynamic(net))) == full_bytes);
}

TEST_CASE("zeros stay zero where weights are moved to make up for errors") {
    const auto net = pruned_network();
    const auto before = masks_of(net);
    CHECK(lost_zeros(before, equalize_layers(net)) == 0);
    CHECK(lost_zeros(before, smooth_quant(net, samples)) == 0);
    CHECK(lost_zeros(before, awq<qint4<16>>(net, samples)) == 0);
    CHECK(lost_zeros(before, correct_biases(quantize_dynamic(net), net, samples)) == 0);
    CHECK(lost_zeros(before, adaround<qint3<16>>(net, samples, {.iterations = 50})) == 0);
    CHECK(lost_zeros(before, adaround<qint3<16, float, qscheme::affine>>(net, samples, {.iterations = 50})) == 0);
    const auto codes = gptq<qint3<16>>(net, samples);
    CHECK(lost_zeros(before, codes) == 0);
    CHECK(lost_zeros(before, gptq<qint3<16>>(net, samples, {.activation_order = true})) == 0);
    CHECK(lost_zeros(before, gptq<qint4<16, float, qscheme::affine>>(net, samples)) == 0);
    // and others make up for the zeros, as for rounding
    CHECK(output_error(*codes, net, samples) * 1.5 < output_error(*quantize_weights_only<qint3<16>>(net), net, samples));
    CHECK(lost_zeros(before, wanda(with_masks(net, before), samples, unstructured{}, 0.6)) == 0);
    CHECK(lost_zeros(before, sparse_gpt(with_masks(net, before), samples, unstructured{}, 0.6)) == 0);
}

TEST_CASE("zeros stay zero where batch norms are folded") {
    auto net = initialized(sequential(input<dyn, dyn, dyn>(4, 4, 4), conv2d<dyn, dyn, dyn>(4, 6, 3), batch_norm<dyn>(6)),
                           he_normal{}, seed{2});
    std::get<2>(net.layers).running_var(3) = 0.25f;
    const auto pruned = *freeze(prune(net, magnitude{}, unstructured{}, 0.7));
    const auto folded = fold_batch_norm(pruned);
    CHECK(masks_of(folded)[0].mask == masks_of(pruned)[0].mask);
    CHECK(masks_of(folded)[0].mask.kept() == 65);  // 151.2 of 216 go
}
