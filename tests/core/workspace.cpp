#include <pare/core/workspace.hpp>

#include <cstdint>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("an arena hands out aligned pieces in order, and a copy is a mark") {
    workspace space(scratch_bytes_of<float>(3) + scratch_bytes_of<char>(65));
    CHECK(space.size() == 64 + 128);
    arena scratch = space.scratch();
    float* const floats = scratch.take<float>(3);
    arena inner = scratch;
    char* const chars = inner.take<char>(65);
    CHECK(reinterpret_cast<std::uintptr_t>(chars) - reinterpret_cast<std::uintptr_t>(floats) == 64);
    CHECK(reinterpret_cast<std::uintptr_t>(chars) % alignment == 0);
    CHECK(inner.left() == 0);
    CHECK(scratch.left() == 128);
    CHECK(scratch.take<char>(1) == chars);
}
