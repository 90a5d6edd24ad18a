// Quantization-aware training of other storages and layers.

#include <algorithm>

#include <pare/prune.hpp>
#include <pare/quantize/qat.hpp>
#include <pare/train.hpp>

#include "../catch.hpp"
#include "../toy_data.hpp"
#include "static_reference.hpp"

using namespace pare;
using namespace static_reference;

TEST_CASE("pruning goes on while weights are quantized") {
    const auto data = quarters(600);
    auto net = initialized(sequential(input<2>(), dense<dyn, dyn>(2, 32), relu(), dense<dyn, dyn>(32, 4)), he_normal{}, seed{3});
    std::vector<std::string> masked_members;
    auto qat = prepare_qat(map_weights(net, detail::mask_weights<unstructured>{&masked_members}));
    REQUIRE(fit(qat, data, cross_entropy{}, adam{.learning_rate = 3e-3f}, {.epochs = 8, .batch_size = 32},
                pruning(magnitude{}, unstructured{}, constant_sparsity{.target_sparsity = 0.5, .begin_step = 5})));
    const auto small = convert(qat);
    REQUIRE(small);
    const auto& w = std::get<3>(small->layers).weights.values;
    CHECK(std::count(w.begin(), w.end(), 0) >= 64);
    CHECK(*count_errors(small, data) < 120);
    CHECK(std::get<3>(sparsify<csr>(*small)->layers).weights.values.size() <= 64);
}

TEST_CASE("recurrent layers train with quantized weights; layers may be left out, and groups multiply floats") {
    const auto net = initialized(sequential(input<5, 2>(), lstm<dyn, dyn>(2, 6), last_step(), dense<dyn, dyn>(6, 4)),
                                 pytorch_default{}, seed{4});
    const auto in_groups = convert(prepare_qat<weight_policy{.bits = 4, .group = 16}, inputs_as_float>(net));
    REQUIRE(in_groups);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<3>(in_groups->layers))>,
                                  dense<dyn, dyn, weight_matrix<qint4<16>, full>, as_float>>);
    using lstm_weights = std::remove_cvref_t<decltype(std::get<1>(in_groups->layers).cells[0].input)>;
    STATIC_REQUIRE(std::is_same_v<lstm_weights, weight_matrix<qint4<16>, full>>);
    const auto only_lstm = prepare_qat(net, only<"lstm">{});
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<3>(only_lstm.layers))>, dense<dyn, dyn>>);
    const auto small = convert(only_lstm);
    REQUIRE(small);
    const auto x = numbers(5 * 2 * 3, 7, -1.0f, 1.0f);
    const auto exact = outputs(prepare<isa::native>(net), x);
    const auto close = outputs(prepare<isa::native>(*small), x);
    const auto groups = outputs(prepare<isa::native>(*in_groups), x);
    for (std::size_t i = 0; i < exact.size(); ++i) {
        CHECK(close[i] == Approx(exact[i]).margin(0.02));
        CHECK(groups[i] == Approx(exact[i]).margin(0.2));
    }
}
