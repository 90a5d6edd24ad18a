// The quantization cases of ONNX's own backend tests, from their files, computed with this library's dialect and products.

#include <algorithm>
#include <filesystem>
#include <functional>

#include <pare/core/executor.hpp>
#include <pare/kernels/conv.hpp>
#include <pare/kernels/gemm_int8.hpp>
#include <pare/quantize/tensor.hpp>
#include <pare/types/dialects.hpp>
#include <pare/types/float16.hpp>

#include "onnx_model.hpp"

using onnx_file::node;
using onnx_file::tensor;
using onnx_file::type;
using pare::dialect::onnx;

namespace {

/// The inputs of a node; one that is left out is null.
using arguments = std::vector<const tensor*>;

const tensor* argument(const arguments& in, std::size_t i) {
    return i < in.size() ? in[i] : nullptr;
}
float float_at(const tensor& t, std::size_t i) {
    return static_cast<float>(t.values[i]);
}
std::int32_t integer_at(const tensor* t, std::size_t i) {
    return t == nullptr ? 0 : static_cast<std::int32_t>(t->values[t->values.size() == 1 ? 0 : i]);
}
std::int64_t integer_of(const node& n, const char* name, std::int64_t otherwise) {
    const auto found = n.integers.find(name);
    return found == n.integers.end() ? otherwise : found->second.at(0);
}
std::size_t size_of(const node& n, const char* name, std::size_t i, std::size_t otherwise) {
    const auto found = n.integers.find(name);
    return found == n.integers.end() ? otherwise : static_cast<std::size_t>(found->second.at(i));
}

/// Which of the scales belongs to each number of x: one for all, one per index on an axis, or one per block of an axis.
std::vector<std::size_t> scale_indices(const node& n, const tensor& x, const tensor& scale) {
    std::vector<std::size_t> index(x.values.size(), 0);
    if (scale.values.size() == 1) {
        return index;
    }
    const std::int64_t given = integer_of(n, "axis", 1);
    const std::size_t axis = static_cast<std::size_t>(given < 0 ? given + static_cast<std::int64_t>(x.shape.size()) : given);
    const auto block = static_cast<std::size_t>(integer_of(n, "block_size", 0));
    std::size_t inner = 1;
    for (std::size_t a = axis + 1; a < x.shape.size(); ++a) {
        inner *= x.shape[a];
    }
    for (std::size_t i = 0; i < index.size(); ++i) {
        const std::size_t along = i / inner % x.shape[axis];
        const std::size_t outer = i / inner / x.shape[axis];
        index[i] = block == 0 ? along : (outer * scale.shape[axis] + along / block) * inner + i % inner;
        REQUIRE(index[i] < scale.values.size());
    }
    return index;
}

std::vector<tensor> quantize_linear(const node& n, const arguments& in) {
    const tensor &x = *in[0], &scale = *in[1];
    const tensor* const zero_point = argument(in, 2);
    tensor y = x;
    y.element = zero_point != nullptr ? zero_point->element
                                      : static_cast<type>(integer_of(n, "output_dtype", static_cast<int>(type::uint8)));
    const auto range = traits(y.element);
    const auto index = scale_indices(n, x, scale);
    for (std::size_t i = 0; i < y.values.size(); ++i) {
        const float value = float_at(x, i), s = float_at(scale, index[i]);
        const auto to = [&]<class F>(F) { return static_cast<double>(float{onnx::quantize_to<F>(value, s)}); };
        y.values[i] =
            range.is_integer
                ? static_cast<double>(onnx::quantize(value, {s, integer_at(zero_point, index[i])}, range.smallest, range.largest))
            : y.element == type::float8_e4m3 ? to(pare::float8_e4m3())
            : y.element == type::float8_e5m2 ? to(pare::float8_e5m2())
                                             : to(pare::float4_e2m1());
    }
    return {y};
}

std::vector<tensor> dequantize_linear(const node& n, const arguments& in) {
    const tensor &x = *in[0], &scale = *in[1];
    tensor y = x;
    y.element = scale.element;
    const auto index = scale_indices(n, x, scale);
    for (std::size_t i = 0; i < y.values.size(); ++i) {
        const float s = float_at(scale, index[i]);
        const float real = traits(x.element).is_integer
                               ? pare::dequantize_value(integer_at(&x, i), {s, integer_at(argument(in, 2), index[i])})
                               : pare::exact_multiply(float_at(x, i), s);
        y.values[i] = static_cast<double>(y.element == type::float16 ? float{pare::float16(real)} : real);
    }
    return {y};
}

std::vector<tensor> dynamic_quantize_linear(const node&, const arguments& in) {
    const std::vector<float> x(in[0]->values.begin(), in[0]->values.end());
    const auto q = pare::quantize<pare::quint8, onnx>(pare::tensor_view<const float, pare::dyn>(x.data(), x.size()));
    return {{"", type::uint8, in[0]->shape, {q.values.begin(), q.values.end()}},
            {"", type::float32, {}, {static_cast<double>(q.parameters[0].scale)}},
            {"", type::uint8, {}, {static_cast<double>(q.parameters[0].zero_point)}}};
}

/// Products of bytes, both with zero points: the sum over k of (a[k] - za) * (w[k] - zw). The kernels take weights as std::int8_t
/// without a zero point; what is left out is added with the sums of both sides. Those of the left one are the product with an
/// output of ones.
struct byte_weights {
    std::size_t outputs;
    std::size_t depth;
    std::vector<std::int8_t> values;        // [outputs + 1, depth]
    std::vector<std::int64_t> zero_points;  // of the shifted bytes
    std::vector<std::int64_t> sums;

    /// w(output, k)
    template <class At>
    byte_weights(std::size_t n, std::size_t k, const tensor& w, const tensor* zero_point, const At& at)
        : outputs(n), depth(k), values((n + 1) * k, 1), zero_points(n), sums(n, 0) {
        const std::int32_t shift = w.element == type::uint8 ? 128 : 0;
        for (std::size_t j = 0; j < n; ++j) {
            zero_points[j] = integer_at(zero_point, j) - shift;
            for (std::size_t i = 0; i < k; ++i) {
                values[j * k + i] = static_cast<std::int8_t>(integer_at(&w, at(j, i)) - shift);
                sums[j] += values[j * k + i];
            }
        }
    }

    /// products [rows, outputs + 1] to [rows, outputs], complete.
    std::vector<std::int32_t> completed(const std::vector<std::int32_t>& products, std::int64_t za) const {
        std::vector<std::int32_t> complete;
        for (std::size_t row = 0; row < products.size() / (outputs + 1); ++row) {
            const std::int32_t* const p = products.data() + row * (outputs + 1);
            for (std::size_t j = 0; j < outputs; ++j) {
                complete.push_back(static_cast<std::int32_t>(p[j] - za * sums[j] - zero_points[j] * p[outputs] +
                                                             za * zero_points[j] * static_cast<std::int64_t>(depth)));
            }
        }
        return complete;
    }
};

/// [batch..., m, k] times [batch..., k, n], signed or unsigned bytes; signed ones on the left are shifted, with their zero point.
std::vector<std::int32_t> matmul_of_bytes(const tensor& a, const tensor& b, const tensor* za, const tensor* zb) {
    const std::size_t k = a.shape.back(), m = a.shape[a.shape.size() - 2], n = b.shape.back();
    const std::int32_t shift = a.element == type::int8 ? 128 : 0;
    std::vector<std::uint8_t> bytes(a.values.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(integer_at(&a, i) + shift);
    }
    using kernel = pare::kernels::gemm_int8_kernel<pare::isa::native>;
    std::vector<std::int32_t> y;
    pare::serial_executor serial;
    REQUIRE((za == nullptr || za->values.size() == 1));
    for (std::size_t batch = 0; batch < a.values.size() / (m * k); ++batch) {
        const byte_weights w(n, k, b, zb, [&](std::size_t j, std::size_t i) { return (batch * k + i) * n + j; });
        pare::aligned_array<std::int8_t> packed(kernel::packed_size(n + 1, k));
        pare::aligned_array<std::int32_t> sums(kernel::layout::padded(n + 1));
        kernel::pack(w.values.data(), n + 1, k, packed.data(), sums.data());
        std::vector<std::int32_t> products(m * (n + 1));
        pare::kernels::gemm_int8<pare::isa::native>(serial, m, bytes.data() + batch * m * k, k,
                                                    pare::kernels::packed_int8{packed.data(), sums.data(), n + 1, k},
                                                    pare::kernels::epilogue<std::int32_t>(products.data(), n + 1));
        const auto complete = w.completed(products, integer_at(za, 0) + shift);
        y.insert(y.end(), complete.begin(), complete.end());
    }
    return y;
}
std::vector<std::size_t> matmul_shape(const tensor& a, const tensor& b) {
    auto shape = a.shape;
    shape.back() = b.shape.back();
    return shape;
}

/// An image [1, channels, height, width] of unsigned bytes and weights [outputs, channels, kernel]: integers [1, outputs, ...].
tensor convolved(const node& n, const tensor& x, const tensor& w, const tensor* zx, const tensor* zw) {
    REQUIRE(x.shape[0] == 1);
    REQUIRE(x.element == type::uint8);
    REQUIRE(size_of(n, "group", 0, 1) == 1);
    const auto padding = [&](std::size_t i) { return size_of(n, "pads", i, 0); };
    REQUIRE((padding(0) == padding(2) && padding(1) == padding(3)));
    const pare::kernels::convolution s = {.height = x.shape[2],
                                          .width = x.shape[3],
                                          .channels = x.shape[1],
                                          .outputs = w.shape[0] + 1,
                                          .kernel_height = w.shape[2],
                                          .kernel_width = w.shape[3],
                                          .stride_height = size_of(n, "strides", 0, 1),
                                          .stride_width = size_of(n, "strides", 1, 1),
                                          .padding_height = padding(0),
                                          .padding_width = padding(1),
                                          .dilation_height = size_of(n, "dilations", 0, 1),
                                          .dilation_width = size_of(n, "dilations", 1, 1)};
    // channels last
    const std::size_t taps = s.kernel_height * s.kernel_width, pixels = s.height * s.width;
    const byte_weights bytes(w.shape[0], s.kernel_size(), w, zw, [&](std::size_t j, std::size_t i) {
        return (j * s.channels + i % s.channels) * taps + i / s.channels;
    });
    std::vector<std::uint8_t> image(pixels * s.channels);
    for (std::size_t i = 0; i < image.size(); ++i) {
        image[i] = static_cast<std::uint8_t>(integer_at(&x, i % s.channels * pixels + i / s.channels));
    }
    using kernel = pare::kernels::conv2d_int8_kernel<pare::isa::native>;
    pare::aligned_array<std::int8_t> packed(kernel::packed_size(s));
    pare::aligned_array<std::int32_t> sums(kernel::column_sums_size(s));
    const auto weights = kernel::pack(bytes.values.data(), s, packed.data(), sums.data());
    std::vector<std::uint8_t> padded(s.padded_size() + pare::kernels::conv2d_int8_slack<pare::isa::native>);
    pare::kernels::pad_image(s, image.data(), static_cast<std::uint8_t>(integer_at(zx, 0)), padded.data(),
                             [](const std::uint8_t* from, std::size_t count, std::uint8_t* to) { std::copy_n(from, count, to); });
    std::vector<std::int32_t> products(s.output_pixels() * s.outputs);
    pare::serial_executor serial;
    pare::kernels::conv2d_int8<pare::isa::native>(serial, s, padded.data(), weights,
                                                  pare::kernels::epilogue<std::int32_t>(products.data(), s.outputs));
    const auto complete = bytes.completed(products, integer_at(zx, 0));
    tensor y{"", type::int32, {1, w.shape[0], s.output_height(), s.output_width()}, std::vector<double>(complete.size())};
    for (std::size_t i = 0; i < complete.size(); ++i) {
        y.values[i % w.shape[0] * s.output_pixels() + i / w.shape[0]] = static_cast<double>(complete[i]);
    }
    return y;
}

/// Sums to bytes: scales and zero points of x, w and y, `channel` the output channel of a number.
template <class Channel>
tensor requantized(tensor sums, const tensor& xs, const tensor& ws, const tensor& ys, const tensor* zy, type otherwise,
                   const Channel& channel) {
    sums.element = zy != nullptr ? zy->element : otherwise;
    const auto range = traits(sums.element);
    for (std::size_t i = 0; i < sums.values.size(); ++i) {
        const float scale = float_at(ws, ws.values.size() == 1 ? 0 : channel(i));
        sums.values[i] = static_cast<double>(onnx::requantize(static_cast<std::int32_t>(sums.values[i]),
                                                              onnx::multiplier_of(float_at(xs, 0), scale, float_at(ys, 0)),
                                                              integer_at(zy, 0), range.smallest, range.largest));
    }
    return sums;
}

std::vector<tensor> run_node(const node& n, const arguments& in) {
    const auto each = [&](auto f) {
        tensor y = *in[0];
        for (std::size_t i = 0; i < y.values.size(); ++i) {
            const auto number = [&](std::size_t k) { return float_at(*in[k], in[k]->values.size() == 1 ? 0 : i); };
            y.values[i] = static_cast<double>(f(number));
        }
        return std::vector<tensor>{y};
    };
    const auto extreme = [&](bool largest) {
        const auto [least, most] = std::minmax_element(in[0]->values.begin(), in[0]->values.end());
        return std::vector<tensor>{{"", in[0]->element, {}, {largest ? *most : *least}}};
    };
    const std::string& op = n.operation;
    if (op == "QuantizeLinear") {
        return quantize_linear(n, in);
    } else if (op == "DequantizeLinear") {
        return dequantize_linear(n, in);
    } else if (op == "DynamicQuantizeLinear") {
        return dynamic_quantize_linear(n, in);
    } else if (op == "MatMulInteger") {
        const auto sums = matmul_of_bytes(*in[0], *in[1], argument(in, 2), argument(in, 3));
        return {{"", type::int32, matmul_shape(*in[0], *in[1]), {sums.begin(), sums.end()}}};
    } else if (op == "QLinearMatMul") {
        const auto sums = matmul_of_bytes(*in[0], *in[3], in[2], in[5]);
        const std::size_t columns = in[3]->shape.back();
        return {requantized({"", type::int32, matmul_shape(*in[0], *in[3]), {sums.begin(), sums.end()}}, *in[1], *in[4], *in[6],
                            in[7], in[0]->element, [&](std::size_t i) { return i % columns; })};
    } else if (op == "ConvInteger") {
        return {convolved(n, *in[0], *in[1], argument(in, 2), argument(in, 3))};
    } else if (op == "QLinearConv") {
        REQUIRE(in.size() == 8);  // without a bias
        const tensor sums = convolved(n, *in[0], *in[3], in[2], in[5]);
        const std::size_t pixels = sums.shape[2] * sums.shape[3];
        return {requantized(sums, *in[1], *in[4], *in[6], in[7], in[0]->element,
                            [&](std::size_t i) { return i / pixels % sums.shape[1]; })};
    } else if (op == "Constant") {
        return {n.tensors.at("value")};
    } else if (op == "Identity") {
        return {*in[0]};
    } else if (op == "ReduceMin" || op == "ReduceMax") {
        return extreme(op == "ReduceMax");
    } else if (op == "Min" || op == "Max") {
        return each([&](auto x) { return op == "Min" ? (std::min)(x(0), x(1)) : (std::max)(x(0), x(1)); });
    } else if (op == "Sub") {
        return each([](auto x) { return pare::opaque(x(0) - x(1)); });
    } else if (op == "Div") {
        return each([](auto x) { return pare::exact_divide(x(0), x(1)); });
    } else if (op == "Clip") {
        return each([](auto x) { return (std::min)((std::max)(x(0), x(1)), x(2)); });
    } else if (op == "Round") {
        return each([](auto x) { return static_cast<float>(pare::round_half_even(x(0))); });
    } else if (op == "Cast") {
        tensor y = *in[0];
        y.element = static_cast<type>(integer_of(n, "to", 0));
        return {y};
    }
    FAIL("an operator " << op);
    return {};
}

void check_case(const std::filesystem::path& folder) {
    const onnx_file::model m = onnx_file::read_model(onnx_file::bytes_of_file((folder / "model.onnx").string()));
    REQUIRE(!m.nodes.empty());
    const auto read = [&](const std::string& kind, std::size_t i) {
        return onnx_file::read_tensor(protozero::pbf_reader(
            onnx_file::bytes_of_file((folder / "test_data_set_0" / (kind + "_" + std::to_string(i) + ".pb")).string())));
    };
    std::map<std::string, tensor> values;
    for (const tensor& constant : m.constants) {
        values[constant.name] = constant;
    }
    for (std::size_t i = 0; i < m.inputs.size(); ++i) {
        values[m.inputs[i]] = read("input", i);
    }
    for (const node& n : m.nodes) {
        arguments in;
        for (const std::string& name : n.inputs) {
            in.push_back(name.empty() ? nullptr : &values.at(name));
        }
        const auto out = run_node(n, in);
        REQUIRE(out.size() == n.outputs.size());
        for (std::size_t i = 0; i < out.size(); ++i) {
            values[n.outputs[i]] = out[i];
        }
    }
    for (std::size_t i = 0; i < m.outputs.size(); ++i) {
        const tensor expected = read("output", i), &found = values.at(m.outputs[i]);
        CHECK(static_cast<int>(found.element) == static_cast<int>(expected.element));
        CHECK(found.shape == expected.shape);
        CHECK(found.values == expected.values);
    }
}

}  // namespace

TEST_CASE("the quantization cases of ONNX's backend tests, exactly") {
    std::size_t cases = 0;
    for (const auto& entry : std::filesystem::directory_iterator(PARE_ONNX_CASES)) {
        if (entry.is_directory()) {
            INFO(entry.path().filename().string());
            check_case(entry.path());
            ++cases;
        }
    }
    CHECK(cases == 45);
}
