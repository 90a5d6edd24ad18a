#include <pare/io/compressed.hpp>

#include <cstdio>
#include <cstring>

#include <pare/compress/cluster.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "sparse_network.hpp"

using namespace pare;

namespace {

io::bytes saved(const auto& model) {
    const std::string path = "pare_test_compressed.safetensors";
    REQUIRE_FALSE(save(model, path));
    auto content = *io::read_file(path);
    std::remove(path.c_str());
    return content;
}

/// What comes back is what went in, to the bit; returns the archive.
template <class Model>
io::packed_archive round_trip(const Model& model, Model other) {
    const std::string path = "pare_test_compressed.pack";
    auto archive = save_compressed(model, path);
    REQUIRE(archive);
    CHECK(*io::read_file(path) == archive->content);
    const auto problem = load_compressed(other, path);
    INFO((problem ? problem->message : "loaded"));
    REQUIRE_FALSE(problem);
    CHECK(saved(other) == saved(model));
    std::remove(path.c_str());
    return *archive;
}

}  // namespace

TEST_CASE("the checksum is the usual CRC-32") {
    const std::string text = "123456789";
    CHECK(io::crc32(io::bytes(text.begin(), text.end())) == 0xcbf43926u);
}

TEST_CASE("every storage comes back from an archive") {
    round_trip(sparse_network(1, 1.0), sparse_network(2, 1.0));
    round_trip(*sparsify<csr>(sparse_network(1, 0.1)), *sparsify<csr>(sparse_network(2, 0.3)));
    round_trip(*quantize_dynamic(sparse_network(1, 0.5)), *quantize_dynamic(sparse_network(2, 0.5)));
    round_trip(*quantize_dynamic<qint4<16>>(sparse_network(1, 0.5)), *quantize_dynamic<qint4<16>>(sparse_network(2, 0.5)));
    round_trip(*cluster<16>(sparsify<csr>(sparse_network(1, 0.2))), *cluster<16>(sparsify<csr>(sparse_network(2, 0.2))));
}

TEST_CASE("sparse and clustered weights take about their entropy") {
    const auto sparse = *cluster<16>(sparse_network(1, 0.1), {}, only<"0">{});
    const auto archive = round_trip(sparse, *cluster<16>(sparse_network(2, 0.1), {}, only<"0">{}));
    const auto& w = archive.tensors[0];
    CHECK(w.name == "0.weight");
    CHECK(w.bytes == 1200);
    CHECK(static_cast<double>(w.packed) < 1.02 * w.entropy_bytes + 45.0);
    CHECK(w.entropy_bytes < 0.13 * 1200);  // 1 bit for whether it is 0 at 0.1, 0.47, and 4 for one of ten: 0.11 bytes
    std::size_t sum = 0;
    for (const auto& t : archive.tensors) {
        sum += t.packed;
    }
    CHECK(sum < archive.content.size());
}

TEST_CASE("a model of equal weights comes back, however few bytes it takes") {
    const auto zeros = sequential(dense<dyn, dyn>(1024, 1024));
    const auto archive = round_trip(zeros, initialized(zeros, he_normal{}, seed{1}));
    CHECK(archive.content.size() < 400);
}

TEST_CASE("a file of another model is an error, and the model stays as it was") {
    const std::string path = "pare_test_other.pack";
    REQUIRE(save_compressed(sparse_network(1, 1.0), path));
    auto other = sequential(dense<40, 31>());
    const auto problem = load_compressed(other, path);
    REQUIRE(problem);
    CHECK_THAT(problem->message, ContainsSubstring("tensor \"0.weight\": expected F32 [31, 40], found F32 [30, 40]"));
    CHECK(load_compressed(other, "no_such.pack")->code == error_code::not_found);
    std::remove(path.c_str());
}
