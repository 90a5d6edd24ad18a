#include <pare/types/weight_matrix.hpp>

#include <vector>

#include "../catch.hpp"

using namespace pare;

TEST_CASE("a full matrix stores every weight in order") {
    weight_matrix<float, full> w(2, 3);
    std::size_t expected = 0;
    w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        CHECK(i == expected);
        CHECK(row * 3 + column == i);
        ++expected;
    });
    CHECK(expected == 6);
    CHECK(w.bytes() == 24);
    CHECK(w.describe() == "float full");
}

TEST_CASE("compressed sparse rows store what they are told to keep") {
    // row 0: columns 1, 4; row 1: none; row 2: column 0
    const auto keep = [](std::size_t row, std::size_t column) {
        return (row == 0 && (column == 1 || column == 4)) || (row == 2 && column == 0);
    };
    weight_matrix<qint8, csr> w(csr::structure(3, 5, keep));
    CHECK(w.values.size() == 3);
    CHECK(w.scales.size() == 3);
    std::vector<std::size_t> visited;
    w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        CHECK(i == visited.size());
        visited.push_back(row * 5 + column);
    });
    CHECK(visited == std::vector<std::size_t>{1, 4, 10});
    // 3 values, 3 scales, 4 row beginnings of 4 bytes, 3 columns of 2 bytes
    CHECK(w.bytes() == 3 + 12 + 16 + 6);
    w.values[2] = 5;
    w.scales[2] = 0.5f;
    CHECK(w.real(2, 2) == 2.5f);
    CHECK(w.describe() == "qint8 csr");
    CHECK(weight_matrix<float, csr32>(csr32::structure(3, 5, keep)).bytes() == 12 + 16 + 12);
}

TEST_CASE("blocks are stored in full, and what reaches beyond the matrix is no weight") {
    // blocks of 2 x 3 of a matrix of 3 x 5: the first row of blocks has its second one, which is 2 wide, the last row its first one
    const auto keep = [](std::size_t row, std::size_t column) { return (row == 1 && column == 4) || (row == 2 && column == 0); };
    weight_matrix<qint8, bsr<2, 3>> w(bsr<2, 3>::structure(3, 5, keep));
    CHECK(w.structure.blocks() == 2);
    CHECK(w.values.size() == 12);
    std::vector<std::size_t> visited, stored;
    w.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        visited.push_back(row * 5 + column);
        stored.push_back(i);
    });
    CHECK(visited == std::vector<std::size_t>{3, 4, 8, 9, 10, 11, 12});
    CHECK(stored == std::vector<std::size_t>{0, 1, 3, 4, 6, 7, 8});
    // 12 values, 3 scales, 3 beginnings of 4 bytes, 2 columns of 2 bytes
    CHECK(w.bytes() == 12 + 12 + 12 + 4);
    CHECK(w.describe() == "qint8 bsr<2, 3>");
    CHECK(bsr<1, 4>::most_columns == 65535);
    CHECK(weight_matrix<qint8, bsr32<2, 3>>(bsr32<2, 3>::structure(3, 5, keep)).bytes() == 12 + 12 + 12 + 8);
}
