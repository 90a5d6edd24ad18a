#include <pare/io/compressed.hpp>

#include <cstdio>

#include <pare/compress/cluster.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/sequential.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

void add_checksum(io::bytes& content) {
    const std::uint32_t sum = io::crc32(content);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        content.push_back(static_cast<unsigned char>(sum >> shift));
    }
}
std::string problem_of(io::bytes content) {
    add_checksum(content);
    const auto file = io::unpack(content, "f");
    return file ? "none" : file.error().message;
}
io::bytes with_magic(std::initializer_list<unsigned char> rest) {
    const std::string magic = "PAREPACK\1";
    io::bytes content(magic.begin(), magic.end());
    for (const unsigned char byte : rest) {
        content.push_back(byte);
    }
    return content;
}

/// Number 2^60 in the archive.
const io::bytes huge = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10};

io::bytes with_huge(std::initializer_list<unsigned char> before, std::initializer_list<unsigned char> after) {
    io::bytes content = with_magic(before);
    content.insert(content.end(), huge.begin(), huge.end());
    content.insert(content.end(), after.begin(), after.end());
    return content;
}

}  // namespace

TEST_CASE("an archive that is cut or has any bit turned is an error") {
    const std::string path = "pare_test_damaged.pack";
    const auto model = *cluster<4>(sparsify<csr>(initialized(sequential(dense<3, 4>()), he_normal{}, seed{1})));
    const auto archive = save_compressed(model, path);
    REQUIRE(archive);
    for (std::size_t n = 0; n < archive->content.size(); ++n) {
        CHECK_FALSE(io::unpack(std::span(archive->content).first(n), path));
        io::bytes cut(archive->content.begin(), archive->content.begin() + static_cast<std::ptrdiff_t>(n));
        add_checksum(cut);
        CHECK(io::unpack(cut, path).has_value() == (n + 4 == archive->content.size()));
    }
    for (std::size_t bit = 0; bit < 8 * archive->content.size(); ++bit) {
        io::bytes damaged = archive->content;
        damaged[bit / 8] ^= static_cast<unsigned char>(1u << bit % 8);
        CHECK_FALSE(io::unpack(damaged, path));
    }
    std::remove(path.c_str());
}

TEST_CASE("archives that contradict themselves say how, and large numbers allocate nothing") {
    CHECK(problem_of({'n', 'o'}) == "f: expected an archive, which begins with \"PAREPACK\", found 6 bytes that do not");
    auto version = with_magic({0, 0});
    version[8] = 9;
    CHECK(problem_of(version) == "f: expected version 1 of the archive, found 9");
    auto wrong_sum = with_magic({0, 0, 0, 0, 0, 0});
    CHECK(io::unpack(wrong_sum, "f").error().message.find("expected a checksum of ") != std::string::npos);
    CHECK(problem_of(with_magic({0, 0})) == "none");
    CHECK(problem_of(with_magic({0, 0, 7})) == "f: expected the end behind the last text, found 1 bytes more");
    CHECK(problem_of(with_magic({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10})) ==
          "f: expected a number of tensors of at most 0, as 0 bytes are left, found 1152921504606846976");
    CHECK(problem_of(with_magic({2, 1, 'w', 1, 0, 0, 0, 1, 7, 1, 'v', 1, 0, 0})) ==
          "f: expected a number of tensors of at most 1, as 13 bytes are left, found 2");  // of 7 bytes and more each
    CHECK(problem_of(with_magic({0, 2, 0, 0, 0})) == "f: expected a number of texts of at most 1, as 3 bytes are left, found 2");
    CHECK(problem_of(with_magic({1, 1, 'w', 99, 0, 0, 0, 0})) == "f: expected a type of tensor \"w\" below 17, found 99");
    CHECK(problem_of(with_magic({1, 1, 'w', 1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 1, 2, 5, 5, 0})) ==
          "f: expected tensors of at most 1081576 bytes, found \"w\" of U8 [1152921504606846976]");
    CHECK(problem_of(with_magic({1, 1, 'w', 1, 1, 3, 2, 0})) == "f: expected a transform of tensor \"w\" of 0 or 1, found 2");
    CHECK(problem_of(with_magic({1, 1, 'w', 1, 1, 3, 0, 3, 0, 0})) == "f: expected a coder of tensor \"w\" of 0, 1 or 2, found 3");
    CHECK(problem_of(with_magic({1, 1, 'w', 1, 1, 3, 0, 0, 2, 5, 5, 0})) == "f: expected 3 bytes of tensor \"w\", found 2");
    CHECK(
        problem_of(with_magic({1, 1, 'w', 1, 1, 3, 0, 1, 3, 5, 5, 0, 0})) ==
        "f: expected codes of tensor \"w\" that can be read, found Huffman stream: expected nothing behind a lone symbol, found 3 "
        "bytes without");
    CHECK(problem_of(with_magic({1, 1, 'w', 1, 1, 3, 0, 1, 2, 5, 5, 0})) == "none");
    // A million of one symbol is two bytes: more than the archive may become, unless the caller allows it.
    io::bytes large = with_magic({1, 1, 'w', 1, 1, 0x80, 0x80, 0x80, 0x01, 0, 1, 2, 5, 5, 0});
    CHECK(problem_of(large) == "f: expected tensors of at most 1076576 bytes, found \"w\" of U8 [2097152]");
    add_checksum(large);
    CHECK(io::unpack(large, "f", std::size_t{1} << 21)->tensors()[0].data.size() == 2097152);
}

TEST_CASE("names and keys of an archive come once, and are none that files keep for themselves") {
    const auto named = [](const std::string& first, const std::string& second) {
        const io::bytes data = {1, 2};
        const std::vector<io::tensor_entry> tensors = {{first, "U8", {2}, data}, {"b", "U8", {2}, data}, {second, "I8", {2}, data}};
        auto content = io::pack(tensors, {}).content;
        const auto file = io::unpack(content, "f");
        return file ? "none" : file.error().message;
    };
    CHECK(named("a", "c") == "none");
    CHECK(named("c", "c") == "f: expected every name once, found \"c\" twice");
    for (const std::string name : {"", "__metadata__"}) {
        CHECK(named(name, "c") ==
              "f: expected a name of a tensor that is neither empty nor \"__metadata__\", found \"" + name + "\"");
    }
    const std::vector<std::pair<std::string, std::string>> texts = {{"k", "1"}, {"j", "2"}, {"k", "3"}};
    CHECK(io::unpack(io::pack({}, texts).content, "f").error().message == "f: expected every key once, found \"k\" twice");
}

TEST_CASE("every length that an archive has may be 2^60 and more") {
    const auto too_many = [](const char* what, std::size_t left, std::size_t least = 1) {
        return sentence("f: expected ", what, " of at most ", left / least, ", as ", left,
                        " bytes are left, found 1152921504606846976");
    };
    CHECK(problem_of(with_huge({}, {0, 0})) == too_many("a number of tensors", 2, 7));
    CHECK(problem_of(with_huge({1}, {'w', 1, 1, 3, 0, 1, 2, 5, 5, 0})) == too_many("the name of a tensor", 10));
    CHECK(problem_of(with_huge({1, 1, 'w', 1}, {3, 0, 1, 2, 5, 5, 0})) == too_many("a number of extents", 7));
    CHECK(problem_of(with_huge({1, 1, 'w', 1, 1, 3, 0, 1}, {5, 5, 0})) == too_many("a length", 3));
    CHECK(problem_of(with_huge({0}, {0})) == too_many("a number of texts", 1, 2));
    CHECK(problem_of(with_huge({0, 1}, {'k', 1, 't'})) == too_many("a key", 3));
    CHECK(problem_of(with_huge({0, 1, 1, 'k'}, {'t'})) == too_many("a text", 1));
    // Extents whose product is 0, or more than 64 bits.
    io::bytes none = with_huge({1, 1, 'w', 1, 2, 0}, {0, 0, 0, 0});
    CHECK(problem_of(none) == "none");
    io::bytes square = with_huge({1, 1, 'w', 1, 2}, {});
    square.insert(square.end(), huge.begin(), huge.end());
    square.insert(square.end(), {0, 1, 2, 5, 5, 0});
    CHECK(problem_of(square) ==
          "f: expected tensors of at most 1090576 bytes, found \"w\" of U8 [1152921504606846976, 1152921504606846976]");
    CHECK(problem_of(with_magic({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0})) ==
          "f: expected a number of tensors below 2^64, found more");
}

TEST_CASE("an archive of which any bit was turned before its checksum was taken loads or says why not, and nothing in between") {
    const std::string path = "pare_test_turned.pack";
    const auto model = *cluster<4>(sparsify<csr>(initialized(sequential(dense<3, 4>()), he_normal{}, seed{1})));
    const auto untouched = *cluster<4>(sparsify<csr>(initialized(sequential(dense<3, 4>()), he_normal{}, seed{2})));
    auto archive = save_compressed(model, path);
    REQUIRE(archive);
    archive->content.resize(archive->content.size() - 4);
    const auto& before = std::get<0>(untouched.layers).weights;
    std::size_t loads = 0;
    for (std::size_t bit = 0; bit < 8 * archive->content.size(); ++bit) {
        io::bytes turned = archive->content;
        turned[bit / 8] ^= static_cast<unsigned char>(1u << bit % 8);
        add_checksum(turned);
        REQUIRE_FALSE(io::write_file(path, turned));
        auto other = untouched;
        const auto& after = std::get<0>(other.layers).weights;
        if (load_compressed(other, path)) {
            CHECK(std::equal(before.values.begin(), before.values.end(), after.values.begin(), after.values.end()));
            CHECK(std::equal(before.scales.begin(), before.scales.end(), after.scales.begin()));
        } else {
            ++loads;
            CHECK(std::all_of(after.values.begin(), after.values.end(), [](std::uint8_t code) { return code < 4; }));
        }
    }
    CHECK(loads > 0);  // another value of a centroid is a model, too
    std::remove(path.c_str());
}
