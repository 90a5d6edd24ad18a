#ifndef PARE_IO_FILE_HPP
#define PARE_IO_FILE_HPP

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#if defined(_WIN32)
#include <io.h>

#include <filesystem>
#elif __has_include(<unistd.h>)
#include <fcntl.h>
#include <unistd.h>
#endif

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

/// Whether there is no file of this name; one that is there but cannot be read is not missing.
inline bool is_missing(const std::string& path) {
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    if (file == nullptr) {
        return errno == ENOENT;
    }
    std::fclose(file);
    return false;
}

namespace detail {

/// Hands what was written to the disk itself, where the system has a call for that.
inline bool flush_to_disk(std::FILE* file) noexcept {
    if (std::fflush(file) != 0) {
        return false;
    }
#if defined(_WIN32)
    return ::_commit(::_fileno(file)) == 0;
#elif __has_include(<unistd.h>)
    return ::fsync(::fileno(file)) == 0 || errno == EINVAL || errno == ENOTSUP;  // something that has no disk, such as a pipe
#else
    return true;
#endif
}

/// Gives a file the name of another, which it replaces.
inline bool rename_over(const std::string& from, const std::string& to) {
#if defined(_WIN32)
    std::error_code failed;  // std::rename does not replace there
    std::filesystem::rename(from, to, failed);
    errno = failed ? EACCES : errno;
    return !failed;
#else
    return std::rename(from.c_str(), to.c_str()) == 0;
#endif
}

/// Hands the entry of a new name in its directory to the disk; a system that cannot do that has no call for it.
inline void flush_directory_of(const std::string& path) noexcept {
#if !defined(_WIN32) && __has_include(<unistd.h>)
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const int descriptor = ::open(directory.c_str(), O_RDONLY);
    if (descriptor >= 0) {
        ::fsync(descriptor);
        ::close(descriptor);
    }
#else
    (void)path;
#endif
}

}  // namespace detail

/// Puts a file of this content into the place of `path`, or leaves what is there as it is: writes path + ".part", flushes it to
/// disk and renames it. At no moment is `path` a half-written file. Errors: a place that cannot be written, a full disk.
[[nodiscard]] inline std::optional<error> write_file(const std::string& path, const bytes& content) {
    const std::string part = path + ".part";
    const auto problem = [&](const char* step, const std::string& reason) {
        return error{error_code::not_found,
                     sentence(path, ": expected a place that can be written, found that ", step, " failed: ", reason)};
    };
    std::FILE* const file = std::fopen(part.c_str(), "wb");
    if (file == nullptr) {
        return problem("opening", std::strerror(errno));
    }
    const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size() && detail::flush_to_disk(file);
    const int reason = errno;
    if (std::fclose(file) != 0 || !written) {
        std::remove(part.c_str());
        return problem("writing", std::strerror(written ? errno : reason));
    }
    if (!detail::rename_over(part, path)) {
        const int failed = errno;
        std::remove(part.c_str());
        return problem("renaming", std::strerror(failed));
    }
    detail::flush_directory_of(path);
    return std::nullopt;
}

}  // namespace io

PARE_NAMESPACE_END

#endif
