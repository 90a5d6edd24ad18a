#include <pare/kernels/gemm_int8.hpp>

#include <algorithm>
#include <memory>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/reference.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

/// The same instruction set with odd tile sizes: the generic blocking must not depend on them.
struct odd_tiles {
    static constexpr const char* name = "odd tiles";
    static constexpr bool compiled = true;
};
template <>
struct pare::simd::ops<odd_tiles> : pare::simd::ops<test_isa> {
    static constexpr pare::simd::register_tile int8_tile = {3, 2};
};

namespace {

/// Weights packed for an instruction set, in arrays that end at a forbidden page.
template <class Isa>
struct packed_weights {
    using kernel = kernels::gemm_int8_kernel<Isa>;

    guarded<std::int8_t> data;
    guarded<std::int32_t> sums;
    kernels::packed_int8 view;

    packed_weights(const std::int8_t* w, std::size_t n, std::size_t k)
        : data(kernel::packed_size(n, k)), sums(kernel::layout::padded(n)), view(kernel::pack(w, n, k, data.data(), sums.data())) {}
};

struct shape {
    std::size_t m, n, k;
};

template <class Isa, class A, class Executor>
void check(shape s, std::size_t a_stride, std::size_t c_stride, at place, int smallest_weight, std::uint64_t stream,
           Executor& executor) {
    const random_numbers random(seed{11}, stream);
    guarded<A> a(s.m == 0 ? 0 : (s.m - 1) * a_stride + s.k, place);
    guarded<std::int8_t> w(s.n * s.k, place);
    guarded<std::int32_t> c(s.m == 0 || s.n == 0 ? 0 : (s.m - 1) * c_stride + s.n, place);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<A>(random.words(i)[0] & 255);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int8_t>(smallest_weight +
                                        static_cast<int>(random.words(i)[1] % static_cast<std::uint64_t>(128 - smallest_weight)));
    }
    const std::int32_t untouched = 123456789;
    std::fill(c.begin(), c.end(), untouched);
    const packed_weights<Isa> packed(w.data(), s.n, s.k);
    kernels::gemm_int8<Isa>(executor, s.m, a.data(), a_stride, packed.view, kernels::epilogue<std::int32_t>(c.data(), c_stride));

    std::vector<std::int32_t> expected(s.m * s.n);
    kernels::reference::multiply<std::int32_t>(matrix_view<const A>(a.data(), s.m, s.k, a_stride),
                                               matrix_view<const std::int8_t>(w.data(), s.n, s.k),
                                               matrix_view<std::int32_t>(expected.data(), s.m, s.n));
    for (std::size_t i = 0; i < s.m; ++i) {
        for (std::size_t j = 0; j < (i + 1 < s.m ? c_stride : s.n); ++j) {
            INFO(s.m << "x" << s.n << "x" << s.k << " at " << i << ", " << j);
            REQUIRE(c[i * c_stride + j] == (j < s.n ? expected[i * s.n + j] : untouched));
        }
    }
}

template <class Isa, class A>
void check(shape s, int smallest_weight = -127, std::uint64_t stream = 0) {
    serial_executor serial;
    check<Isa, A>(s, s.k, s.n, at::end, smallest_weight, stream, serial);
}

const std::vector<std::size_t> sizes = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255};

}  // namespace

TEST_CASE("gemm_int8 equals the plain loops at ragged sizes") {
    const random_numbers random(seed{12}, 0);
    for (std::uint64_t round = 0; round < 150; ++round) {
        const auto pick = [&](std::uint64_t i) {
            return sizes[static_cast<std::size_t>(random.below(3 * round + i, sizes.size()))];
        };
        const shape s = {pick(0), pick(1), pick(2)};
        check<test_isa, std::uint8_t>(s, -127, round);
        check<test_isa, std::int8_t>(s, -127, round);
        check<test_isa, simd::ops<test_isa>::activation>(s, -128, round);
    }
}

TEST_CASE("gemm_int8 equals the plain loops at every small size") {
    for (std::size_t m = 1; m <= 8; ++m) {
        for (const std::size_t n : {1u, 5u, 16u, 17u, 48u, 70u}) {
            for (std::size_t k = 1; k <= 9; ++k) {
                check<test_isa, std::uint8_t>({m, n, k});
                check<odd_tiles, std::int8_t>({m, n, k});
            }
        }
    }
}

TEST_CASE("gemm_int8 equals the plain loops where few rows meet many panels") {
    for (std::size_t m = 1; m <= 4; ++m) {
        for (const std::size_t n : {128u, 384u, 777u, 1024u}) {
            check<test_isa, std::uint8_t>({m, n, 33});
            check<test_isa, std::int8_t>({m, n, 7}, -128);
        }
    }
}

TEST_CASE("gemm_int8 takes weights that contain -128") {
    for (const auto& s : {shape{1, 1, 1}, shape{3, 17, 5}, shape{7, 65, 64}, shape{13, 40, 129}}) {
        check<test_isa, std::uint8_t>(s, -128);
        check<test_isa, std::int8_t>(s, -128);
    }
}

TEST_CASE("gemm_int8 takes rows at a stride, unaligned arrays, and arrays on either side of a forbidden page") {
    serial_executor serial;
    for (const at place : {at::begin, at::end}) {
        for (const auto& s : {shape{1, 33, 7}, shape{5, 16, 63}, shape{9, 70, 32}}) {
            check<test_isa, std::uint8_t>(s, s.k + 13, s.n + 3, place, -127, 1, serial);
            check<test_isa, std::int8_t>(s, s.k + 1, s.n + 17, place, -128, 2, serial);
        }
    }
}

TEST_CASE("gemm_int8 of nothing does nothing, and of no depth gives zeros") {
    check<test_isa, std::uint8_t>({0, 5, 5});
    check<test_isa, std::uint8_t>({5, 0, 5});
    check<test_isa, std::int8_t>({3, 17, 0});
}

template <class A>
static void check_extremes(int activation, int weight, std::size_t k) {
    const shape s = {5, 37, k};
    std::vector<A> a(s.m * k, static_cast<A>(activation));
    std::vector<std::int8_t> w(s.n * k, static_cast<std::int8_t>(weight));
    std::vector<std::int32_t> c(s.m * s.n);
    const packed_weights<test_isa> packed(w.data(), s.n, k);
    serial_executor serial;
    kernels::gemm_int8<test_isa>(serial, s.m, a.data(), k, packed.view, kernels::epilogue<std::int32_t>(c.data(), s.n));
    for (const std::int32_t sum : c) {
        REQUIRE(std::int64_t{sum} == std::int64_t{activation} * weight * static_cast<std::int64_t>(k));
    }
}

TEST_CASE("gemm_int8 is exact at the extremes of its operands") {
    for (const std::size_t k : {1u, 3u, 4u, 64u, 1000u, 65793u}) {
        check_extremes<std::uint8_t>(255, -127, k);
        check_extremes<std::uint8_t>(255, 127, k);
        check_extremes<std::uint8_t>(255, -128, k);
        check_extremes<std::int8_t>(-128, -127, k);
        check_extremes<std::int8_t>(-128, -128, k);
        check_extremes<std::int8_t>(127, -128, k);
    }
}

TEST_CASE("gemm_int8 is exact where sums leave 32 bits, and saturates where they are stored so") {
    serial_executor serial;
    const auto check_deep = [&]<class A>(A, std::size_t k, int activation, int weight) {
        const shape s = {3, 17, k};
        const random_numbers random(seed{13}, k);
        std::vector<A> a(s.m * k, static_cast<A>(activation));
        std::vector<std::int8_t> w(s.n * k, static_cast<std::int8_t>(weight));
        for (std::size_t i = 0; i < k; ++i) {  // a row and a column of any numbers
            a[i] = static_cast<A>(random.words(i)[0]);
            w[i] = static_cast<std::int8_t>(random.words(i)[1]);
        }
        const packed_weights<test_isa> packed(w.data(), s.n, k);
        const std::vector<float> row_scales(s.m, 0.01f), scales(s.n, 0.003f), bias(s.n, 0.25f);
        const std::vector<std::int32_t> zero_points(s.m, 5);
        const kernels::dequantize dequantize = {row_scales.data(), zero_points.data(), scales.data(), packed.view.column_sums};
        const kernels::add_bias add = {bias.data()};
        std::vector<float> y(s.m * s.n), expected_y(y.size());
        std::vector<std::int32_t> c(y.size()), expected_c(y.size());
        kernels::gemm_int8<test_isa>(serial, s.m, a.data(), k, packed.view, kernels::epilogue<std::int32_t>(c.data(), s.n));
        kernels::gemm_int8<test_isa>(
            serial, s.m, a.data(), k, packed.view,
            kernels::epilogue<float, kernels::dequantize, kernels::add_bias>(y.data(), s.n, dequantize, add));
        const matrix_view<const A> left(a.data(), s.m, k);
        const matrix_view<const std::int8_t> right(w.data(), s.n, k);
        kernels::reference::multiply<std::int64_t>(left, right, matrix_view<std::int32_t>(expected_c.data(), s.m, s.n));
        kernels::reference::multiply<std::int64_t>(left, right, matrix_view<float>(expected_y.data(), s.m, s.n), dequantize, add);
        CHECK(c == expected_c);
        CHECK(y == expected_y);
        const std::int64_t exact = std::int64_t{activation} * weight * static_cast<std::int64_t>(k);
        CHECK(c.back() == std::clamp<std::int64_t>(exact, INT32_MIN, INT32_MAX));
    };
    for (const std::size_t k : {65794u, 70000u, 140000u, 300001u}) {
        check_deep(std::uint8_t{}, k, 255, -127);
    }
    check_deep(std::uint8_t{}, 140000, 255, 127);
    check_deep(std::int8_t{}, 140000, -128, -128);
    check_deep(simd::ops<test_isa>::activation{}, 70000, 100, -128);
}

TEST_CASE("gemm_int8 gives the same bits on any number of threads") {
    for (const std::size_t threads : {2u, 3u, 5u}) {
        thread_pool pool(threads);
        check<test_isa, std::uint8_t>({129, 200, 65}, 65, 200, at::end, -127, 3, pool);
        check<test_isa, std::int8_t>({3, 1000, 255}, 255, 1000, at::end, -127, 4, pool);
    }
}
