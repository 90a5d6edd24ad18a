// Whole quantized products, from bytes to bytes, where rounding, saturation and depth show. The expected bytes are what ONNX
// Runtime's QLinearMatMul gave.

#include <pare/kernels/gemm_int8.hpp>
#include <pare/types/dialects.hpp>

#include <vector>

#include <pare/core/aligned.hpp>
#include <pare/core/executor.hpp>

#include "../catch.hpp"

using namespace pare;

namespace {

using bytes = std::vector<std::uint8_t>;
using kernel = kernels::gemm_int8_kernel<isa::native>;

/// a [m, k] and w [n, k] to [m, n] of bytes, through the stages that make(-za * the sums of the weights of each output, run) gives
/// to run.
template <class Make>
bytes product(const bytes& a, const std::vector<std::int8_t>& w, std::size_t k, std::int32_t za, const Make& make) {
    const std::size_t m = a.size() / k, n = w.size() / k;
    aligned_array<std::int8_t> packed(kernel::packed_size(n, k));
    aligned_array<std::int32_t> sums(kernel::layout::padded(n));
    const auto view = kernel::pack(w.data(), n, k, packed.data(), sums.data());
    std::vector<std::int32_t> offsets(sums.begin(), sums.begin() + n);
    for (std::int32_t& offset : offsets) {
        offset *= -za;
    }
    bytes y(m * n);
    serial_executor serial;
    make(offsets.data(), [&](auto... stages) {
        kernels::gemm_int8<isa::native>(serial, m, a.data(), k, view,
                                        kernels::epilogue<std::uint8_t, decltype(stages)...>(y.data(), n, stages...));
    });
    return y;
}

/// The same by a dialect's numbers, one by one.
template <requantizing_dialect Dialect>
bytes by_number(const bytes& a, const std::vector<std::int8_t>& w, std::size_t k, std::int32_t za,
                const std::vector<typename Dialect::multiplier>& multipliers, std::int32_t zy) {
    bytes y;
    for (std::size_t i = 0; i < a.size() / k; ++i) {
        for (std::size_t j = 0; j < w.size() / k; ++j) {
            std::int32_t sum = 0;
            for (std::size_t d = 0; d < k; ++d) {
                sum += (a[i * k + d] - za) * w[j * k + d];
            }
            y.push_back(static_cast<std::uint8_t>(Dialect::requantize(sum, multipliers[j], zy, 0, 255)));
        }
    }
    return y;
}

const bytes activations = {1, 2, 3, 255, 0, 255, 0, 0, 0, 3, 7, 100};
const std::vector<std::int8_t> weights = {1, 0, 0, 1, 1, 0, -3, 2, 127, -127, -127, -127, 5, -1, 2};
const std::vector<float> scales = {0.5f, 0.25f, 0.0625f, 0.125f, 1.5f};

}  // namespace

TEST_CASE("a quantized product rounds ties to even before it adds the zero point, channel by channel, and saturates") {
    const struct {
        std::int32_t zero_point;
        bytes expected;
    } cases[] = {{128, {128, 128, 136, 128, 124, 254, 191, 255, 0, 255, 127, 127, 112, 223, 110, 128, 130, 255, 0, 255}},
                 {3, {3, 3, 11, 3, 0, 129, 66, 255, 0, 255, 2, 2, 0, 98, 0, 3, 5, 255, 0, 255}}};
    const std::int32_t za = 2;
    for (const auto& c : cases) {
        std::vector<float> multipliers;
        for (const float s : scales) {
            multipliers.push_back(dialect::onnx::multiplier_of(1.0f, s, 1.0f));
        }
        const auto found = product(activations, weights, 3, za, [&](const std::int32_t* offsets, auto run) {
            run(kernels::add_offsets{offsets}, kernels::requantize{multipliers.data(), c.zero_point, 0, 255});
        });
        CHECK(found == c.expected);
        CHECK(by_number<dialect::onnx>(activations, weights, 3, za, multipliers, c.zero_point) == c.expected);
        CHECK(by_number<dialect::torch>(activations, weights, 3, za, multipliers, c.zero_point) == c.expected);
    }
}

TEST_CASE("and so does one that is deeper than its sums fit 32 bits") {
    const std::size_t k = 66000;
    bytes a(2 * k, 255);
    std::vector<std::int8_t> w(3 * k, 127);
    for (std::size_t i = 0; i < k; ++i) {
        a[k + i] = static_cast<std::uint8_t>(i % 251);
        w[k + i] = -127;
        w[2 * k + i] = static_cast<std::int8_t>(static_cast<int>(i * 7 % 255) - 127);
    }
    const std::vector<float> multipliers = {0x1p-30f, 0x1p-24f, 0x1p-18f};
    const bytes expected = {102, 0, 99, 101, 38, 99};  // of sums up to 2,137,410,000
    const auto found = product(a, w, k, 0, [&](const std::int32_t*, auto run) {
        run(kernels::requantize{multipliers.data(), 100, 0, 255});
    });
    CHECK(found == expected);
    CHECK(by_number<dialect::onnx>(a, w, k, 0, multipliers, 100) == expected);
}

TEST_CASE("in the integers of TensorFlow Lite ties go up, or away from zero where they are rounded twice") {
    const auto check = [&]<fixed_rounding Rounding>(dialect::tflite_with<Rounding>, const bytes& expected) {
        using rules = dialect::tflite_with<Rounding>;
        std::vector<fixed_multiplier> multipliers;
        std::vector<std::int32_t> factors, shifts;
        for (const float s : scales) {
            multipliers.push_back(rules::multiplier_of(1.0f, s, 2.0f));
            factors.push_back(multipliers.back().multiplier);
            shifts.push_back(multipliers.back().shift);
        }
        const auto found = product(activations, weights, 3, 2, [&](const std::int32_t* offsets, auto run) {
            run(kernels::add_offsets{offsets}, kernels::requantize_fixed<Rounding>{factors.data(), shifts.data(), 128, 0, 255});
        });
        CHECK(found == expected);
        CHECK(by_number<rules>(activations, weights, 3, 2, multipliers, 128) == expected);
    };
    // 253 / 4 is nearer to 63, but half of 253 is 127 where it is rounded before
    check(dialect::tflite{}, {128, 128, 132, 128, 126, 192, 160, 255, 0, 255, 127, 127, 120, 176, 119, 129, 129, 255, 0, 255});
    check(dialect::tflite_single{},
          {128, 128, 132, 128, 126, 191, 159, 255, 0, 255, 128, 128, 120, 176, 119, 128, 129, 255, 0, 255});
}
