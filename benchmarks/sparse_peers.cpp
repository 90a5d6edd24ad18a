// Sparse linear layers of floats, 1024 outputs x 1024 inputs, ours beside those of other libraries: whichever of Eigen, oneDNN and
// XNNPACK CMake finds. All take turns within one run; each is compared with plain loops first. One thread; weights packed before,
// bias added where a library can: none of Eigen's and oneDNN's sparse products takes one, so theirs go without. Activations lie as
// each library wants them: XNNPACK has sparse products of channels x pixels only, of which a sample is one here. Medians in
// microseconds; behind each, ours as a multiple of it.
//
//   OMP_NUM_THREADS=1 bench_sparse_peers

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <pare/kernels/packed_csr.hpp>
#include <pare/kernels/packed_full.hpp>
#include <pare/prune/sparsify.hpp>

#include "problem.hpp"
#include "turns.hpp"

#if PARE_PEER_EIGEN
#include <Eigen/SparseCore>
#endif
#if PARE_PEER_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif
#if PARE_PEER_XNNPACK
#include <xnnpack.h>
#endif

namespace {

using namespace pare;
using namespace products;
using isa::native;

/// A library's product; whether it adds the bias, and whether it takes and gives [channels, samples].
struct contender : turns::contender {
    bool adds_bias = true;
    bool transposed = false;
};

/// The operands of a product, and x and y with a sample in each column.
struct task {
    problem p;
    weight_matrix<float, csr> sparse;
    aligned_array<float> xt, yt;

    explicit task(problem operands)
        : p(std::move(operands)), sparse(to_layout<csr>(p.w)), xt(p.x.size() + 64), yt(p.y.size() + 64) {
        for (std::size_t i = 0; i < p.x.size(); ++i) {
            xt[i % p.s.k * p.s.m + i / p.s.k] = p.x[i];
        }
    }
};

template <class Weights>
contender ours(const char* name, task& t, const Weights& weights) {
    problem& p = t.p;
    const auto w = std::make_shared<packed<Weights, native>>(weights);
    const auto space = std::make_shared<workspace>(w->scratch_bytes(as_float{}, p.s.m, p.s.n, p.s.k));
    return {{name, [w, space, &p] {
                 serial_executor serial;
                 context<native, serial_executor> ctx{serial, space->scratch()};
                 w->multiply(as_float{}, ctx, matrix_view<const float>(p.x.data(), p.s.m, p.s.k),
                             matrix_view<float>(p.y.data(), p.s.m, p.s.n), kernels::add_bias{p.bias.data()});
             }}};
}

#if PARE_PEER_EIGEN
void eigen(task& t, std::vector<contender>& out) {
    using sparse = Eigen::SparseMatrix<float, Eigen::RowMajor>;
    const auto m = static_cast<Eigen::Index>(t.p.s.m), n = static_cast<Eigen::Index>(t.p.s.n),
               k = static_cast<Eigen::Index>(t.p.s.k);
    std::vector<Eigen::Triplet<float>> stored;
    t.sparse.structure.for_each([&](std::size_t row, std::size_t column, std::size_t i) {
        stored.emplace_back(static_cast<int>(row), static_cast<int>(column), t.sparse.values[i]);
    });
    const auto w = std::make_shared<sparse>(n, k);
    w->setFromTriplets(stored.begin(), stored.end());
    // A sample is a column of a matrix in columns: as ours lie.
    out.push_back({{"Eigen",
                    [w, m, n, k, &t] {
                        const Eigen::Map<const Eigen::MatrixXf> x(t.p.x.data(), k, m);
                        Eigen::Map<Eigen::MatrixXf> y(t.p.y.data(), n, m);
                        y.noalias() = *w * x;
                    }},
                   false});
    using rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    out.push_back({{"Eigen, transposed",
                    [w, m, n, k, &t] {
                        const Eigen::Map<const rows> x(t.xt.data(), k, m);
                        Eigen::Map<rows> y(t.yt.data(), n, m);
                        y.noalias() = *w * x;
                    }},
                   false,
                   true});
}
#endif

#if PARE_PEER_ONEDNN
/// x [m, k] times W^T [k, n] in compressed sparse rows; transposed: W [n, k] times x [k, m].
void onednn(task& t, bool transposed, std::vector<contender>& out) {
    using namespace dnnl;
    using dt = memory::data_type;
    static engine eng(engine::kind::cpu, 0);
    static stream str(eng);
    struct state {
        std::vector<float> values;
        std::vector<std::int32_t> column, row_begin = {0};
        matmul product;
        std::unordered_map<int, memory> arguments;
    };
    const auto s = std::make_shared<state>();
    const std::size_t rows = transposed ? t.p.s.n : t.p.s.k, columns = transposed ? t.p.s.k : t.p.s.n;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 0; c < columns; ++c) {
            if (const float w = t.p.w.values[transposed ? row * columns + c : c * rows + row]; w != 0.0f) {
                s->values.push_back(w);
                s->column.push_back(static_cast<std::int32_t>(c));
            }
        }
        s->row_begin.push_back(static_cast<std::int32_t>(s->column.size()));
    }
    const auto n = [](std::size_t x) { return static_cast<memory::dim>(x); };
    const auto sparse = memory::desc::csr({n(rows), n(columns)}, dt::f32, n(s->values.size()), dt::s32, dt::s32);
    const auto plain = [&](std::size_t a, std::size_t b) { return memory::desc({n(a), n(b)}, dt::f32, memory::format_tag::ab); };
    const auto x = transposed ? plain(t.p.s.k, t.p.s.m) : plain(t.p.s.m, t.p.s.k);
    const auto y = transposed ? plain(t.p.s.n, t.p.s.m) : plain(t.p.s.m, t.p.s.n);
    s->product = matmul(transposed ? matmul::primitive_desc(eng, sparse, x, y) : matmul::primitive_desc(eng, x, sparse, y));
    const memory weights(sparse, eng, std::vector<void*>{s->values.data(), s->column.data(), s->row_begin.data()});
    s->arguments.insert({transposed ? DNNL_ARG_SRC : DNNL_ARG_WEIGHTS, weights});
    s->arguments.insert({transposed ? DNNL_ARG_WEIGHTS : DNNL_ARG_SRC, memory(x, eng, transposed ? t.xt.data() : t.p.x.data())});
    s->arguments.insert({DNNL_ARG_DST, memory(y, eng, transposed ? t.yt.data() : t.p.y.data())});
    out.push_back({{transposed ? "oneDNN, transposed" : "oneDNN",
                    [s] {
                        s->product.execute(str, s->arguments);
                        str.wait();
                    }},
                   false,
                   transposed});
}
#endif

#if PARE_PEER_XNNPACK
/// A 1x1 convolution of an image [k, 1, m].
void xnnpack(task& t, std::vector<contender>& out) {
    const bool ready = xnn_initialize(nullptr) == xnn_status_success;
    const auto m = t.p.s.m, n = t.p.s.n, k = t.p.s.k;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    xnn_operator_t op = nullptr;
    std::size_t height = 0, width = 0;
    if (!ready ||
        xnn_create_convolution2d_nchw_f32(0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, k, n, k, n, t.p.w.values.data(), t.p.bias.data(),
                                          -infinity, infinity, 0, nullptr, nullptr, &op) != xnn_status_success ||
        xnn_reshape_convolution2d_nchw_f32(op, 1, 1, m, &height, &width, nullptr) != xnn_status_success ||
        xnn_setup_convolution2d_nchw_f32(op, t.xt.data(), t.yt.data()) != xnn_status_success) {
        std::fprintf(stderr, "XNNPACK: no sparse product on this machine\n");
        return;
    }
    out.push_back({{"XNNPACK", [op] { xnn_run_operator(op, nullptr); }}, true, true});
}
#endif

void check(task& t, const contender& who) {
    std::fill(t.p.y.begin(), t.p.y.end(), 1e9f);
    std::fill(t.yt.begin(), t.yt.end(), 1e9f);
    who.run();
    const shape s = t.p.s;
    for (std::size_t i = 0; i < t.p.checked_rows() * s.n; ++i) {
        const std::size_t row = i / s.n, j = i % s.n;
        double sum = who.adds_bias ? static_cast<double>(t.p.bias[j]) : 0.0;
        for (std::size_t c = 0; c < s.k; ++c) {
            sum += static_cast<double>(t.p.x[row * s.k + c]) * static_cast<double>(t.p.w.values[j * s.k + c]);
        }
        const float y = who.transposed ? t.yt[j * s.m + row] : t.p.y[i];
        require(std::abs(static_cast<double>(y) - sum) < 1e-4, who.name.c_str(), s);
    }
}

}  // namespace

int main() {
    for (const std::size_t m : {1u, 64u}) {
        for (const int percent : {80, 90, 95}) {
            problem p({m, 1024, 1024});
            const random_numbers random(seed{2}, 0);
            for (std::size_t i = 0; i < p.w.values.size(); ++i) {
                if (random.uniform(i) < static_cast<float>(percent) / 100.0f) {
                    p.w.values[i] = 0.0f;
                }
            }
            task t(std::move(p));
            std::vector<contender> all = {ours("pare csr", t, t.sparse), ours("pare dense", t, t.p.w)};
#if PARE_PEER_EIGEN
            eigen(t, all);
#endif
#if PARE_PEER_ONEDNN
            onednn(t, false, all);
            onednn(t, true, all);
#endif
#if PARE_PEER_XNNPACK
            xnnpack(t, all);
#endif
            for (const contender& who : all) {
                check(t, who);
            }
            turns::measure(all);
            std::printf("%2zux1024x1024 %d%%", m, percent);
            for (const contender& who : all) {
                std::printf("  %s %.1f (%.2f)", who.name.c_str(), 1e6 * who.seconds, who.seconds / all[0].seconds);
            }
            std::printf("\n");
            std::fflush(stdout);
        }
    }
}
