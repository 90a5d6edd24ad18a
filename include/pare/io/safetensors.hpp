#ifndef PARE_IO_SAFETENSORS_HPP
#define PARE_IO_SAFETENSORS_HPP

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include <pare/io/file.hpp>
#include <pare/io/number_types.hpp>
#include <pare/io/safetensors_header.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// A tensor of a safetensors file: its numbers are somebody else's bytes, row-major, lowest byte first.
struct tensor_entry {
    std::string name;
    std::string type;  // "F32", ...
    std::vector<std::size_t> shape;
    std::span<const unsigned char> data;
};

/// "[300, 784]".
inline std::string shape_text(std::span<const std::size_t> shape) {
    std::string text = "[";
    for (std::size_t d = 0; d < shape.size(); ++d) {
        text += sentence(d == 0 ? "" : ", ", shape[d]);
    }
    return text + "]";
}

namespace detail {

/// The bits of an element of a type, 0 of a type that the format does not have.
inline std::size_t safetensors_bits(std::string_view type) noexcept {
    constexpr struct {
        std::string_view name;
        std::size_t bits;
    } types[] = {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8},
                 {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16}, {"BF16", 16}, {"I32", 32},
                 {"U32", 32},    {"F32", 32},    {"F64", 64},    {"I64", 64},    {"U64", 64}, {"C64", 64}};
    for (const auto& t : types) {
        if (t.name == type) {
            return t.bits;
        }
    }
    return 0;
}

/// The bits of all elements, or nothing where they are more than a std::size_t counts.
inline std::optional<std::size_t> safetensors_bits(std::string_view type, std::span<const std::size_t> shape) noexcept {
    std::size_t product = safetensors_bits(type);
    for (const std::size_t extent : shape) {
        if (extent != 0 && product > static_cast<std::size_t>(-1) / extent) {
            return std::nullopt;
        }
        product *= extent;
    }
    return product;
}

}  // namespace detail

/// A safetensors file in memory: the length of a header in eight bytes; the header, in JSON, with the type, the shape and the place
/// of every tensor; their bytes, without gaps. Errors name the file and the tensor, what was expected and what was found.
class safetensors {
public:
    /// Takes the content of a file; `file` is what errors call it. Allocates no more than in proportion to what is there.
    /// Errors: a file that is cut, a header that is longer than the file or 100 MB or is not what the format asks for, names that
    /// come twice, unknown types, shapes that do not fit the bytes, bytes that overlap, leave gaps or lie outside the file.
    static result<safetensors> parse(bytes content, const std::string& file) {
        const auto malformed = [&](const auto&... parts) { return error{error_code::malformed, sentence(file, ": ", parts...)}; };
        constexpr std::size_t prefix = 8;
        if (content.size() < prefix) {
            return malformed("expected a safetensors file, which begins with a length of 8 bytes; found ", content.size(),
                             " bytes");
        }
        std::uint64_t length = 0;
        std::memcpy(&length, content.data(), prefix);
        if (length > (std::min)(largest_header, std::uint64_t{content.size() - prefix})) {
            return malformed("expected a header of at most ", (std::min)(largest_header, std::uint64_t{content.size() - prefix}),
                             " bytes, found a length of ", length);
        }
        safetensors parsed;
        parsed.content_ = std::move(content);
        parsed.file_ = file;
        const unsigned char* const data = parsed.content_.data() + prefix + static_cast<std::size_t>(length);
        const std::size_t data_size = parsed.content_.size() - prefix - static_cast<std::size_t>(length);
        const auto header = detail::parse_safetensors_header(parsed.content_.data() + prefix, data, file);
        if (!header) {
            return header.error();
        }
        for (const auto& [name, value] : header->items()) {
            if (name == "__metadata__") {
                if (auto problem = parsed.take_metadata(value)) {
                    return *std::move(problem);
                }
            } else if (auto problem = parsed.take_tensor(name, value, {data, data_size})) {
                return *std::move(problem);
            }
        }
        if (auto problem = parsed.gaps({data, data_size})) {
            return *std::move(problem);
        }
        return parsed;
    }
    static result<safetensors> read(const std::string& path) {
        return and_then(read_file(path), [&](bytes content) { return parse(std::move(content), path); });
    }

    safetensors(safetensors&&) noexcept = default;  // moved bytes stay where they are, and with them what entries point to
    safetensors& operator=(safetensors&&) noexcept = default;

    /// In the order of their names.
    std::span<const tensor_entry> tensors() const noexcept { return tensors_; }
    const tensor_entry* find(std::string_view name) const noexcept {
        const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                         [](const tensor_entry& e, std::string_view n) { return e.name < n; });
        return at != tensors_.end() && at->name == name ? &*at : nullptr;
    }
    /// What __metadata__ says of a key; empty where it says nothing.
    std::string_view metadata(std::string_view key) const noexcept {
        const auto at = std::lower_bound(metadata_.begin(), metadata_.end(), key,
                                         [](const auto& pair, std::string_view k) { return pair.first < k; });
        return at != metadata_.end() && at->first == key ? std::string_view(at->second) : std::string_view();
    }
    const std::string& file() const noexcept { return file_; }

private:
    static constexpr std::uint64_t largest_header = 100'000'000;

    safetensors() = default;

    error malformed(std::string_view tensor, const std::string& expected, const std::string& found) const {
        return error{error_code::malformed, sentence(file_, ": tensor \"", tensor, "\": expected ", expected, ", found ", found)};
    }
    std::optional<error> take_metadata(const nlohmann::json& value) {
        if (!value.is_object()) {
            return error{error_code::malformed,
                         sentence(file_, ": expected __metadata__ that is an object of texts, found ", value.type_name())};
        }
        for (const auto& [key, text] : value.items()) {
            if (!text.is_string()) {
                return error{error_code::malformed, sentence(file_, ": expected __metadata__ that is an object of texts, found ",
                                                             text.type_name(), " at \"", key, "\"")};
            }
            metadata_.emplace_back(key, text.get_ref<const std::string&>());
        }
        return std::nullopt;
    }
    std::optional<error> take_tensor(const std::string& name, const nlohmann::json& value, std::span<const unsigned char> data) {
        const auto type = value.find("dtype");
        if (name.empty() || !value.is_object() || value.size() != 3 || type == value.end() || !type->is_string()) {
            return malformed(name, "a name, and an object of a dtype that is a text, shape and data_offsets",
                             name.empty() ? "no name" : sentence(value.type_name(), " of ", value.size(), " parts"));
        }
        auto shape = detail::json_numbers(value, "shape");
        const auto offsets = detail::json_numbers(value, "data_offsets");
        if (!shape || !offsets || offsets->size() != 2) {
            return malformed(name, "lists of numbers as shape and, two of them, as data_offsets", "something else");
        }
        const auto& type_name = type->get_ref<const std::string&>();
        if (detail::safetensors_bits(type_name) == 0) {
            return malformed(name, "a type of the format, such as F32", sentence("\"", type_name, "\""));
        }
        const std::size_t begin = (*offsets)[0], end = (*offsets)[1];
        if (begin > end || end > data.size()) {
            return malformed(name, sentence("data between byte 0 and ", data.size(), ", where the file ends"),
                             sentence("data_offsets [", begin, ", ", end, "]"));
        }
        const auto bits = detail::safetensors_bits(type_name, *shape);
        if (!bits || *bits % 8 != 0 || *bits / 8 != end - begin) {
            return malformed(name,
                             sentence("as many bytes as ", type_name, " ", shape_text(*shape), " takes",
                                      bits ? sentence(", ", *bits / 8) : std::string()),
                             sentence(end - begin));
        }
        tensors_.push_back({name, type_name, *std::move(shape), data.subspan(begin, end - begin)});
        return std::nullopt;
    }
    /// Where bytes belong to two tensors or to none.
    std::optional<error> gaps(std::span<const unsigned char> data) const {
        std::vector<const tensor_entry*> order;
        for (const auto& t : tensors_) {
            order.push_back(&t);
        }
        std::sort(order.begin(), order.end(), [](const tensor_entry* a, const tensor_entry* b) {
            return a->data.data() != b->data.data() ? a->data.data() < b->data.data() : a->data.size() < b->data.size();
        });
        const unsigned char* end = data.data();
        for (const tensor_entry* t : order) {
            if (t->data.data() != end) {
                return malformed(t->name, sentence("data from byte ", end - data.data(), " on, where the data before it ends"),
                                 sentence("data from byte ", t->data.data() - data.data(), " on"));
            }
            end += t->data.size();
        }
        if (end != data.data() + data.size()) {
            return error{error_code::malformed, sentence(file_, ": expected ", end - data.data(),
                                                         " bytes of data, the end of the last tensor; found ", data.size())};
        }
        return std::nullopt;
    }

    bytes content_;
    std::string file_;
    std::vector<tensor_entry> tensors_;
    std::vector<std::pair<std::string, std::string>> metadata_;  // in the order of their keys
};

/// The content of a file with these tensors, wide types first and then by name, as the format's own library orders them.
/// Each name and each key is given once. O(n log n).
inline bytes safetensors_content(std::vector<tensor_entry> tensors, std::span<const std::pair<std::string, std::string>> metadata) {
    std::sort(tensors.begin(), tensors.end(), [](const tensor_entry& a, const tensor_entry& b) {
        const std::size_t x = detail::safetensors_bits(a.type), y = detail::safetensors_bits(b.type);
        return x != y ? x > y : a.name < b.name;
    });
    const auto json = [](const auto& value) {
        return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    std::string text = "{";
    for (const auto& [key, value] : metadata) {
        text += sentence(text.size() == 1 ? "\"__metadata__\":{" : ",", json(key), ":", json(value));
    }
    text += metadata.empty() ? "" : "}";
    std::size_t size = 0;
    for (const auto& t : tensors) {
        text += sentence(text.size() == 1 ? "" : ",", json(t.name), ":{\"dtype\":", json(t.type), ",\"shape\":", json(t.shape),
                         ",\"data_offsets\":[", size, ",", size + t.data.size(), "]}");
        size += t.data.size();
    }
    text += "}";
    text.resize((text.size() + 7) / 8 * 8, ' ');
    bytes content(sizeof(std::uint64_t) + text.size() + size);
    const std::uint64_t length = text.size();
    std::memcpy(content.data(), &length, sizeof length);
    auto end = std::copy(text.begin(), text.end(), content.begin() + sizeof length);
    for (const auto& t : tensors) {
        end = std::copy(t.data.begin(), t.data.end(), end);
    }
    return content;
}

}  // namespace io

PARE_NAMESPACE_END

#endif
