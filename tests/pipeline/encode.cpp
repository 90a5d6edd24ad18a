#include <pare/pipeline/encode.hpp>

#include <cstdio>

#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/pipeline/compress.hpp>
#include <pare/pipeline/stages.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

using layer = dense<dyn, dyn>;

const auto network = initialized(sequential(layer(2, 64), relu(), layer(64, 64), relu(), layer(64, 4)), he_normal{}, seed{1});

}  // namespace

TEST_CASE("encode makes the file of the model, and nothing of it is lost") {
    const char* path = "pare_test_encode.pack";
    const auto made = compress(network, prune(magnitude{}, unstructured{}, 0.8, global_scope{}) | cluster<16>() | encode(path));
    REQUIRE(made);
    CHECK(made->stages.back().stage == "encode");
    CHECK(made->stages.back().bytes == made->archive.content.size());
    CHECK(made->stages.back().bytes < made->stages[2].bytes);
    CHECK(made->stages.back().nonzero == made->stages[2].nonzero);
    CHECK(*io::read_file(path) == made->archive.content);
    auto loaded = *cluster<16>(network);
    REQUIRE_FALSE(load_compressed(loaded, path));
    const auto& a = std::get<2>(loaded.layers).weights;
    const auto& b = std::get<2>(made->model.layers).weights;
    CHECK(std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end()));
    CHECK(std::equal(a.scales.begin(), a.scales.end(), b.scales.begin(), b.scales.end()));
    std::remove(path);
    CHECK(compress(network, encode("no directory/file")).error().code == error_code::not_found);

    // an archive that holds something else is found out
    io::state_writer writer;
    auto other = network;
    io::serialize_members(writer, other, io::state_names{});
    const auto archive = io::pack(writer.tensors(), writer.metadata());
    CHECK_FALSE(detail::unfaithful_tensor(archive.content, writer.tensors()));
    std::get<2>(other.layers).weights.values[7] += 1.0f;
    io::state_writer changed;
    io::serialize_members(changed, other, io::state_names{});
    CHECK(detail::unfaithful_tensor(archive.content, changed.tensors())->message ==
          "encode: 2.weight: expected the file to hold F32 [64, 64] as in the model, found other numbers");
}
