#include <pare/quantize/gptq.hpp>

#include <limits>

#include <pare/quantize/weights_only.hpp>
#include <pare/train/initialize.hpp>

#include "../catch.hpp"
#include "../inverse.hpp"
#include "calibration_samples.hpp"

using namespace pare;

namespace {

/// Second moments of some correlated rows.
input_statistics some_inputs(std::size_t columns) {
    input_statistics inputs(columns, true);
    std::vector<float> x(300 * columns), none;
    std::vector<std::size_t> indices(300);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        indices[i] = i;
    }
    calibration_samples{300, columns, 0}.fetch(indices, x.data(), none.data());
    for (std::size_t i = 3; columns > 20 && i < x.size(); i += columns) {
        x[i] = 0.0f;  // an input that is always zero
    }
    inputs.add<isa::native>(matrix_view<const float>(x.data(), 300, columns));
    inputs.finish<isa::native>();
    return inputs;
}

/// One row by the definition of optimal brain quantization in a given order: after each column, all others move by the inverse of
/// the Hessian of those that are left, which is then that of one column less.
template <class Element>
std::vector<float> reference_row(const float* weights, const std::vector<double>& moments, std::size_t n, double damping) {
    double mean = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        mean += moments[i * n + i] / static_cast<double>(n);
    }
    std::vector<double> h = moments, w(weights, weights + n);
    for (std::size_t i = 0; i < n; ++i) {
        h[i * n + i] = mean > 0.0 ? h[i * n + i] + damping * mean : 1.0;
    }
    std::vector<double> inverse = inverse_of(std::move(h), n);
    std::vector<float> real(n);
    auto group = weight_group<Element>::of_range(0.0f, 0.0f);
    for (std::size_t i = 0; i < n; ++i) {
        if (i % Element::group == 0) {
            const std::vector<float> left(w.begin() + static_cast<std::ptrdiff_t>(i),
                                          w.begin() + static_cast<std::ptrdiff_t>((std::min)(i + Element::group, n)));
            group = round_to_nearest{}.choose<Element>(left);
        }
        real[i] = group.real(group.code(static_cast<float>(w[i])));
        const double e = (w[i] - static_cast<double>(real[i])) / inverse[i * n + i];
        for (std::size_t j = i + 1; j < n; ++j) {
            w[j] -= e * inverse[i * n + j];
        }
        const std::vector<double> row(inverse.begin() + static_cast<std::ptrdiff_t>(i * n),
                                      inverse.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
        for (std::size_t r = 0; r < n; ++r) {
            const double factor = inverse[r * n + i] / row[i];
            for (std::size_t c = 0; c < n; ++c) {
                inverse[r * n + c] -= factor * row[c];
            }
        }
    }
    return real;
}

}  // namespace

TEST_CASE("gptq rounds as optimal brain quantization in the order of columns does, whatever the blocks") {
    using element = qint4<16>;
    for (const std::size_t n : {std::size_t{1}, std::size_t{15}, std::size_t{70}}) {
        const input_statistics inputs = some_inputs(n);
        const random_numbers random(seed{8}, 0);
        std::vector<float> weights(n);
        for (std::size_t i = 0; i < n; ++i) {
            weights[i] = random.normal(i);
        }
        const auto expected = reference_row<element>(weights.data(), inputs.second_moments(), n, static_cast<double>(0.01f));
        for (const std::size_t block : {std::size_t{0}, std::size_t{16}, std::size_t{128}}) {
            const gptq_options options{.block = block};
            const round_to_nearest choice;
            detail::gptq_rows<isa::native, element, round_to_nearest> rows(inputs, options, choice);
            weight_matrix<element, full> quantized(1, n);
            REQUIRE(rows.has_inverse());
            REQUIRE(rows.quantize(weights.data(), quantized, 0));
            for (std::size_t i = 0; i < n; ++i) {
                INFO(n << " columns in blocks of " << block << ", at " << i);
                CHECK(std::fabs(quantized.real(0, i) - expected[i]) < 1e-3f);
            }
        }
    }
}

TEST_CASE("gptq keeps the outputs of a network better than rounding to nearest, in either order, with any codes") {
    const auto net = initialized(sequential(dense<dyn, dyn>(70, 90), relu(), dense<dyn, dyn>(90, 8)), he_normal{}, seed{1});
    const calibration_samples seen{600, 70, 8}, unseen{600, 70, 8, 1};
    const double rounded = output_error(*quantize_weights_only<qint4<32>>(net), net, unseen);
    CHECK(output_error(*gptq<qint4<32>>(net, seen), net, unseen) * 2.0 < rounded);
    CHECK(output_error(*gptq<qint4<32>>(net, seen, {.activation_order = true}), net, unseen) * 2.0 < rounded);
    CHECK(output_error(*gptq<qint2<32, float, qscheme::minimum>>(net, seen, {}, mse_clipped{}), net, unseen) * 2.0 <
          output_error(*quantize_weights_only<qint2<32, float, qscheme::minimum>>(net, mse_clipped{}), net, unseen));
    CHECK(output_error(*gptq<nf4<32>>(net, seen), net, unseen) * 2.0 <
          output_error(*quantize_weights_only<nf4<32>>(net), net, unseen));
}

TEST_CASE("gptq takes convolutions in groups, each group with what it sees") {
    const auto net = initialized(
        sequential(input<dyn, dyn, dyn>(6, 5, 8), conv2d<dyn, dyn, dyn>(8, 6, 3, {.padding = 1, .groups = 2}), flatten()),
        he_normal{}, seed{2});
    const calibration_samples seen{200, 240, 180}, unseen{100, 240, 180, 1};
    const double rounded = output_error(*quantize_weights_only<qint3<16>>(net), net, unseen);
    CHECK(output_error(*gptq<qint3<16>>(net, seen), net, unseen) * 1.08 < rounded);
}

TEST_CASE("what cannot be calibrated with or quantized is an error that says so") {
    auto net = initialized(sequential(dense<dyn, dyn>(20, 10), relu(), dense<dyn, dyn>(10, 3)), he_normal{}, seed{1});
    const calibration_samples samples{50, 20, 3};
    const auto message = [&](const auto& data, const gptq_options& options = {}) {
        const auto made = gptq<qint4<16>>(net, data, options);
        return made ? std::string() : made.error().message;
    };
    CHECK(message(samples).empty());
    CHECK(message(calibration_samples{0, 20, 3}) == "gptq: expected samples to calibrate with, found none");
    CHECK(message(calibration_samples{5, 19, 3}) == "run_over: the model takes 20 inputs; a sample of the data has 19 numbers");
    CHECK(message(samples, {.damping = 0.0f}) == "gptq: expected a damping in (0, 1], found 0");
    CHECK(message(samples, {.damping = std::numeric_limits<float>::quiet_NaN()}) ==
          "gptq: expected a damping in (0, 1], found nan");
    const char* const inputs =
        "gptq: 0.weight: expected finite inputs while calibrating, found NaN, an infinity, or numbers whose squares overflow";
    CHECK(message(calibration_samples{5, 20, 3, 0, 1e30f}) == inputs);
    CHECK(message(calibration_samples{5, 20, 3, 0, std::numeric_limits<float>::quiet_NaN()}) == inputs);
    CHECK(message(calibration_samples{5, 20, 3, 0, std::numeric_limits<float>::infinity()}) == inputs);
    CHECK(message(calibration_samples{5, 20, 3, 0, 1e12f}).empty());
    auto& first = std::get<0>(net.layers);
    first.weights.values[5] = 1e30f;
    CHECK(message(samples) ==
          "gptq: 2.weight: expected finite inputs while calibrating, found NaN, an infinity, or numbers whose squares overflow");
    first.weights.values[5] = std::numeric_limits<float>::infinity();
    CHECK(!message(samples).empty());
    first.weights.values[5] = 1.0f;
    first.bias(3) = std::numeric_limits<float>::quiet_NaN();
    CHECK(message(samples) == "gptq: 0.bias: expected finite numbers, found NaN");
    // zero and constant channels, and outputs that nothing reaches
    first.bias(3) = -1e6f;
    std::fill_n(first.weights.values.data() + 20, 20, 0.0f);
    std::fill_n(first.weights.values.data() + 40, 20, 0.25f);
    const auto made = gptq<qint4<16>>(net, samples);
    REQUIRE(made);
    CHECK(std::get<0>(made->layers).weights.real(1, 25) == 0.0f);
    CHECK(output_error(*made, net, samples) < 0.1);
}
