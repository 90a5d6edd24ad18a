#include <pare/io/safetensors.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

io::bytes file_of(const std::string& header, std::size_t data_size, std::uint64_t length) {
    io::bytes content(8 + header.size() + data_size);
    std::memcpy(content.data(), &length, 8);
    std::copy(header.begin(), header.end(), content.begin() + 8);
    for (std::size_t i = 0; i < data_size; ++i) {
        content[8 + header.size() + i] = static_cast<unsigned char>(i);
    }
    return content;
}
io::bytes file_of(const std::string& header, std::size_t data_size) {
    return file_of(header, data_size, header.size());
}

const std::string two = R"({"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                        R"("a":{"dtype":"U8","shape":[],"data_offsets":[24,25]},"__metadata__":{"format":"pt"}})";

std::string message(const io::bytes& content) {
    const auto parsed = io::safetensors::parse(content, "f");
    return parsed ? "no error" : parsed.error().message;
}
/// Of a file with one tensor "w" whose parts are given as JSON, and 8 bytes.
std::string message(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return message(file_of(R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}", 8));
}

}  // namespace

TEST_CASE("tensors, their types, shapes and bytes come out of a safetensors file") {
    const auto parsed = io::safetensors::parse(file_of(two + "   ", 25), "f");
    REQUIRE(parsed);
    REQUIRE(parsed->tensors().size() == 2);
    CHECK(parsed->tensors()[0].name == "a");
    const io::tensor_entry* const b = parsed->find("b");
    REQUIRE(b != nullptr);
    CHECK(b->type == "F32");
    CHECK(b->shape == std::vector<std::size_t>{2, 3});
    CHECK(b->data.size() == 24);
    CHECK(int{b->data[5]} == 5);
    CHECK(int{parsed->find("a")->data[0]} == 24);
    CHECK(parsed->find("c") == nullptr);
    CHECK(parsed->metadata("format") == "pt");
    CHECK(parsed->metadata("a").empty());
    CHECK(io::safetensors::parse(file_of("{}", 0), "empty"));
    CHECK(io::safetensors::parse(file_of(R"({"w":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", 0),
                                 "no elements"));
}

TEST_CASE("what is written reads the same") {
    const io::bytes data = {1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<std::pair<std::string, std::string>> metadata = {{"w", "a \"text\" of \xc3\xa4"}};
    const auto content = io::safetensors_content(
        {{"small", "U8", {2, 2}, {data.data(), 4}}, {"w", "F32", {1}, {data.data() + 4, 4}}, {"a\nb", "F64", {0}, {}}}, metadata);
    CHECK((content.size() - 8) % 8 == 0);
    const std::string header(content.begin() + 8, content.end() - 8);
    CHECK(header.substr(0, header.find_last_not_of(' ') + 1) ==
          "{\"__metadata__\":{\"w\":\"a \\\"text\\\" of "
          "\xc3\xa4\"},\"a\\nb\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]},"
          "\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"small\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[4,8]}}");
    const auto empty = io::safetensors_content({}, {});
    CHECK(std::string(empty.begin() + 8, empty.end()) == "{}      ");
    const auto parsed = io::safetensors::parse(content, "f");
    REQUIRE(parsed);
    CHECK(parsed->metadata("w") == metadata[0].second);
    CHECK(int{parsed->find("w")->data[0]} == 5);
    CHECK(int{parsed->find("small")->data[3]} == 4);
    CHECK(parsed->find("w")->data.data() < parsed->find("small")->data.data());  // wide types first: they are aligned
    CHECK(parsed->find("a\nb")->shape == std::vector<std::size_t>{0});
}

TEST_CASE("a safetensors file that is cut anywhere is an error") {
    const auto whole = file_of(two, 25);
    REQUIRE(message(whole) == "no error");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CHECK(message(io::bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))) != "no error");
    }
    auto longer = whole;
    longer.push_back(0);
    CHECK(message(longer) == "f: expected 25 bytes of data, the end of the last tensor; found 26");
    CHECK(message({}) == "f: expected a safetensors file, which begins with a length of 8 bytes; found 0 bytes");
}

TEST_CASE("a header of absurd length or content is an error") {
    for (const std::uint64_t length : {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1000}}) {
        CHECK_THAT(message(file_of("{}", 0, length)),
                   ContainsSubstring("f: expected a header of at most 2 bytes, found a length of "));
    }
    for (const char* const text : {"", "[]", "3", "\"w\"", "null", "{", "{\"w\":}", " {}", "{}x", "\xff\xff", "{\"\xff\":1}"}) {
        CAPTURE(text);
        CHECK_THAT(message(file_of(text, 0)), ContainsSubstring("f: expected a header that is an object in JSON, found "));
    }
    CHECK_THAT(message(file_of(std::string(200000, '['), 0)), ContainsSubstring("expected a header that is an object"));
    CHECK(message(file_of(R"({"__metadata__":{"a":1}})", 0)) ==
          "f: expected __metadata__ that is an object of texts, found number at \"a\"");
    CHECK(message(file_of(R"({"__metadata__":null})", 0)) == "f: expected __metadata__ that is an object of texts, found null");
}

TEST_CASE("names that come twice or not at all are errors") {
    const std::string w = R"("w":{"dtype":"U8","shape":[4],"data_offsets":)";
    CHECK(message(file_of("{" + w + "[0,4]}," + w + "[4,8]}}", 8)) == "f: expected every name once, found \"w\" twice");
    CHECK(message(R"("U8","dtype":"U8")", "[8]", "[0,8]") == "f: expected every name once, found \"dtype\" twice");
    CHECK_THAT(message(file_of(R"({"":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 8)), ContainsSubstring("found no name"));
    CHECK(message(file_of(R"({"w":{"dtype":"U8","shape":[8]}})", 8)) ==
          "f: tensor \"w\": expected a name, and an object of a dtype that is a text, shape and data_offsets, found object of 2 "
          "parts");
    CHECK_THAT(message(file_of(R"({"w":5})", 8)), ContainsSubstring("found number of 1 parts"));
    CHECK_THAT(message(file_of(R"({"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1}})", 8)),
               ContainsSubstring("object of 4 parts"));
}

TEST_CASE("types, shapes and places that contradict each other are errors") {
    CHECK(message("\"F32\"", "[2]", "[0,8]") == "no error");
    CHECK(message("\"F31\"", "[2]", "[0,8]") == "f: tensor \"w\": expected a type of the format, such as F32, found \"F31\"");
    CHECK_THAT(message("3", "[2]", "[0,8]"), ContainsSubstring("a dtype that is a text"));
    for (const char* const shape : {"[-1]", "[2.0]", "[\"2\"]", "2", "{}", "[[2]]", "[18446744073709551616]", "null"}) {
        CAPTURE(shape);
        CHECK_THAT(message("\"F32\"", shape, "[0,8]"), ContainsSubstring("f: tensor \"w\": expected lists of numbers as shape"));
    }
    for (const char* const offsets : {"[0]", "[0,8,8]", "[]", "[0,-8]", "8"}) {
        CAPTURE(offsets);
        CHECK_THAT(message("\"F32\"", "[2]", offsets), ContainsSubstring("f: tensor \"w\": expected lists of numbers as shape"));
    }
    CHECK(message("\"F32\"", "[2]", "[0,9]") ==
          "f: tensor \"w\": expected data between byte 0 and 8, where the file ends, found data_offsets [0, 9]");
    CHECK_THAT(message("\"F32\"", "[2]", "[8,0]"), ContainsSubstring("found data_offsets [8, 0]"));
    CHECK_THAT(message("\"F32\"", "[2]", "[18446744073709551608,18446744073709551615]"), ContainsSubstring("where the file ends"));
    CHECK(message("\"F32\"", "[3]", "[0,8]") == "f: tensor \"w\": expected as many bytes as F32 [3] takes, 12, found 8");
    CHECK(message("\"F4\"", "[3]", "[0,8]") == "f: tensor \"w\": expected as many bytes as F4 [3] takes, 1, found 8");
    CHECK(message("\"F32\"", "[4611686018427387904, 2]", "[0,8]") ==
          "f: tensor \"w\": expected as many bytes as F32 [4611686018427387904, 2] takes, found 8");
    CHECK(message("\"F32\"", "[1]", "[4,8]") ==
          "f: tensor \"w\": expected data from byte 0 on, where the data before it ends, found data from byte 4 on");
    const std::string first =
        R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":)";
    CHECK(message(file_of(first + "[4,8]}}", 8)) == "no error");
    CHECK(message(file_of(first + "[3,7]}}", 7)) ==
          "f: tensor \"b\": expected data from byte 4 on, where the data before it ends, found data from byte 3 on");
    CHECK_THAT(message(file_of(first + "[5,9]}}", 9)), ContainsSubstring("tensor \"b\": expected data from byte 4 on"));
}
