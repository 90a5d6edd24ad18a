#include <pare/kernels/quantized_elementwise.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/core/thread_pool.hpp>
#include <pare/kernels/activations.hpp>
#include <pare/kernels/quantized_rows.hpp>
#include <pare/kernels/reference_quantized.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

using kernels::byte_output;

template <class A>
void fill(guarded<A>& bytes, std::uint64_t stream) {
    const random_numbers random(seed{71}, stream);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<A>(random.words(i)[0]);
    }
}

template <class T>
bool same(const guarded<T>& a, const guarded<T>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

constexpr std::size_t sizes[] = {0, 1, 3, 4, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 256, 301};

template <class A, class B, class Y>
void check_sums() {
    // Ordinary scales; equal ones, where sums are halves of steps; one that dwarfs the other; the least and the greatest.
    const std::pair<quantization, quantization> inputs[] = {
        {{0.031f, 3}, {0.017f, -5}}, {{0.25f, 0}, {0.25f, 0}}, {{1e-9f, 100}, {3.0f, 17}}, {{0x1p-60f, 1}, {0x1p55f, 0}}};
    for (const auto& [a, b] : inputs) {
        for (const quantization q : {quantization{0.04f, 9}, quantization{0.5f, 0}, quantization{0x1p-60f, -3}}) {
            for (const byte_output y : {byte_output::of<Y>(q), byte_output::of<Y>(q).between(0.0f, 6.0f)}) {
                for (const std::size_t n : sizes) {
                    guarded<A> first(n);
                    guarded<B> second(n);
                    guarded<Y> out(n), expected(n);
                    fill(first, n);
                    fill(second, n + 1000);
                    kernels::add_bytes{a, b, y}.apply<test_isa>(n, out.data(), first.data(), second.data());
                    kernels::reference::add_bytes(n, expected.data(), first.data(), second.data(), a, b, y);
                    REQUIRE(same(out, expected));
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("sums of bytes are those of the definition, and a ReLU is a bound") {
    check_sums<std::uint8_t, std::uint8_t, std::uint8_t>();
    check_sums<std::int8_t, std::uint8_t, std::int8_t>();
    const auto y = byte_output::of<std::uint8_t>({0.5f, 10});
    CHECK(y.between(0.0f, INFINITY).smallest == 10);
    CHECK(y.between(0.0f, INFINITY).largest == 255);
    CHECK(y.between(0.0f, 6.0f).largest == 22);
    const std::uint8_t a[] = {3, 3, 0, 200}, b[] = {0, 1, 0, 100};
    std::uint8_t out[4];
    kernels::add_bytes{{0.25f, 2}, {0.25f, 0}, y}.apply<test_isa>(4, out, a, b);  // 0.5, 1, -1 and 149 steps
    CHECK(int{out[0]} == 10);
    CHECK(int{out[1]} == 11);
    CHECK(int{out[2]} == 9);
    CHECK(int{out[3]} == 159);
}

template <class X, class Y>
static void check_copies() {
    const quantization x{0.031f, 7};
    for (const quantization q : {x, quantization{0.062f, -4}, quantization{1e-5f, 0}}) {
        for (const byte_output y : {byte_output::of<Y>(q), byte_output::of<Y>(q).between(0.0f, 0.5f)}) {
            for (const std::size_t columns : sizes) {
                guarded<X> in(3 * columns);
                guarded<Y> expected(3 * columns), out(3 * (columns + 5)), alone(3 * columns);
                fill(in, columns);
                std::fill(out.begin(), out.end(), Y{99});
                const kernels::requantize_bytes copy{x, y};
                const matrix_view<const X> from(in.data(), 3, columns);
                copy.copy_rows<test_isa>(from, matrix_view<Y>(out.data() + 5, 3, columns, columns + 5));
                copy.copy_rows<test_isa>(from, matrix_view<Y>(alone.data(), 3, columns));
                kernels::reference::requantize_bytes(in.size(), expected.data(), in.data(), x, y);
                REQUIRE(same(alone, expected));
                for (std::size_t i = 0; i < out.size(); ++i) {
                    const std::size_t r = i / (columns + 5), c = i % (columns + 5);
                    if (out[i] != (c < 5 ? Y{99} : expected[r * columns + c - 5])) {
                        FAIL("byte " << i << " of rows of " << columns);
                    }
                }
            }
        }
    }
}

TEST_CASE("copies at another scale touch nothing beside them") {
    check_copies<std::uint8_t, std::uint8_t>();
    check_copies<std::int8_t, std::uint8_t>();
}

template <class X, class Y>
static void check_tables() {
    const quantization x{0.04f, 11};
    const auto y = byte_output::of<Y>({1.0f / 127.0f, 1});
    const kernels::byte_table table = kernels::make_table<X, Y>(kernels::tanh_function{}, x, y);
    const kernels::byte_table same_table = kernels::make_table<X, Y>([](float v) { return simd::tanh<isa::scalar>(v); }, x, y);
    for (const std::size_t n : sizes) {
        guarded<X> in(n);
        guarded<Y> out(n);
        for (std::size_t i = 0; i < n; ++i) {
            in[i] = static_cast<X>(i * 37);  // all bytes, in an order without pattern
        }
        table.apply<test_isa>(n, out.data(), in.data());
        for (std::size_t i = 0; i < n; ++i) {
            const float real = exact_multiply(static_cast<float>(in[i] - x.zero_point), x.scale);
            const std::int32_t expected =
                quantize_value(simd::tanh<isa::scalar>(real), exact_divide(1.0f, y.q.scale), y.q.zero_point, y.smallest, y.largest);
            REQUIRE(int{out[i]} == expected);
            REQUIRE(int{static_cast<Y>(same_table.entry[static_cast<std::uint8_t>(in[i])])} == expected);
        }
        const auto* const bytes = reinterpret_cast<const Y*>(in.data());
        table.apply<test_isa>(n, reinterpret_cast<Y*>(in.data()), bytes);  // in place
        REQUIRE(std::equal(out.begin(), out.end(), bytes));
    }
}

TEST_CASE("a table gives the function of every byte") {
    check_tables<std::uint8_t, std::uint8_t>();
    check_tables<std::int8_t, std::int8_t>();
    check_tables<std::uint8_t, std::int8_t>();
    const auto none = kernels::make_table<std::uint8_t, std::uint8_t>([](float) { return std::nanf(""); }, {1.0f, 0},
                                                                      byte_output::of<std::uint8_t>({1.0f, 77}));
    CHECK(int{none.entry[5]} == 77);
}

TEST_CASE("elements are split over threads without a seam") {
    const std::size_t n = 2 * kernels::elementwise_task + 77;
    guarded<std::uint8_t> a(n), b(n), out(n), expected(n);
    fill(a, 1);
    fill(b, 2);
    const kernels::add_bytes add{{0.031f, 3}, {0.017f, 5}, byte_output::of<std::uint8_t>({0.04f, 9})};
    thread_pool pool(3);
    kernels::bytes_operation<kernels::add_bytes, std::uint8_t, std::uint8_t, std::uint8_t>::run<test_isa>(pool, add, n, out.data(),
                                                                                                          a.data(), b.data());
    kernels::reference::add_bytes(n, expected.data(), a.data(), b.data(), add.a, add.b, add.y);
    CHECK(same(out, expected));
}

template <class X, class Y>
static void check_softmax() {
    for (const float scale : {0.1f, 0.013f, 1e-9f, 0x1p55f}) {
        const kernels::softmax_bytes softmax(scale);
        for (const std::size_t n : {1u, 2u, 10u, 16u, 31u, 64u, 65u, 300u, 5000u}) {
            guarded<X> x(n);
            guarded<Y> y(n), expected(n);
            fill(x, n);
            softmax.apply<test_isa>(n, y.data(), x.data());
            if (n <= 300) {
                kernels::reference::softmax_bytes(n, expected.data(), x.data(), scale);
                REQUIRE(same(y, expected));
            }
            double sum = 0.0;
            const X largest = kernels::largest_of(x.data(), n);
            const auto power = [&](std::size_t i) {
                return std::exp(static_cast<double>(x[i] - largest) * static_cast<double>(scale));
            };
            for (std::size_t i = 0; i < n; ++i) {
                sum += power(i);
            }
            const double bound = 1.0 / 512 + static_cast<double>(n + 3) * 0x1p-22;
            for (std::size_t i = 0; i < n; ++i) {
                const double stands_for = (y[i] - softmax.output<Y>().zero_point) / 256.0;
                const double error = power(i) / sum - stands_for;
                const bool saturated = stands_for == 255.0 / 256 && error > 0.0 && error <= 1.0 / 256;
                if (std::abs(error) > bound && !saturated) {
                    FAIL(error << " for " << n << " numbers");
                }
            }
        }
    }
}

TEST_CASE("softmax of bytes is what it promises, and close to that of real numbers") {
    check_softmax<std::uint8_t, std::uint8_t>();
    check_softmax<std::int8_t, std::int8_t>();
}

template <class X, class Y>
static void check_layer_norm() {
    const random_numbers random(seed{72}, 0);
    for (const std::size_t n : {1u, 2u, 7u, 16u, 33u, 64u, 300u, 70000u}) {
        guarded<X> x(n);
        guarded<Y> out(n), expected(n);
        guarded<float> weight(n), bias(n);
        for (std::size_t i = 0; i < n; ++i) {
            weight[i] = random.uniform(2 * i, -2.0f, 2.0f);
            bias[i] = random.uniform(2 * i + 1, -1.0f, 1.0f);
        }
        for (const int kind : {0, 1, 2}) {
            fill(x, n);
            if (kind > 0) {  // all at an end of the range: the sums of squares are as large as they get, and nothing varies
                std::fill(x.begin(), x.end(), kind == 1 ? std::numeric_limits<X>::max() : std::numeric_limits<X>::min());
            }
            for (const float scale : {0.05f, 1e-4f, 0x1p-60f, 0x1p55f}) {
                const float epsilon = 1e-5f;
                const auto y = byte_output::of<Y>({0.02f, 6});
                kernels::layer_norm_bytes{weight.data(), bias.data(), epsilon, scale, y}.apply<test_isa>(n, out.data(), x.data());
                kernels::reference::layer_norm_bytes(n, expected.data(), x.data(), weight.data(), bias.data(), epsilon, scale, y);
                REQUIRE(same(out, expected));
                double sum = 0.0, variance = 0.0;  // of integers: exact
                for (std::size_t i = 0; i < n; ++i) {
                    sum += x[i];
                }
                const auto distance = [&](std::size_t i) { return (x[i] * static_cast<double>(n) - sum) / static_cast<double>(n); };
                for (std::size_t i = 0; i < n; ++i) {
                    variance += distance(i) * distance(i) / static_cast<double>(n);
                }
                const auto step = static_cast<double>(scale);
                const double deviation = std::sqrt(variance * step * step + static_cast<double>(epsilon));
                double error = 0.0;
                for (std::size_t i = 0; i < n; ++i) {
                    const double normal = distance(i) * step / deviation;
                    const double real = normal * static_cast<double>(weight[i]) + static_cast<double>(bias[i]);
                    const double steps = real / static_cast<double>(y.q.scale) + y.q.zero_point;
                    const double bounded = std::clamp<double>(steps, y.smallest, y.largest);
                    error = std::max(error, std::abs(out[i] - bounded));
                }
                REQUIRE(error <= 0.5 + 1e-3);
            }
        }
    }
}

TEST_CASE("layer norm of bytes is what it promises, and close to that of real numbers") {
    check_layer_norm<std::uint8_t, std::uint8_t>();
    check_layer_norm<std::int8_t, std::int8_t>();
}
