#ifndef PARE_IO_SAFETENSORS_HEADER_HPP
#define PARE_IO_SAFETENSORS_HEADER_HPP

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

namespace detail {

/// Looks for a key that comes twice in an object, in O(n log n): nlohmann's parser keeps the last of two, and calls of its own for
/// each key cost it O(n) each.
struct key_watcher {
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    std::string twice;

    bool key(std::string& key) {
        if (!keys.back().insert(key).second) {
            twice = key;
        }
        return true;
    }
    bool start_object(std::size_t) {
        keys.emplace_back();
        return true;
    }
    bool end_object() {
        keys.pop_back();
        return true;
    }
    bool start_array(std::size_t) { return true; }
    bool end_array() { return true; }
    bool null() { return true; }
    bool boolean(bool) { return true; }
    bool number_integer(std::int64_t) { return true; }
    bool number_unsigned(std::uint64_t) { return true; }
    bool number_float(double, const std::string&) { return true; }
    bool string(std::string&) { return true; }
    bool binary(nlohmann::json::binary_t&) { return true; }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) { return false; }
};

/// The header as JSON, or what is wrong with it.
inline result<nlohmann::json> parse_safetensors_header(const unsigned char* first, const unsigned char* last,
                                                       const std::string& file) {
    nlohmann::json header = nlohmann::json::parse(first, last, nullptr, /*allow_exceptions*/ false);
    if (!header.is_object() || *first != '{') {
        return error{error_code::malformed, sentence(file, ": expected a header that is an object in JSON, found ",
                                                     header.is_discarded() ? "text that is none" : "something else")};
    }
    key_watcher watch;
    nlohmann::json::sax_parse(first, last, &watch);
    if (!watch.twice.empty()) {
        return error{error_code::malformed, sentence(file, ": expected every name once, found \"", watch.twice, "\" twice")};
    }
    return header;
}

/// A list of numbers out of JSON.
inline std::optional<std::vector<std::size_t>> json_numbers(const nlohmann::json& tensor, const char* key) {
    const auto found = tensor.find(key);
    if (found == tensor.end() || !found->is_array()) {
        return std::nullopt;
    }
    std::vector<std::size_t> numbers;
    for (const auto& n : *found) {
        if (!n.is_number_unsigned() || n.get<std::uint64_t>() > static_cast<std::size_t>(-1)) {
            return std::nullopt;
        }
        numbers.push_back(static_cast<std::size_t>(n.get<std::uint64_t>()));
    }
    return numbers;
}

}  // namespace detail

}  // namespace io

PARE_NAMESPACE_END

#endif
