#ifndef PARE_TESTS_GOLDEN_GOLDEN_HPP
#define PARE_TESTS_GOLDEN_GOLDEN_HPP

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "../catch.hpp"

/// Files of golden vectors: from the directory that PARE_GOLDEN_DIR names in the environment, else from the one that was
/// configured.
inline std::string golden_directory() {
    const char* const named = std::getenv("PARE_GOLDEN_DIR");
    return named != nullptr ? named : PARE_GOLDEN;
}

/// The cases of one file: { "name", "attr", "tensors": { name: { "dtype", "shape", "data" } } }.
inline nlohmann::json golden_cases(const std::string& file) {
    std::ifstream in(golden_directory() + "/" + file);
    CAPTURE(golden_directory(), file);
    REQUIRE(in);
    return nlohmann::json::parse(in)["cases"];
}

/// The kind of a case: its name up to a slash.
inline std::string golden_kind(const nlohmann::json& c) {
    const std::string name = c["name"];
    return name.substr(0, name.find('/'));
}

template <class T = float>
std::vector<T> golden_numbers(const nlohmann::json& c, const std::string& name) {
    return c["tensors"][name]["data"].get<std::vector<T>>();
}

/// Checks a case of layers.json where one of the layers of the function's file is what it asks for; else false.
bool check_image_case(const nlohmann::json& c);     // layers_conv.cpp
bool check_sequence_case(const nlohmann::json& c);  // layers_recurrent.cpp

template <class Range>
void check_close(const Range& found, const std::vector<float>& expected, double relative, double absolute) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(static_cast<double>(found[i]) == Approx(static_cast<double>(expected[i])).epsilon(relative).margin(absolute));
    }
}

#endif
