#include <pare/compress/cluster.hpp>
#include <pare/compress/low_rank.hpp>
#include <pare/io/model.hpp>
#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/quantize/embeddings.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "round_trip.hpp"

using namespace pare;

namespace {

auto network(std::uint64_t s) {
    return initialized(sequential(input<6, 6, 2>(), conv2d<2, 3, 3>(), batch_norm<3>(), relu(), flatten(), dense<48, 2>()),
                       pytorch_default{}, seed{s});
}

}  // namespace

TEST_CASE("a convolution's weights have PyTorch's axes in the file, and batch norms all that PyTorch's have") {
    auto net = network(1);
    const auto& weights = std::get<1>(net.layers).weights;
    const auto file = round_trip(net, network(2));
    const io::tensor_entry* const w = file.find("0.weight");
    REQUIRE(w != nullptr);
    CHECK(w->shape == std::vector<std::size_t>{3, 2, 3, 3});
    for (std::size_t o = 0; o < 3; ++o) {
        for (std::size_t i = 0; i < 2; ++i) {
            for (std::size_t at = 0; at < 9; ++at) {
                float there;
                std::memcpy(&there, w->data.data() + ((o * 2 + i) * 9 + at) * sizeof(float), sizeof there);
                CHECK(there == weights.values[(o * 9 + at) * 2 + i]);
            }
        }
    }
    for (const char* const name : {"1.weight", "1.bias", "1.running_mean", "1.running_var", "4.weight", "4.bias"}) {
        CHECK(file.find(name) != nullptr);
    }
    REQUIRE(file.find("1.num_batches_tracked") != nullptr);
    CHECK(file.find("1.num_batches_tracked")->type == "I64");
    CHECK(file.find("1.num_batches_tracked")->shape.empty());
}

TEST_CASE("recurrent layers have PyTorch's names") {
    const auto make = [](std::uint64_t s) {
        return initialized(sequential(input<4, 5>(), lstm<5, 3, recurrent_options{.layers = 2, .bidirectional = true}>()),
                           pytorch_default{}, seed{s});
    };
    const auto file = round_trip(make(1), make(2));
    CHECK(file.tensors().size() == 16);
    CHECK(file.find("0.weight_ih_l1_reverse")->shape == std::vector<std::size_t>{12, 6});
    CHECK(file.find("0.bias_hh_l0")->shape == std::vector<std::size_t>{12});
    round_trip(*quantize_dynamic(make(1)), *quantize_dynamic(make(2)));
}

TEST_CASE("factorized layers come back, under the names of what they became") {
    const auto made = [](std::uint64_t s) { return *factorize(network(s), rank_of{1}); };
    const auto file = round_trip(made(1), made(2));
    CHECK(file.find("0.factors.0.weight")->shape == std::vector<std::size_t>{1, 2, 3, 3});
    CHECK(file.find("4.factors.1.bias") != nullptr);
    CHECK(round_trip(*factorize(network(1), rank_of{2}), *factorize(network(2), rank_of{2})).find("4.whole.weight") != nullptr);
    const auto fixed = [](std::uint64_t s) { return *factorize<low_rank<"4", 1>>(network(s)); };
    CHECK(round_trip(fixed(1), fixed(2)).find("4.0.weight")->shape == std::vector<std::size_t>{1, 48});
}

TEST_CASE("quantized layers come back") {
    round_trip(*quantize_dynamic(network(1)), *quantize_dynamic(network(2)));
    const auto make = [](std::uint64_t s) {
        return initialized(sequential(input<6, 8>(), conv1d<8, 8, 3>(), gru<8, 8>(), rnn<8, 8>(), self_attention<8, 2>()),
                           glorot_normal{}, seed{s});
    };
    CHECK(round_trip(*quantize_dynamic(make(1)), *quantize_dynamic(make(2))).find("3.out_proj.weight.scale") != nullptr);
    const auto transposed = [](std::uint64_t s) {
        return initialized(sequential(input<3, 3, 2>(), conv_transpose2d<2, 4, 3>()), glorot_normal{}, seed{s});
    };
    round_trip(*quantize_dynamic(transposed(1)), *quantize_dynamic(transposed(2)));
}

TEST_CASE("shared values come back, and codes of none are errors") {
    const auto net = *cluster<8>(network(1));
    round_trip(net, *cluster<8>(network(2)));
    round_trip(train_codebooks(net), train_codebooks(*cluster<8>(network(2))));
    auto damaged = net;
    std::get<5>(damaged.layers).weights.values[3] = 9;
    const std::string path = "pare_test_codes.safetensors";
    REQUIRE_FALSE(save(damaged, path));
    auto other = net;
    CHECK(load(other, path)->message == path + ": tensor \"4.weight\": expected codes from 0 to 7, found 9");
    std::remove(path.c_str());
}

TEST_CASE("tables of rows come back, and their scales are checked") {
    const auto make = [](std::uint64_t s) { return initialized(sequential(input<4>(), embedding<9, 5>()), he_normal{}, seed{s}); };
    const auto file =
        round_trip(*quantize_embeddings<row_quint<4, float16>>(make(1)), *quantize_embeddings<row_quint<4, float16>>(make(2)));
    CHECK(file.find("0.weight")->shape == std::vector<std::size_t>{9, 3});
    CHECK(file.find("0.weight.scale")->shape == std::vector<std::size_t>{9});
    CHECK(file.find("0.weight.minimum")->type == "F16");
    auto wrong = *quantize_embeddings<row_quint<8>>(make(1));
    auto other = wrong;
    std::get<1>(wrong.layers).weights.zero_points[5] = -3e30f;
    REQUIRE_FALSE(save(wrong, "pare_test_layers.safetensors"));
    CHECK_THAT(load(other, "pare_test_layers.safetensors")->message,
               ContainsSubstring("\"0.weight.minimum\": expected finite numbers of at most 2^62, found -3e+30"));
    std::remove("pare_test_layers.safetensors");
}
