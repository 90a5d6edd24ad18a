#include <pare/kernels/pool.hpp>

#include <bit>
#include <vector>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"

using namespace pare;

namespace {

constexpr std::uint32_t nan_bits = 0x7fc00000u, infinity_bits = 0x7f800000u, sign_bit = 0x80000000u;

/// In integers: this file is compiled with -ffast-math, too.
std::uint32_t bits(float x) {
    return std::bit_cast<std::uint32_t>(x);
}

kernels::convolution pairs(std::size_t channels) {
    kernels::convolution s;
    s.height = 1;
    s.width = 2;
    s.kernel_height = 1;
    s.kernel_width = 2;
    s.channels = channels;
    return s;
}

}  // namespace

TEST_CASE("the greatest number of a window with NaN is NaN, wherever it is") {
    for (const std::size_t channels : {1u, 19u}) {
        for (const std::uint32_t special : {nan_bits, nan_bits | sign_bit}) {
            for (const std::size_t where : {0u, 1u}) {
                guarded<float> x(2 * channels), y(channels);
                for (std::size_t i = 0; i < 2 * channels; ++i) {
                    x[i] = i / channels == where && i % channels % 2 == 0 ? std::bit_cast<float>(special) : 1.0f;
                }
                kernels::max_pool<test_isa>(pairs(channels), x.data(), y.data());
                for (std::size_t c = 0; c < channels; ++c) {
                    CAPTURE(channels, where, c);
                    CHECK(((bits(y[c]) & ~sign_bit) > infinity_bits) == (c % 2 == 0));
                    CHECK((c % 2 == 0 || bits(y[c]) == bits(1.0f)));
                }
            }
        }
    }
}

TEST_CASE("windows of only the border, or only -inf, have no greater number than -inf") {
    guarded<float> x(2), y(1);
    x[0] = x[1] = std::bit_cast<float>(infinity_bits | sign_bit);
    kernels::max_pool<test_isa>(pairs(1), x.data(), y.data());
    CHECK(bits(y[0]) == (infinity_bits | sign_bit));
    kernels::convolution s = pairs(1);  // sees the pixels left and right of the only one
    s.width = 1;
    s.padding_width = 1;
    s.dilation_width = 2;
    x[0] = 3.0f;
    kernels::max_pool<test_isa>(s, x.data(), y.data());
    CHECK(bits(y[0]) == (infinity_bits | sign_bit));
}
