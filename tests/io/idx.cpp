#include <pare/io/idx.hpp>

#include <cstdio>

#include "../catch.hpp"

using namespace pare;

namespace {

io::bytes idx(unsigned char type, std::initializer_list<unsigned> dimensions, std::size_t values) {
    io::bytes content = {0, 0, type, static_cast<unsigned char>(dimensions.size())};
    for (const unsigned d : dimensions) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            content.push_back(static_cast<unsigned char>(d >> shift));
        }
    }
    for (std::size_t i = 0; i < values; ++i) {
        content.push_back(static_cast<unsigned char>(i % 10));
    }
    return content;
}

/// A reader of files that exist in memory only.
auto reading(io::bytes images, io::bytes labels) {
    return [=](const std::string& path) -> result<io::bytes> { return path == "images" ? images : labels; };
}

std::string message(io::bytes images, io::bytes labels) {
    const auto data = io::load_idx("images", "labels", reading(std::move(images), std::move(labels)));
    return data ? "no error" : data.error().message;
}

}  // namespace

TEST_CASE("images and labels become a data set") {
    const auto data = io::load_idx("images", "labels", reading(idx(8, {3, 2, 4}, 24), idx(8, {3}, 3)));
    REQUIRE(data);
    CHECK(data->size() == 3);
    CHECK(data->classes() == 10);
    CHECK(data->sample_shape() == extents<2, 4>());
    CHECK(data->label(2) == 2);
    CHECK(int{data->sample(1)[0]} == 8);
    float x[8];
    std::int32_t label;
    const std::size_t first[1] = {1};
    data->fetch(first, x, &label);
    CHECK(label == 1);
    CHECK(x[1] == 9.0f * (1.0f / 255.0f));
}

TEST_CASE("inconsistent files say which, what was expected and what was found") {
    const auto images = idx(8, {3, 2, 4}, 24);
    const auto labels = idx(8, {3}, 3);
    CHECK(message(images, labels) == "no error");
    CHECK(message({}, labels) ==
          "images: expected an IDX file, which begins with two zero bytes, a type and a number of dimensions; found an empty file");
    CHECK(
        message({'P', 'K', 3, 4}, labels) ==
        "images: expected an IDX file, which begins with two zero bytes, a type and a number of dimensions; found bytes 80 75 3 4");
    CHECK(message(idx(13, {3, 2, 4}, 96), labels) == "images: expected values of type 8 (unsigned byte), found type 13");
    CHECK(message(idx(8, {}, 0), labels) ==
          "images: expected at least one dimension, and four bytes for each of them; found 0 dimensions in 4 bytes");
    CHECK(message(idx(8, {3, 2, 4}, 23), labels) == "images: expected at least 6 * 4 values, as dimension 2 says; found 23");
    CHECK(message(idx(8, {3, 2, 4}, 25), labels) == "images: expected 24 values, the product of the dimensions; found 25");
    CHECK(message(images, idx(8, {4}, 4)) == "labels: expected 3 labels, one for each image of images; found 4");
    CHECK(message(images, images) == "labels: expected 1 dimensions, found 3");
    CHECK(message(labels, labels) == "images: expected 3 dimensions, found 1");
    CHECK(message(idx(8, {0, 2, 4}, 0), idx(8, {0}, 0)) == "labels: expected at least one sample, found none");
    auto wrong = labels;
    wrong.back() = 10;
    CHECK(message(images, wrong) == "labels: expected labels from 0 to 9, found 10 at sample 2");
}

TEST_CASE("a file that is cut anywhere is an error, and huge dimensions allocate nothing") {
    const auto whole = idx(8, {3, 2, 4}, 24);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CHECK_FALSE(io::parse_idx(io::bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)), "cut"));
    }
    CHECK_FALSE(io::parse_idx(idx(8, {0xffffffff, 0xffffffff, 0xffffffff}, 24), "huge"));
    CHECK_FALSE(io::parse_idx(idx(8, {0x80000000, 2, 0x80000000, 4}, 0), "overflowing"));
    CHECK(io::parse_idx(idx(8, {0, 0xffffffff}, 0), "empty"));
}

TEST_CASE("a missing file is an error that names it") {
    const auto data = io::load_mnist("no-such-directory", "train", io::read_file);
    REQUIRE_FALSE(data);
    CHECK(data.error().code == error_code::not_found);
    CHECK(data.error().message ==
          "no-such-directory/train-images-idx3-ubyte: expected a file that can be read, found: No such file or directory");
}

TEST_CASE("files are read whole") {
    const std::string path = "pare_test_read_file.bin";
    io::bytes content(200000);
    for (std::size_t i = 0; i < content.size(); ++i) {
        content[i] = static_cast<unsigned char>(i * 7);
    }
    std::FILE* const out = std::fopen(path.c_str(), "wb");
    REQUIRE(out != nullptr);
    REQUIRE(std::fwrite(content.data(), 1, content.size(), out) == content.size());
    std::fclose(out);
    CHECK(io::read_file(path).value() == content);
    std::remove(path.c_str());
    CHECK(io::read_file(".").error().message == ".: expected a file that can be read, found: Is a directory");
}
