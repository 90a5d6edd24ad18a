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
    const auto content = round_trip(*sparsify<csr>(net), *sparsify<csr>(other));
    CHECK(content.find("0.weight.col_indices")->type == "U16");
    CHECK(content.metadata("0.weight") == "float csr, 32 x 40");
    round_trip(*sparsify<csr32>(net), *sparsify<csr32>(other));
    round_trip(*quantize_dynamic(sparsify<csr>(net)), *quantize_dynamic(sparsify<csr>(other)));

    for (std::size_t i = 0; i < 32 * 40; ++i) {
        if (i / 40 % 6 < 3) {
            std::get<0>(net.layers).weights.values[i] = 0.0f;
        }
    }
    using blocks = bsr<3, 7>;  // of which the last ones reach beyond the matrices
    const auto in_blocks = round_trip(*quantize_dynamic(sparsify<blocks>(net)), *quantize_dynamic(sparsify<blocks>(other)));
    CHECK(in_blocks.metadata("0.weight") == "qint8 bsr<3, 7>, 32 x 40");
    CHECK(in_blocks.find("0.weight.crow_indices")->shape == std::vector<std::size_t>{12});
    CHECK(in_blocks.find("0.weight.values")->shape == std::vector<std::size_t>{5 * 6, 3, 7});
}

TEST_CASE("N of M weights come back with other indices than the model had before") {
    auto net = small_network(), other = small_network(2);
    for (std::size_t i = 0; i < 32 * 40; ++i) {
        std::get<0>(net.layers).weights.values[i] *= i % 4 < 2 ? 0.0f : 1.0f;
        std::get<0>(other.layers).weights.values[i] *= i % 4 < 2 ? 1.0f : 0.0f;
    }
    const auto two_of_four = [](const auto& model) {
        const auto first = *sparsify<n_of_m<2, 4>>(sequential(std::get<0>(model.layers)));
        return sequential(std::get<0>(first.layers), relu(), std::get<2>(model.layers));
    };
    const auto content = round_trip(two_of_four(net), two_of_four(other));
    CHECK(content.find("0.weight.indices")->shape == std::vector<std::size_t>{32, 5});
    CHECK(content.find("0.weight.values")->shape == std::vector<std::size_t>{32, 20});
    CHECK(content.metadata("0.weight") == "float n_of_m<2, 4>, 32 x 40");
    round_trip(*quantize_dynamic(two_of_four(net)), *quantize_dynamic(two_of_four(other)));
}

TEST_CASE("layers come back in the layout that was chosen for them") {
    auto net = small_network();
    for (std::size_t i = 0; i < 32 * 40; ++i) {
        float& value = std::get<0>(net.layers).weights.values[i];
        value = i % 64 == 0 ? value : 0.0f;
    }
    using choice = layout_choice<float, full, csr>;
    const auto as_choice = [](const auto& model, std::size_t sparse_rows) {
        return map_weights(model, [&](const member_path&, const weight_matrix<float, full>& w, as_float a) {
            return mapped_weights<choice, as_float>{
                w.rows() == sparse_rows ? choice(std::in_place_index<1>, to_layout<csr>(w)) : choice(std::in_place_index<0>, w), a};
        });
    };
    const auto content = round_trip(as_choice(net, 32), as_choice(small_network(2), 3));
    CHECK(content.find("0.weight.candidate")->data[0] == 1);
    CHECK(content.find("0.weight.values")->shape == std::vector<std::size_t>{20});
    CHECK(content.find("2.weight")->shape == std::vector<std::size_t>{3, 32});
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

    // a file of which one number is no mask: the model stays as it was
    std::vector<float> mask(32, 1.0f);
    mask[5] = 0.5f;
    std::vector<io::tensor_entry> tensors(content.tensors().begin(), content.tensors().end());
    for (io::tensor_entry& t : tensors) {
        if (t.name == "0.weight_mask") {
            t.data = {reinterpret_cast<const unsigned char*>(mask.data()), mask.size() * sizeof(float)};
        }
    }
    REQUIRE_FALSE(io::write_file(path, io::safetensors_content(tensors, {})));
    auto loaded = sequential(other);
    CHECK(load(loaded, path)->message == path + ": tensor \"0.weight_mask\": expected zeros and ones, found 0.5 for weight 5");
    CHECK(std::get<0>(loaded.layers).weights.mask.kept() == 32);
    std::remove(path.c_str());
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

    std::vector<std::pair<std::string, std::string>> metadata = {{"0.weight", "float csr, 1 x 4"}};
    std::vector<std::size_t> block;
    std::size_t values_missing = 0;
    const auto attempt_at = [&](const auto& model, std::vector<std::uint32_t> rows, std::vector<std::uint16_t> columns) {
        std::vector<std::size_t> shape = {columns.size() - values_missing};
        shape.insert(shape.end(), block.begin(), block.end());
        std::vector<float> values(shape[0]), bias(1);
        for (const std::size_t n : block) {
            values.resize(values.size() * n);
        }
        const auto raw = [](const auto& v) {
            return std::span(reinterpret_cast<const unsigned char*>(v.data()), v.size() * sizeof(v[0]));
        };
        REQUIRE_FALSE(io::write_file(path, io::safetensors_content({{"0.weight.crow_indices", "U32", {rows.size()}, raw(rows)},
                                                                    {"0.weight.col_indices", "U16", {columns.size()}, raw(columns)},
                                                                    {"0.weight.values", "F32", shape, raw(values)},
                                                                    {"0.bias", "F32", {1}, raw(bias)}},
                                                                   metadata)));
        auto one = model;
        const auto problem = load(one, path);
        return problem ? problem->message : std::string("no error");
    };
    const auto attempt = [&](const std::vector<std::uint32_t>& rows, const std::vector<std::uint16_t>& columns) {
        return attempt_at(*sparsify<csr>(sequential(dense<4, 1>())), rows, columns);
    };
    CHECK(attempt({0, 2}, {1, 3}) == "no error");
    CHECK(attempt({0, 0}, {}) == "no error");
    CHECK_THAT(attempt({0, 3}, {1, 3}),
               ContainsSubstring("\"0.weight.crow_indices\": expected numbers that rise from 0 to 2, found those from 0 to 3"));
    CHECK_THAT(attempt({1, 2}, {1, 3}), ContainsSubstring("found those from 1 to 2"));
    CHECK_THAT(attempt({0, 2, 2}, {1, 3}), ContainsSubstring("expected U32 [2], found U32 [3]"));
    CHECK_THAT(attempt({0, 2}, {3, 1}),
               ContainsSubstring("expected columns that rise within each row and are below 4, found 1 in row 0"));
    CHECK_THAT(attempt({0, 2}, {1, 1}), ContainsSubstring("found 1 in row 0"));
    CHECK_THAT(attempt({0, 2}, {1, 4}), ContainsSubstring("found 4 in row 0"));

    values_missing = 1;
    CHECK_THAT(attempt({0, 2}, {1, 3}), ContainsSubstring("\"0.weight.values\": expected F32 [2], found F32 [1]"));
    values_missing = 0;
    metadata = {{"0.weight", "float csr, 3 x 4"}};
    CHECK_THAT(attempt_at(*sparsify<csr>(sequential(dense<4, 3>())), {0, 2, 1, 3}, {1, 3, 0}),
               ContainsSubstring("\"0.weight.crow_indices\": expected numbers that rise from 0 to 3, found 1 after 2 at 2"));

    metadata = {{"0.weight", "float bsr<2, 4>, 1 x 9"}};
    block = {2, 4};
    const auto attempt_blocks = [&](const std::vector<std::uint32_t>& rows, const std::vector<std::uint16_t>& columns) {
        return attempt_at(*sparsify<bsr<2, 4>>(sequential(dense<9, 1>())), rows, columns);
    };
    CHECK(attempt_blocks({0, 2}, {0, 2}) == "no error");
    CHECK_THAT(attempt_blocks({0, 2}, {0, 3}),
               ContainsSubstring(
                   "\"0.weight.col_indices\": expected columns that rise within each row and are below 3, found 3 in row 0"));
    CHECK_THAT(attempt_blocks({0, 3}, {0, 2}),
               ContainsSubstring("\"0.weight.crow_indices\": expected numbers that rise from 0 to 2"));
    block = {4, 2};
    CHECK_THAT(attempt_blocks({0, 2}, {0, 2}),
               ContainsSubstring("\"0.weight.values\": expected F32 [2, 2, 4], found F32 [2, 4, 2]"));
    std::remove(path.c_str());
}

TEST_CASE("a file cannot make rows too deep for sums of 32 bits, or rows that a layout cannot number") {
    const auto deep = [](std::size_t stored) {  // of 70,000 inputs, as bytes
        weight_matrix<qint8, csr32> w(csr32::structure(1, 70000, [&](std::size_t, std::size_t column) { return column < stored; }));
        std::fill(w.values.begin(), w.values.end(), std::int8_t{127});
        w.scales[0] = 1.0f;
        return sequential(dense<dyn, dyn, decltype(w), dynamic_range>(std::move(w), tensor<float, dyn>(1)));
    };
    REQUIRE_FALSE(save(deep(65794), path));
    auto target = deep(1);
    const auto problem = load(target, path);
    REQUIRE(problem);
    CHECK_THAT(problem->message,
               ContainsSubstring("\"0.weight.crow_indices\": expected at most 65793 weights in a row, found 65794 in row 0"));
    REQUIRE_FALSE(save(deep(65793), path));
    CHECK_FALSE(load(target, path));

    using choice = layout_choice<float, full, csr>;
    using layer = dense<dyn, dyn, choice, as_float>;
    const weight_matrix<float, full> zeros(1, 70000);
    const auto wide = sequential(layer(choice(std::in_place_index<0>, zeros), tensor<float, dyn>(1)));
    const std::vector<std::uint8_t> candidate = {1};
    const std::vector<std::uint32_t> rows = {0, 1};
    const std::vector<std::uint16_t> columns = {3};
    const std::vector<float> one = {1.0f};
    const auto raw = [](const auto& v) {
        return std::span(reinterpret_cast<const unsigned char*>(v.data()), v.size() * sizeof(v[0]));
    };
    const std::vector<std::pair<std::string, std::string>> metadata = {{"0.weight", "float csr, 1 x 70000"}};
    REQUIRE_FALSE(io::write_file(path, io::safetensors_content({{"0.weight.candidate", "U8", {1}, raw(candidate)},
                                                                {"0.weight.crow_indices", "U32", {2}, raw(rows)},
                                                                {"0.weight.col_indices", "U16", {1}, raw(columns)},
                                                                {"0.weight.values", "F32", {1}, raw(one)},
                                                                {"0.bias", "F32", {1}, raw(one)}},
                                                               metadata)));
    auto other = wide;
    const auto too_wide = load(other, path);
    REQUIRE(too_wide);
    CHECK_THAT(too_wide->message, ContainsSubstring("\"0.weight\": expected at most 65535 inputs in this layout, found 70000"));
    std::remove(path.c_str());
}

TEST_CASE("the mask of a convolution has the axes of its weights in the file") {
    const auto make = [](std::size_t pruned) {
        auto net = sequential(input<5, 5, 2>(), conv2d<2, 3, 3>());
        auto masked_net = map_weights(net, [](const member_path&, const weight_matrix<float, full>& w, as_float a) {
            using weights = masked<unstructured, weight_matrix<float, full>>;
            return mapped_weights<weights, as_float>{weights(w), a};
        });
        std::get<1>(masked_net.layers).weights.mask.set(pruned, false);
        return masked_net;
    };
    const auto content = round_trip(make(7), make(20));  // output 0, pixel 3 = (1, 0), channel 1
    const io::tensor_entry* const mask = content.find("0.weight_mask");
    REQUIRE(mask != nullptr);
    CHECK(mask->shape == std::vector<std::size_t>{3, 2, 3, 3});
    for (std::size_t i = 0; i < 54; ++i) {
        float kept;
        std::memcpy(&kept, mask->data.data() + i * sizeof kept, sizeof kept);
        CHECK(kept == (i == 9 + 3 ? 0.0f : 1.0f));  // [0, 1, 1, 0]
    }
}

TEST_CASE("indices of N of M weights are checked") {
    const auto attempt = [&](std::vector<unsigned char> indices, const char* form = "float n_of_m<2, 3>, 1 x 7") {
        const std::vector<float> values(5), bias(1);
        const std::vector<std::pair<std::string, std::string>> metadata = {{"0.weight", form}};
        const auto raw = [](const auto& v) {
            return std::span(reinterpret_cast<const unsigned char*>(v.data()), v.size() * sizeof(v[0]));
        };
        REQUIRE_FALSE(io::write_file(path, io::safetensors_content({{"0.weight.indices", "U8", {1, indices.size()}, indices},
                                                                    {"0.weight.values", "F32", {1, 5}, raw(values)},
                                                                    {"0.bias", "F32", {1}, raw(bias)}},
                                                                   metadata)));
        auto one = *sparsify<n_of_m<2, 3>>(sequential(dense<7, 1>()));
        const auto problem = load(one, path);
        return problem ? problem->message : std::string("no error");
    };
    CHECK(attempt({0b10'01'10'00, 0}) == "no error");  // 0 2, 1 2, 0
    CHECK_THAT(attempt({0b10'01'11'00, 0}),
               ContainsSubstring("\"0.weight.indices\": expected places that rise within each group and are below 3, found 3 in "
                                 "row 0, group 0"));
    CHECK_THAT(attempt({0b01'01'10'00, 0}), ContainsSubstring("are below 3, found 1 in row 0, group 1"));
    CHECK_THAT(attempt({0b00'01'10'00, 0}), ContainsSubstring("found 0 in row 0, group 1"));
    CHECK_THAT(attempt({0b10'01'10'00, 1}), ContainsSubstring("are below 1, found 1 in row 0, group 2"));
    CHECK_THAT(attempt({0b10'01'10'00}), ContainsSubstring("expected U8 [1, 2], found U8 [1, 1]"));
    CHECK_THAT(attempt({0b10'01'10'00, 0}, "float n_of_m<2, 4>, 1 x 7"),
               ContainsSubstring("expected metadata \"float n_of_m<2, 3>, 1 x 7\", found \"float n_of_m<2, 4>, 1 x 7\""));
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
