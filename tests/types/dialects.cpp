#include <pare/types/dialects.hpp>

#include <cmath>
#include <limits>

#include "../catch.hpp"

using namespace pare;

static_assert(requantizing_dialect<dialect::pare> && requantizing_dialect<dialect::torch> &&
              requantizing_dialect<dialect::torch_reduced> && requantizing_dialect<dialect::onnx> &&
              requantizing_dialect<dialect::tflite> && requantizing_dialect<dialect::tflite_single>);
static_assert(numeric_dialect<dialect::ggml> && !requantizing_dialect<dialect::ggml> && !numeric_dialect<qint8>);

namespace {

template <numeric_dialect D>
int quantized(float x, float scale, std::int32_t zero_point = 0) {
    return D::quantize(x, {scale, zero_point}, quint8::smallest, quint8::largest);
}

}  // namespace

TEST_CASE("a reciprocal is not a division") {
    CHECK(quantized<dialect::pare>(0.273939937f, 0.00214854861f) == 128);
    CHECK(quantized<dialect::torch>(0.273939937f, 0.00214854861f) == 128);
    CHECK(quantized<dialect::onnx>(0.273939937f, 0.00214854861f) == 127);
}

TEST_CASE("dialects round ties to even or away from zero") {
    for (const int i : {-101, -4, -3, -2, -1, 0, 1, 2, 3, 100}) {
        const float x = static_cast<float>(i) + 0.5f;
        const int even = static_cast<int>(std::nearbyint(x)), away = static_cast<int>(std::round(x));
        CAPTURE(x);
        for (const int zero : {128, 127}) {  // the zero point is added afterwards, and its parity changes nothing
            CHECK(quantized<dialect::pare>(x, 1.0f, zero) == even + zero);
            CHECK(quantized<dialect::torch>(x, 1.0f, zero) == even + zero);
            CHECK(quantized<dialect::onnx>(x, 1.0f, zero) == even + zero);
            CHECK(quantized<dialect::tflite>(x, 1.0f, zero) == away + zero);
            CHECK(quantized<dialect::ggml>(x, 1.0f, zero) == away + zero);
        }
    }
}

TEST_CASE("every dialect saturates, and NaN is zero") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const auto check = []<class D>(D) {
        CHECK(quantized<D>(255.4f, 1.0f) == 255);
        CHECK(quantized<D>(1e30f, 1e-20f, 7) == 255);
        CHECK(quantized<D>(infinity, 1.0f, 7) == 255);
        CHECK(quantized<D>(-infinity, 1.0f, 7) == 0);
        CHECK(quantized<D>(-8.0f, 1.0f, 7) == 0);
        CHECK(quantized<D>(std::numeric_limits<float>::quiet_NaN(), 1.0f, 7) == 7);
        CHECK(D::quantize(3e9f, {1.0f, 0}, qint32::smallest, qint32::largest) == qint32::largest);
        CHECK(D::quantize(-3e9f, {1.0f, 5}, qint32::smallest, qint32::largest) == qint32::smallest);
        CHECK(D::quantize(1e9f, {1.0f, -7}, qint32::smallest, qint32::largest) == 999999993);
        for (const float size : {0.0f, 1e-45f, 1e-30f, 1.0f, 3e38f}) {
            for (const quantization q : {D::template affine<quint8>(-size, size), D::template affine<qint8>(0.0f, size),
                                         D::template affine<quint8>(-size, 0.0f), D::template symmetric<qint8>(size)}) {
                CHECK((q.scale > 0.0f && q.scale <= 0x1p62f));
                CHECK((q.zero_point >= -128 && q.zero_point <= 255));
            }
        }
    };
    check(dialect::pare{});
    check(dialect::torch{});
    check(dialect::torch_reduced{});
    check(dialect::onnx{});
    check(dialect::tflite{});
    check(dialect::tflite_single{});
    check(dialect::ggml{});
}

TEST_CASE("scales and zero points differ, too") {
    CHECK(dialect::torch::symmetric<qint8>(2.0f) == quantization{2.0f / 127.5f, 0});
    CHECK(dialect::torch::symmetric<quint8>(2.0f) == quantization{2.0f / 127.5f, 128});
    CHECK(dialect::torch::symmetric<qint8>(0.0f) == quantization{0x1p-23f, 0});
    CHECK(dialect::torch::symmetric_smallest<qint8> == -128);
    CHECK(dialect::pare::symmetric<qint8>(2.0f) == quantization{2.0f / 127.0f, 0});
    CHECK(dialect::tflite::symmetric<qint8>(2.0f) == quantization{2.0f / 127.0f, 0});
    CHECK(dialect::onnx::symmetric<quint8>(2.0f) == quantization{2.0f / 127.0f, 128});
    CHECK(dialect::ggml::affine<quint8>(-2.0f, 1.0f) == quantization{2.0f / 127.0f, 128});
    CHECK(dialect::torch_reduced::affine<quint8>(-1.0f, 3.0f) == quantization{4.0f / 127.0f, 32});
    CHECK(dialect::torch_reduced::affine<qint8>(-1.0f, 3.0f) == quantization{4.0f / 127.0f, -32});
    CHECK(dialect::torch::affine<quint8>(0.0f, 0.0f) == quantization{0x1p-23f, 0});
    CHECK(dialect::onnx::affine<quint8>(0.0f, 0.0f) == quantization{1.0f, 0});
    CHECK(dialect::torch::affine<qint32>(-1.0f, 3.0f).scale == 0x1p-23f);
    // min / s = -2.5: away from zero, or to even
    CHECK(dialect::tflite::affine<quint8>(-2.5f, 252.5f) == quantization{1.0f, 3});
    CHECK(dialect::onnx::affine<quint8>(-2.5f, 252.5f) == quantization{1.0f, 2});
    CHECK(dialect::torch::affine<quint8>(-2.5f, 252.5f) == quantization{1.0f, 2});
    // 128 + 2.5 to even, not 128 + RNE(2.5): ONNX rounds the difference, PyTorch the quotient
    CHECK(dialect::onnx::affine<qint8>(-1.5f, 253.5f) == quantization{1.0f, -126});
    CHECK(dialect::torch::affine<qint8>(-1.5f, 253.5f) == quantization{1.0f, -126});
}

TEST_CASE("requantization in floats, and in the integers of TensorFlow Lite") {
    for (const float m : {0.5f, 0.25f}) {
        CHECK(dialect::torch::requantize(3, m, 10, 0, 255) == 10 + static_cast<int>(std::nearbyint(3.0f * m)));
        CHECK(dialect::onnx::requantize(-3, m, 10, 0, 255) == 10 + static_cast<int>(std::nearbyint(-3.0f * m)));
    }
    CHECK(dialect::onnx::multiplier_of(0.1f, 0.3f, 0.7f) == opaque(0.1f * 0.3f) / 0.7f);
    CHECK(dialect::onnx::requantize(std::numeric_limits<std::int32_t>::max(), 1.0f, 3, -128, 127) == 127);
    CHECK(dialect::onnx::requantize(std::numeric_limits<std::int32_t>::min(), 1.0f, 3, -128, 127) == -128);

    const struct {
        std::int32_t x;
        fixed_multiplier m;
        std::int32_t twice;
        std::int32_t once;
    } cases[] = {{-34329, {1335166881, 6}, -334, -333},
                 {3411, {1208738487, 8}, 8, 7},
                 {16616, {1195182203, 6}, 145, 144},
                 {1000, {1 << 30, 0}, 500, 500},
                 {1000, {1 << 30, -3}, 4000, 4000},
                 {-3, {1 << 30, 0}, -1, -1},  // -1.5: up
                 {-3, {1 << 30, 1}, -1, -1},  // -0.75, and once more from -1, half: away from zero
                 {-2, {1 << 30, 1}, -1, 0},   // -0.5 after the shift: away from zero, or up
                 {2147483647, {2147483647, -2}, 2147483646, 2147483647},
                 {-2147483647 - 1, {2147483647, -2}, -2147483647, -2147483647 - 1},
                 {2147483647, {2147483647, 31}, 1, 1}};
    for (const auto& c : cases) {
        CAPTURE(c.x, c.m.multiplier, c.m.shift);
        CHECK(dialect::tflite::requantize(c.x, c.m, 0, qint32::smallest, qint32::largest) == c.twice);
        CHECK(dialect::tflite_single::requantize(c.x, c.m, 0, qint32::smallest, qint32::largest) == c.once);
    }
    CHECK(dialect::tflite::requantize(2147483647, {2147483647, 0}, 100, -128, 127) == 127);
    CHECK(dialect::tflite::multiplier_of(0.5f, 0.5f, 1.0f) == fixed_multiplier{1 << 30, 1});
    CHECK(dialect::tflite::multiplier_of(3.0f, 2.0f, 1.0f) == fixed_multiplier{1610612736, -3});
    CHECK(nearest_fixed_multiplier(1.0 - 1e-12) == fixed_multiplier{1 << 30, -1});
    CHECK(nearest_fixed_multiplier(1e-12) == fixed_multiplier{});
}
