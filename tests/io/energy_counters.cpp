#include <pare/io/energy_counters.hpp>

#include <filesystem>

#include "../catch.hpp"

using namespace pare;

namespace {

/// A directory like that of Linux, gone with the object.
struct powercap {
    std::filesystem::path path = std::filesystem::temp_directory_path() / "pare_energy_counters";

    powercap() { std::filesystem::remove_all(path); }
    ~powercap() { std::filesystem::remove_all(path); }

    void zone(const char* which, const char* name, const char* energy, const char* range = "1000\n") const {
        std::filesystem::create_directories(path / which);
        write(which, "name", name);
        write(which, "energy_uj", energy);
        write(which, "max_energy_range_uj", range);
    }
    void write(const char* which, const char* file, const std::string& text) const {
        REQUIRE_FALSE(io::write_file((path / which / file).string(), io::bytes(text.begin(), text.end())));
    }
};

}  // namespace

TEST_CASE("counters that begin again") {
    CHECK(io::counted_between(10, 25, 1000) == 15);
    CHECK(io::counted_between(10, 10, 1000) == 0);
    CHECK(io::counted_between(990, 5, 1000) == 15);
    CHECK(io::counted_between(1000, 7, 1000) == 7);
    CHECK(io::counted_between(0xfffffffffffffff0, 4, 0xffffffffffffffff) == 19);
    CHECK(io::counted_between(2000, 5, 1000) == 5);  // a range that is less than what was read
}

TEST_CASE("the energy of packages, without what lies in or around them") {
    const powercap machine;
    machine.zone("intel-rapl:0", "package-0\n", "900\n");
    machine.zone("intel-rapl:0:0", "core\n", "1\n");
    machine.zone("intel-rapl:1", "psys\n", "1\n");
    machine.zone("intel-rapl:2", "package-1\n", "50\n");
    const auto counters = io::energy_counters::open(machine.path.string());
    REQUIRE(counters);
    CHECK(counters->packages() == 2);
    const auto before = counters->read();
    CHECK(*before == io::energy_counters::readings{900, 50});
    machine.write("intel-rapl:0", "energy_uj", "20\n");
    machine.write("intel-rapl:2", "energy_uj", "55\n");
    CHECK(*counters->since(*before) == 120 + 5);

    machine.write("intel-rapl:2", "energy_uj", "much\n");
    CHECK_THAT(counters->since(*before).error().message,
               ContainsSubstring("intel-rapl:2/energy_uj: expected microjoules, found \"much\n\""));
}

TEST_CASE("machines without counters, or with such that cannot be read") {
    const powercap machine;
    const std::string path = machine.path.string();
    CHECK(io::energy_counters::open(path).error().message ==
          path + ": expected energy counters of packages, such as intel-rapl:0, found none");
    machine.zone("intel-rapl:0", "package-0\n", "900\n");
    std::filesystem::remove(machine.path / "intel-rapl:0" / "energy_uj");
    CHECK_THAT(io::energy_counters::open(path).error().message, ContainsSubstring("energy_uj: expected a file that can be read"));
}
