#include <pare/core/tensor.hpp>

#include <cstdint>
#include <utility>
#include <vector>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("a tensor starts as zeros on a cache line, and copies are deep") {
    tensor<float, dyn, 3> a(2);
    CHECK(a.size() == 6);
    CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % alignment == 0);
    for (const float x : a) {
        CHECK(x == 0.0f);
    }
    a(1, 2) = 7.0f;
    CHECK(a.data()[5] == 7.0f);
    const auto b = a;
    a(1, 2) = 8.0f;
    CHECK(b(1, 2) == 7.0f);
    const auto moved = std::move(a);
    CHECK(moved(1, 2) == 8.0f);
}

TEST_CASE("a view refers to numbers of somebody else") {
    std::vector<float> numbers(12);
    const tensor_view<float, 3, 4> view(numbers.data());
    view(2, 1) = 5.0f;
    CHECK(numbers[9] == 5.0f);
    const tensor_view<const float, dyn, 4> readable = view;
    CHECK(readable(2, 1) == 5.0f);
    CHECK(readable.extent(0) == 3);
    const std::span<const float> all = readable;
    CHECK(all.size() == 12);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<tensor_view<const float, 3>, tensor_view<float, 3>>);
}

TEST_CASE("a matrix view has rows at a stride") {
    std::vector<int> numbers = {1, 2, 3, 4, 5, 6};
    const matrix_view<const int> m(numbers.data(), 2, 2, 3);
    CHECK(m(0, 1) == 2);
    CHECK(m(1, 0) == 4);
    CHECK(*m.row(1) == 4);
}

TEST_CASE("empty tensors hold nothing") {
    const tensor<float, dyn, 4> none(0);
    CHECK(none.size() == 0);
    CHECK(none.begin() == none.end());
    const aligned_array<int> also_none;
    CHECK(also_none.empty());
    CHECK(aligned_array<int>(also_none).empty());
}
