#include <cmath>
#include <memory>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "task.hpp"

namespace peers {

namespace {

using namespace dnnl;
using dt = memory::data_type;
using tag = memory::format_tag;

/// One layer, ready to run. oneDNN has no primitive that finds the range and makes bytes of floats: two plain passes.
class layer {
public:
    layer(engine& eng, stream& str, task& t, std::size_t index)
        : dynamic_(t.what == arithmetic::dynamic), x_(t.input(index).data()), quantized_(dynamic_ ? t.input(index).size() : 0) {
        problem& p = t.layers[index];
        const auto m = static_cast<memory::dim>(p.s.m), n = static_cast<memory::dim>(p.s.n), k = static_cast<memory::dim>(p.s.k);
        const bool is_float = t.what == arithmetic::f32, raw = t.what == arithmetic::u8s8;
        primitive_attr attr;
        if (dynamic_) {
            attr.set_scales_mask(DNNL_ARG_SRC, 0);
            attr.set_zero_points_mask(DNNL_ARG_SRC, 0);
            attr.set_scales_mask(DNNL_ARG_WEIGHTS, 2);
        }
        if (t.relu_after(index)) {
            post_ops ops;
            ops.append_eltwise(algorithm::eltwise_relu, 0.0f, 0.0f);
            attr.set_post_ops(ops);
        }
        const memory::desc src({m, k}, is_float ? dt::f32 : dt::u8, tag::ab);
        const memory::desc any({k, n}, is_float ? dt::f32 : dt::s8, tag::any);
        const memory::desc given({k, n}, is_float ? dt::f32 : dt::s8, tag::ba);
        const memory::desc dst({m, n}, raw ? dt::s32 : dt::f32, tag::ab);
        const memory::desc bias({1, n}, dt::f32, tag::ab);
        const auto desc =
            raw ? matmul::primitive_desc(eng, src, any, dst, attr) : matmul::primitive_desc(eng, src, any, bias, dst, attr);
        memory weights(desc.weights_desc(), eng);
        memory plain(given, eng, is_float ? static_cast<void*>(p.w.values.data()) : static_cast<void*>(p.wq.values.data()));
        reorder(plain, weights).execute(str, plain, weights);
        str.wait();
        product_ = matmul(desc);
        void* const source = is_float ? static_cast<void*>(x_)
                             : raw    ? static_cast<void*>(t.a.data())
                                      : static_cast<void*>(quantized_.data());
        args_.insert({DNNL_ARG_WEIGHTS, weights});
        args_.insert({DNNL_ARG_SRC, memory(src, eng, source)});
        args_.insert({DNNL_ARG_DST, memory(dst, eng, raw ? static_cast<void*>(t.c.data()) : static_cast<void*>(p.y.data()))});
        if (!raw) {
            args_.insert({DNNL_ARG_BIAS, memory(bias, eng, p.bias.data())});
        }
        if (dynamic_) {
            args_.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, memory({{1}, dt::f32, tag::a}, eng, &scale_)});
            args_.insert({DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, memory({{1}, dt::s32, tag::a}, eng, &zero_)});
            args_.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, memory({{n}, dt::f32, tag::a}, eng, p.wq.scales.data())});
        }
    }
    layer(const layer&) = delete;  // oneDNN points into it

    void run(stream& str) {
        if (dynamic_) {
            quantize();
        }
        product_.execute(str, args_);
    }

private:
    void quantize() {
        float low = 0.0f, high = 0.0f;
        for (std::size_t i = 0; i < quantized_.size(); ++i) {
            low = x_[i] < low ? x_[i] : low;
            high = x_[i] > high ? x_[i] : high;
        }
        scale_ = (high - low) / 255.0f;
        const float inverse = 1.0f / scale_;
        zero_ = static_cast<std::int32_t>(std::nearbyint(-low * inverse));
        std::uint8_t* const q = quantized_.data();
        const auto z = static_cast<float>(zero_);
        for (std::size_t i = 0; i < quantized_.size(); ++i) {
            q[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(x_[i] * inverse + z + 0.5f));
        }
    }

    bool dynamic_;
    float* x_;
    pare::aligned_array<std::uint8_t> quantized_;
    float scale_ = 1.0f;
    std::int32_t zero_ = 0;
    matmul product_;
    std::unordered_map<int, memory> args_;
};

}  // namespace

void onednn(task& t, std::vector<contender>& out) {
    static engine eng(engine::kind::cpu, 0);
    static stream str(eng);
    if (t.what == arithmetic::nibbles || t.what == arithmetic::bf16) {
        return;
    }
    const auto layers = std::make_shared<std::vector<std::unique_ptr<layer>>>();
    for (std::size_t i = 0; i < t.layers.size(); ++i) {
        layers->push_back(std::make_unique<layer>(eng, str, t, i));
    }
    contender who{{"oneDNN", [layers] {
                       for (const auto& l : *layers) {
                           l->run(str);
                       }
                       str.wait();
                   }}};
    who.rounds = t.what == arithmetic::dynamic;
    out.push_back(std::move(who));
}

}  // namespace peers
