#ifndef PARE_IO_FILE_HPP
#define PARE_IO_FILE_HPP

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <pare/core/result.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

using bytes = std::vector<unsigned char>;

/// The whole of a file. Errors: one that cannot be opened or read.
inline result<bytes> read_file(const std::string& path) {
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    if (file == nullptr) {
        return error{error_code::not_found, sentence(path, ": expected a file that can be read, found: ", std::strerror(errno))};
    }
    bytes content;
    unsigned char buffer[1 << 16];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) != 0;) {
        content.insert(content.end(), buffer, buffer + n);
    }
    const int problem = std::ferror(file) != 0 ? errno : 0;
    std::fclose(file);
    if (problem != 0) {
        return error{error_code::not_found, sentence(path, ": expected a file that can be read, found: ", std::strerror(problem))};
    }
    return content;
}

}  // namespace io

PARE_NAMESPACE_END

#endif
