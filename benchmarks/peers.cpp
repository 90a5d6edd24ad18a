// The products of problem.hpp, ours beside those of other libraries: whichever of oneDNN, XNNPACK, ruy, OpenBLAS and Eigen were
// found. All take turns within one run, because machines drift; each is compared with plain loops first. One thread; weights packed
// before. Columns: 10^9 operations per second, medians, and ours as a multiple of the best other.
//
//   OMP_NUM_THREADS=1 bench_peers [u8s8 | dynamic_linear | f32_linear] [shape number]

#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <pare/kernels/packed_full.hpp>
#include <pare/kernels/reference.hpp>

#include "limits.hpp"
#include "problem.hpp"

#if PARE_PEER_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif
#if PARE_PEER_XNNPACK
#include <xnnpack.h>
#endif
#if PARE_PEER_RUY
#include <ruy/ruy.h>
#endif
#if PARE_PEER_OPENBLAS
#include <cblas.h>
#endif
#if PARE_PEER_EIGEN
#include <Eigen/Core>
#endif

namespace {

using namespace products;
using native = isa::native;

enum class kind { u8s8, dynamic_linear, f32_linear };
constexpr const char* kind_names[] = {"u8s8", "dynamic_linear", "f32_linear"};

/// Somebody who can do one kind of product: `run` writes y (or, for u8s8, c).
struct contender {
    const char* name;
    std::function<void()> run;
    double gop = 0.0;
};

struct task {
    problem p;
    aligned_array<std::uint8_t> a;
    aligned_array<std::int32_t> c;

    explicit task(shape s) : p(s), a(s.m * s.k), c(s.m * s.n) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            a[i] = static_cast<std::uint8_t>(i * 7919 >> 3);
        }
    }
};

// ---- ours

contender ours(kind what, task& t) {
    const shape s = t.p.s;
    if (what == kind::u8s8) {
        using kernel = kernels::gemm_int8_kernel<native>;
        struct weights {
            aligned_array<std::int8_t> data;
            aligned_array<std::int32_t> sums;
        };
        const auto w = std::make_shared<weights>(weights{aligned_array<std::int8_t>(kernel::packed_size(s.n, s.k)),
                                                         aligned_array<std::int32_t>(kernel::layout::padded(s.n))});
        const auto packed = kernel::pack(t.p.wq.values.data(), s.n, s.k, w->data.data(), w->sums.data());
        return {"pare", [w, packed, s, &t] {
                    serial_executor serial;
                    kernels::gemm_int8<native>(serial, s.m, t.a.data(), s.k, packed,
                                               kernels::epilogue<std::int32_t>(t.c.data(), s.n));
                }};
    }
    const auto linear = [&](const auto& weights, auto activations) {
        using packed_type = packed<std::remove_cvref_t<decltype(weights)>, native>;
        const auto w = std::make_shared<packed_type>(weights);
        const auto space = std::make_shared<workspace>(w->scratch_bytes(activations, s.m, s.n, s.k));
        return contender{"pare", [w, space, s, activations, &t] {
                             serial_executor serial;
                             context<native, serial_executor> ctx{serial, space->scratch()};
                             w->multiply(activations, ctx, matrix_view<const float>(t.p.x.data(), s.m, s.k),
                                         matrix_view<float>(t.p.y.data(), s.m, s.n), kernels::add_bias{t.p.bias.data()});
                         }};
    };
    return what == kind::f32_linear ? linear(t.p.w, as_float{}) : linear(t.p.wq, dynamic_range{});
}

// ---- others

#if PARE_PEER_ONEDNN
void add_onednn(kind what, task& t, std::vector<contender>& out) {
    using namespace dnnl;
    using dt = memory::data_type;
    using tag = memory::format_tag;
    static engine eng(engine::kind::cpu, 0);
    static stream str(eng);
    const auto m = static_cast<memory::dim>(t.p.s.m), n = static_cast<memory::dim>(t.p.s.n), k = static_cast<memory::dim>(t.p.s.k);
    const bool is_float = what == kind::f32_linear, raw = what == kind::u8s8;
    primitive_attr attr;
    if (what == kind::dynamic_linear) {
        attr.set_scales_mask(DNNL_ARG_SRC, 0);
        attr.set_zero_points_mask(DNNL_ARG_SRC, 0);
        attr.set_scales_mask(DNNL_ARG_WEIGHTS, 2);
    }
    const memory::desc src({m, k}, is_float ? dt::f32 : dt::u8, tag::ab);
    const memory::desc any({k, n}, is_float ? dt::f32 : dt::s8, tag::any);
    const memory::desc given({k, n}, is_float ? dt::f32 : dt::s8, tag::ba);
    const memory::desc dst({m, n}, raw ? dt::s32 : dt::f32, tag::ab);
    const memory::desc bias({1, n}, dt::f32, tag::ab);
    const auto desc =
        raw ? matmul::primitive_desc(eng, src, any, dst, attr) : matmul::primitive_desc(eng, src, any, bias, dst, attr);
    memory weights(desc.weights_desc(), eng);
    memory plain(given, eng, is_float ? static_cast<void*>(t.p.w.values.data()) : static_cast<void*>(t.p.wq.values.data()));
    reorder(plain, weights).execute(str, plain, weights);
    str.wait();
    const auto quantized = std::make_shared<aligned_array<std::uint8_t>>(what == kind::dynamic_linear ? t.a.size() : 0);
    const auto scale = std::make_shared<float>(1.0f);
    const auto zero = std::make_shared<std::int32_t>(0);
    const matmul product(desc);
    std::unordered_map<int, memory> args = {{DNNL_ARG_WEIGHTS, weights}};
    void* const source = is_float ? static_cast<void*>(t.p.x.data())
                         : raw    ? static_cast<void*>(t.a.data())
                                  : static_cast<void*>(quantized->data());
    args.insert({DNNL_ARG_SRC, memory(src, eng, source)});
    args.insert({DNNL_ARG_DST, memory(dst, eng, raw ? static_cast<void*>(t.c.data()) : static_cast<void*>(t.p.y.data()))});
    if (!raw) {
        args.insert({DNNL_ARG_BIAS, memory(bias, eng, t.p.bias.data())});
    }
    if (what == kind::dynamic_linear) {
        args.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, memory({{1}, dt::f32, tag::a}, eng, scale.get())});
        args.insert({DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, memory({{1}, dt::s32, tag::a}, eng, zero.get())});
        args.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, memory({{n}, dt::f32, tag::a}, eng, t.p.wq.scales.data())});
    }
    out.push_back({"oneDNN", [=, &t]() mutable {
                       if (what == kind::dynamic_linear) {  // oneDNN has no primitive for it: two plain passes
                           float low = 0.0f, high = 0.0f;
                           for (const float x : t.p.x) {
                               low = x < low ? x : low;
                               high = x > high ? x : high;
                           }
                           *scale = (high - low) / 255.0f;
                           const float inverse = 1.0f / *scale;
                           *zero = static_cast<std::int32_t>(std::nearbyint(-low * inverse));
                           std::uint8_t* const q = quantized->data();
                           const auto z = static_cast<float>(*zero);
                           for (std::size_t i = 0; i < quantized->size(); ++i) {
                               q[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(t.p.x.data()[i] * inverse + z + 0.5f));
                           }
                       }
                       product.execute(str, args);
                       str.wait();
                   }});
}
#endif

#if PARE_PEER_XNNPACK
void add_xnnpack(kind what, task& t, std::vector<contender>& out) {
    static const bool ready = xnn_initialize(nullptr) == xnn_status_success;
    const shape s = t.p.s;
    xnn_operator_t product = nullptr;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    if (!ready || what == kind::u8s8) {
        return;
    }
    if (what == kind::f32_linear) {
        if (xnn_create_fully_connected_nc_f32(s.k, s.n, s.k, s.n, t.p.w.values.data(), t.p.bias.data(), -infinity, infinity, 0,
                                              nullptr, nullptr, &product) != xnn_status_success ||
            xnn_reshape_fully_connected_nc_f32(product, s.m, nullptr) != xnn_status_success) {
            return;
        }
        xnn_setup_fully_connected_nc_f32(product, t.p.x.data(), t.p.y.data());
        out.push_back({"XNNPACK", [product] { xnn_run_operator(product, nullptr); }});
        return;
    }
    xnn_operator_t convert = nullptr;
    const auto bytes = std::make_shared<std::vector<std::int8_t>>(s.m * s.k + XNN_EXTRA_BYTES);
    const auto parameters = std::make_shared<std::vector<xnn_quantization_params>>(s.m + XNN_EXTRA_QUANTIZATION_PARAMS);
    if (xnn_create_convert_nc_f32_qd8(0, &convert) != xnn_status_success ||
        xnn_reshape_convert_nc_f32_qd8(convert, s.m, s.k, s.k, s.k, nullptr) != xnn_status_success ||
        xnn_setup_convert_nc_f32_qd8(convert, t.p.x.data(), bytes->data(), parameters->data()) != xnn_status_success ||
        xnn_create_fully_connected_nc_qd8_f32_qc8w(s.k, s.n, s.k, s.n, t.p.wq.scales.data(), t.p.wq.values.data(), t.p.bias.data(),
                                                   -infinity, infinity, 0, nullptr, nullptr, &product) != xnn_status_success ||
        xnn_reshape_fully_connected_nc_qd8_f32_qc8w(product, s.m, nullptr) != xnn_status_success ||
        xnn_setup_fully_connected_nc_qd8_f32_qc8w(product, bytes->data(), t.p.y.data(), parameters->data()) != xnn_status_success) {
        return;
    }
    out.push_back({"XNNPACK", [convert, product, bytes, parameters] {  // the operators point into the last two
                       xnn_run_operator(convert, nullptr);
                       xnn_run_operator(product, nullptr);
                   }});
}
#endif

#if PARE_PEER_RUY
void add_ruy(kind what, task& t, std::vector<contender>& out) {
    if (what == kind::dynamic_linear) {
        return;
    }
    const auto context = std::make_shared<ruy::Context>();
    context->set_max_num_threads(1);
    const int m = static_cast<int>(t.p.s.m), n = static_cast<int>(t.p.s.n), k = static_cast<int>(t.p.s.k);
    // C^T [n, m] = W [n, k] A^T [k, m]: ruy likes its cached operand on the left.
    const auto multiply = [=]<class L, class R, class D>(const L* w, const R* a, D* c, const auto& parameters) {
        ruy::Matrix<L> lhs;
        ruy::MakeSimpleLayout(n, k, ruy::Order::kRowMajor, lhs.mutable_layout());
        lhs.set_data(w);
        lhs.set_cache_policy(ruy::CachePolicy::kAlwaysCache);
        ruy::Matrix<R> rhs;
        ruy::MakeSimpleLayout(k, m, ruy::Order::kColMajor, rhs.mutable_layout());
        rhs.set_data(a);
        ruy::Matrix<D> dst;
        ruy::MakeSimpleLayout(n, m, ruy::Order::kColMajor, dst.mutable_layout());
        dst.set_data(c);
        ruy::Mul(lhs, rhs, parameters, context.get(), &dst);
    };
    if (what == kind::f32_linear) {
        out.push_back({"ruy", [=, &t] {
                           ruy::MulParams<float, float> parameters;
                           parameters.set_bias(t.p.bias.data());
                           multiply(t.p.w.values.data(), t.p.x.data(), t.p.y.data(), parameters);
                       }});
    }
}
#endif

#if PARE_PEER_OPENBLAS
void add_openblas(kind what, task& t, std::vector<contender>& out) {
    if (what == kind::f32_linear) {
        out.push_back({"OpenBLAS", [&t] {
                           const shape s = t.p.s;
                           for (std::size_t i = 0; i < s.m; ++i) {
                               std::memcpy(t.p.y.data() + i * s.n, t.p.bias.data(), s.n * sizeof(float));
                           }
                           const int m = static_cast<int>(s.m), n = static_cast<int>(s.n), k = static_cast<int>(s.k);
                           if (m == 1) {
                               cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0f, t.p.w.values.data(), k, t.p.x.data(), 1, 1.0f,
                                           t.p.y.data(), 1);
                           } else {
                               cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, t.p.x.data(), k,
                                           t.p.w.values.data(), k, 1.0f, t.p.y.data(), n);
                           }
                       }});
    }
}
#endif

#if PARE_PEER_EIGEN
void add_eigen(kind what, task& t, std::vector<contender>& out) {
    if (what == kind::f32_linear) {
        out.push_back({"Eigen", [&t] {
                           using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
                           const auto m = static_cast<Eigen::Index>(t.p.s.m), n = static_cast<Eigen::Index>(t.p.s.n),
                                      k = static_cast<Eigen::Index>(t.p.s.k);
                           const Eigen::Map<const matrix> x(t.p.x.data(), m, k), w(t.p.w.values.data(), n, k);
                           Eigen::Map<matrix> y(t.p.y.data(), m, n);
                           y.noalias() = x * w.transpose();
                           y.rowwise() += Eigen::Map<const Eigen::RowVectorXf>(t.p.bias.data(), n);
                       }});
    }
}
#endif

// ---- the measurement

void check(kind what, task& t, const contender& who) {
    const shape s = t.p.s;
    std::fill(t.c.begin(), t.c.end(), 0);
    std::fill(t.p.y.begin(), t.p.y.end(), 0.0f);
    who.run();
    for (std::size_t i = 0; i < std::min<std::size_t>(t.p.checked_rows(), 8); ++i) {
        for (std::size_t j = 0; j < s.n; ++j) {
            std::int64_t exact = 0;
            double sum = 0.0;
            for (std::size_t k = 0; k < s.k; ++k) {
                const std::size_t w = j * s.k + k;
                exact += std::int64_t{t.a[i * s.k + k]} * t.p.wq.values[w];
                sum += static_cast<double>(t.p.x[i * s.k + k]) *
                       static_cast<double>(what == kind::f32_linear ? t.p.w.values[w] : t.p.wq.real(j, w));
            }
            const double bound = (what == kind::f32_linear ? 1e-5 : 0.03) * std::sqrt(static_cast<double>(s.k));
            require(
                what == kind::u8s8 ? exact == t.c[i * s.n + j] : std::abs(sum - static_cast<double>(t.p.y[i * s.n + j])) <= bound,
                who.name, s);
        }
    }
}

double seconds(const contender& who, int calls) {
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    for (int i = 0; i < calls; ++i) {
        who.run();
    }
    return std::chrono::duration<double>(clock::now() - start).count() / calls;
}

void measure(shape s, std::vector<contender>& all) {
    constexpr int rounds = 15;
    std::vector<std::vector<double>> times(all.size());
    std::vector<int> calls;
    for (const auto& who : all) {
        seconds(who, 3);
        calls.push_back(1 + static_cast<int>(0.004 / seconds(who, 3)));
    }
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            times[i].push_back(seconds(all[i], calls[i]));
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::nth_element(times[i].begin(), times[i].begin() + rounds / 2, times[i].end());
        all[i].gop = 2e-9 * static_cast<double>(s.m * s.n * s.k) / times[i][rounds / 2];
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::printf("limits of the registers on %s: int8 %.0f, float %.0f Gop/s\n", native::name, limits::int8_gops(native::name),
                limits::f32_gflops(native::name));
    for (const kind what : {kind::u8s8, kind::dynamic_linear, kind::f32_linear}) {
        if (argc > 1 && std::strcmp(argv[1], kind_names[static_cast<int>(what)]) != 0) {
            continue;
        }
        double log_sum = 0.0, least = 1e9;
        int count = 0;
        for (std::size_t index = 0; index < std::size(shapes); ++index) {
            if (argc > 2 && std::strtoul(argv[2], nullptr, 10) != index) {
                continue;
            }
            task t(shapes[index]);
            std::vector<contender> all = {ours(what, t)};
#if PARE_PEER_ONEDNN
            add_onednn(what, t, all);
#endif
#if PARE_PEER_XNNPACK
            add_xnnpack(what, t, all);
#endif
#if PARE_PEER_RUY
            add_ruy(what, t, all);
#endif
#if PARE_PEER_OPENBLAS
            add_openblas(what, t, all);
#endif
#if PARE_PEER_EIGEN
            add_eigen(what, t, all);
#endif
            double best = 0.0;
            for (const auto& who : all) {
                check(what, t, who);
            }
            measure(t.p.s, all);
            std::printf("%-14s %5zux%4zux%4zu", kind_names[static_cast<int>(what)], t.p.s.m, t.p.s.n, t.p.s.k);
            for (std::size_t i = 0; i < all.size(); ++i) {
                std::printf("  %s %.1f", all[i].name, all[i].gop);
                best = i > 0 ? std::max(best, all[i].gop) : best;
            }
            if (best > 0.0) {
                const double ratio = all[0].gop / best;
                log_sum += std::log(ratio);
                least = std::min(least, ratio);
                ++count;
                std::printf("  = %.2f", ratio);
            }
            std::printf("\n");
            std::fflush(stdout);
        }
        if (count > 0) {
            std::printf("%-14s ours / best other: geometric mean %.3f, least %.3f\n", kind_names[static_cast<int>(what)],
                        std::exp(log_sum / count), least);
        }
    }
}
