#include <pare/compress/svd.hpp>

#include <cmath>
#include <vector>

#include <pare/compress/low_rank_factors.hpp>
#include <pare/core/random.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

std::vector<double> numbers(std::size_t n, std::uint64_t stream = 0) {
    std::vector<double> x(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = double{random_numbers(seed{5}, stream).normal(i)};
    }
    return x;
}

/// The sum of the first `rank` terms.
std::vector<double> product(const singular_values& s, std::size_t rank) {
    std::vector<double> a(s.rows * s.columns, 0.0);
    for (std::size_t r = 0; r < rank; ++r) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            a[i] += s.values[r] * s.left[r * s.rows + i / s.columns] * s.right[r * s.columns + i % s.columns];
        }
    }
    return a;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return std::sqrt(sum);
}

/// How far the vectors [count, n] are from orthogonal ones of length 1.
double skewness(const std::vector<double>& v, std::size_t count, std::size_t n) {
    double worst = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < count; ++j) {
            double sum = i == j ? -1.0 : 0.0;
            for (std::size_t k = 0; k < n; ++k) {
                sum += v[i * n + k] * v[j * n + k];
            }
            worst = (std::max)(worst, std::fabs(sum));
        }
    }
    return worst;
}

/// x - 2 u (u^T x) / |u|^2 for each column x of a [n, columns]: singular values stay.
std::vector<double> reflected(std::vector<double> a, const std::vector<double>& u) {
    const std::size_t n = u.size(), columns = a.size() / n;
    double squares = 0.0;
    for (const double x : u) {
        squares += x * x;
    }
    for (std::size_t j = 0; j < columns; ++j) {
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += u[i] * a[i * columns + j];
        }
        for (std::size_t i = 0; i < n; ++i) {
            a[i * columns + j] -= 2.0 * u[i] * sum / squares;
        }
    }
    return a;
}
std::vector<double> transposed(const std::vector<double>& a, std::size_t rows) {
    const std::size_t columns = a.size() / rows;
    std::vector<double> t(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        t[i % columns * rows + i / columns] = a[i];
    }
    return t;
}

/// last core first, as low_rank_factors says.
std::vector<double> product(const low_rank_factors& f, const weights_shape& s, const factor_ranks& r) {
    std::vector<double> w(s.size(), 0.0);
    const std::size_t between = r.inputs == 0 ? s.inputs : r.inputs;
    for (std::size_t i = 0; i < w.size(); ++i) {
        const std::size_t o = i / (s.taps * s.inputs), t = i / s.inputs % s.taps, in = i % s.inputs;
        for (std::size_t p = 0; p < r.outputs; ++p) {
            double sum = 0.0;
            for (std::size_t q = 0; q < between; ++q) {
                const double first = r.inputs == 0 ? (q == in ? 1.0 : 0.0) : double{f.first[q * s.inputs + in]};
                sum += double{f.core[(p * s.taps + t) * between + q]} * first;
            }
            w[i] += double{f.last[o * r.outputs + p]} * sum;
        }
    }
    return w;
}

}  // namespace

TEST_CASE("singular values that are known") {
    const auto two = singular_value_decomposition(std::vector<double>{3.0, 0.0, 4.0, 5.0}, 2, 2);
    CHECK(two.values[0] == Approx(std::sqrt(45.0)).epsilon(1e-14));
    CHECK(two.values[1] == Approx(std::sqrt(5.0)).epsilon(1e-14));

    const std::vector<double> known = {40.0, 7.0, 7.0, 1.0, 1e-3, 1e-9};
    std::vector<double> a(6 * 11, 0.0);
    for (std::size_t i = 0; i < 6; ++i) {
        a[i * 11 + i] = known[5 - i];
    }
    a = reflected(a, numbers(6));
    a = transposed(reflected(transposed(a, 6), numbers(11, 1)), 11);
    const auto six = singular_value_decomposition(a, 6, 11);
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(six.values[i] == Approx(known[i]).epsilon(1e-13).margin(1e-14));
    }
    CHECK(singular_value_decomposition(transposed(a, 6), 11, 6).values == six.values);
}

TEST_CASE("terms add up to the matrix, vectors are orthogonal") {
    for (const auto& [rows, columns] : {std::pair<std::size_t, std::size_t>{5, 8}, {8, 5}, {17, 17}, {1, 9}, {9, 1}, {40, 70}}) {
        const auto a = numbers(rows * columns, rows);
        const auto s = singular_value_decomposition(a, rows, columns);
        const std::size_t count = (std::min)(rows, columns);
        REQUIRE(s.values.size() == count);
        CHECK(std::is_sorted(s.values.rbegin(), s.values.rend()));
        CHECK(distance(product(s, count), a) < 1e-13 * s.values[0] * static_cast<double>(count));
        CHECK(skewness(s.left, count, rows) < 1e-13);
        CHECK(skewness(s.right, count, columns) < 1e-13);
    }
}

TEST_CASE("what is left without the last terms are their values, which no matrix of that rank comes closer than") {
    const auto a = numbers(12 * 20);
    const auto s = singular_value_decomposition(a, 12, 20);
    for (const std::size_t rank : {1u, 4u, 11u, 12u}) {
        CHECK(distance(product(s, rank), a) == Approx(std::sqrt(s.energy(rank))).margin(1e-12));
        const auto f = svd_factors(s, rank);
        const double error = distance(product(f, {12, 1, 20}, {rank, 0}), a);
        CHECK(error == Approx(std::sqrt(s.energy(rank))).margin(1e-5));
        CHECK(f.relative_error == Approx(std::sqrt(s.energy(rank) / s.energy())).margin(1e-12));
    }
    for (std::uint64_t other = 1; other < 5; ++other) {  // the projection onto other rows
        auto rows = singular_value_decomposition(numbers(3 * 12, other), 3, 12).right;
        const auto left = detail::projected(rows, 3, a, 12);
        CHECK(distance(detail::projected(transposed(rows, 3), 12, left, 3), a) > std::sqrt(s.energy(3)));
    }
}

TEST_CASE("matrices without all of their ranks") {
    const auto u = numbers(9), v = numbers(6, 1);
    std::vector<double> one(54);
    for (std::size_t i = 0; i < 54; ++i) {
        one[i] = u[i / 6] * v[i % 6];
    }
    const auto s = singular_value_decomposition(one, 9, 6);
    CHECK(s.values[1] == 0.0);
    CHECK(s.right.size() == 36);
    CHECK(skewness(s.right, 6, 6) < 1e-14);
    CHECK(distance(product(s, 1), one) < 1e-14 * s.values[0]);
    CHECK(detail::least_rank(s, 0.0) == 1);

    const auto zero = singular_value_decomposition(std::vector<double>(12, 0.0), 3, 4);
    CHECK(zero.values == std::vector<double>(3, 0.0));
    CHECK(zero.left == std::vector<double>{1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0});
    CHECK(svd_factors(zero, 2).relative_error == 0.0);
    CHECK(detail::least_rank(zero, 0.0) == 1);
    CHECK(singular_value_decomposition({}, 0, 4).values.empty());

    for (const auto& [size, rank] : {std::pair<std::size_t, std::size_t>{40, 20}, {60, 45}}) {
        const auto a = numbers(size * rank, 2), b = numbers(rank * size, 3);
        std::vector<double> low(size * size, 0.0);
        for (std::size_t i = 0; i < size; ++i) {
            for (std::size_t k = 0; k < rank; ++k) {
                for (std::size_t j = 0; j < size; ++j) {
                    low[i * size + j] += a[i * rank + k] * b[k * size + j];
                }
            }
        }
        const auto found = singular_value_decomposition(low, size, size);
        CHECK(detail::least_rank(found, 0.0) == rank);
        CHECK(skewness(found.right, rank, size) < 1e-13);
    }
}

TEST_CASE("matrices whose squares no double holds") {
    CHECK(singular_value_decomposition(std::vector<double>{1e200}, 1, 1).values[0] == 1e200);
    CHECK(singular_value_decomposition(std::vector<double>{1e-200}, 1, 1).values[0] == 1e-200);
    CHECK(singular_value_decomposition(std::vector<double>{0.0, 3e-170, 4e-170, 0.0}, 2, 2).values ==
          std::vector<double>{4e-170, 3e-170});
}

TEST_CASE("Tucker-2: exact at full ranks, else between what either side alone loses and the sum of both") {
    const weights_shape s{10, 9, 6};
    const auto w = numbers(s.size());
    const auto outputs = singular_value_decomposition(w, 10, 54);
    const auto inputs = singular_value_decomposition(detail::by_inputs(w, s), 6, 90);
    const auto full = tucker_factors(w, s, {10, 6}, outputs, inputs);
    CHECK(distance(product(full, s, {10, 6}), w) < 1e-5);
    CHECK(full.relative_error < 1e-7);
    for (const factor_ranks r : {factor_ranks{4, 3}, {1, 1}, {9, 2}, {10, 5}}) {
        const auto f = tucker_factors(w, s, r, outputs, inputs);
        const double squared = std::pow(distance(product(f, s, r), w), 2.0);
        CHECK(squared == Approx(f.relative_error * f.relative_error * outputs.energy()).epsilon(1e-5));
        const double by_outputs = outputs.energy(r.outputs), by_inputs = inputs.energy(r.inputs);
        CHECK(squared >= (std::max)(by_outputs, by_inputs) - 1e-4);
        CHECK(squared <= by_outputs + by_inputs + 1e-4);
    }
}

TEST_CASE("rules for ranks") {
    const auto w = numbers(12 * 20);
    const auto s = singular_value_decomposition(w, 12, 20);
    const rank_request request{{12, 1, 20}, s};
    for (const double share : {0.1, 0.5, 0.9, 0.999}) {
        const std::size_t rank = energy_share{share}(request)->outputs;
        CHECK(s.energy(rank) <= (1.0 - share) * s.energy());
        CHECK((rank == 1 || s.energy(rank - 1) > (1.0 - share) * s.energy()));
    }
    CHECK(energy_share{1.0}(request)->outputs == 12);
    CHECK(parameter_share{0.5}(request)->outputs == 3);  // of 32 weights each
    CHECK(parameter_share{1e-9}(request)->outputs == 1);
    CHECK(energy_share{0.0}(request).error().message == "expected a share of the energy above 0 and at most 1, found 0");
    CHECK(energy_share{std::nan("")}(request).error().message == "expected a share of the energy above 0 and at most 1, found nan");
    CHECK(parameter_share{1.5}(request).error().message == "expected a share of the parameters above 0 and at most 1, found 1.5");
    CHECK(rank_of{0}(request).error().message == "expected a rank from 1 to 12, found 0");
    CHECK(detail::checked_ranks({4, 1}, request.shape, false).error().message ==
          "expected no rank of inputs, which have no factor of their own, found 1");
    CHECK(rank_of{13}(request).error().message == "expected a rank from 1 to 12, found 13");

    const weights_shape kernel{8, 9, 4};
    const auto k = numbers(kernel.size());
    const auto outputs = singular_value_decomposition(k, 8, 36);
    const auto inputs = singular_value_decomposition(detail::by_inputs(k, kernel), 4, 72);
    const rank_request tucker{kernel, outputs, &inputs};
    CHECK(*parameter_share{0.5}(tucker) == factor_ranks{4, 2});  // 8 + 72 + 32 of 288; {5, 3} has 187
    CHECK(*rank_of{5, 3}(tucker) == factor_ranks{5, 3});
    CHECK(rank_of{5}(tucker).error().message == "expected a rank of inputs from 1 to 4, found 5");
    CHECK(rank_of{8, 5}(tucker).error().message == "expected a rank of inputs from 1 to 4, found 5");
    const auto ranks = *energy_share{0.7}(tucker);
    CHECK(outputs.energy(ranks.outputs) + inputs.energy(ranks.inputs) <= 0.3 * outputs.energy());
}
