#include <pare/kernels/gemm_groups_f32.hpp>

#include <vector>

#include <pare/core/random.hpp>
#include <pare/kernels/gemm_f32.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

/// The product with weights in groups is the float product with the numbers that they stand for, to the bit.
template <class Format>
void check(std::size_t m, std::size_t n, std::size_t k) {
    using layout = kernels::packed_groups_layout<test_isa, Format>;
    using scale = typename Format::scale;
    using float_kernel = kernels::gemm_f32_kernel<test_isa, float>;
    const std::size_t groups = Format::groups(k);
    const random_numbers random(seed{65}, m * 1000 + n);
    guarded<float> a(m * k), c(m * n), bias(n), expected(m * n);
    guarded<std::uint8_t> data(round_up(layout::bytes(n, k), 4));
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = random.uniform(i, -1.0f, 1.0f);
    }
    for (std::size_t i = 0; i < n; ++i) {
        bias[i] = random.uniform(2000000 + i, -1.0f, 1.0f);
    }
    guarded<float> levels(16);
    for (std::size_t i = 0; i < levels.size(); ++i) {
        levels[i] = Format::has_scale ? nf4_levels[i] : random.uniform(3000000 + i, -1.0f, 1.0f);
    }
    constexpr std::size_t codes = std::size_t{1} << Format::bits;
    const auto code = [&](std::size_t row, std::size_t column) {
        return static_cast<std::int32_t>(random.below(row * k + column, codes));
    };
    const auto scale_of = [&](std::size_t row, std::size_t g) { return scale(random.uniform(row * groups + g, 0.001f, 0.1f)); };
    const auto offset_of = [&](std::size_t row, std::size_t g) {
        const std::size_t i = 1000000 + row * groups + g;
        return scale(Format::offset == group_offset::minimum ? random.uniform(i, -1.0f, 1.0f)
                                                             : static_cast<float>(random.below(i, codes)));
    };
    std::vector<float> real(n * k);
    for (std::size_t i = 0; i < real.size(); ++i) {
        const std::size_t g = i % k / Format::size;
        if constexpr (Format::has_scale) {
            real[i] = Format::real(code(i / k, i % k), scale_of(i / k, g), offset_of(i / k, g));
        } else {
            real[i] = levels[static_cast<std::size_t>(code(i / k, i % k))];
        }
    }
    layout::pack(n, k, code, scale_of, offset_of, data.data());
    serial_executor serial;
    const auto store = [&](float* to) { return kernels::epilogue<float, kernels::add_bias>(to, n, {bias.data()}); };
    kernels::gemm_groups_f32<test_isa, Format>(serial, m, a.data(), k, {data.data(), n, k, levels.data()}, store(c.data()));
    guarded<float> packed(float_kernel::packed_size(n, k));
    float_kernel::pack({real.data(), 1, k}, n, k, packed.data());
    kernels::gemm_f32_packed<test_isa>(serial, m, n, k, {a.data(), k, 1}, packed.data(), store(expected.data()));
    for (std::size_t i = 0; i < c.size(); ++i) {
        INFO(m << "x" << n << "x" << k << " at " << i);
        REQUIRE(c[i] == expected[i]);
    }
}

}  // namespace

TEST_CASE("floats times weights in groups are floats times floats") {
    const std::size_t shapes[][3] = {{1, 1, 1},    {1, 10, 100}, {2, 17, 3},   {3, 64, 64},   {4, 33, 31},   {5, 65, 7},
                                     {7, 63, 129}, {8, 127, 65}, {33, 31, 17}, {1, 777, 192}, {65, 255, 64}, {2, 384, 300}};
    for (const auto& s : shapes) {
        check<group_format<4, 64, float, group_offset::none>>(s[0], s[1], s[2]);
        check<group_format<8, 32, float16, group_offset::zero_point>>(s[0], s[1], s[2]);
        check<group_format<2, 16, float, group_offset::minimum>>(s[0], s[1], s[2]);
        check<group_format<4, 32, float16, group_offset::levels>>(s[0], s[1], s[2]);
        check<group_format<4, 16, float, group_offset::shared_levels>>(s[0], s[1], s[2]);
    }
}
