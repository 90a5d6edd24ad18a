#include <memory>

#include <pare/kernels/gemm_int8.hpp>
#include <pare/kernels/packed_full.hpp>
#include <pare/kernels/packed_groups.hpp>

#include "task.hpp"

namespace peers {

namespace {

using namespace pare;
using isa::native;

void exact(task& t, std::vector<contender>& out) {
    using kernel = kernels::gemm_int8_kernel<native>;
    struct weights {
        aligned_array<std::int8_t> data;
        aligned_array<std::int32_t> sums;
    };
    const shape s = t.layers[0].s;
    const auto w = std::make_shared<weights>(weights{aligned_array<std::int8_t>(kernel::packed_size(s.n, s.k)),
                                                     aligned_array<std::int32_t>(kernel::layout::padded(s.n))});
    const auto packed = kernel::pack(t.layers[0].wq.values.data(), s.n, s.k, w->data.data(), w->sums.data());
    out.push_back({{"pare", [w, packed, s, &t] {
                        serial_executor serial;
                        kernels::gemm_int8<native>(serial, s.m, t.a.data(), s.k, packed,
                                                   kernels::epilogue<std::int32_t>(t.c.data(), s.n));
                    }}});
}

template <class Element, class Activations>
contender linear(const char* name, task& t, const weight_matrix<Element, full>& weights, Activations activations) {
    using packed_type = packed<weight_matrix<Element, full>, native>;
    problem& p = t.layers[0];
    const auto w = std::make_shared<packed_type>(weights);
    const auto space = std::make_shared<workspace>(w->scratch_bytes(activations, p.s.m, p.s.n, p.s.k));
    const auto kept = std::make_shared<weight_matrix<Element, full>>(weights);
    return {{name,
             [w, space, activations, &p] {
                 serial_executor serial;
                 context<native, serial_executor> ctx{serial, space->scratch()};
                 w->multiply(activations, ctx, matrix_view<const float>(p.x.data(), p.s.m, p.s.k),
                             matrix_view<float>(p.y.data(), p.s.m, p.s.n), kernels::add_bias{p.bias.data()});
             }},
            [kept](std::size_t, std::size_t row, std::size_t i) { return kept->real(row, row * kept->columns() + i); },
            std::is_same_v<Activations, dynamic_range>};
}

}  // namespace

void pare_kernels(task& t, std::vector<contender>& out) {
    const problem& p = t.layers[0];
    switch (t.what) {
        case arithmetic::u8s8: exact(t, out); break;
        case arithmetic::dynamic: out.push_back(linear("pare", t, p.wq, dynamic_range{})); break;
        case arithmetic::f32: out.push_back(linear("pare", t, p.w, as_float{})); break;
        case arithmetic::nibbles:
            out.push_back(linear("pare qint4<64>", t, *quantize_weights_in_groups<qint4<64>>(p.w), dynamic_range{}));
            out.push_back(linear("pare q4_0", t, *quantize_weights_to_blocks<pare::ggml::q4_0>(p.w), dynamic_range{}));
            out.push_back(linear("pare qint8", t, p.wq, dynamic_range{}));
            break;
        case arithmetic::bf16: {
            weight_matrix<bfloat16, full> rounded(p.w.structure);
            std::transform(p.w.values.begin(), p.w.values.end(), rounded.values.begin(), [](float w) { return bfloat16(w); });
            out.push_back(linear("pare bfloat16", t, rounded, as_float{}));
            out.push_back(linear("pare float", t, p.w, as_float{}));
            break;
        }
    }
}

}  // namespace peers
