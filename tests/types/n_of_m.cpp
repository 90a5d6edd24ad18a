#include <pare/types/n_of_m.hpp>

#include <string_view>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/types/weight_matrix.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

template <class Structure>
std::vector<std::size_t> columns_of(const Structure& s) {
    std::vector<std::size_t> columns;
    s.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        CHECK(i == columns.size());
        CHECK(row == i / s.stored_per_row());
        CHECK(s.column(i) == column);
        columns.push_back(column);
    });
    return columns;
}

/// A random structure with up to N of each M stores all that it is told to keep, N of each whole group, in order.
template <std::size_t N, std::size_t M>
void check_structure(std::size_t rows, std::size_t columns) {
    const random_numbers random(seed{3}, columns);
    std::vector<bool> wanted(rows * columns);
    for (std::size_t g = 0; g < rows * columns; ++g) {
        const std::size_t row = g / columns, first = g % columns / M * M;
        std::size_t count = 0;
        for (std::size_t c = first; c < g % columns; ++c) {
            count += wanted[row * columns + c];
        }
        wanted[g] = count < N && random.uniform(g) < 0.5f;
    }
    const auto keep = [&](std::size_t row, std::size_t column) { return wanted[row * columns + column]; };
    REQUIRE_FALSE(n_of_m<N, M>::misfit(rows, columns, keep));
    const typename n_of_m<N, M>::structure s(rows, columns, keep);
    std::vector<bool> stored(rows * columns);
    std::size_t before = 0;
    s.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        REQUIRE(column < columns);
        REQUIRE((i % s.stored_per_row() == 0 || column > before));
        REQUIRE(column / M == i % s.stored_per_row() / N);
        stored[row * columns + column] = true;
        before = column;
    });
    for (std::size_t i = 0; i < stored.size(); ++i) {
        REQUIRE((stored[i] || !wanted[i]));
    }
}

}  // namespace

TEST_CASE("N of M consecutive inputs are stored, zeros among them where fewer are kept") {
    // row 0: 1 and 3 of the first four, 6 of the next; row 1: nothing; the last group has one input
    const auto keep = [](std::size_t row, std::size_t column) { return row == 0 && (column == 1 || column == 3 || column == 6); };
    const weight_matrix<qint8, n_of_m<2, 4>> w(n_of_m<2, 4>::structure(2, 9, keep));
    CHECK(columns_of(w.structure) == std::vector<std::size_t>{1, 3, 4, 6, 8, 0, 1, 4, 5, 8});
    CHECK(w.structure.stored() == 10);
    CHECK(w.values.size() == 10);
    // 5 indices of 2 bits are 2 bytes per row
    CHECK(w.bytes() == 10 + 2 * sizeof(float) + 4);
    CHECK(w.describe() == "qint8 n_of_m<2, 4>");
    CHECK(std::string_view(n_of_m<10, 128>::name) == "n_of_m<10, 128>");
    CHECK(n_of_m<2, 4>::structure().stored() == 0);
    CHECK(n_of_m<2, 4>::structure(3, 0, keep).bytes() == 0);
}

TEST_CASE("indices take the fewest bits, across bytes too") {
    check_structure<2, 4>(3, 64);
    check_structure<4, 8>(5, 50);
    check_structure<1, 4>(2, 7);
    check_structure<3, 5>(4, 33);
    check_structure<7, 100>(3, 512);
    check_structure<1, 256>(2, 700);
    CHECK(n_of_m<4, 8>::index_bits == 3);
    CHECK(n_of_m<1, 2>::index_bits == 1);
    CHECK(n_of_m<3, 5>::index_bits == 3);
    CHECK(n_of_m<1, 256>::index_bits == 8);
}

TEST_CASE("a group with too many weights is named") {
    const auto keep = [](std::size_t row, std::size_t column) { return row == 2 && column >= 4 && column != 5; };
    CHECK(n_of_m<2, 4>::misfit(3, 7, keep).value_or("") == "");
    CHECK(*n_of_m<2, 4>::misfit(3, 8, keep) ==
          "expected at most 2 of 4 weights that are not zero, found 3 in row 2, group 1 (inputs 4 to 7)");
    CHECK(*n_of_m<1, 4>::misfit(3, 7, keep) ==
          "expected at most 1 of 4 weights that are not zero, found 2 in row 2, group 1 (inputs 4 to 6)");
}
