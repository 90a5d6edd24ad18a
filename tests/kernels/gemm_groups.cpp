#include <pare/kernels/gemm_groups.hpp>

#include <algorithm>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/reference.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

struct shape {
    std::size_t m, n, k;
};

/// Extreme: all activations -127, all codes the largest or the least.
template <class Format, class Executor>
void check(shape s, std::size_t a_stride, at place, bool extreme, Executor& executor) {
    using layout = kernels::packed_groups_layout<test_isa, Format>;
    using scale = typename Format::scale;
    const std::size_t groups = Format::groups(s.k);
    const random_numbers random(seed{61}, s.m * 1000 + s.n);
    guarded<std::int8_t> a((s.m - 1) * a_stride + s.k, place);
    std::vector<std::uint8_t> codes(s.n * s.k);
    std::vector<scale> scales(s.n * groups), offsets(s.n * groups);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<std::int8_t>(extreme ? -127 : static_cast<int>(random.below(i, 255)) - 127);
    }
    constexpr std::size_t most = (std::size_t{1} << Format::bits) - 1;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<std::uint8_t>(extreme ? (i / s.k % 2 == 0 ? most : 0) : random.below(i, most + 1));
    }
    for (std::size_t i = 0; i < scales.size(); ++i) {
        scales[i] = scale(random.uniform(i, 0.001f, 0.1f));
        offsets[i] = scale(Format::offset == group_offset::minimum ? random.uniform(i, -1.0f, 1.0f)
                                                                   : static_cast<float>(random.below(i, most + 1)));
    }
    guarded<std::uint8_t> data(round_up(layout::bytes(s.n, s.k), 4), place);
    std::fill(data.begin(), data.end(), std::uint8_t{0xab});
    layout::pack(
        s.n, s.k, [&](std::size_t row, std::size_t column) { return int{codes[row * s.k + column]}; },
        [&](std::size_t row, std::size_t g) { return scales[row * groups + g]; },
        [&](std::size_t row, std::size_t g) { return offsets[row * groups + g]; }, data.data());
    guarded<float> c(s.m * s.n, place);
    guarded<std::int32_t> sums(s.m * groups, place);
    std::vector<float> row_scales(s.m);
    for (std::size_t i = 0; i < s.m; ++i) {
        row_scales[i] = 0.01f * static_cast<float>(i + 1);
    }
    kernels::sum_groups<Format>(s.m, a.data(), a_stride, s.k, sums.data());
    kernels::gemm_groups<test_isa, Format>(
        executor, s.m, a.data(), a_stride, sums.data(), {data.data(), s.n, s.k},
        kernels::epilogue<float, kernels::scale_rows>(c.data(), s.n, kernels::scale_rows{row_scales.data()}));
    std::vector<float> expected(s.m * s.n);
    kernels::reference::multiply_groups<Format>(
        matrix_view<const std::int8_t>(a.data(), s.m, s.k, a_stride), matrix_view<const std::uint8_t>(codes.data(), s.n, s.k),
        matrix_view<const scale>(scales.data(), s.n, groups), matrix_view<const scale>(offsets.data(), s.n, groups),
        matrix_view<float>(expected.data(), s.m, s.n), kernels::scale_rows{row_scales.data()});
    for (std::size_t i = 0; i < c.size(); ++i) {
        INFO(s.m << "x" << s.n << "x" << s.k << " in groups of " << Format::size << ", " << Format::bits << " bits, at " << i);
        REQUIRE(c[i] == expected[i]);
    }
}

const std::vector<std::size_t> sizes = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255};

/// Every kind of format, each with some of what else there is.
using symmetric_nibbles = group_format<4, 64, float, group_offset::none>;
using affine_nibbles = group_format<4, 128, float16, group_offset::zero_point>;
using pairs_and_minima = group_format<2, 32, float, group_offset::minimum>;
using symmetric_bytes = group_format<8, 16, float, group_offset::none>;
using affine_bytes = group_format<8, 256, float16, group_offset::zero_point>;

}  // namespace

TEST_CASE("products of weights in groups equal the plain loops to the bit") {
    serial_executor serial;
    const random_numbers random(seed{62}, 0);
    for (std::uint64_t round = 0; round < 60; ++round) {
        const auto pick = [&](std::uint64_t i) {
            return sizes[static_cast<std::size_t>(random.below(3 * round + i, sizes.size()))];
        };
        const shape s = {pick(0), pick(1), pick(2)};
        check<symmetric_nibbles>(s, s.k + 5, at::begin, round % 4 == 0, serial);
        check<affine_nibbles>(s, s.k, at::end, round % 4 == 1, serial);
        check<pairs_and_minima>(s, s.k, at::end, round % 4 == 2, serial);
        check<symmetric_bytes>(s, s.k, at::end, round % 4 == 3, serial);
        check<affine_bytes>(s, s.k, at::end, round % 4 == 0, serial);
    }
    check<symmetric_nibbles>({1, 700, 200}, 200, at::end, false, serial);
    check<symmetric_nibbles>({1, 700, 192}, 192, at::end, true, serial);
    check<symmetric_bytes>({2, 400, 48}, 48, at::end, false, serial);
}

TEST_CASE("products of weights in groups have the same bits on any number of threads") {
    thread_pool pool(3);
    check<symmetric_nibbles>({65, 255, 129}, 129, at::end, false, pool);
}

TEST_CASE("halves become floats exactly: all of them") {
    using V = simd::ops<test_isa>;
    std::size_t wrong = 0;
    for (std::uint32_t first = 0; first < 0x10000u; first += V::lanes) {
        float16 halves[V::lanes];
        float floats[V::lanes];
        for (std::uint32_t i = 0; i < V::lanes; ++i) {
            halves[i].bits = static_cast<std::uint16_t>(first + i);
        }
        V::store(floats, simd::load_as_float<test_isa>(halves));
        for (std::uint32_t i = 0; i < V::lanes; ++i) {
            // Hardware makes signaling NaN quiet.
            const auto quiet = [](std::uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : bits; };
            wrong +=
                quiet(std::bit_cast<std::uint32_t>(floats[i])) != quiet(std::bit_cast<std::uint32_t>(float{halves[i]})) ? 1u : 0u;
        }
    }
    CHECK(wrong == 0);
}
