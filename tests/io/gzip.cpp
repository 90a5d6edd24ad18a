#include <pare/io/gzip.hpp>

#include <cstdio>
#include <cstdlib>

#include <pare/io/idx.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

const std::string path = "pare_test_gzip.gz";

io::bytes content(std::size_t size) {
    io::bytes b(size);
    for (std::size_t i = 0; i < size; ++i) {
        b[i] = static_cast<unsigned char>(i * i >> 3);
    }
    return b;
}

void write_raw(const io::bytes& b) {
    std::FILE* const out = std::fopen(path.c_str(), "wb");
    REQUIRE(out != nullptr);
    REQUIRE(std::fwrite(b.data(), 1, b.size(), out) == b.size());
    std::fclose(out);
}

void write_gzip(const io::bytes& b) {
    const gzFile out = gzopen(path.c_str(), "wb");
    REQUIRE(gzwrite(out, b.data(), static_cast<unsigned>(b.size())) == static_cast<int>(b.size()));
    gzclose(out);
}

}  // namespace

TEST_CASE("gzip'd and plain files read the same") {
    for (const std::size_t size : {1u, 1000u, 300000u}) {
        const auto b = content(size);
        write_gzip(b);
        CHECK(io::read_gzip_file(path).value() == b);
        write_raw(b);
        CHECK(io::read_gzip_file(path).value() == b);
    }
    std::remove(path.c_str());
    CHECK(io::read_gzip_file(path).error().code == error_code::not_found);
}

TEST_CASE("several streams in one file read as one, and what follows them is damage") {
    write_gzip(content(1000));
    auto raw = io::read_file(path).value();
    const std::size_t one = raw.size();
    raw.insert(raw.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(one));
    write_raw(raw);
    auto twice = content(1000);
    twice.insert(twice.end(), twice.begin(), twice.begin() + 1000);
    CHECK(io::read_gzip_file(path).value() == twice);
    raw.resize(one + 5, 7);
    write_raw(raw);
    CHECK_FALSE(io::read_gzip_file(path));
    std::remove(path.c_str());
}

TEST_CASE("a gzip file that is cut or damaged is an error that says so") {
    write_gzip(content(3000));
    const auto raw = io::read_file(path).value();
    for (std::size_t length = 2; length < raw.size(); length += 7) {
        write_raw(io::bytes(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(length)));
        const auto cut = io::read_gzip_file(path);
        REQUIRE_FALSE(cut);
        CHECK_THAT(cut.error().message,
                   ContainsSubstring(path + ": expected a whole gzip file, found one that is damaged or truncated"));
    }
    auto damaged = raw;
    damaged[raw.size() / 2] ^= 0xff;
    write_raw(damaged);
    CHECK_FALSE(io::read_gzip_file(path));
    std::remove(path.c_str());
}

TEST_CASE("a file that inflates beyond the limit is an error") {
    write_gzip(io::bytes(500000));
    CHECK_THAT(io::read_gzip_file(path, 100000).error().message,
               ContainsSubstring("expected at most 100000 bytes after inflating"));
    CHECK(io::read_gzip_file(path, 500000));
    std::remove(path.c_str());
}

#if defined(PARE_MNIST)
TEST_CASE("MNIST reads") {
    const char* const directory = PARE_MNIST;
    const auto test = io::load_mnist(directory, "t10k", [](const std::string& file) { return io::read_gzip_file(file); });
    REQUIRE(test);
    CHECK(test->size() == 10000);
    CHECK(test->sample_shape() == extents<28, 28>());
    CHECK(test->label(0) == 7);
}
#endif
