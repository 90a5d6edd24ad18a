// Linear layers and small networks, ours beside those of other libraries: whichever of oneDNN, XNNPACK, ONNX Runtime, ggml, ruy,
// OpenBLAS and Eigen were found. All take turns within one run, because machines drift; each is compared with plain loops first.
// One thread; weights packed and memory bound before. Figures are medians: 10^9 operations per second, of networks nanoseconds per
// sample; behind each, ours as a multiple of it. [share]: ours of what the instructions and the reads of the weights allow.
//
//   OMP_NUM_THREADS=1 bench_peers [u8s8 | dynamic_linear | f32_linear | nibble_linear | bf16_linear | dynamic_network |
//   f32_network]
//                                 [row of the table]

#include <cmath>
#include <cstring>
#include <memory>
#include <span>

#include <pare/quantize.hpp>

#include "limits.hpp"
#include "peers/task.hpp"
#include "small_networks.hpp"

namespace {

using namespace pare;
using namespace peers;
using native = isa::native;

constexpr library libraries[] = {
#if PARE_PEER_ONEDNN
    onednn,
#endif
#if PARE_PEER_XNNPACK
    xnnpack,
#endif
#if PARE_PEER_ONNXRUNTIME
    onnxruntime,
#endif
#if PARE_PEER_GGML
    peers::ggml,
#endif
#if PARE_PEER_RUY
    ruy,
#endif
#if PARE_PEER_OPENBLAS
    openblas,
#endif
#if PARE_PEER_EIGEN
    eigen,
#endif
    [](task&, std::vector<contender>&) {},  // nobody, so that the list is never empty
};

/// What plain loops give for the first rows, in double: what each library is compared with.
std::vector<double> expected(const task& t, const contender& who, std::size_t rows) {
    std::vector<double> x(t.layers[0].x.begin(), t.layers[0].x.begin() + rows * t.layers[0].s.k), y;
    for (std::size_t layer = 0; layer < t.layers.size(); ++layer) {
        const problem& p = t.layers[layer];
        y.assign(rows * p.s.n, 0.0);
        for (std::size_t j = 0; j < p.s.n; ++j) {
            for (std::size_t k = 0; k < p.s.k; ++k) {
                const std::size_t i = j * p.s.k + k;
                const float w = who.weight ? who.weight(layer, j, k) : t.what == arithmetic::f32 ? p.w.real(j, i) : p.wq.real(j, i);
                for (std::size_t row = 0; row < rows; ++row) {
                    y[row * p.s.n + j] += x[row * p.s.k + k] * static_cast<double>(w);
                }
            }
            for (std::size_t row = 0; row < rows; ++row) {
                double& sum = y[row * p.s.n + j];
                sum += static_cast<double>(p.bias[j]);
                sum = t.relu_after(layer) ? std::max(sum, 0.0) : sum;
            }
        }
        x = y;
    }
    return y;
}

void check(task& t, const contender& who) {
    std::fill(t.c.begin(), t.c.end(), 0);
    for (problem& p : t.layers) {
        std::fill(p.y.begin(), p.y.end(), 0.0f);
    }
    who.run();
    const shape s = t.layers[0].s;
    const std::size_t rows = std::min<std::size_t>(t.layers[0].checked_rows(), 8);
    if (t.what == arithmetic::u8s8) {
        for (std::size_t i = 0; i < rows * s.n; ++i) {
            std::int32_t sum = 0;
            for (std::size_t k = 0; k < s.k; ++k) {
                sum += t.a[i / s.n * s.k + k] * t.layers[0].wq.values[i % s.n * s.k + k];
            }
            products::require(sum == t.c[i], who.name.c_str(), s);
        }
        return;
    }
    const auto y = expected(t, who, rows);
    double squares = 0.0;
    for (const double value : y) {
        squares += value * value;
    }
    // activations are off by up to 1/255 of their range, products therefore by some hundredths of their typical size
    const double bound =
        (who.rounds ? 0.05 : 2e-5) * std::sqrt(squares / static_cast<double>(y.size())) * static_cast<double>(t.layers.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        products::require(std::abs(y[i] - static_cast<double>(t.output()[i])) <= bound, who.name.c_str(), s);
    }
}

/// One table: its rows are printed as they are measured.
class table {
public:
    table(const char* name, arithmetic what, bool networks) : name_(name), what_(what), networks_(networks) {}

    void add(const std::string& title, task& t, std::vector<contender> all) {
        for (const library others : libraries) {
            others(t, all);
        }
        for (const auto& who : all) {
            check(t, who);
        }
        turns::measure(all);
        const double ours = all[0].seconds;
        std::printf("%-15s %-20s", name_, title.c_str());
        double best = 0.0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto& who = all[i];
            std::printf(networks_ ? "  %s %.0f" : "  %s %.1f", who.name.c_str(),
                        networks_ ? 1e9 * who.seconds : 1e-9 * t.operations() / who.seconds);
            if (i == 0) {
                print_share(t, ours);
            } else {
                std::printf(" (%.2f)", who.seconds / ours);
            }
            if (who.name.rfind("pare", 0) != 0) {
                best = best == 0.0 ? who.seconds : std::min(best, who.seconds);
            }
        }
        if (best > 0.0) {
            log_sum_ += std::log(best / ours);
            least_ = std::min(least_, best / ours);
            ++count_;
            std::printf("  = %.2f", best / ours);
        }
        std::printf("\n");
        std::fflush(stdout);
    }

    ~table() {
        if (count_ > 0) {
            std::printf("%-15s ours / best other: geometric mean %.3f, least %.3f\n", name_, std::exp(log_sum_ / count_), least_);
        }
    }
    table(const table&) = delete;

private:
    void print_share(const task& t, double seconds) const {
        static const double f32_peak = limits::f32_gflops(native::name), int8_peak = limits::int8_gops(native::name);
        const bool floats = what_ == arithmetic::f32 || what_ == arithmetic::bf16;
        const double bytes_per_weight = what_ == arithmetic::f32       ? 4.0
                                        : what_ == arithmetic::bf16    ? 2.0
                                        : what_ == arithmetic::nibbles ? 0.5 + 4.0 / 64.0
                                                                       : 1.0;
        const auto bytes = static_cast<std::size_t>(bytes_per_weight * static_cast<double>(t.weights()));
        if (const double least = limits::least_seconds(t.operations(), floats ? f32_peak : int8_peak, bytes); least > 0.0) {
            std::printf(" [%.0f%%]", 100.0 * least / seconds);
        }
    }

    const char* name_;
    arithmetic what_;
    bool networks_;
    double log_sum_ = 0.0, least_ = 1e9;
    int count_ = 0;
};

/// A network of ours: its layers for the others, and itself as the contender `run`, made ready by `quantize`.
template <class Model, class Quantize>
void add_network(table& out, const char* title, arithmetic what, const Model& model, const Quantize& quantize) {
    std::vector<weight_matrix<float, full>> weights;
    std::vector<problem> layers;
    for_each_member(model, [&](const member_path&, const auto& member) {
        if constexpr (requires { member.structure; }) {
            weights.push_back(member);
        } else {
            layers.emplace_back(1, weights.back(), member.values().data());
        }
    });
    task t(what, std::move(layers));
    const auto ready = std::make_shared<decltype(prepare<native>(quantize(model)))>(prepare<native>(quantize(model)));
    const auto space = std::make_shared<workspace>(workspace_for(*ready, 1));
    contender ours{{"pare", [ready, space, &t] {
                        run(*ready, std::span<const float>(t.layers.front().x.data(), t.layers.front().s.k),
                            std::span<float>(t.layers.back().y.data(), t.layers.back().s.n), *space);
                    }}};
    ours.rounds = what == arithmetic::dynamic;
    out.add(title, t, {ours});
}

}  // namespace

int main(int argc, char** argv) {
    const auto wanted = [&](const char* name) { return argc < 2 || std::strcmp(argv[1], name) == 0; };
    const auto wanted_row = [&](std::size_t row) { return argc < 3 || std::strtoul(argv[2], nullptr, 10) == row; };
    std::printf("limits of the registers on %s: int8 %.0f, float %.0f Gop/s\n", native::name, limits::int8_gops(native::name),
                limits::f32_gflops(native::name));
    limits::print_reads();

    const auto linear = [&](const char* name, arithmetic what, std::span<const shape> shapes) {
        if (!wanted(name)) {
            return;
        }
        table rows(name, what, false);
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            if (wanted_row(i)) {
                std::vector<problem> layer;
                layer.emplace_back(shapes[i]);
                task t(what, std::move(layer));
                std::vector<contender> ours;
                pare_kernels(t, ours);
                rows.add(sentence(shapes[i].m, "x", shapes[i].n, "x", shapes[i].k), t, std::move(ours));
            }
        }
    };
    constexpr shape few[] = {{1, 4096, 4096}, {1, 1024, 1024}, {4, 512, 512}, {16, 1024, 1024}};
    linear("u8s8", arithmetic::u8s8, products::shapes);
    linear("dynamic_linear", arithmetic::dynamic, products::shapes);
    linear("f32_linear", arithmetic::f32, products::shapes);
    linear("nibble_linear", arithmetic::nibbles, few);
    linear("bf16_linear", arithmetic::bf16, few);

    const auto small_networks = [&](const char* name, arithmetic what, const auto& quantize) {
        if (wanted(name)) {
            table rows(name, what, true);
            add_network(rows, "64-64-64-64", what, networks::mlp(), quantize);
            add_network(rows, "48-256-128-12", what, networks::robot_policy(), quantize);
        }
    };
    small_networks("dynamic_network", arithmetic::dynamic, [](const auto& model) { return *quantize_dynamic(model); });
    small_networks("f32_network", arithmetic::f32, [](const auto& model) { return model; });
}
