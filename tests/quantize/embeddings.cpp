#include <pare/quantize/embeddings.hpp>

#include <cmath>
#include <limits>

#include <pare/nn.hpp>
#include <pare/quantize/dynamic.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// Numbers of a row as they are looked up.
template <class Element>
std::vector<float> row_of(const weight_matrix<Element, full>& w, std::size_t row) {
    std::vector<float> numbers;
    for (std::size_t j = 0; j < w.columns(); ++j) {
        numbers.push_back(w.real(row, row * w.columns() + j));
    }
    return numbers;
}

weight_matrix<float, full> table(std::size_t rows, std::size_t columns) {
    const random_numbers random(seed{7}, 0);
    weight_matrix<float, full> w(rows, columns);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        w.values[i] = random.uniform(i, -1.0f, 3.0f);
    }
    return w;
}

template <class Element>
void check_error(std::size_t bytes_per_row) {
    const auto w = table(5, 21);
    const auto q = quantize_table<Element>(w).value();
    CHECK(q.bytes() == 5 * bytes_per_row);
    for (std::size_t row = 0; row < 5; ++row) {
        const float scale = q.scales[row];
        const auto numbers = row_of(q, row);
        for (std::size_t j = 0; j < 21; ++j) {  // half a step, and what 16 bits do to the minimum and to the last step
            const float slack = sizeof(q.scales[0]) == 2 ? 4e-3f : 1e-6f;
            CHECK(std::fabs(numbers[j] - w.values[row * 21 + j]) <= 0.5f * scale + slack);
        }
    }
}

template <class Prepared>
std::vector<float> outputs(const Prepared& ready, const std::vector<float>& x) {
    std::vector<float> y(x.size() / ready.input_size() * ready.output_size());
    auto space = workspace_for(ready, x.size() / ready.input_size());
    run(ready, x, y, space);
    return y;
}

}  // namespace

TEST_CASE("a table takes a code per number, a scale and a minimum per row, and errs by half a step") {
    check_error<row_quint<8>>(21 + 8);
    check_error<row_quint<8, float16>>(21 + 4);
    check_error<row_quint<4>>(11 + 8);
    check_error<row_quint<4, float16>>(11 + 4);
}

TEST_CASE("a table's codes span each row") {
    weight_matrix<float, full> w(2, 3);
    const float values[6] = {-2.0f, 13.0f, 0.4f, 5.0f, 5.0f, 5.0f};
    std::copy(values, values + 6, w.values.begin());
    const auto q = quantize_table<row_quint<4>>(w).value();
    CHECK(q.scales[0] == 1.0f);
    CHECK(q.zero_points[0] == -2.0f);
    CHECK(int{q.values[0]} == 0xf0);
    CHECK(int{q.values[1]} == 2);  // RNE(2.4), in the low half
    CHECK(row_of(q, 1) == std::vector<float>(3, 5.0f));
}

TEST_CASE("rows of zeros stay zeros, tiny rows do not divide by zero, and an outlier costs its row only") {
    weight_matrix<float, full> w(3, 4);
    const float values[12] = {0.0f, 0.0f, 0.0f, 0.0f, 1e-38f, -1e-38f, 0.0f, 0.0f, 1e18f, 1.0f, 2.0f, -1.0f};
    std::copy(values, values + 12, w.values.begin());
    const auto q = quantize_table<row_quint<8>>(w).value();
    CHECK(row_of(q, 0) == std::vector<float>(4, 0.0f));
    CHECK(q.scales[1] == 1.0f);
    for (const float x : row_of(q, 1)) {
        CHECK(std::fabs(x) <= 1e-38f);
    }
    CHECK(row_of(q, 2)[0] == Approx(1e18));
    CHECK(row_of(q, 2)[1] == -1.0f);
    CHECK(quantize_table<row_quint<8, float16>>(w, "0.weight").error().message ==
          "quantize: 0.weight: expected weights whose scale fits 16 bits, found one too large in row 2");
    w.values[8] = 1e30f;
    CHECK(quantize_table<row_quint<8>>(w, "0.weight").error().message ==
          "quantize: 0.weight: expected weights of at most 2^62, found 1e+30 at row 2, column 0");
    w.values[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(quantize_table<row_quint<8>>(w, "0.weight").error().message ==
          "quantize: 0.weight: expected finite weights, found NaN at row 1, column 1");
}

TEST_CASE("embeddings and bags look quantized rows up, beside layers of other kinds") {
    const auto net = initialized(sequential(input<6>(), embedding<30, 21>(), flatten(), dense<126, 5>()), he_normal{}, seed{8});
    const auto small = quantize_embeddings<row_quint<8>>(net);
    REQUIRE(small);
    CHECK(summarize(*small).bytes == summarize(net).bytes - 30 * 21 * 3 + 30 * 8);
    const std::vector<float> x = {0.0f, 29.0f, 3.0f, 3.0f, 17.0f, 1.0f};
    const auto rows = outputs(prepare<isa::native>(sequential(std::get<0>(small->layers), std::get<1>(small->layers))), x);
    for (std::size_t i = 0; i < 6; ++i) {
        const auto expected = row_of(std::get<1>(small->layers).weights, static_cast<std::size_t>(x[i]));
        CHECK(std::equal(expected.begin(), expected.end(), rows.begin() + static_cast<std::ptrdiff_t>(i) * 21));
    }
    const auto y = outputs(prepare<isa::native>(net), x);
    const auto z = outputs(prepare<isa::native>(*quantize_dynamic(small, except<"embedding">{})), x);
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(z[i] == Approx(y[i]).margin(0.05));
    }
    CHECK_THAT(describe(prepare<isa::native>(*small)), ContainsSubstring("embedding 30 x 21: row_quint8 full"));
}

TEST_CASE("a bag of quantized rows is the mean, or the maximum, of what they stand for") {
    using bag = embedding_bag<dyn, dyn, bag_mode::mean, weight_matrix<row_quint<4, float16>, full>>;
    using most = embedding_bag<dyn, dyn, bag_mode::max, weight_matrix<row_quint<4, float16>, full>>;
    const auto q = quantize_table<row_quint<4, float16>>(table(9, 7)).value();
    const std::vector<float> x = {8.0f, 2.0f, 2.0f, 0.0f, 5.0f, 1.0f};
    const auto mean = outputs(prepare<isa::native>(sequential(input<3>(), bag(q))), x);
    const auto largest = outputs(prepare<isa::native>(sequential(input<3>(), most(q))), x);
    for (std::size_t b = 0; b < 2; ++b) {
        const auto r0 = row_of(q, static_cast<std::size_t>(x[3 * b])), r1 = row_of(q, static_cast<std::size_t>(x[3 * b + 1])),
                   r2 = row_of(q, static_cast<std::size_t>(x[3 * b + 2]));
        for (std::size_t j = 0; j < 7; ++j) {
            CHECK(mean[b * 7 + j] == Approx((r0[j] + r1[j] + r2[j]) / 3.0f));
            CHECK(largest[b * 7 + j] == (std::max)({r0[j], r1[j], r2[j]}));
        }
    }
}
