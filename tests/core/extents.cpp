#include <pare/core/extents.hpp>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("extents mix constants and run-time values") {
    constexpr extents<3, 4> fixed;
    STATIC_REQUIRE(fixed.size() == 12);
    STATIC_REQUIRE(fixed[1] == 4);
    STATIC_REQUIRE(extents<3, 4>::is_static);
    STATIC_REQUIRE(static_size(fixed) == 12);

    const extents<dyn, 4, dyn> mixed(2, 5);
    CHECK(mixed[0] == 2);
    CHECK(mixed[1] == 4);
    CHECK(mixed[2] == 5);
    CHECK(mixed.size() == 40);
    STATIC_REQUIRE(static_size(extents<dyn, 4>(1)) == dyn);

    const extents<dyn, 4, dyn> all_given(2, 4, 5);
    CHECK(all_given == mixed);
}

TEST_CASE("extents convert where they agree") {
    const extents<dyn, 4> dynamic = extents<3, 4>();
    CHECK(dynamic[0] == 3);
    const extents<3, 4> fixed(dynamic);
    CHECK(fixed == dynamic);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<extents<3, 4>, extents<4, 4>>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<extents<dyn, 4>, extents<3, 4>>);
    STATIC_REQUIRE_FALSE(extents<3>() == extents<3, 1>());
}

TEST_CASE("extents without axes have one element") {
    STATIC_REQUIRE(extents<>().size() == 1);
}
