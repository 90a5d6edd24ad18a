#ifndef PARE_IO_PACKED_FORMAT_HPP
#define PARE_IO_PACKED_FORMAT_HPP

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pare/compress/symbols.hpp>
#include <pare/io/file.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// The archive: the tensors of a safetensors file in as few bytes as static codes take, without loss. docs/archive.md goes through
/// one byte by byte.
///
///     file     = "PAREPACK" version tensors tensor... texts (text text)... checksum
///     version  one byte, 1
///     tensor   = text type rank extent... transform plane...        as many planes as an element has bytes, lowest bytes first
///     text     = length byte...
///     type     one byte, the number in the list `packed_types`
///     transform one byte: 0 elements as they are; 1 each but the first less the one before, modulo 2^bits
///     plane    = coder length byte...
///     coder    one byte: 0 bytes as they are, 1 huffman, 2 rans (pare/compress/), whose symbols are the bytes of the plane
///     texts    the number of pairs of metadata, key and value
///     checksum CRC-32 of all before it, of zlib and IEEE 802.3, 4 bytes, low byte first
///     tensors, rank, extent, length, texts   numbers of 7 bits a byte, low ones first, of which all but the last have 128 added
inline constexpr std::string_view packed_types[] = {"BOOL", "U8",  "I8",  "F8_E5M2", "F8_E4M3", "F8_E8M0", "I16", "U16", "F16",
                                                    "BF16", "I32", "U32", "F32",     "F64",     "I64",     "U64", "C64"};

namespace detail {

inline constexpr std::string_view packed_magic = "PAREPACK";
inline constexpr std::uint8_t packed_version = 1;
enum class packed_coder : std::uint8_t { none, huffman, rans };

/// For each byte what it makes of a remainder of CRC-32 when so many zero bytes follow it.
inline constexpr auto crc32_tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
        }
        tables[0][byte] = crc;
    }
    for (std::size_t zeros = 1; zeros < tables.size(); ++zeros) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = tables[zeros - 1][byte];
            tables[zeros][byte] = before >> 8 ^ tables[0][before & 255];
        }
    }
    return tables;
}();

/// Elements of `width` bytes, low byte first, in place: each less the one before, and back.
inline void put_differences(std::span<std::uint8_t> elements, std::size_t width) noexcept {
    for (std::size_t at = elements.size(); at >= 2 * width; at -= width) {
        unsigned borrow = 0;
        for (std::size_t b = 0; b < width; ++b) {
            const unsigned difference = elements[at - width + b] - elements[at - 2 * width + b] - borrow;
            elements[at - width + b] = static_cast<std::uint8_t>(difference);
            borrow = difference >> 31;
        }
    }
}
inline void put_sums(std::span<std::uint8_t> elements, std::size_t width) noexcept {
    for (std::size_t at = width; at < elements.size(); at += width) {
        unsigned carry = 0;
        for (std::size_t b = 0; b < width; ++b) {
            const unsigned sum = unsigned{elements[at + b]} + elements[at - width + b] + carry;
            elements[at + b] = static_cast<std::uint8_t>(sum);
            carry = sum >> 8;
        }
    }
}

}  // namespace detail

/// CRC-32 as zlib and Ethernet compute it, polynomial 0xEDB88320 of reflected bits; eight bytes at a time.
inline std::uint32_t crc32(std::span<const std::uint8_t> content) noexcept {
    const auto& table = detail::crc32_tables;
    std::uint32_t crc = 0xffffffffu;
    std::size_t i = 0;
    for (; content.size() - i >= table.size(); i += table.size()) {
        std::uint32_t next = 0;
        for (std::size_t b = 0; b < table.size(); ++b) {
            const std::uint32_t here = b < 4 ? crc >> 8 * b & 255 : 0;
            next ^= table[table.size() - 1 - b][here ^ content[i + b]];
        }
        crc = next;
    }
    for (; i < content.size(); ++i) {
        crc = crc >> 8 ^ table[0][(crc ^ content[i]) & 255];
    }
    return ~crc;
}

/// What became of a tensor, or of all of an archive.
struct packed_size {
    std::string name;
    std::size_t bytes = 0;       // before
    std::size_t packed = 0;      // in the file, with name, shape and tables
    double entropy_bytes = 0.0;  // the bound for codes of the symbols that were coded, one by one
};

}  // namespace io

PARE_NAMESPACE_END

#endif
