#ifndef PARE_IO_GZIP_HPP
#define PARE_IO_GZIP_HPP

#include <zlib.h>

#include <pare/io/file.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// Bytes inflated where they are gzip'd, else as they are; `name` is what errors call them. Needs zlib at link time.
/// Errors: bytes that are damaged or truncated, or inflate to more than `most_bytes`.
inline result<bytes> inflate_gzip(bytes raw, const std::string& name, std::size_t most_bytes = std::size_t{1} << 30) {
    if (raw.size() > most_bytes) {
        return error{error_code::malformed, sentence(name, ": expected at most ", most_bytes, " bytes, found ", raw.size())};
    }
    if (raw.size() < 2 || raw[0] != 0x1f || raw[1] != 0x8b) {
        return raw;
    }
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) {
        return error{error_code::malformed, sentence(name, ": zlib could not be started")};
    }
    bytes content;
    unsigned char buffer[1 << 16];
    stream.next_in = raw.data();
    stream.avail_in = static_cast<uInt>(raw.size());
    int status = Z_OK;
    while (status == Z_OK && content.size() <= most_bytes) {
        stream.next_out = buffer;
        stream.avail_out = sizeof buffer;
        status = inflate(&stream, Z_NO_FLUSH);
        content.insert(content.end(), buffer, buffer + (sizeof buffer - stream.avail_out));
        if (status == Z_STREAM_END && stream.avail_in != 0) {  // a file may be several streams one after the other
            status = inflateReset(&stream);
        }
    }
    inflateEnd(&stream);
    if (content.size() > most_bytes) {
        return error{error_code::malformed,
                     sentence(name, ": expected at most ", most_bytes, " bytes after inflating, found more")};
    }
    if (status != Z_STREAM_END) {
        return error{error_code::malformed,
                     sentence(name, ": expected a whole gzip file, found one that is damaged or truncated after ", content.size(),
                              " inflated bytes")};
    }
    return content;
}

/// The whole of a file, inflated where it is gzip'd. Errors: a file that cannot be read, and those of inflating.
inline result<bytes> read_gzip_file(const std::string& path, std::size_t most_bytes = std::size_t{1} << 30) {
    return and_then(read_file(path), [&](bytes raw) { return inflate_gzip(std::move(raw), path, most_bytes); });
}

}  // namespace io

PARE_NAMESPACE_END

#endif
