#ifndef PARE_IO_UNPACK_HPP
#define PARE_IO_UNPACK_HPP

#include <algorithm>
#include <optional>
#include <utility>

#include <pare/compress/huffman.hpp>
#include <pare/compress/rans.hpp>
#include <pare/io/packed_format.hpp>
#include <pare/io/safetensors.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

namespace detail {

/// Reads an archive from its first byte on; what is wrong first ends it.
class packed_reader {
public:
    packed_reader(std::span<const std::uint8_t> content, const std::string& file) noexcept : left_(content), file_(&file) {}

    std::size_t byte(const char* what) { return take(1, what).empty() ? 0 : last_[0]; }
    std::size_t number(const char* what) {
        std::size_t n = 0;
        for (unsigned shift = 0; !problem_; shift += 7) {
            const std::size_t digit = byte(what);
            if (shift > 63 || (shift == 63 && (digit & 127) > 1)) {
                fail(sentence(what, " below 2^64"), "more");
            } else {
                n |= (digit & 127) << shift;
                if (digit < 128) {
                    break;
                }
            }
        }
        return problem_ ? 0 : n;
    }
    /// A number of things of which each takes at least so many bytes: no more than those that are left hold.
    std::size_t count(const char* what, std::size_t least = 1) {
        const std::size_t n = number(what);
        if (n > left_.size() / least) {
            fail(sentence(what, " of at most ", left_.size() / least, ", as ", left_.size(), " bytes are left"), sentence(n));
        }
        return problem_ ? 0 : n;
    }
    std::string text(const char* what) {
        const auto characters = take(count(what), what);
        return std::string(characters.begin(), characters.end());
    }
    std::span<const std::uint8_t> take(std::size_t n, const char* what) {
        if (!problem_ && n > left_.size()) {
            fail(sentence(what, ", ", n, " bytes"), sentence(left_.size(), " bytes to the end"));
        }
        last_ = problem_ ? std::span<const std::uint8_t>{} : left_.first(n);
        left_ = left_.subspan(last_.size());
        return last_;
    }
    void fail(const std::string& expected, const std::string& found) {
        if (!problem_) {
            problem_ = error{error_code::malformed, sentence(*file_, ": expected ", expected, ", found ", found)};
        }
    }

    std::size_t left() const noexcept { return left_.size(); }
    const std::optional<error>& problem() const noexcept { return problem_; }

private:
    std::span<const std::uint8_t> left_, last_;
    const std::string* file_;
    std::optional<error> problem_;
};

/// What unpack() tells of a tensor that it has read.
struct no_sizes {
    void plane(std::span<const std::uint8_t>) noexcept {}
    void tensor(const tensor_entry&, std::size_t) noexcept {}
};

/// One plane of `symbols.size()` bytes; `of` says of which tensor in errors.
inline void read_plane(packed_reader& in, const std::string& of, std::span<std::uint8_t> symbols) {
    const auto coder = in.byte("a coder");
    const auto coded = in.take(in.count("a length"), "a plane");
    if (in.problem()) {
        return;
    }
    std::optional<error> problem;
    if (coder == static_cast<std::size_t>(packed_coder::none)) {
        if (coded.size() != symbols.size()) {
            in.fail(sentence(symbols.size(), " bytes", of), sentence(coded.size()));
            return;
        }
        std::copy(coded.begin(), coded.end(), symbols.begin());
    } else if (coder == static_cast<std::size_t>(packed_coder::huffman)) {
        problem = huffman::decode(coded, symbols);
    } else if (coder == static_cast<std::size_t>(packed_coder::rans)) {
        problem = rans::decode(coded, symbols);
    } else {
        in.fail(sentence("a coder", of, " of 0, 1 or 2"), sentence(coder));
    }
    if (problem) {
        in.fail(sentence("codes", of, " that can be read"), problem->message);
    }
}

/// The next tensor: everything of the entry but where its bytes are, which go to `data`, at most `most` of them.
template <class Sizes>
void read_tensor(packed_reader& in, tensor_entry& t, bytes& data, std::size_t most, std::size_t allocated, Sizes& sizes) {
    const std::size_t before = in.left();
    t.name = in.text("the name of a tensor");
    if (t.name.empty() || t.name == "__metadata__") {
        in.fail("a name of a tensor that is neither empty nor \"__metadata__\"", sentence("\"", t.name, "\""));
    }
    const std::string of = sentence(" of tensor \"", t.name, "\"");
    const std::size_t type = in.byte("a type");
    if (type >= std::size(packed_types)) {
        in.fail(sentence("a type", of, " below ", std::size(packed_types)), sentence(type));
        return;
    }
    t.type = packed_types[type];
    for (std::size_t rank = in.count("a number of extents"); rank > 0 && !in.problem(); --rank) {
        t.shape.push_back(in.number("an extent"));
    }
    const auto bits = safetensors_bits(t.type, t.shape);
    if (!bits || *bits / 8 > most - allocated) {
        in.fail(sentence("tensors of at most ", most, " bytes"),
                sentence("\"", t.name, "\" of ", t.type, " ", shape_text(t.shape)));
    }
    const std::size_t transform = in.byte("a transform");
    if (transform > 1) {
        in.fail(sentence("a transform", of, " of 0 or 1"), sentence(transform));
    }
    if (in.problem()) {
        return;
    }
    const std::size_t width = safetensors_bits(t.type) / 8;
    data.resize(*bits / 8);
    std::vector<std::uint8_t> plane(width == 1 ? 0 : data.size() / width);
    for (std::size_t b = 0; b < width && !in.problem(); ++b) {
        const std::span<std::uint8_t> symbols = width == 1 ? std::span<std::uint8_t>(data) : std::span<std::uint8_t>(plane);
        read_plane(in, of, symbols);
        sizes.plane(symbols);
        for (std::size_t e = 0; e < plane.size(); ++e) {
            data[e * width + b] = plane[e];
        }
    }
    if (transform == 1) {
        put_sums(data, width);
    }
    t.data = data;
    sizes.tensor(t, before - in.left());
}

/// Names or keys of which none may come twice. O(n log n).
inline void check_once(packed_reader& in, std::vector<std::string_view> names, const char* what) {
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
        in.fail(sentence("every ", what, " once"), sentence("\"", *twice, "\" twice"));
    }
}

/// unpack(), telling what it reads.
template <class Sizes>
result<safetensors> unpack(std::span<const std::uint8_t> content, const std::string& file, std::optional<std::size_t> most_bytes,
                           Sizes& sizes) {
    const std::size_t most = most_bytes.value_or(1000 * content.size() + (std::size_t{1} << 20));
    constexpr std::size_t checksum_bytes = 4;
    const auto malformed = [&](const auto&... parts) { return error{error_code::malformed, sentence(file, ": ", parts...)}; };
    const std::string_view magic = packed_magic;
    if (content.size() < magic.size() + 1 + checksum_bytes || !std::equal(magic.begin(), magic.end(), content.begin())) {
        return malformed("expected an archive, which begins with \"", magic, "\", found ", content.size(), " bytes that do not");
    }
    if (content[magic.size()] != packed_version) {
        return malformed("expected version ", int{packed_version}, " of the archive, found ", int{content[magic.size()]});
    }
    const auto body = content.first(content.size() - checksum_bytes);
    const auto* const sum = content.data() + body.size();
    const std::uint32_t stored = sum[0] | std::uint32_t{sum[1]} << 8 | std::uint32_t{sum[2]} << 16 | std::uint32_t{sum[3]} << 24;
    if (const std::uint32_t computed = crc32(body); computed != stored) {
        return malformed("expected a checksum of ", computed, ", that of the bytes before it, found ", stored);
    }
    packed_reader in(body.subspan(magic.size() + 1), file);
    constexpr std::size_t least_tensor = 7;  // length, name, type, rank, transform, coder, length
    constexpr std::size_t least_texts = 2;   // two lengths
    std::vector<tensor_entry> tensors;
    std::vector<bytes> data;  // where they move, their bytes stay, and with them what tensors point to
    std::vector<std::string_view> names;
    std::size_t allocated = 0;
    for (std::size_t n = in.count("a number of tensors", least_tensor); n > 0 && !in.problem(); --n) {
        read_tensor(in, tensors.emplace_back(), data.emplace_back(), most, allocated, sizes);
        allocated += data.back().size();
    }
    for (const tensor_entry& t : tensors) {
        names.push_back(t.name);
    }
    check_once(in, std::move(names), "name");
    std::vector<std::pair<std::string, std::string>> metadata;
    for (std::size_t n = in.count("a number of texts", least_texts); n > 0 && !in.problem(); --n) {
        auto& [key, value] = metadata.emplace_back();
        key = in.text("a key");
        value = in.text("a text");
    }
    names.clear();
    for (const auto& [key, value] : metadata) {
        names.push_back(key);
    }
    check_once(in, std::move(names), "key");
    if (in.left() != 0) {
        in.fail("the end behind the last text", sentence(in.left(), " bytes more"));
    }
    return in.problem() ? result<safetensors>(*in.problem()) : safetensors::parse(safetensors_content(tensors, metadata), file);
}

}  // namespace detail

/// The tensors of an archive that need not be trusted; `file` is what errors call it. They take at most `most_bytes` in sum, by
/// default a thousand times the archive and a mebibyte, which a good archive of very many equal numbers may exceed. In all, twice
/// that is allocated, and names and shapes in proportion to the archive. Errors: bytes that are no archive or of another version, a
/// checksum that is not theirs, whatever contradicts the format, names or keys that come twice, tensors of more than most_bytes.
inline result<safetensors> unpack(std::span<const std::uint8_t> content, const std::string& file,
                                  std::optional<std::size_t> most_bytes = std::nullopt) {
    detail::no_sizes sizes;
    return detail::unpack(content, file, most_bytes, sizes);
}

}  // namespace io

PARE_NAMESPACE_END

#endif
