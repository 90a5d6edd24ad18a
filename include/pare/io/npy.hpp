#ifndef PARE_IO_NPY_HPP
#define PARE_IO_NPY_HPP

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include <pare/core/aligned.hpp>
#include <pare/io/file.hpp>
#include <pare/io/number_types.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// An array of NumPy, row-major.
template <class T>
struct npy_array {
    std::vector<std::size_t> shape;
    aligned_array<T> values;
};

namespace detail {

/// The header of an npy file, a dictionary as Python writes it: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
struct npy_header {
    std::string type;
    bool fortran_order = false;
    std::vector<std::size_t> shape;

    /// Reads it; false where the text is another.
    bool parse(std::string_view text) {
        bool has_type = false, has_order = false, has_shape = false;
        text_ = text;
        if (!take('{')) {
            return false;
        }
        while (!take('}')) {
            std::string key;
            bool known = take_string(key) && take(':');
            if (known && key == "descr" && !has_type) {
                known = has_type = take_string(type);
            } else if (known && key == "fortran_order" && !has_order) {
                has_order = true;
                fortran_order = take_word("True");
                known = fortran_order || take_word("False");
            } else if (known && key == "shape" && !has_shape) {
                known = has_shape = take_tuple();
            } else {
                return false;
            }
            if (!known || (!take(',') && !is_next('}'))) {
                return false;
            }
        }
        skip_spaces();
        return text_.empty() && has_type && has_order && has_shape;
    }

private:
    void skip_spaces() noexcept {
        while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n' || text_[0] == '\t' || text_[0] == '\r')) {
            text_.remove_prefix(1);
        }
    }
    bool is_next(char c) noexcept {
        skip_spaces();
        return !text_.empty() && text_[0] == c;
    }
    bool take(char c) noexcept {
        const bool there = is_next(c);
        text_.remove_prefix(there ? 1 : 0);
        return there;
    }
    bool take_word(std::string_view word) noexcept {
        skip_spaces();
        const bool there = text_.starts_with(word);
        text_.remove_prefix(there ? word.size() : 0);
        return there;
    }
    bool take_string(std::string& to) {
        const char quote = is_next('"') ? '"' : '\'';
        if (!take(quote)) {
            return false;
        }
        const std::size_t end = text_.find(quote);
        if (end == std::string_view::npos) {
            return false;
        }
        to = text_.substr(0, end);
        text_.remove_prefix(end + 1);
        return true;
    }
    bool take_tuple() {
        if (!take('(')) {
            return false;
        }
        while (!take(')')) {
            std::size_t n = 0;
            bool digits = false;
            for (skip_spaces(); !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1)) {
                const auto digit = static_cast<std::size_t>(text_[0] - '0');
                if (n > (static_cast<std::size_t>(-1) - digit) / 10) {
                    return false;
                }
                n = 10 * n + digit;
                digits = true;
            }
            shape.push_back(n);
            if (!digits || (!take(',') && !is_next(')'))) {
                return false;
            }
        }
        return true;
    }

    std::string_view text_;
};

}  // namespace detail

/// Reads an array of T out of the bytes of an npy file; `name` is what errors call them. Allocates no more than there is to read.
/// Errors: another format, another type of numbers, a column-major matrix, a size that is not the product of the shape.
template <class T>
result<npy_array<T>> parse_npy(const bytes& content, const std::string& name) {
    static_assert(npy_type<T> != nullptr, "pare: npy files hold float, double, float16 and integers of 8 to 64 bits");
    const auto malformed = [&](const auto&... parts) { return error{error_code::malformed, sentence(name, ": ", parts...)}; };
    constexpr unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    constexpr std::size_t versions = sizeof magic + 2;
    if (content.size() < versions + 4 || std::memcmp(content.data(), magic, sizeof magic) != 0) {
        return malformed("expected an npy file, which begins with the byte 147, NUMPY, a version and a length; found ",
                         content.size() < versions + 4 ? sentence(content.size(), " bytes") : std::string("other bytes"));
    }
    const int version = content[sizeof magic];
    if (version < 1 || version > 3) {
        return malformed("expected version 1, 2 or 3 of the npy format, found ", version);
    }
    const std::size_t header = versions + (version == 1 ? 2u : 4u);
    std::size_t length = 0;
    for (std::size_t i = header; i-- > versions;) {
        length = length << 8 | content[i];
    }
    if (length > content.size() - header) {
        return malformed("expected a header of at most ", content.size() - header, " bytes, found a length of ", length);
    }
    detail::npy_header head;
    if (!head.parse(std::string_view(reinterpret_cast<const char*>(content.data()) + header, length))) {
        return malformed("expected a header {'descr': ..., 'fortran_order': ..., 'shape': (...)}, found another");
    }
    const bool any_order = sizeof(T) == 1;
    if (head.type.size() != 3 || head.type.substr(1) != npy_type<T> || (!any_order && head.type[0] != '<')) {
        return malformed("expected numbers of type '", any_order ? "|" : "<", npy_type<T>, "', found '", head.type, "'");
    }
    if (head.fortran_order && head.shape.size() > 1) {
        return malformed("expected an array in row-major order, found fortran_order; numpy.ascontiguousarray changes it");
    }
    const std::size_t available = (content.size() - header - length) / sizeof(T);
    std::size_t product = std::find(head.shape.begin(), head.shape.end(), 0u) == head.shape.end() ? 1 : 0;
    for (std::size_t d = 0; product != 0 && product <= available && d < head.shape.size(); ++d) {
        product = head.shape[d] > available / product ? available + 1 : product * head.shape[d];
    }
    if (product * sizeof(T) != content.size() - header - length) {
        return malformed("expected as many numbers as the shape says, ", sizeof(T), " bytes each; found ",
                         content.size() - header - length, " bytes");
    }
    npy_array<T> array{std::move(head.shape), aligned_array<T>(product)};
    if (product != 0) {
        std::memcpy(static_cast<void*>(array.values.data()), content.data() + header + length, product * sizeof(T));
    }
    return array;
}

/// The array in an npy file: numpy.load. Errors: those of reading and of parse_npy.
template <class T>
result<npy_array<T>> read_npy(const std::string& path) {
    return and_then(read_file(path), [&](const bytes& content) { return parse_npy<T>(content, path); });
}

/// Writes numbers of a shape to an npy file: numpy.save. A file that is there is replaced as a whole or not at all.
template <class T>
[[nodiscard]] std::optional<error> write_npy(const std::string& path, std::span<const std::size_t> shape,
                                             std::span<const T> values) {
    static_assert(npy_type<T> != nullptr, "pare: npy files hold float, double, float16 and integers of 8 to 64 bits");
    [[maybe_unused]] std::size_t product = 1;
    std::string text;
    for (const std::size_t extent : shape) {
        product *= extent;
        text += sentence(extent, ", ");
    }
    PARE_ASSERT(product == values.size(), "an array of %zu numbers is given %zu", product, values.size());
    text = sentence("{'descr': '", sizeof(T) == 1 ? "|" : "<", npy_type<T>, "', 'fortran_order': False, 'shape': (", text, "), }");
    constexpr std::size_t fixed = 10;  // before the header, whose end is the last of some 64 bytes
    text.resize(round_up(fixed + text.size() + 1, 64) - fixed - 1, ' ');
    text += '\n';
    bytes content(fixed + text.size() + values.size_bytes());
    const unsigned char begin[fixed] = {0x93,
                                        'N',
                                        'U',
                                        'M',
                                        'P',
                                        'Y',
                                        1,
                                        0,
                                        static_cast<unsigned char>(text.size() & 255),
                                        static_cast<unsigned char>(text.size() >> 8)};
    std::memcpy(content.data(), begin, fixed);
    std::memcpy(content.data() + fixed, text.data(), text.size());
    if (!values.empty()) {
        std::memcpy(content.data() + fixed + text.size(), values.data(), values.size_bytes());
    }
    return write_file(path, content);
}

}  // namespace io

PARE_NAMESPACE_END

#endif
