#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <memory>

#include "task.hpp"

namespace peers {

namespace {

/// The processor as ggml's device, one thread.
struct processor {
    ggml_backend_t backend = nullptr;
    ggml_backend_dev_t device = nullptr;
    ggml_backend_reg_t registry = nullptr;

    processor() {
        ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
        ggml_backend_load_all();
        backend = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr);
        if (backend != nullptr) {
            device = ggml_backend_get_device(backend);
            registry = ggml_backend_dev_backend_reg(device);
            if (const auto set_threads = function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")) {
                set_threads(backend, 1);
            }
        }
    }
    template <class F>
    F function(const char* name) const {
        return reinterpret_cast<F>(ggml_backend_reg_get_proc_address(registry, name));
    }
};

struct network {
    ggml_context* tensors = nullptr;
    ggml_cgraph* graph = nullptr;
    ggml_gallocr_t intermediates = nullptr;
    std::vector<ggml_backend_buffer_t> buffers;
    std::vector<std::vector<float>> weights;  // what the quantized ones stand for

    network() = default;
    network(const network&) = delete;
    ~network() {
        for (const auto buffer : buffers) {
            ggml_backend_buffer_free(buffer);
        }
        ggml_gallocr_free(intermediates);
        ggml_free(tensors);
    }
};

/// Puts weights where the product prefers them: in a layout of its own if there is one for their type, else as they are.
void place(const processor& cpu, network& net, ggml_tensor* w, ggml_tensor* product, const void* data) {
    const auto put = [&](ggml_backend_buffer_type_t type) {
        const auto buffer = ggml_backend_buft_alloc_buffer(type, ggml_backend_buft_get_alloc_size(type, w));
        ggml_backend_tensor_alloc(buffer, w, ggml_backend_buffer_get_base(buffer));
        return buffer;
    };
    ggml_backend_buffer_t chosen = nullptr;
    if (const auto extra = cpu.function<ggml_backend_dev_get_extra_bufts_t>("ggml_backend_dev_get_extra_bufts")) {
        for (auto* type = extra(cpu.device); chosen == nullptr && type != nullptr && *type != nullptr; ++type) {
            chosen = put(*type);
            if (w->extra == nullptr || !ggml_backend_dev_supports_op(cpu.device, product)) {
                ggml_backend_buffer_free(chosen);
                chosen = nullptr;
                w->buffer = nullptr;
                w->data = nullptr;
                w->extra = nullptr;
            }
        }
    }
    net.buffers.push_back(chosen != nullptr ? chosen : put(ggml_backend_dev_buffer_type(cpu.device)));
    ggml_backend_tensor_set(w, data, 0, ggml_nbytes(w));
}

/// A tensor in memory that exists.
void bind(network& net, ggml_tensor* tensor, float* data) {
    const auto buffer = ggml_backend_cpu_buffer_from_ptr(data, ggml_nbytes(tensor));
    ggml_backend_tensor_alloc(buffer, tensor, data);
    net.buffers.push_back(buffer);
}

void add(const processor& cpu, task& t, const char* name, ggml_type type, std::vector<contender>& out) {
    const auto net = std::make_shared<network>();
    net->tensors = ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true});
    ggml_context* const c = net->tensors;
    const auto i64 = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    ggml_tensor* y = ggml_new_tensor_2d(c, GGML_TYPE_F32, i64(t.layers[0].s.k), i64(t.batch()));
    bind(*net, y, t.layers[0].x.data());
    for (std::size_t i = 0; i < t.layers.size(); ++i) {
        problem& p = t.layers[i];
        if (i64(p.s.k) % ggml_blck_size(type) != 0) {
            return;
        }
        ggml_tensor* const w = ggml_new_tensor_2d(c, type, i64(p.s.k), i64(p.s.n));
        std::vector<std::uint8_t> bytes(ggml_nbytes(w));
        ggml_quantize_chunk(type, p.w.values.data(), bytes.data(), 0, i64(p.s.n), i64(p.s.k), nullptr);
        auto& real = net->weights.emplace_back(p.s.n * p.s.k);
        if (type == GGML_TYPE_F32) {
            real.assign(p.w.values.begin(), p.w.values.end());
        } else {
            ggml_get_type_traits(type)->to_float(bytes.data(), real.data(), i64(real.size()));
        }
        ggml_tensor* const product = ggml_mul_mat(c, w, y);
        place(cpu, *net, w, product, bytes.data());
        ggml_tensor* const bias = ggml_new_tensor_1d(c, GGML_TYPE_F32, i64(p.s.n));
        bind(*net, bias, p.bias.data());
        y = ggml_add(c, product, bias);
        if (t.relu_after(i)) {
            y = ggml_relu(c, y);
        }
    }
    bind(*net, y, t.layers.back().y.data());
    net->graph = ggml_new_graph(c);
    ggml_build_forward_expand(net->graph, y);
    net->intermediates = ggml_gallocr_new(ggml_backend_dev_buffer_type(cpu.device));
    if (!ggml_gallocr_alloc_graph(net->intermediates, net->graph)) {
        return;
    }
    out.push_back({{name, [net, &cpu] { ggml_backend_graph_compute(cpu.backend, net->graph); }},
                   [net, &t](std::size_t layer, std::size_t row, std::size_t i) {
                       return net->weights[layer][row * t.layers[layer].s.k + i];
                   },
                   type != GGML_TYPE_F32});
}

}  // namespace

void ggml(task& t, std::vector<contender>& out) {
    static const processor cpu;
    if (cpu.backend == nullptr) {
        return;
    }
    switch (t.what) {
        case arithmetic::u8s8: break;
        case arithmetic::dynamic: add(cpu, t, "ggml q8_0", GGML_TYPE_Q8_0, out); break;
        case arithmetic::f32: add(cpu, t, "ggml", GGML_TYPE_F32, out); break;
        case arithmetic::nibbles: add(cpu, t, "ggml q4_0", GGML_TYPE_Q4_0, out); break;
        case arithmetic::bf16: add(cpu, t, "ggml bf16", GGML_TYPE_BF16, out); break;
    }
}

}  // namespace peers
