#include <pare/io/npy.hpp>

#include <cstdio>

#include "../catch.hpp"

using namespace pare;

namespace {

const std::string path = "pare_test_npy.npy";

io::bytes npy(const std::string& header, std::size_t data_size, unsigned char version = 1) {
    io::bytes content = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, static_cast<unsigned char>(header.size()), 0};
    if (version != 1) {
        content.resize(12);
    }
    for (const char c : header) {
        content.push_back(static_cast<unsigned char>(c));
    }
    for (std::size_t i = 0; i < data_size; ++i) {
        content.push_back(static_cast<unsigned char>(i));
    }
    return content;
}
std::string header(const std::string& type, const std::string& shape, const std::string& order = "False") {
    return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }   \n";
}
template <class T = std::uint8_t>
std::string message(const io::bytes& content) {
    const auto array = io::parse_npy<T>(content, "f");
    return array ? "no error" : array.error().message;
}

}  // namespace

TEST_CASE("arrays of NumPy are read") {
    for (const int version : {1, 2, 3}) {
        const auto array = io::parse_npy<std::uint16_t>(npy(header("<u2", "(2, 3)"), 12, static_cast<unsigned char>(version)), "f");
        REQUIRE(array);
        CHECK(array->shape == std::vector<std::size_t>{2, 3});
        CHECK(array->values[5] == 0x0b0a);
    }
    CHECK(io::parse_npy<std::uint8_t>(npy(header("|u1", "()"), 1), "scalar")->values.size() == 1);
    CHECK(io::parse_npy<std::uint8_t>(npy(header("|u1", "(4,)", "True"), 4), "column")->values[3] == 3);
    CHECK(io::parse_npy<float>(npy(header("<f4", "(0, 18446744073709551615)"), 0), "empty")->values.empty());
    CHECK(io::parse_npy<float>(npy(header("<f4", "(5, 0)"), 0), "empty"));
    CHECK(io::parse_npy<std::uint8_t>(npy("{\"shape\":(4),'fortran_order':False,'descr':'|u1'}", 4), "another order"));
}

TEST_CASE("arrays are written as they are read") {
    const float values[6] = {1.0f, -2.5f, 0.0f, 1e30f, 5.0f, -0.0f};
    const std::size_t shape[2] = {2, 3};
    REQUIRE_FALSE(io::write_npy<float>(path, shape, values));
    const auto array = io::read_npy<float>(path);
    REQUIRE(array);
    CHECK(array->shape == std::vector<std::size_t>{2, 3});
    CHECK(std::memcmp(array->values.data(), values, sizeof values) == 0);
    CHECK(io::read_file(path)->size() == 128 + sizeof values);
    REQUIRE_FALSE(io::write_npy<float>(path, {}, std::span(values, 1)));
    CHECK(io::read_npy<float>(path)->shape.empty());
    CHECK_THAT(io::read_npy<double>(path).error().message,
               ContainsSubstring(path + ": expected numbers of type '<f8', found '<f4'"));
    std::remove(path.c_str());
    CHECK(io::read_npy<float>(path).error().code == error_code::not_found);
}

TEST_CASE("an npy file that is cut anywhere is an error") {
    const auto whole = npy(header("|u1", "(2, 3)"), 6);
    REQUIRE(message(whole) == "no error");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CHECK(message(io::bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))) != "no error");
    }
    CHECK(message({}) == "f: expected an npy file, which begins with the byte 147, NUMPY, a version and a length; found 0 bytes");
    CHECK_THAT(message(npy(header("|u1", "(2, 3)"), 7)), ContainsSubstring("found 7 bytes"));
    CHECK_THAT(message<float>(npy(header("<f4", "(1,)"), 5)), ContainsSubstring("4 bytes each; found 5 bytes"));
}

TEST_CASE("npy headers of other forms are errors that say what was found") {
    CHECK(message<float>(npy(header(">f4", "(1,)"), 4)) == "f: expected numbers of type '<f4', found '>f4'");
    CHECK(message<float>(npy(header("<f", "(1,)"), 4)) == "f: expected numbers of type '<f4', found '<f'");
    CHECK_THAT(message(npy(header("|u1", "(2, 3)", "True"), 6)), ContainsSubstring("found fortran_order"));
    CHECK(message(npy(header("|u1", "(1,)"), 1, 4)) == "f: expected version 1, 2 or 3 of the npy format, found 4");
    CHECK_THAT(message(npy(header("|u1", "(4294967296, 4294967296)"), 4)), ContainsSubstring("as many numbers as the shape says"));
    auto longer = npy(header("|u1", "(1,)"), 1);
    longer[9] = 0xff;
    CHECK_THAT(message(longer), ContainsSubstring("expected a header of at most "));
    for (const char* const text :
         {"{", "{}", "{'descr': '|u1', 'fortran_order': False}",
          "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': ()}",
          "{'descr': '|u1', 'fortran_order': 0, 'shape': ()}", "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (1 2)}", "{'descr': '|u1', 'fortran_order': False, 'shape': (,)}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': ()} x", "{'descr': '|u1, 'fortran_order': False, 'shape': ()}",
          "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}"}) {
        CAPTURE(text);
        CHECK(message(npy(text, 1)) == "f: expected a header {'descr': ..., 'fortran_order': ..., 'shape': (...)}, found another");
    }
}
