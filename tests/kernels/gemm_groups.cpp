#include <pare/kernels/gemm_groups.hpp>

#include <algorithm>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/packed_groups.hpp>
#include <pare/kernels/reference.hpp>
#include <pare/quantize/weights.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

struct shape {
    std::size_t m, n, k;
};

/// Extreme: all activations -127, all weights 7 or -7.
template <std::size_t Group, class Executor>
void check(shape s, std::size_t a_stride, at place, bool extreme, Executor& executor) {
    using kernel = kernels::gemm_groups_kernel<test_isa, Group>;
    const std::size_t groups = kernel::groups(s.k);
    const random_numbers random(seed{61}, s.m * 1000 + s.n);
    guarded<std::int8_t> a((s.m - 1) * a_stride + s.k, place);
    std::vector<std::int8_t> w(s.n * s.k);
    std::vector<float> scales(s.n * groups);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<std::int8_t>(extreme ? -127 : static_cast<int>(random.below(i, 255)) - 127);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(extreme ? (i / s.k % 2 == 0 ? 7 : -7) : static_cast<int>(random.below(i, 16)) - 8);
    }
    for (std::size_t i = 0; i < scales.size(); ++i) {
        scales[i] = random.uniform(i, 0.001f, 0.1f);
    }
    guarded<std::uint8_t> data(kernel::packed_bytes(s.n, s.k), place);
    guarded<float> packed_scales(kernel::packed_scales(s.n, s.k), place);
    std::fill(data.begin(), data.end(), std::uint8_t{0xab});
    kernel::pack(
        s.n, s.k, [&](std::size_t row, std::size_t column) { return int{w[row * s.k + column]}; },
        [&](std::size_t row, std::size_t g) { return scales[row * groups + g]; }, data.data(), packed_scales.data());
    guarded<float> c(s.m * s.n, place);
    std::vector<float> row_scales(s.m);
    for (std::size_t i = 0; i < s.m; ++i) {
        row_scales[i] = 0.01f * static_cast<float>(i + 1);
    }
    kernels::gemm_groups<test_isa, Group>(
        executor, s.m, a.data(), a_stride, {data.data(), packed_scales.data(), s.n, s.k},
        kernels::epilogue<float, kernels::scale_rows>(c.data(), s.n, kernels::scale_rows{row_scales.data()}));
    std::vector<float> expected(s.m * s.n);
    kernels::reference::multiply_groups(matrix_view<const std::int8_t>(a.data(), s.m, s.k, a_stride),
                                        matrix_view<const std::int8_t>(w.data(), s.n, s.k),
                                        matrix_view<const float>(scales.data(), s.n, groups), Group,
                                        matrix_view<float>(expected.data(), s.m, s.n), kernels::scale_rows{row_scales.data()});
    for (std::size_t i = 0; i < c.size(); ++i) {
        INFO(s.m << "x" << s.n << "x" << s.k << " in groups of " << Group << " at " << i);
        REQUIRE(c[i] == expected[i]);
    }
}

const std::vector<std::size_t> sizes = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255};

}  // namespace

TEST_CASE("products of 4-bit weights equal the plain loops to the bit") {
    serial_executor serial;
    const random_numbers random(seed{62}, 0);
    for (std::uint64_t round = 0; round < 60; ++round) {
        const auto pick = [&](std::uint64_t i) {
            return sizes[static_cast<std::size_t>(random.below(3 * round + i, sizes.size()))];
        };
        const shape s = {pick(0), pick(1), pick(2)};
        check<32>(s, s.k, at::end, false, serial);
        check<64>(s, s.k + 5, at::begin, false, serial);
        check<128>(s, s.k, at::end, round % 2 == 0, serial);
    }
    check<64>({1, 700, 200}, 200, at::end, false, serial);
    check<16>({2, 400, 48}, 48, at::end, false, serial);
}

TEST_CASE("products of 4-bit weights have the same bits on any number of threads") {
    thread_pool pool(3);
    check<64>({65, 255, 129}, 129, at::end, false, pool);
}

TEST_CASE("blocks of ggml multiply like the groups that they are") {
    const std::size_t n = 20, k = 96;
    weight_matrix<float, full> w(n, k);
    std::vector<float> x(3 * k), y(3 * n), z(3 * n);
    const random_numbers random(seed{64}, 0);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        w.values[i] = random.uniform(i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(10000 + i, -1.0f, 1.0f);
    }
    const auto blocks = quantize_weights_to_blocks<ggml::q4_0>(w).value();
    weight_matrix<qint4<32>, full> same(n, k);  // the same integers and scales, kept as qint4
    for (std::size_t i = 0; i < n * k; ++i) {
        const auto q = static_cast<unsigned>(blocks.values[i / 32].integer(i % 32) + 8);
        same.values[i / 2] = static_cast<std::uint8_t>(same.values[i / 2] | q << 4 * (i % 2));
        same.scales[i / 32] = blocks.values[i / 32].d;
        REQUIRE(same.real(i / k, i) == blocks.real(i / k, i));
    }
    serial_executor serial;
    const auto multiply = [&](const auto& weights, std::vector<float>& out) {
        workspace space(weights.scratch_bytes(dynamic_range{}, 3, n, k));
        context<test_isa, serial_executor> ctx{serial, space.scratch()};
        weights.multiply(dynamic_range{}, ctx, matrix_view<const float>(x.data(), 3, k), matrix_view<float>(out.data(), 3, n));
    };
    multiply(packed<weight_matrix<ggml::q4_0, full>, test_isa>(blocks), y);
    multiply(packed<weight_matrix<qint4<32>, full>, test_isa>(same), z);
    CHECK(y == z);
    CHECK(quantize_weights_to_blocks<ggml::q8_0>(weight_matrix<float, full>(2, 33), "w").error().message ==
          "quantize: w: expected a multiple of 32 inputs, the weights of a block of q8_0; found 33");
}

TEST_CASE("packed 4-bit weights give what the model's weights say, times quantized rows") {
    const shape s = {5, 70, 100};
    weight_matrix<float, full> w(s.n, s.k);
    std::vector<float> x(s.m * s.k), y(s.m * s.n);
    const random_numbers random(seed{63}, 0);
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        w.values[i] = random.uniform(i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = random.uniform(10000 + i, -1.0f, 1.0f);
    }
    const auto q = quantize_weights_in_groups<32>(w).value();
    const packed<weight_matrix<qint4<32>, full>, test_isa> packed_weights(q);
    workspace space(packed_weights.scratch_bytes(dynamic_range{}, s.m, s.n, s.k));
    serial_executor serial;
    context<test_isa, serial_executor> ctx{serial, space.scratch()};
    packed_weights.multiply(dynamic_range{}, ctx, matrix_view<const float>(x.data(), s.m, s.k),
                            matrix_view<float>(y.data(), s.m, s.n));
    for (std::size_t i = 0; i < s.m; ++i) {
        for (std::size_t j = 0; j < s.n; ++j) {
            double sum = 0.0;
            for (std::size_t k = 0; k < s.k; ++k) {
                sum += static_cast<double>(x[i * s.k + k]) * static_cast<double>(q.real(j, j * s.k + k));
            }
            // an activation is off by at most half of 1 / 127
            REQUIRE(std::abs(sum - static_cast<double>(y[i * s.n + j])) < 0.04 * 0.5 * std::sqrt(100.0));
        }
    }
}
