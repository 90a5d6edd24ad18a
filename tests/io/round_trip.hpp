#ifndef PARE_TESTS_IO_ROUND_TRIP_HPP
#define PARE_TESTS_IO_ROUND_TRIP_HPP

#include <cstdio>

#include <pare/io/model.hpp>

#include "../catch.hpp"

/// Saves a model, loads it into another one of the same type and compares what the two are saved as.
template <class Model>
pare::io::safetensors round_trip(const Model& model, Model other) {
    const std::string path = "pare_test_round_trip.safetensors";
    REQUIRE_FALSE(save(model, path));
    const auto content = pare::io::read_file(path).value();
    const auto problem = load(other, path);
    INFO((problem ? problem->message : "loaded"));
    REQUIRE_FALSE(problem);
    REQUIRE_FALSE(save(other, path));
    CHECK(pare::io::read_file(path).value() == content);
    std::remove(path.c_str());
    return pare::io::safetensors::parse(content, path).value();
}

#endif
