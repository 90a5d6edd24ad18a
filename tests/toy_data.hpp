#ifndef PARE_TESTS_TOY_DATA_HPP
#define PARE_TESTS_TOY_DATA_HPP

#include <pare/core/random.hpp>
#include <pare/train/dataset.hpp>

/// Points in the plane, labelled by the quarter that they lie in: what a small network learns in a few epochs.
inline pare::labeled_data<float, 2> quarters(std::size_t n, std::uint64_t stream = 0) {
    const pare::random_numbers random(pare::seed{77}, stream);
    pare::aligned_array<float> points(2 * n);
    std::vector<std::int32_t> labels(n);
    for (std::size_t i = 0; i < n; ++i) {
        points[2 * i] = random.uniform(2 * i, -1.0f, 1.0f);
        points[2 * i + 1] = random.uniform(2 * i + 1, -1.0f, 1.0f);
        labels[i] = (points[2 * i] > 0.0f ? 1 : 0) + (points[2 * i + 1] > 0.0f ? 2 : 0);
    }
    return pare::labeled_data<float, 2>::make("quarters", {}, 4, std::move(points), std::move(labels)).value();
}

/// Pairs of rows of a table of 9, labelled by one of 3 classes.
inline pare::labeled_data<float, 2> pairs_of_rows() {
    pare::aligned_array<float> rows(6);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i] = static_cast<float>((5 * i) % 9);
    }
    return pare::labeled_data<float, 2>::make("pairs", {}, 3, std::move(rows), {0, 1, 2}).value();
}

#endif
