#ifndef PARE_IO_PACK_HPP
#define PARE_IO_PACK_HPP

#include <algorithm>
#include <iterator>
#include <utility>

#include <pare/compress/huffman.hpp>
#include <pare/compress/rans.hpp>
#include <pare/io/packed_format.hpp>
#include <pare/io/safetensors.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// An archive and what each tensor takes in it.
struct packed_archive {
    bytes content;
    std::vector<packed_size> tensors;
};

namespace detail {

inline void put_number(bytes& out, std::size_t n) {
    for (; n >= 128; n >>= 7) {
        out.push_back(static_cast<unsigned char>(n | 128));
    }
    out.push_back(static_cast<unsigned char>(n));
}
inline void put_text(bytes& out, std::string_view text) {
    put_number(out, text.size());
    out.insert(out.end(), text.begin(), text.end());
}

/// Every width-th byte from `first` on.
inline std::vector<std::uint8_t> plane_of(std::span<const std::uint8_t> elements, std::size_t first, std::size_t width) {
    std::vector<std::uint8_t> plane;
    plane.reserve(elements.size() / width);
    for (std::size_t i = first; i < elements.size(); i += width) {
        plane.push_back(elements[i]);
    }
    return plane;
}

/// The planes of elements, each in its shortest form.
struct packed_planes {
    bytes content;
    double entropy_bytes = 0.0;

    packed_planes(std::span<const std::uint8_t> elements, std::size_t width) {
        for (std::size_t b = 0; b < width; ++b) {
            std::vector<std::uint8_t> forms[3] = {plane_of(elements, b, width)};
            forms[1] = huffman::encode(forms[0]);
            forms[2] = rans::encode(forms[0]);
            std::size_t best = 0;
            for (std::size_t form = 1; form < std::size(forms); ++form) {
                best = forms[form].size() < forms[best].size() ? form : best;
            }
            content.push_back(static_cast<unsigned char>(best));
            put_number(content, forms[best].size());
            content.insert(content.end(), forms[best].begin(), forms[best].end());
            entropy_bytes += entropy_bits(count_symbols(forms[0])) / 8.0;
        }
    }
};

}  // namespace detail

/// Tensors and texts, each name and each key once, as an archive. Each tensor takes the shorter of its two transforms, each plane
/// the shortest of its three forms. O(n).
inline packed_archive pack(std::span<const tensor_entry> tensors, std::span<const std::pair<std::string, std::string>> metadata) {
    packed_archive archive;
    bytes& out = archive.content;
    for (const char c : detail::packed_magic) {
        out.push_back(static_cast<unsigned char>(c));
    }
    out.push_back(detail::packed_version);
    detail::put_number(out, tensors.size());
    for (const tensor_entry& t : tensors) {
        const std::size_t before = out.size();
        const auto* const type = std::find(std::begin(packed_types), std::end(packed_types), t.type);
        PARE_ASSERT(type != std::end(packed_types), "tensor \"%s\" of type %s in an archive", t.name.c_str(), t.type.c_str());
        const std::size_t width = detail::safetensors_bits(t.type) / 8;
        detail::put_text(out, t.name);
        out.push_back(static_cast<unsigned char>(type - std::begin(packed_types)));
        detail::put_number(out, t.shape.size());
        for (const std::size_t extent : t.shape) {
            detail::put_number(out, extent);
        }
        bytes differences(t.data.begin(), t.data.end());
        detail::put_differences(differences, width);
        const detail::packed_planes plain(t.data, width), gaps(differences, width);
        const bool as_gaps = gaps.content.size() < plain.content.size();
        out.push_back(as_gaps ? 1 : 0);
        const detail::packed_planes& planes = as_gaps ? gaps : plain;
        out.insert(out.end(), planes.content.begin(), planes.content.end());
        archive.tensors.push_back({t.name, t.data.size(), out.size() - before, planes.entropy_bytes});
    }
    detail::put_number(out, metadata.size());
    for (const auto& [key, value] : metadata) {
        detail::put_text(out, key);
        detail::put_text(out, value);
    }
    const std::uint32_t checksum = crc32(out);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out.push_back(static_cast<unsigned char>(checksum >> shift));
    }
    return archive;
}

}  // namespace io

PARE_NAMESPACE_END

#endif
