#ifndef PARE_IO_ARCHIVE_REPORT_HPP
#define PARE_IO_ARCHIVE_REPORT_HPP

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <pare/io/unpack.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// What an archive holds: bytes of each tensor, in the file and at least, and how fast it is read.
struct archive_report {
    std::vector<packed_size> tensors;
    packed_size whole;            // packed: the file, with its texts and checksum
    double decode_seconds = 0.0;  // from the bytes of the file to those of all tensors, checksum included

    /// Bytes of tensors per second.
    double decode_bytes_per_second() const noexcept { return static_cast<double>(whole.bytes) / decode_seconds; }
};

namespace detail {

/// The bound is that of the planes as they were coded: of differences, where the archive holds these.
struct packed_sizes {
    std::vector<packed_size>* tensors;
    double entropy_bytes = 0.0;

    void plane(std::span<const std::uint8_t> symbols) noexcept { entropy_bytes += entropy_bits(count_symbols(symbols)) / 8.0; }
    void tensor(const tensor_entry& t, std::size_t packed) {
        tensors->push_back({t.name, t.data.size(), packed, entropy_bytes});
        entropy_bytes = 0.0;
    }
};

}  // namespace detail

/// Reads an archive, the first time to look, then to take the time, the least of so many. Errors: those of unpack(); tensors of
/// more than `most_bytes` are one, by default a thousand times the archive and a mebibyte: archives of very many equal numbers,
/// which load_compressed() reads as it knows the model, need a larger one.
inline result<archive_report> report_archive(std::span<const std::uint8_t> content, const std::string& file,
                                             std::optional<std::size_t> most_bytes = std::nullopt, std::size_t repetitions = 5) {
    archive_report report;
    detail::packed_sizes sizes{&report.tensors};
    if (const auto read = detail::unpack(content, file, most_bytes, sizes); !read) {
        return read.error();
    }
    report.whole.name = file;
    report.whole.packed = content.size();
    for (const packed_size& t : report.tensors) {
        report.whole.bytes += t.bytes;
        report.whole.entropy_bytes += t.entropy_bytes;
    }
    for (std::size_t i = 0; i < (std::max)(repetitions, std::size_t{1}); ++i) {
        const auto start = std::chrono::steady_clock::now();
        (void)unpack(content, file, most_bytes);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        report.decode_seconds = i == 0 ? seconds : (std::min)(report.decode_seconds, seconds);
    }
    return report;
}
inline result<archive_report> report_archive(const std::string& path, std::optional<std::size_t> most_bytes = std::nullopt) {
    return and_then(read_file(path), [&](const bytes& content) { return report_archive(content, path, most_bytes); });
}

}  // namespace io

/// A line per tensor and one for the file.
inline std::string describe(const io::archive_report& report) {
    std::string text;
    const auto line = [&](const io::packed_size& t) {
        char entropy[32];
        std::snprintf(entropy, sizeof entropy, "%.0f", t.entropy_bytes);
        text += sentence(t.name, ": ", t.bytes, " -> ", t.packed, " bytes, entropy ", entropy);
    };
    for (const io::packed_size& t : report.tensors) {
        line(t);
        text += "\n";
    }
    line(report.whole);
    char speed[64];
    std::snprintf(speed, sizeof speed, ", decoded in %.0f us, %.0f MB/s\n", 1e6 * report.decode_seconds,
                  1e-6 * report.decode_bytes_per_second());
    return text + speed;
}

PARE_NAMESPACE_END

#endif
