#include <pare/prune/sparsify.hpp>

#include <vector>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/static.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// The model with that fraction of its weights, of four consecutive ones at most two.
template <class Model>
Model thinned(Model model, std::size_t of_ten) {
    for_each_member(model, [&](const member_path&, auto& member) {
        if constexpr (requires { member.structure; }) {
            for (std::size_t i = 0; i < member.values.size(); ++i) {
                const std::size_t column = i % member.columns();
                member.values[i] = i * i % 10 < of_ten && column % 4 < 2 ? member.values[i] : 0.0f;
            }
        }
    });
    return model;
}

std::vector<float> numbers(std::size_t count) {
    std::vector<float> x(count);
    for (std::size_t i = 0; i < count; ++i) {
        x[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50) * 0.02f;
    }
    return x;
}

template <class Model>
std::vector<float> outputs(const Model& model, std::size_t batch = 3) {
    const auto ready = prepare<isa::native>(model);
    auto space = workspace_for(ready, batch);
    std::vector<float> y(batch * ready.output_size());
    run(ready, numbers(batch * ready.input_size()), y, space);
    return y;
}

auto images() {
    return thinned(
        initialized(sequential(input<dyn, dyn, dyn>(7, 8, 6), conv2d<dyn, dyn, dyn>(6, 8, 3, {.stride = 2, .padding = 1}),
                               conv2d<dyn, dyn, dyn>(8, 12, 1), relu(),
                               conv2d<dyn, dyn, dyn>(12, 12, 3, {.padding = 2, .dilation = 2, .groups = 3}),
                               conv2d<dyn, dyn, dyn>(12, 12, 3, {.padding = 1, .groups = 12}), flatten(), dense<dyn, dyn>(192, 5)),
                    he_normal{}, seed{1}),
        6);
}

/// A choice that no cost makes: layouts in turn.
template <class Model>
auto in_turn(const Model& model) {
    std::size_t number = 0;
    return map_weights(
        model, [&]<class Element, class Activations>(const member_path&, const weight_matrix<Element, full>& w, Activations a) {
            using choice = layout_choice<Element, full, csr, bsr<16, 4>, n_of_m<2, 4>>;
            switch (number++ % 4) {
                case 0: return mapped_weights<choice, Activations>{choice(std::in_place_index<1>, to_layout<csr>(w)), a};
                case 1: return mapped_weights<choice, Activations>{choice(std::in_place_index<2>, to_layout<bsr<16, 4>>(w)), a};
                case 2: return mapped_weights<choice, Activations>{choice(std::in_place_index<3>, to_layout<n_of_m<2, 4>>(w)), a};
                default: return mapped_weights<choice, Activations>{choice(std::in_place_index<0>, w), a};
            }
        });
}

}  // namespace

TEST_CASE("a sparse network has the integers of the full one, quantized before or after") {
    const auto net = images();
    const auto full_bytes = *quantize_dynamic(net);
    const auto expected = outputs(full_bytes);
    CHECK(outputs(*quantize_dynamic(sparsify<csr>(net))) == expected);
    CHECK(outputs(*sparsify<csr>(full_bytes)) == expected);
    CHECK(outputs(*quantize_dynamic(in_turn(net))) == expected);
    CHECK(outputs(in_turn(full_bytes)) == expected);
    CHECK(outputs(*quantize_dynamic(sparsify(net))) == expected);

    const auto samples = numbers(5 * 7 * 8 * 6);
    const auto static_bytes = outputs(*quantize_static(net, samples));
    CHECK(outputs(*quantize_static(in_turn(net), samples)) == static_bytes);
    CHECK(outputs(in_turn(*quantize_static(net, samples))) == static_bytes);
}

TEST_CASE("recurrent layers and attention take a layout for each of their weights") {
    const auto net = thinned(
        initialized(sequential(input<dyn, dyn>(4, 12), lstm<12, 12>(), gru<12, 12>(), rnn<12, 12>(), self_attention<12, 3>()),
                    glorot_normal{}, seed{6}),
        6);
    const auto bytes = *quantize_dynamic(net);
    CHECK(outputs(*quantize_dynamic(in_turn(net))) == outputs(bytes));
    CHECK(outputs(*sparsify<csr>(bytes)) == outputs(bytes));
    const auto floats = outputs(net), sparse = outputs(in_turn(net));
    for (std::size_t i = 0; i < floats.size(); ++i) {
        CHECK(std::abs(floats[i] - sparse[i]) < 1e-5f);
    }
}

TEST_CASE("convolutions say how their weights are multiplied") {
    const auto text = describe(prepare<isa::native>(*sparsify<csr>(images())));
    CHECK_THAT(text, ContainsSubstring("kernel 3x3: float csr") && ContainsSubstring(" on copied patches") &&
                         ContainsSubstring("kernel 1x1: float csr") && ContainsSubstring(" on pixels") &&
                         ContainsSubstring("all outputs for each of 3 groups"));
    CHECK_THAT(describe(prepare<isa::native>(in_turn(*quantize_dynamic(images())))),
               ContainsSubstring(" on copied patches, activations quantized per image") && ContainsSubstring("depthwise_int8"));
}

TEST_CASE("a layer is sparse where that is predicted to be faster, and dense elsewhere") {
    const auto net = initialized(sequential(dense<dyn, dyn>(512, 512), dense<dyn, dyn>(512, 512), dense<dyn, dyn>(512, 10)),
                                 he_normal{}, seed{1});
    auto thin = net;
    for (std::size_t i = 0; i < 512 * 512; ++i) {
        auto& values = std::get<0>(thin.layers).weights.values;
        values[i] = i % 64 == 0 ? values[i] : 0.0f;
    }
    const auto p = predict_layouts<isa::avx512_vnni>(thin);
    REQUIRE(p.layers.size() == 3);
    CHECK(p.layers[0].sparsity == 1.0 - 1.0 / 64.0);
    CHECK(p.layers[0].chosen != 0);
    CHECK(p.layers[1].chosen == 0);
    const auto text = describe(p);
    CHECK_THAT(text, ContainsSubstring("predicted for a batch of 1 on avx512_vnni\n") &&
                         ContainsSubstring("0.weight, 512 x 512, 98% zeros: float ") &&
                         ContainsSubstring("1.weight, 512 x 512, 0% zeros: kept dense: dense is predicted "));
    const auto sparse = *sparsify<isa::avx512_vnni>(thin);
    CHECK(std::get<0>(sparse.layers).weights.chosen() == p.layers[0].chosen);
    CHECK(std::get<1>(sparse.layers).weights.chosen() == 0);
    CHECK(std::get<1>(sparse.layers).weights.bytes() == std::get<1>(net.layers).weights.bytes());

    CHECK_THAT(describe(predict_layouts<isa::neon>(thin)),
               ContainsSubstring("on neon, by the costs of sse4_1: its own are unknown"));
    CHECK(sparsify(thin, {.batch = 0}).error().message == "sparsify: expected a batch of at least 1, found 0");
}

TEST_CASE("tables of rows stay as they are") {
    const auto net = initialized(sequential(input<5>(), embedding<9, 21>(), flatten(), dense<105, 3>()), he_normal{}, seed{1});
    CHECK(predict_layouts<isa::native>(net).layers.size() == 1);
    const auto sparse = sparsify(net);
    REQUIRE(sparse);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<1>(sparse->layers).weights)>,
                                  std::remove_cvref_t<decltype(std::get<1>(net.layers).weights)>>);
    CHECK_THAT(describe(prepare<isa::native>(*sparse)), ContainsSubstring("embedding"));
}

TEST_CASE("a layout that cannot number all inputs is not chosen") {
    const auto p = predict_layouts<isa::native, layouts<full, csr>>(sequential(dense<dyn, dyn>(70000, 1)));
    CHECK(p.layers[0].chosen == 0);
    CHECK_THAT(describe(p), ContainsSubstring("100% zeros: kept dense: no sparse layout holds it"));
}

TEST_CASE("predictions rise with rows, stored values and bytes") {
    const layout_cost& cost = *detail::find_layout_cost("avx512_vnni", "float csr");
    double before = 0.0;
    for (const std::size_t rows : {1u, 2u, 8u, 40u, 64u, 65u, 1000u}) {
        const double ns = predicted_ns(cost, rows, 100, 200, 2000, 12000);
        CHECK(ns > before);
        before = ns;
    }
    CHECK(predicted_ns(cost, 1, 100, 200, 3000, 12000) > predicted_ns(cost, 1, 100, 200, 2000, 12000));
    CHECK(predicted_ns(cost, 1, 100, 200, 2000, std::size_t{1} << 28) >
          predicted_ns(cost, 1, 100, 200, 2000, std::size_t{1} << 22));
}
