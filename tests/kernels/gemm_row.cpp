#include <bit>
#include <vector>

#include <pare/core/random.hpp>
#include <pare/kernels/gemm_f32.hpp>
#include <pare/kernels/gemm_int8.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

/// A row of constant shape and the same row of a product of any shape, through the same epilogue.
template <std::size_t N, std::size_t K>
void check() {
    INFO(N << " outputs of " << K << " inputs");
    using byte_kernel = kernels::gemm_int8_kernel<test_isa>;
    using float_kernel = kernels::gemm_f32_kernel<test_isa>;
    using activation = simd::ops<test_isa>::activation;
    const random_numbers random(seed{71}, N * 1000 + K);
    guarded<activation> a(K);
    guarded<float> x(K);
    std::vector<std::int8_t> w(N * K);
    std::vector<float> wf(N * K);
    for (std::size_t i = 0; i < K; ++i) {
        a[i] = static_cast<activation>(random.words(i)[0] % 128);
        x[i] = random.uniform(i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < N * K; ++i) {
        w[i] = static_cast<std::int8_t>(random.words(i)[1] & 255);
        wf[i] = random.uniform(K + i, -1.0f, 1.0f);
    }
    guarded<float> scales(N), bias(N), row(N), any(N);
    for (std::size_t i = 0; i < N; ++i) {
        scales[i] = random.uniform(i, 0.01f, 1.0f);
        bias[i] = random.uniform(N + i, -1.0f, 1.0f);
    }
    guarded<std::int8_t> data(byte_kernel::packed_size(N, K));
    guarded<std::int32_t> sums(byte_kernel::layout::padded(N));
    guarded<float> panels(float_kernel::packed_size(N, K));
    const auto packed = byte_kernel::pack(w.data(), N, K, data.data(), sums.data());
    float_kernel::pack({wf.data(), 1, K}, N, K, panels.data());

    serial_executor serial;
    const float row_scale = 0.37f;
    const std::int32_t zero_point = 11;
    const auto bytes_to = [&](float* y) {
        return kernels::epilogue<float, kernels::dequantize, kernels::add_bias>(
            y, N, {&row_scale, &zero_point, scales.data(), sums.data()}, {bias.data()});
    };
    const auto equal = [&] {
        for (std::size_t i = 0; i < N; ++i) {
            REQUIRE(std::bit_cast<std::uint32_t>(row[i]) == std::bit_cast<std::uint32_t>(any[i]));
        }
    };
    kernels::gemm_int8<test_isa>(serial, 1, a.data(), K, packed, bytes_to(any.data()));
    kernels::gemm_int8_row<test_isa, N, K>(a.data(), packed, bytes_to(row.data()));
    equal();
    const auto floats_to = [&](float* y) { return kernels::epilogue<float, kernels::add_bias>(y, N, {bias.data()}); };
    kernels::gemm_f32_packed<test_isa>(serial, 1, N, K, {x.data(), K, 1}, panels.data(), floats_to(any.data()));
    kernels::gemm_f32_row<test_isa, N, K>(x.data(), panels.data(), floats_to(row.data()));
    equal();
}

}  // namespace

TEST_CASE("a row of a product of constant shape has the bits of any other") {
    check<1, 1>();
    check<10, 3>();
    check<12, 128>();
    check<64, 64>();
    check<129, 4>();
    check<200, 33>();
}
