#ifndef PARE_BENCHMARKS_PEERS_TASK_HPP
#define PARE_BENCHMARKS_PEERS_TASK_HPP

#include <cstdint>
#include <functional>
#include <vector>

#include "../problem.hpp"
#include "../turns.hpp"

/// What every library is asked to compute, and what a library answers with.
namespace peers {

using products::problem;
using products::shape;

/// u8s8: bytes to 32-bit integers, exactly. The others are linear layers of floats; dynamic: with int8 weights and activations
/// that are made bytes on the way; nibbles: the same with weights of four bits; bf16: with weights of bfloat16.
enum class arithmetic { u8s8, dynamic, f32, nibbles, bf16 };

/// Linear layers with ReLU between them; mostly there is one. Layer i reads x of the first, later y of the one before, and writes y
/// of its own. u8s8, one layer, reads a and writes c.
struct task {
    arithmetic what;
    std::vector<problem> layers;
    pare::aligned_array<std::uint8_t> a;
    pare::aligned_array<std::int32_t> c;

    task(arithmetic kind, std::vector<problem> chain) : what(kind), layers(std::move(chain)) {
        if (what == arithmetic::u8s8) {
            const shape s = layers[0].s;
            a = pare::aligned_array<std::uint8_t>(s.m * s.k);
            c = pare::aligned_array<std::int32_t>(s.m * s.n);
            for (std::size_t i = 0; i < a.size(); ++i) {
                a[i] = static_cast<std::uint8_t>(i * 7919 >> 3);
            }
        }
    }

    std::size_t batch() const { return layers[0].s.m; }
    pare::aligned_array<float>& input(std::size_t layer) { return layer == 0 ? layers[0].x : layers[layer - 1].y; }
    const pare::aligned_array<float>& output() const { return layers.back().y; }
    bool relu_after(std::size_t layer) const { return layer + 1 < layers.size(); }
    double operations() const {
        double sum = 0.0;
        for (const problem& p : layers) {
            sum += 2.0 * static_cast<double>(p.s.m * p.s.n * p.s.k);
        }
        return sum;
    }
    std::size_t weights() const {
        std::size_t sum = 0;
        for (const problem& p : layers) {
            sum += p.s.n * p.s.k;
        }
        return sum;
    }
};

struct contender : turns::contender {
    /// Weight i of a layer's row as this library has it. Empty: w where floats are asked for, else wq.
    std::function<float(std::size_t layer, std::size_t row, std::size_t i)> weight = {};
    /// Activations are rounded, to bytes or bfloat16.
    bool rounds = false;
};

/// Adds those ways in which a library can do the task; nothing if it cannot. The task outlives them.
using library = void (*)(task&, std::vector<contender>&);

void pare_kernels(task&, std::vector<contender>&);
void onednn(task&, std::vector<contender>&);
void xnnpack(task&, std::vector<contender>&);
void onnxruntime(task&, std::vector<contender>&);
void ggml(task&, std::vector<contender>&);
void ruy(task&, std::vector<contender>&);
void openblas(task&, std::vector<contender>&);
void eigen(task&, std::vector<contender>&);

}  // namespace peers

#endif
