// The host's own handler: counts, and lets the caller go on.
static int failures = 0;
#define PARE_CHECKED 1
#define PARE_ASSERT_HANDLER(text, file, line, ...) (++failures, (void)(text), (void)(file), (void)(line))

#include <pare/core/tensor.hpp>
#include <pare/core/workspace.hpp>

#include "../catch.hpp"

TEST_CASE("a host replaces what happens when an assertion fails") {
    const pare::tensor<int, 4> t;
    (void)t(3);
    CHECK(failures == 0);
    (void)pare::detail::row_major_offset(t.shape(), 4);
    CHECK(failures == 1);
    alignas(64) std::byte memory[64];
    pare::arena scratch(memory, sizeof memory);
    scratch.take<float>(16);
    CHECK(failures == 1);
    pare::arena(memory, 0).take<float>(1);
    CHECK(failures == 2);
}
