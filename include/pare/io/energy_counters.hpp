#ifndef PARE_IO_ENERGY_COUNTERS_HPP
#define PARE_IO_ENERGY_COUNTERS_HPP

#include <charconv>
#include <cstdint>

#include <pare/io/file.hpp>

PARE_NAMESPACE_BEGIN

namespace io {

/// What a counter that goes from 0 to `range` and begins again has counted from one reading to the next, less than one round apart.
inline std::uint64_t counted_between(std::uint64_t before, std::uint64_t after, std::uint64_t range) noexcept {
    return after >= before ? after - before : (before < range ? range - before : 0) + after;
}

/// The energy that the packages (CPUs) of this machine have taken, by the counters that Linux shows (powercap, intel-rapl; AMD's,
/// too). They count all that runs on the machine, idle cores included, about a thousand times a second, and begin again at some
/// 65 or 260 kJ. Most systems let only root read them, most virtual machines have none.
///
///     const auto counters = io::energy_counters::open();
///     const auto before = counters->read();
///     ...
///     const auto microjoules = counters->since(*before);
class energy_counters {
public:
    using readings = std::vector<std::uint64_t>;  // microjoules, one for each package

    /// Errors: no counters, or such that cannot be read.
    static result<energy_counters> open(const std::string& directory = "/sys/class/powercap") {
        energy_counters counters;
        for (int i = 0; i < 64; ++i) {
            const std::string zone = sentence(directory, "/intel-rapl:", i);
            const auto name = read_file(zone + "/name");
            if (!name || std::string(name->begin(), name->end()).rfind("package", 0) != 0) {
                continue;  // others lie in packages or around them: counted there already
            }
            const auto range = number_in(zone + "/max_energy_range_uj");
            if (!range) {
                return range.error();
            }
            counters.zones_.push_back({zone + "/energy_uj", *range});
        }
        if (counters.zones_.empty()) {
            return error{error_code::not_found,
                         sentence(directory, ": expected energy counters of packages, such as intel-rapl:0, found none")};
        }
        if (const auto readable = counters.read(); !readable) {
            return readable.error();
        }
        return counters;
    }

    std::size_t packages() const noexcept { return zones_.size(); }

    result<readings> read() const {
        readings now;
        for (const zone& z : zones_) {
            const auto uj = number_in(z.path);
            if (!uj) {
                return uj.error();
            }
            now.push_back(*uj);
        }
        return now;
    }
    /// Microjoules of all packages since a reading of these counters.
    result<std::uint64_t> since(const readings& before) const {
        PARE_ASSERT(before.size() == zones_.size(), "readings of %zu packages, where there are %zu", before.size(), zones_.size());
        const auto now = read();
        if (!now) {
            return now.error();
        }
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < zones_.size(); ++i) {
            sum += counted_between(before[i], (*now)[i], zones_[i].range);
        }
        return sum;
    }

private:
    struct zone {
        std::string path;
        std::uint64_t range;
    };

    static result<std::uint64_t> number_in(const std::string& path) {
        const auto content = read_file(path);
        if (!content) {
            return content.error();
        }
        const std::string text(content->begin(), content->end());
        std::uint64_t number = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (problem != std::errc() || (end != text.data() + text.size() && *end != '\n')) {
            return error{error_code::malformed, sentence(path, ": expected microjoules, found \"", text, "\"")};
        }
        return number;
    }

    std::vector<zone> zones_;
};

}  // namespace io

PARE_NAMESPACE_END

#endif
