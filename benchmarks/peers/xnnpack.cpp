#include <limits>
#include <memory>

#include <xnnpack.h>

#include "task.hpp"

namespace peers {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct operators {
    std::vector<xnn_operator_t> order;  // of execution
    std::vector<std::vector<std::int8_t>> bytes;
    std::vector<std::vector<xnn_quantization_params>> parameters;
};

bool add_floats(task& t, std::size_t index, operators& all) {
    problem& p = t.layers[index];
    xnn_operator_t product = nullptr;
    if (xnn_create_fully_connected_nc_f32(p.s.k, p.s.n, p.s.k, p.s.n, p.w.values.data(), p.bias.data(),
                                          t.relu_after(index) ? 0.0f : -infinity, infinity, 0, nullptr, nullptr,
                                          &product) != xnn_status_success ||
        xnn_reshape_fully_connected_nc_f32(product, p.s.m, nullptr) != xnn_status_success ||
        xnn_setup_fully_connected_nc_f32(product, t.input(index).data(), p.y.data()) != xnn_status_success) {
        return false;
    }
    all.order.push_back(product);
    return true;
}

/// The conversion of a layer's input to bytes.
bool add_conversion(task& t, std::size_t index, operators& all) {
    const problem& p = t.layers[index];
    xnn_operator_t convert = nullptr;
    auto& bytes = all.bytes.emplace_back(p.s.m * p.s.k + XNN_EXTRA_BYTES);
    auto& parameters = all.parameters.emplace_back(p.s.m + XNN_EXTRA_QUANTIZATION_PARAMS);
    if (xnn_create_convert_nc_f32_qd8(0, &convert) != xnn_status_success ||
        xnn_reshape_convert_nc_f32_qd8(convert, p.s.m, p.s.k, p.s.k, p.s.k, nullptr) != xnn_status_success ||
        xnn_setup_convert_nc_f32_qd8(convert, t.input(index).data(), bytes.data(), parameters.data()) != xnn_status_success) {
        return false;
    }
    all.order.push_back(convert);
    return true;
}

bool add_dynamic(task& t, std::size_t index, operators& all) {
    problem& p = t.layers[index];
    xnn_operator_t product = nullptr;
    if (!add_conversion(t, index, all) ||
        xnn_create_fully_connected_nc_qd8_f32_qc8w(p.s.k, p.s.n, p.s.k, p.s.n, p.wq.scales.data(), p.wq.values.data(),
                                                   p.bias.data(), t.relu_after(index) ? 0.0f : -infinity, infinity, 0, nullptr,
                                                   nullptr, &product) != xnn_status_success ||
        xnn_reshape_fully_connected_nc_qd8_f32_qc8w(product, p.s.m, nullptr) != xnn_status_success ||
        xnn_setup_fully_connected_nc_qd8_f32_qc8w(product, all.bytes.back().data(), p.y.data(), all.parameters.back().data()) !=
            xnn_status_success) {
        return false;
    }
    all.order.push_back(product);
    return true;
}

using nibbles = pare::weight_matrix<pare::qint4<64>, pare::full>;

/// Four bits in groups of 64, as ours are, but for their scales: bfloat16. `w` gets those.
bool add_nibbles(task& t, std::size_t index, operators& all, nibbles& w) {
    problem& p = t.layers[index];
    std::vector<std::uint16_t> scales;
    for (float& scale : w.scales) {
        const pare::bfloat16 rounded(scale);
        scales.push_back(rounded.bits);
        scale = rounded;
    }
    xnn_operator_t product = nullptr;
    if (!add_conversion(t, index, all) ||
        xnn_create_fully_connected_nc_qd8_f32_qb4w(p.s.k, p.s.n, p.s.k, p.s.n, 64, 8, scales.data(), w.values.data(), p.bias.data(),
                                                   t.relu_after(index) ? 0.0f : -infinity, infinity, 0, nullptr, nullptr,
                                                   &product) != xnn_status_success ||
        xnn_reshape_fully_connected_nc_qd8_f32_qb4w(product, p.s.m, nullptr) != xnn_status_success ||
        xnn_setup_fully_connected_nc_qd8_f32_qb4w(product, all.bytes.back().data(), p.y.data(), all.parameters.back().data()) !=
            xnn_status_success) {
        return false;
    }
    all.order.push_back(product);
    return true;
}

}  // namespace

void xnnpack(task& t, std::vector<contender>& out) {
    static const bool ready = xnn_initialize(nullptr) == xnn_status_success;
    if (!ready || t.what == arithmetic::u8s8 || t.what == arithmetic::bf16) {
        return;
    }
    const auto all = std::make_shared<operators>();
    const auto weights = std::make_shared<std::vector<nibbles>>();
    for (std::size_t i = 0; i < t.layers.size(); ++i) {
        if (t.what == arithmetic::nibbles) {
            weights->push_back(*pare::quantize_weights_in_groups<pare::qint4<64>>(t.layers[i].w));
        }
        if (!(t.what == arithmetic::f32       ? add_floats(t, i, *all)
              : t.what == arithmetic::dynamic ? add_dynamic(t, i, *all)
                                              : add_nibbles(t, i, *all, weights->back()))) {
            return;
        }
    }
    contender who{{"XNNPACK", [all] {
                       for (const auto op : all->order) {
                           xnn_run_operator(op, nullptr);
                       }
                   }}};
    who.rounds = t.what != arithmetic::f32;
    if (t.what == arithmetic::nibbles) {
        who.weight = [weights](std::size_t layer, std::size_t row, std::size_t i) {
            const nibbles& w = (*weights)[layer];
            return w.real(row, row * w.columns() + i);
        };
    }
    out.push_back(std::move(who));
}

}  // namespace peers
