#include <pare/report/energy.hpp>

#include <limits>

#include <pare/nn/conv.hpp>
#include <pare/nn/dense.hpp>
#include <pare/nn/embedding.hpp>
#include <pare/nn/flatten.hpp>
#include <pare/nn/input.hpp>
#include <pare/nn/pool.hpp>
#include <pare/nn/recurrent.hpp>
#include <pare/nn/relu.hpp>
#include <pare/nn/self_attention.hpp>
#include <pare/prune/sparsify.hpp>
#include <pare/quantize/dynamic.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

/// 2 -> 8 -> 4, of whose first weights half are zero.
auto half_pruned() {
    auto net = sequential(dense<2, 8>(), relu(), dense<8, 4>());
    for (std::size_t i = 0; i < 8; ++i) {
        std::get<0>(net.layers).weights.values[2 * i + 1] = 0.25f * static_cast<float>(i + 1);
    }
    for (std::size_t i = 0; i < 32; ++i) {
        std::get<2>(net.layers).weights.values[i] = 0.125f * static_cast<float>(i + 1) - 2.0625f;
    }
    return net;
}

}  // namespace

TEST_CASE("costs and energy of dense layers, full and sparse, of floats and of bytes") {
    const auto net = half_pruned();
    const auto costs = costs_of(net);
    REQUIRE(costs.layers.size() == 2);
    CHECK(costs.layers[0].path == "0.weight");
    CHECK(costs.layers[0].storage == "float full");
    CHECK(costs.layers[1].path == "2.weight");
    CHECK(costs.multiplications() == 16 + 32);
    CHECK(costs.layers[0].inputs == 2);
    CHECK(costs.layers[0].outputs == 8);
    CHECK(costs.other_bytes() == 4 * (8 + 4));
    CHECK(costs.size.bytes == summarize(net).bytes);
    const energy_estimate floats = estimate_energy(costs);
    CHECK(floats.arithmetic_pj == Approx(48 * (3.7 + 0.9)));
    CHECK(floats.weights_pj == Approx((16 + 32 + 12) * 4 / 8.0 * 20));
    CHECK(floats.activations_pj == Approx((2 + 8 + 8 + 4) * 4 / 8.0 * 20));
    CHECK(floats.total_pj() == Approx(220.8 + 600 + 220));
    CHECK(floats.memory == std::string("32 KB cache"));

    const auto sparse = costs_of(*sparsify<csr>(net));  // 8 of 16, and 32 of 32
    CHECK(sparse.multiplications() == 8 + 32);
    CHECK(sparse.layers[0].stored == 8);
    CHECK(sparse.layers[0].bytes == 8 * (4 + 2) + 9 * 4);  // numbers, their columns, where rows begin
    CHECK(estimate_energy(sparse).arithmetic_pj == Approx(40 * 4.6));

    const auto bytes = costs_of(*quantize_dynamic(net));
    CHECK(bytes.layers[1].storage == "qint8 full, activations quantized per row");
    CHECK(estimate_energy(bytes).arithmetic_pj == Approx(48 * (0.2 + 0.1)));
    CHECK(estimate_energy(bytes).weights_pj == Approx((48 + 12 * 4 + 12 * 4) / 8.0 * 20));  // and scales, and biases
    CHECK(estimate_energy(costs, {.float_multiplication = 1.0, .float_addition = 0.5}).arithmetic_pj == Approx(72));

    const auto chosen = costs_of(*sparsify(*quantize_dynamic(net)));  // in layouts that are chosen at run time
    CHECK(chosen.layers[0].of_bytes);
    CHECK(chosen.layers[1].uses == 1);

    const dense<2, 8, weight_matrix<qint8, full>, static_range> by_calibration({8, 2}, {});
    CHECK(costs_of(by_calibration).layers[0].of_bytes);
    CHECK(estimate_energy(costs_of(by_calibration)).activations_pj == Approx((2 + 8) / 8.0 * 20));
}

TEST_CASE("weights are read from the smallest memory that holds the model") {
    model_costs costs;
    costs.size.bytes = 32 * 1024;
    CHECK(estimate_energy(costs).weights_pj == Approx(4096 * 20));
    costs.size.bytes += 8;
    CHECK(estimate_energy(costs).weights_pj == Approx(4097 * 100));
    costs.size.bytes = (1 << 20) + 8;
    CHECK(estimate_energy(costs).weights_pj == Approx(131073 * 1300.0));
    CHECK(estimate_energy(costs).memory == std::string("DRAM"));
}

TEST_CASE("a convolution multiplies once per pixel, a cell once per step, a table never") {
    const auto images = costs_of(sequential(input<6, 6, 2>(), conv2d<2, 8, 3, conv_options{.groups = 2}>(), relu(), max_pool2d<2>(),
                                            flatten(), dense<32, 4>()));
    REQUIRE(images.layers.size() == 2);
    CHECK(images.layers[0].uses == 4 * 4);
    CHECK(images.layers[0].multiplications() == 16 * 8 * 9);  // an output sees one of two channels
    CHECK(images.layers[0].inputs == 6 * 6 * 2);
    CHECK(images.layers[0].outputs == 4 * 4 * 8);
    CHECK(images.layers[1].multiplications() == 32 * 4);

    const auto steps = costs_of(sequential(input<5>(), embedding<10, 3>(), lstm<3, 4>(), self_attention<4, 2>(), last_step()));
    REQUIRE(steps.layers.size() == 5);
    CHECK(steps.layers[0].path == "0.weight");
    CHECK(steps.layers[0].uses == 0);
    CHECK(steps.layers[1].uses == 5);
    CHECK(steps.layers[2].multiplications() == 4 * 16 * 4);  // the first state is zero, and is multiplied by nothing
    CHECK(steps.layers[3].uses == 5);
    CHECK(steps.layers[4].multiplications() == 5 * 4 * 4);
    CHECK(steps.other_bytes() == 4 * (2 * 16 + 12 + 4));
    CHECK(estimate_energy(steps).weights_pj == Approx(static_cast<double>(steps.size.bytes - 4 * 30) / 8.0 * 20));  // but the table
}

TEST_CASE("a histogram counts every weight: zeros, infinite ones and those that are no number apart") {
    auto net = half_pruned();
    auto& values = std::get<2>(net.layers).weights.values;
    values[0] = std::numeric_limits<float>::quiet_NaN();
    values[1] = std::numeric_limits<float>::infinity();
    values[2] = -std::numeric_limits<float>::infinity();
    values[3] = -2.0f;
    values[4] = 3.0f;
    values[5] = -0.0f;
    const auto costs = costs_of(net, 10);
    const weight_histogram& h = costs.layers[1].weights;
    CHECK(h.nans == 1);
    CHECK(h.infinities == 2);
    CHECK(h.zeros == 1);
    CHECK(h.in_bins() == 28);
    CHECK(h.total() == 32);
    CHECK(h.least == -2.0);
    CHECK(h.greatest == 3.0);
    CHECK(h.counts.size() == 10);
    CHECK(h.counts.front() == 1);
    CHECK(h.counts.back() == 1);
    CHECK(costs.layers[0].weights.zeros == 8);
    const auto sparse = costs_of(*sparsify<csr>(half_pruned()), 1).layers[0].weights;  // zeros that are not stored
    CHECK(sparse.zeros == 8);
    CHECK(sparse.counts == std::vector<std::size_t>{8});

    weight_matrix<float, full> same(1, 4);
    std::fill(same.values.begin(), same.values.end(), 0.5f);
    const auto one_size = histogram_of(same, 3);
    CHECK(one_size.in_bins() == 4);
    CHECK(one_size.mean() == Approx(0.5));
    CHECK(one_size.deviation() == 0.0);
    CHECK(histogram_of(weight_matrix<float, full>(2, 3), 3).zeros == 6);
}
