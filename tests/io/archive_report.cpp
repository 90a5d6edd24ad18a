#include <cstdio>
#include <fstream>
#include <sstream>

#include <pare/compress/cluster.hpp>
#include <pare/io/compressed.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/prepare.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "sparse_network.hpp"

using namespace pare;

TEST_CASE("what is loaded from an archive runs in the storages that were saved, to the bit") {
    const auto check = [](const auto& model, auto other, const char* weights) {
        const std::string path = "pare_test_runs.pack";
        REQUIRE(save_compressed(model, path));
        REQUIRE_FALSE(load_compressed(other, path));
        std::remove(path.c_str());
        const auto outputs = [](const auto& m) {
            const auto ready = prepare<isa::native>(m);
            auto space = workspace_for(ready, 1);
            std::vector<float> x(40), y(10);
            for (std::size_t i = 0; i < x.size(); ++i) {
                x[i] = random_numbers(seed{4}, 0).normal(i);
            }
            run(ready, std::span<const float>(x), std::span<float>(y), space);
            return y;
        };
        CHECK(outputs(other) == outputs(model));
        CHECK_THAT(describe(prepare<isa::native>(other)), ContainsSubstring(weights));
    };
    check(*quantize_dynamic(sparse_network(1, 0.5)), *quantize_dynamic(sparse_network(2, 0.5)), "qint8 full");
    check(*cluster<16>(sparsify<csr>(sparse_network(1, 0.2))), *cluster<16>(sparsify<csr>(sparse_network(2, 0.5))), "csr");
}

TEST_CASE("a report of an archive has its bytes and their bounds, as when it was packed") {
    const std::string path = "pare_test_report.pack";
    const auto archive = save_compressed(*cluster<16>(sparsify<csr>(sparse_network(1, 0.2))), path);
    const auto report = io::report_archive(path);
    std::remove(path.c_str());
    REQUIRE((archive && report));
    REQUIRE(report->tensors.size() == archive->tensors.size());
    std::size_t bytes = 0;
    double bound = 0.0;
    for (std::size_t i = 0; i < report->tensors.size(); ++i) {
        const auto &read = report->tensors[i], &written = archive->tensors[i];
        CHECK(read.name == written.name);
        CHECK(read.bytes == written.bytes);
        CHECK(read.packed == written.packed);
        CHECK(read.entropy_bytes == written.entropy_bytes);
        bytes += read.bytes;
        bound += read.entropy_bytes;
    }
    CHECK(report->whole.bytes == bytes);
    CHECK(report->whole.entropy_bytes == bound);
    CHECK(report->whole.packed == archive->content.size());
    CHECK(report->decode_seconds > 0.0);
    CHECK_THAT(describe(*report), ContainsSubstring("0.weight.codebook: 64 -> "));
    CHECK(io::report_archive("no_such.pack").error().code == error_code::not_found);
    CHECK_FALSE(io::report_archive(io::bytes{1, 2}, "f"));
}

TEST_CASE("an archive of very many equal numbers has a report where the caller allows them") {
    const std::string path = "pare_test_zeros.pack";
    REQUIRE(save_compressed(sequential(dense<dyn, dyn>(1024, 1024)), path));
    CHECK_THAT(io::report_archive(path).error().message, ContainsSubstring(path + ": expected tensors of at most "));
    CHECK(io::report_archive(path, std::size_t{5} << 20)->whole.bytes == 1025 * 1024 * sizeof(float));
    std::remove(path.c_str());
}

TEST_CASE("the archive in docs/archive.md is the one that is written") {
    dense<128, 4> first;
    for (std::size_t i = 0; i < 512; i += 16) {
        first.weights.values[i] = i % 48 == 0 ? -2.0f : 4.0f;
    }
    first.bias.data()[2] = 1.0f;
    dense<4, 2> second;
    const float stored[] = {31.75f, 0.0f, -1.0f, 0.5f, 0.0f, -31.75f, 2.0f, 0.0f};  // whole multiples of a quarter
    std::copy(std::begin(stored), std::end(stored), second.weights.values.begin());
    const auto shared = *cluster<3>(sequential(first));
    const auto sparse = *quantize_dynamic(*sparsify<csr>(sequential(second)));
    const auto model = sequential(std::get<0>(shared.layers), relu(), std::get<0>(sparse.layers));
    const std::string path = "pare_test_page.pack";
    const auto archive = save_compressed(model, path);
    std::remove(path.c_str());
    INFO((archive ? "" : archive.error().message));
    REQUIRE(archive);
    // Lines of the page are "0x1f | 00 01 02 | what it is".
    std::ifstream page(PARE_DOCS "/archive.md");
    std::string line;
    io::bytes content;
    while (std::getline(page, line)) {
        if (line.starts_with("0x") && line.find(" | ") != std::string::npos) {
            CHECK(std::stoul(line.substr(2), nullptr, 16) == content.size());
            const auto begin = line.find('|') + 1;
            std::istringstream numbers(line.substr(begin, line.find('|', begin) - begin));
            for (std::string byte; numbers >> byte;) {
                content.push_back(static_cast<unsigned char>(std::stoul(byte, nullptr, 16)));
            }
        }
    }
    std::string now;
    for (const unsigned char byte : archive->content) {
        char text[4];
        std::snprintf(text, sizeof text, "%02x ", byte);
        now += text;
    }
    INFO("the archive is " << now);
    CHECK(content == archive->content);
}
