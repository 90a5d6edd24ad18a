#include <pare/core/result.hpp>

#include "../catch.hpp"

using namespace pare;

static result<int> half(int n) {
    if (n % 2 != 0) {
        return error{error_code::invalid_argument, sentence("half: expected an even number, found ", n)};
    }
    return n / 2;
}

TEST_CASE("a result is a value or an error that says what was found") {
    CHECK(half(4).value() == 2);
    const auto odd = half(3);
    REQUIRE_FALSE(odd);
    CHECK(odd.error().code == error_code::invalid_argument);
    CHECK(odd.error().message == "half: expected an even number, found 3");
}

TEST_CASE("and_then nests functions of values and passes errors through") {
    CHECK(*and_then(half(8), half) == 2);
    CHECK(and_then(half(3), half).error().message == "half: expected an even number, found 3");
    CHECK(*and_then(result<int>(6), [](int n) { return n + 1; }) == 7);
    CHECK(and_then(5, [](int n) { return n + 1; }) == 6);
}

TEST_CASE("sentences are made of texts and numbers") {
    CHECK(sentence("a ", std::size_t{18446744073709551615u}, " b ", -3, " c ", 0.5f, std::string(" d ")) ==
          "a 18446744073709551615 b -3 c 0.5 d ");
    CHECK(sentence("", 1e300) == "1e+300");
    CHECK(sentence() == "");
}
