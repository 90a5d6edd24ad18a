#include <pare/io/model.hpp>

#include <csignal>
#include <cstdio>

#if __has_include(<sys/resource.h>)
#include <sys/resource.h>
#endif

#include <pare/pare.hpp>

#include "../catch.hpp"
#include "../nn/mixed_networks.hpp"
#include "round_trip.hpp"

using namespace pare;

namespace {

const std::string path = "pare_test_model.safetensors";

auto small_network(std::uint64_t s = 1) {
    return initialized(sequential(dense<40, 32>(), relu(), dense<32, 3>()), he_normal{}, seed{s});
}

/// What is wrong with a file of these tensors for the small network.
std::string message(const std::vector<io::tensor_entry>& tensors) {
    REQUIRE_FALSE(io::write_file(path, io::safetensors_content(tensors, {})));
    auto net = small_network();
    const auto before = std::get<0>(net.layers).weights.values;
    const auto problem = load(net, path);
    CHECK(std::equal(before.begin(), before.end(), std::get<0>(net.layers).weights.values.begin()));
    return problem ? problem->message : "no error";
}

}  // namespace

TEST_CASE("every storage of weights comes back as it was saved") {
    const auto net = small_network(), other = small_network(2);
    const auto content = round_trip(net, other);
    REQUIRE(content.tensors().size() == 4);
    CHECK(content.find("0.weight")->shape == std::vector<std::size_t>{32, 40});
    CHECK(content.find("2.bias")->type == "F32");

    round_trip(to_bfloat16(net), to_bfloat16(other));
    CHECK(round_trip(*to_float16(net), *to_float16(other)).find("0.weight")->type == "F16");
    round_trip(*quantize_dynamic(net), *quantize_dynamic(other));
    round_trip(*quantize_dynamic<qint4<32>>(net), *quantize_dynamic<qint4<32>>(other));
    using affine = qint4<16, float16, qscheme::affine>;
    round_trip(*quantize_weights_only<affine>(net), *quantize_weights_only<affine>(other));
    using minima = qint3<16, float16, qscheme::minimum>;
    CHECK(round_trip(*quantize_weights_only<minima>(net), *quantize_weights_only<minima>(other)).find("0.weight.minimum")->type ==
          "F16");
    round_trip(*quantize_weights_only<nf4<32>>(net), *quantize_weights_only<nf4<32>>(other));
    using block_dense = dense<64, 3, weight_matrix<ggml::q4_0, full>, dynamic_range>;
    block_dense blocks(weight_matrix<ggml::q4_0, full>(3, 64), tensor<float, 3>()), none = blocks;
    blocks.weights.values[5].pairs[3] = 0x5a;
    round_trip(sequential(blocks), sequential(none));
}

TEST_CASE("mixed weights come back with another candidate than the model had before") {
    const auto content = round_trip(quantize_first_layer_of(small_network()), as_mixed(small_network(2)));
    CHECK(content.find("0.weight")->type == "I8");
    CHECK(content.find("2.weight")->type == "F32");
    CHECK(content.find("0.weight.candidate")->data[0] == 2);
    std::vector<io::tensor_entry> tensors(content.tensors().begin(), content.tensors().end());
    const unsigned char fifth = 4;
    for (io::tensor_entry& t : tensors) {
        t.data = t.name == "0.weight.candidate" ? std::span(&fifth, 1) : t.data;
    }
    REQUIRE_FALSE(io::write_file(path, io::safetensors_content(tensors, {})));
    auto mixed = as_mixed(small_network());
    CHECK(load(mixed, path)->message == path + ": tensor \"0.weight.candidate\": expected a number from 0 to 3, found 4");
    std::remove(path.c_str());
}

TEST_CASE("sparse weights come back with another structure than the model had before") {
    auto net = small_network(), other = small_network(2);
    for (std::size_t i = 0; i < 32 * 40; i += 3) {
        std::get<0>(net.layers).weights.values[i] = 0.0f;
    }
    const auto content = round_trip(*sparsify(net), *sparsify(other));
    CHECK(content.find("0.weight.col_indices")->type == "U16");
    CHECK(content.metadata("0.weight") == "float csr, 32 x 40");
    round_trip(*sparsify<csr32>(net), *sparsify<csr32>(other));
    round_trip(*quantize_dynamic(sparsify(net)), *quantize_dynamic(sparsify(other)));
}

TEST_CASE("a model in training keeps its masks, in PyTorch's names") {
    using layer = dense<8, 4, masked<unstructured, weight_matrix<float, full>>>;
    layer pruned(masked<unstructured, weight_matrix<float, full>>(weight_matrix<float, full>(4, 8)), tensor<float, 4>());
    layer other = pruned;
    pruned.weights.mask.set(5, false);
    pruned.weights.mask.set(31, false);
    const auto content = round_trip(sequential(pruned), sequential(other));
    REQUIRE(content.find("0.weight_orig") != nullptr);
    CHECK(content.find("0.weight_mask")->shape == std::vector<std::size_t>{4, 8});
}

TEST_CASE("a result of a model saves, and its error passes through") {
    CHECK_FALSE(save(quantize_dynamic(small_network()), path));
    auto net = small_network();
    std::get<2>(net.layers).bias(1) = std::numeric_limits<float>::infinity();
    CHECK_THAT(save(quantize_dynamic(net), path)->message, ContainsSubstring("2.bias"));
}

TEST_CASE("names in a file may begin otherwise") {
    const auto net = small_network();
    auto other = small_network(2);
    const io::state_names names{{{"0.", "encoder."}, {"2.", "head."}}};
    REQUIRE_FALSE(save(net, path, names));
    CHECK(io::safetensors::read(path).value().find("head.weight") != nullptr);
    REQUIRE_FALSE(load(other, path, names));
    CHECK(std::get<2>(other.layers).weights.values[7] == std::get<2>(net.layers).weights.values[7]);
    CHECK(load(other, path)->message == path + ": tensor \"0.weight\": expected F32 [32, 40], found no tensor of this name");
}

TEST_CASE("names that make two tensors one are an error, and a file that is there stays") {
    const auto net = small_network();
    REQUIRE_FALSE(save(net, path));
    const auto good = io::read_file(path).value();
    const auto problem = save(net, path, {{{"0.", "fc."}, {"2.", "fc."}}});
    REQUIRE(problem);
    CHECK(problem->message == "tensor \"fc.weight\": expected a name for each tensor, found two of this name");
    CHECK((io::read_file(path).value() == good));
    std::remove(path.c_str());
}

TEST_CASE("half floats load into floats") {
    auto layer = sequential(dense<2, 1>());
    const float16 w[2] = {float16(0.5f), float16(-3.0f)};
    const bfloat16 b[1] = {bfloat16(0.25f)};
    const auto content = io::safetensors_content({{"0.weight", "F16", {1, 2}, {reinterpret_cast<const unsigned char*>(w), 4}},
                                                  {"0.bias", "BF16", {1}, {reinterpret_cast<const unsigned char*>(b), 2}}},
                                                 {});
    REQUIRE_FALSE(io::write_file(path, content));
    REQUIRE_FALSE(load(layer, path));
    CHECK(std::get<0>(layer.layers).weights.values[1] == -3.0f);
    CHECK(std::get<0>(layer.layers).bias(0) == 0.25f);
}

TEST_CASE("a file that does not fit the model is an error that names the tensor, and the model stays as it was") {
    const io::bytes zeros(4 * 32 * 40);
    const auto part = [&](std::size_t numbers) { return std::span(zeros.data(), 4 * numbers); };
    std::vector<io::tensor_entry> t = {{"0.weight", "F32", {32, 40}, part(1280)},
                                       {"0.bias", "F32", {32}, part(32)},
                                       {"2.weight", "F32", {3, 32}, part(96)},
                                       {"2.bias", "F32", {3}, part(3)}};
    auto shape = t;
    shape[2].shape = {32, 3};
    CHECK(message(shape) == path + ": tensor \"2.weight\": expected F32 [3, 32], found F32 [32, 3]");
    auto type = t;
    type[3].type = "I32";
    CHECK(message(type) == path + ": tensor \"2.bias\": expected F32 [3], found I32 [3]");
    auto more = t;
    more.push_back({"4.bias", "F32", {1}, part(1)});
    CHECK(message(more) == path + ": tensor \"4.bias\": expected only tensors that the model has, found F32 [1]");
    auto fewer = t;
    fewer.pop_back();
    CHECK(message(fewer) == path + ": tensor \"2.bias\": expected F32 [3], found no tensor of this name");
    std::remove(path.c_str());
    auto net = small_network();
    CHECK_THAT(load(net, path)->message, ContainsSubstring(path + ": expected a file that can be read"));
    CHECK_THAT(save(net, "no-such-directory/" + path)->message, ContainsSubstring("expected a place that can be written"));
}

TEST_CASE("storages of other forms, damaged structures and scales are errors") {
    const auto net = small_network();
    auto groups = *quantize_dynamic<qint4<64>>(net);
    REQUIRE_FALSE(save(quantize_dynamic<qint4<48>>(net), path));
    CHECK(load(groups, path)->message ==
          path +
              ": tensor \"0.weight\": expected metadata \"qint4 full in groups of 64, 32 x 40\", found "
              "\"qint4 full in groups of 48, 32 x 40\"");
    auto quantized = *quantize_dynamic(net);
    std::get<0>(quantized.layers).weights.scales[3] = 0.0f;
    REQUIRE_FALSE(save(quantized, path));
    CHECK(load(quantized, path)->message == path + ": tensor \"0.weight.scale\": expected numbers from 2^-60 to 2^62, found 0");
    std::get<0>(quantized.layers).weights.scales[3] = 3e38f;
    REQUIRE_FALSE(save(quantized, path));
    CHECK_THAT(load(quantized, path)->message, ContainsSubstring("expected numbers from 2^-60 to 2^62"));
    auto blocks = *quantize_dynamic<ggml::q8_0>(sequential(dense<32, 4>()));
    std::get<0>(blocks.layers).weights.values[2].d.bits = 0x7c00;
    REQUIRE_FALSE(save(blocks, path));
    CHECK_THAT(load(blocks, path)->message, ContainsSubstring("\"0.weight\": expected finite scales, found an infinity or NaN"));

    auto sparse = *sparsify(net);
    const std::vector<std::pair<std::string, std::string>> metadata = {{"0.weight", "float csr, 1 x 4"}};
    const auto attempt = [&](std::vector<std::uint32_t> rows, std::vector<std::uint16_t> columns) {
        const std::vector<float> values(columns.size()), bias(1);
        const auto raw = [](const auto& v) {
            return std::span(reinterpret_cast<const unsigned char*>(v.data()), v.size() * sizeof(v[0]));
        };
        REQUIRE_FALSE(io::write_file(path, io::safetensors_content({{"0.weight.crow_indices", "U32", {rows.size()}, raw(rows)},
                                                                    {"0.weight.col_indices", "U16", {columns.size()}, raw(columns)},
                                                                    {"0.weight.values", "F32", {values.size()}, raw(values)},
                                                                    {"0.bias", "F32", {1}, raw(bias)}},
                                                                   metadata)));
        auto one = *sparsify(sequential(dense<4, 1>()));
        const auto problem = load(one, path);
        return problem ? problem->message : std::string("no error");
    };
    CHECK(attempt({0, 2}, {1, 3}) == "no error");
    CHECK(attempt({0, 0}, {}) == "no error");
    CHECK_THAT(attempt({0, 3}, {1, 3}), ContainsSubstring("\"0.weight.crow_indices\": expected numbers that rise from 0 to 2"));
    CHECK_THAT(attempt({1, 2}, {1, 3}), ContainsSubstring("expected numbers that rise"));
    CHECK_THAT(attempt({0, 2, 2}, {1, 3}), ContainsSubstring("expected U32 [2], found U32 [3]"));
    CHECK_THAT(attempt({0, 2}, {3, 1}),
               ContainsSubstring("expected columns that rise within each row and are below 4, found 1 in row 0"));
    CHECK_THAT(attempt({0, 2}, {1, 1}), ContainsSubstring("found 1 in row 0"));
    CHECK_THAT(attempt({0, 2}, {1, 4}), ContainsSubstring("found 4 in row 0"));
    std::remove(path.c_str());
}

TEST_CASE("files are replaced as a whole or not at all") {
    REQUIRE_FALSE(io::write_file(path, {1, 2, 3}));
    REQUIRE_FALSE(io::write_file(path, {4, 5}));
    CHECK(io::read_file(path).value() == io::bytes{4, 5});
    CHECK(io::is_missing(path + ".part"));
#if __has_include(<sys/resource.h>)
    // A disk that is full after 1000 bytes.
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit little = before;
    little.rlim_cur = 1000;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &little) == 0);
    const auto problem = io::write_file(path, io::bytes(100000));
    const auto of_model = save(small_network(), path);
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    REQUIRE(problem);
    CHECK_THAT(problem->message, ContainsSubstring(path + ": expected a place that can be written, found that writing failed: "));
    CHECK(of_model);
    CHECK(io::read_file(path).value() == io::bytes{4, 5});
    CHECK(io::is_missing(path + ".part"));
#endif
    std::remove(path.c_str());
}
