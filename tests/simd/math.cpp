#include <pare/simd/math.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../catch.hpp"
#include "../test_isa.hpp"

using namespace pare;
using V = simd::ops<test_isa>;

namespace {

/// One of many lanes of f(x, x, ...).
template <class F>
float at(const F& f, float x) {
    alignas(64) float lanes[V::lanes];
    V::store(lanes, f(V::set(x)));
    return lanes[V::lanes - 1];
}

/// The largest error of f on floats in [low, high], a prime number of them apart, in ulp of the exact results.
template <class F, class Exact>
double largest_error(const F& f, const Exact& exact, float low, float high) {
    double largest = 0.0;
    for (const std::uint32_t sign : {0u, 0x80000000u}) {
        for (std::uint64_t bits = 0x00800000; bits < 0x7f800000; bits += V::lanes * 4801) {
            alignas(64) float x[V::lanes], y[V::lanes];
            for (std::size_t i = 0; i < V::lanes; ++i) {
                const std::uint64_t b = (std::min)(bits + i * 4801, std::uint64_t{0x7f7fffff});
                x[i] = std::clamp(std::bit_cast<float>(static_cast<std::uint32_t>(b) | sign), low, high);
            }
            V::store(y, f(V::load(x)));
            for (std::size_t i = 0; i < V::lanes; ++i) {
                const double expected = exact(static_cast<double>(x[i]));
                int exponent = 0;
                std::frexp(expected, &exponent);
                largest = (std::max)(largest, std::abs(static_cast<double>(y[i]) - expected) / std::ldexp(1.0, exponent - 24));
            }
        }
    }
    return largest;
}

constexpr float smallest = std::numeric_limits<float>::min();
constexpr float largest = std::numeric_limits<float>::max();
constexpr float infinity = std::numeric_limits<float>::infinity();

const auto exp_of = [](auto x) { return simd::exp<test_isa>(x); };
const auto expm1_of = [](auto x) { return simd::expm1_below_zero<test_isa>(x); };
const auto sigmoid_of = [](auto x) { return simd::sigmoid<test_isa>(x); };
const auto tanh_of = [](auto x) { return simd::tanh<test_isa>(x); };
const auto erf_of = [](auto x) { return simd::erf<test_isa>(x); };
const auto log_of = [](auto x) { return simd::log<test_isa>(x); };
const auto log1p_of = [](auto x) { return simd::log1p<test_isa>(x); };

}  // namespace

TEST_CASE("functions of vectors keep their bounds") {
    CHECK(largest_error(
              exp_of, [](double x) { return std::exp(x); }, simd::exp_smallest, 88.7228317f) < 1.1);
    CHECK(largest_error(
              expm1_of, [](double x) { return std::expm1(x); }, -largest, -smallest) < 1.0);
    CHECK(largest_error(
              sigmoid_of, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }, simd::exp_smallest, largest) < 2.5);
    CHECK(largest_error(
              tanh_of, [](double x) { return std::tanh(x); }, -largest, largest) < 2.5);
    CHECK(largest_error(
              erf_of, [](double x) { return std::erf(x); }, -largest, largest) < 1.8);
    CHECK(largest_error(
              log_of, [](double x) { return std::log(x); }, smallest, largest) < 0.9);
    CHECK(largest_error(
              log1p_of, [](double x) { return std::log1p(x); }, smallest, 1.0f) < 1.5);
}

TEST_CASE("NaN stays NaN in every function") {
    for (const std::uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xffffffffu}) {
        const float x = std::bit_cast<float>(bits);
        CHECK(std::isnan(at(exp_of, x)));
        CHECK(std::isnan(at(expm1_of, x)));
        CHECK(std::isnan(at(sigmoid_of, x)));
        CHECK(std::isnan(at(tanh_of, x)));
        CHECK(std::isnan(at(erf_of, x)));
        CHECK(std::isnan(at(log_of, x)));
        CHECK(std::isnan(at(log1p_of, x)));
    }
    CHECK(std::isnan(at(log_of, -1.0f)));
    CHECK(std::isnan(at(log_of, -infinity)));
}

TEST_CASE("functions at infinities, zeros and beyond their range") {
    CHECK(at(exp_of, infinity) == infinity);
    CHECK(at(exp_of, 88.73f) == infinity);
    CHECK(at(exp_of, -87.4f) == 0.0f);
    CHECK(at(exp_of, -infinity) == 0.0f);
    CHECK(at(exp_of, 0.0f) == 1.0f);
    CHECK(at(expm1_of, -infinity) == -1.0f);
    CHECK(at(expm1_of, 0.0f) == 0.0f);
    CHECK(at(sigmoid_of, infinity) == 1.0f);
    CHECK(at(sigmoid_of, -infinity) < 1.3e-38f);
    CHECK(at(sigmoid_of, 0.0f) == 0.5f);
    for (const float x : {10.0f, 1e30f, infinity}) {
        CHECK(at(tanh_of, x) == 1.0f);
        CHECK(at(tanh_of, -x) == -1.0f);
        CHECK(at(erf_of, x) == 1.0f);
        CHECK(at(erf_of, -x) == -1.0f);
    }
    CHECK(std::signbit(at(tanh_of, -0.0f)));
    CHECK(at(tanh_of, -0.0f) == 0.0f);
    CHECK(at(log_of, infinity) == infinity);
    CHECK(at(log_of, 0.0f) == -infinity);
    CHECK(at(log_of, -0.0f) == -infinity);
    CHECK(at(log_of, 1.0f) == 0.0f);
    CHECK(at(log1p_of, 0.0f) == 0.0f);
}

TEST_CASE("functions have the bits of the scalar ones") {
    for (std::uint64_t bits = 0; bits < 0x100000000; bits += 1048573) {
        const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        const auto same = [&](const auto& f, float plain) {
            CHECK(std::bit_cast<std::uint32_t>(at(f, x)) == std::bit_cast<std::uint32_t>(plain));
        };
        same(exp_of, simd::exp<isa::scalar>(x));
        same(expm1_of, simd::expm1_below_zero<isa::scalar>(x));
        same(sigmoid_of, simd::sigmoid<isa::scalar>(x));
        same(tanh_of, simd::tanh<isa::scalar>(x));
        same(erf_of, simd::erf<isa::scalar>(x));
        same(log_of, simd::log<isa::scalar>(x));
    }
}
