#include <onnxruntime_cxx_api.h>

#include <cstring>
#include <memory>
#include <string>

#include "task.hpp"

namespace peers {

namespace {

template <class T>
constexpr ONNXTensorElementDataType onnx_type = Ort::TypeToTensorType<T>::type;

/// A graph in the making: constants, and nodes that follow each other.
class graph {
public:
    using sizes = std::vector<std::int64_t>;

    template <class T>
    std::string constant(const std::string& name, const T* data, const sizes& shape) {
        Ort::AllocatorWithDefaultOptions allocator;
        auto value = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), onnx_type<T>);
        std::memcpy(value.template GetTensorMutableData<T>(), data,
                    value.GetTensorTypeAndShapeInfo().GetElementCount() * sizeof(T));
        graph_.AddInitializer(name, value, false);
        return name;
    }

    void node(const char* op, const char* domain, const std::vector<std::string>& inputs, const std::string& output,
              std::vector<Ort::OpAttr> attributes = {}) {
        Ort::Node made(op, domain, output + "_node", inputs, {output}, attributes);
        graph_.AddNode(made);
    }

    /// A function that runs it from x to y, one thread, everything bound and packed before.
    template <class X, class Y>
    std::function<void()> session(X* x, const sizes& x_shape, Y* y, const sizes& y_shape) {
        static Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "peers");
        const auto describe = [](const char* name, ONNXTensorElementDataType type, const sizes& shape) {
            const Ort::TensorTypeAndShapeInfo info(type, shape);
            return Ort::ValueInfo(name, Ort::TypeInfo::CreateTensorInfo(info.GetConst()).GetConst());
        };
        std::vector<Ort::ValueInfo> inputs, outputs;
        inputs.push_back(describe("x", onnx_type<X>, x_shape));
        outputs.push_back(describe("y", onnx_type<Y>, y_shape));
        graph_.SetInputs(inputs);
        graph_.SetOutputs(outputs);
        Ort::Model model({{"", 21}, {"com.microsoft", 1}});
        model.AddGraph(graph_);
        Ort::SessionOptions options;
        options.SetIntraOpNumThreads(1);
        options.SetInterOpNumThreads(1);
        options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);

        struct state {
            Ort::Session session;
            Ort::IoBinding binding;
            Ort::RunOptions run_options;
        };
        Ort::Session made(env, model, options);
        Ort::IoBinding binding(made);
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        const auto bound = [&](auto* data, const sizes& shape) {
            return Ort::Value::CreateTensor(memory, data, static_cast<std::size_t>(shape[0] * shape[1]), shape.data(),
                                            shape.size());
        };
        binding.BindInput("x", bound(x, x_shape));
        binding.BindOutput("y", bound(y, y_shape));
        const auto s = std::make_shared<state>(state{std::move(made), std::move(binding), Ort::RunOptions()});
        return [s] { s->session.Run(s->run_options, s->binding); };
    }

private:
    Ort::Graph graph_;
};

Ort::OpAttr integer(const char* name, std::size_t value) {
    const auto v = static_cast<std::int64_t>(value);
    return Ort::OpAttr(name, &v, 1, ORT_OP_ATTR_INT);
}

/// [columns, rows] of [rows, columns].
std::vector<std::int8_t> transposed(const std::int8_t* w, std::size_t rows, std::size_t columns) {
    std::vector<std::int8_t> t(rows * columns);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
            t[j * rows + i] = w[i * columns + j];
        }
    }
    return t;
}

using nibbles = pare::weight_matrix<pare::qint4<64>, pare::full>;

/// One linear layer by the fused operator that each kind has.
void add_layer(graph& g, const task& t, std::size_t index, const std::string& x, const std::string& y, const nibbles& w4) {
    const problem& p = t.layers[index];
    const auto n = static_cast<std::int64_t>(p.s.n), k = static_cast<std::int64_t>(p.s.k);
    const std::string name = y + "_";
    const auto bytes = [&] { return g.constant(name + "w", transposed(p.wq.values.data(), p.s.n, p.s.k).data(), {k, n}); };
    if (t.what == arithmetic::u8s8) {
        g.node("MatMulInteger", "", {x, bytes()}, y);
        return;
    }
    const std::string bias = g.constant(name + "bias", p.bias.data(), {n});
    if (t.what == arithmetic::dynamic) {
        const std::string scales = g.constant(name + "scales", p.wq.scales.data(), {n});
        g.node("DynamicQuantizeMatMul", "com.microsoft", {x, bytes(), scales, "", bias}, y);
    } else if (t.what == arithmetic::nibbles) {
        constexpr std::int64_t group = 64;
        const std::string w = g.constant(name + "w", w4.values.data(), {n, k / group, group / 2});
        const std::string scales = g.constant(name + "scales", w4.scales.data(), {n * (k / group)});
        std::vector<Ort::OpAttr> attributes;
        attributes.push_back(integer("K", p.s.k));
        attributes.push_back(integer("N", p.s.n));
        attributes.push_back(integer("bits", 4));
        attributes.push_back(integer("block_size", group));
        attributes.push_back(integer("accuracy_level", 4));  // activations become bytes
        g.node("MatMulNBits", "com.microsoft", {x, w, scales, "", "", bias}, y, std::move(attributes));
    } else {
        std::vector<Ort::OpAttr> attributes;
        attributes.push_back(integer("transB", 1));
        g.node("Gemm", "", {x, g.constant(name + "w", p.w.values.data(), {n, k}), bias}, y, std::move(attributes));
    }
}

}  // namespace

void onnxruntime(task& t, std::vector<contender>& out) {
    if (t.what == arithmetic::bf16) {
        return;
    }
    const auto w4 = std::make_shared<nibbles>();
    if (t.what == arithmetic::nibbles) {
        *w4 = *pare::quantize_weights_in_groups<pare::qint4<64>>(t.layers[0].w);
    }
    graph g;
    std::string x = "x";
    for (std::size_t i = 0; i < t.layers.size(); ++i) {
        const bool relu = t.relu_after(i);
        const std::string y = relu ? "sum" + std::to_string(i) : "y";
        add_layer(g, t, i, x, y, *w4);
        x = y;
        if (relu) {
            x = "relu" + std::to_string(i);
            g.node("Relu", "", {y}, x);
        }
    }
    const auto m = static_cast<std::int64_t>(t.batch()), k = static_cast<std::int64_t>(t.layers.front().s.k),
               n = static_cast<std::int64_t>(t.layers.back().s.n);
    contender who;
    who.name = "ONNX Runtime";
    who.run = t.what == arithmetic::u8s8 ? g.session(t.a.data(), {m, k}, t.c.data(), {m, n})
                                         : g.session(t.layers.front().x.data(), {m, k}, t.layers.back().y.data(), {m, n});
    who.rounds = t.what != arithmetic::f32;
    if (t.what == arithmetic::nibbles) {
        who.weight = [w4](std::size_t, std::size_t row, std::size_t i) { return w4->real(row, row * w4->columns() + i); };
    }
    out.push_back(std::move(who));
}

}  // namespace peers
