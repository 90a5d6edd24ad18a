// Convolutions of several libraries, in turns: ours and those of whichever oneDNN and XNNPACK CMake finds, each checked first.
// Bytes to bytes (oneDNN u8 x s8 to s8, XNNPACK qs8 with a scale per channel; ours u8 x s8, requantized to s8), and floats. Prints
// 10^9 operations per second, two per multiply-add, and ours as a share of the best other.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include <pare/core/aligned.hpp>
#include <pare/core/random.hpp>
#include <pare/kernels/depthwise.hpp>
#include <pare/kernels/reference.hpp>

#include "turns.hpp"

#if PARE_PEER_ONEDNN
#include <dnnl.hpp>
#endif
#if PARE_PEER_XNNPACK
#include <xnnpack.h>
#endif

namespace {

using namespace pare;
using isa::native;
using kernels::convolution;

constexpr convolution shapes[] = {
    {112, 112, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 32},   {112, 112, 64, 64, 3, 3, 2, 2, 1, 1, 1, 1, 64},
    {56, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 64},     {56, 56, 128, 128, 3, 3, 2, 2, 1, 1, 1, 1, 128},
    {28, 28, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 256},  {14, 14, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 512},
    {7, 7, 1024, 1024, 3, 3, 1, 1, 1, 1, 1, 1, 1024}, {28, 28, 120, 120, 5, 5, 1, 1, 2, 2, 1, 1, 120},
    {56, 56, 96, 96, 7, 7, 1, 1, 3, 3, 1, 1, 96},     {1, 4000, 64, 64, 1, 9, 1, 1, 0, 4, 1, 1, 64},
    {56, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1},      {14, 14, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1},
    {56, 56, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 32},   {14, 14, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 4},
};
constexpr std::uint8_t zero_point = 128;  // of the image, so that signed bytes have none
constexpr float multiplier = 0.002f;

/// Operands of one size, and every library's output.
struct problem {
    convolution s;
    std::vector<std::uint8_t> x;    // ours and oneDNN's
    aligned_array<std::int8_t> xs;  // less 128
    aligned_array<float> xf;        // the same again
    std::vector<std::int8_t> w;
    aligned_array<std::int8_t> y;
    std::vector<float> wf;
    aligned_array<float> yf;

    explicit problem(const convolution& shape)
        : s(shape),
          x(s.height * s.width * s.channels),
          xs(x.size() + 64),
          xf(x.size()),
          w(s.outputs * s.kernel_size()),
          y(s.output_pixels() * s.outputs),
          wf(w.size()),
          yf(y.size()) {
        const random_numbers random(seed{1}, 0);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x[i] = static_cast<std::uint8_t>(random.words(i)[0]);
            xs[i] = static_cast<std::int8_t>(x[i] - 128);
            xf[i] = static_cast<float>(xs[i]);
        }
        for (std::size_t i = 0; i < w.size(); ++i) {
            w[i] = static_cast<std::int8_t>(static_cast<int>(random.words(i)[1] % 127) - 63);
            wf[i] = static_cast<float>(w[i]);
        }
    }
    double operations() const { return 2.0 * static_cast<double>(s.output_pixels() * s.outputs * s.kernel_size()); }
};

using turns::contender;

contender ours(problem& p, bool floats) {
    const convolution& s = p.s;
    const bool depthwise = s.groups == s.channels && s.groups > 1;
    struct state {
        aligned_array<std::int8_t> data;
        aligned_array<float> floats, multipliers;
        aligned_array<std::int32_t> sums, offsets;
        aligned_array<std::uint8_t> padded;
        aligned_array<float> padded_floats;
        kernels::packed_int8 view;
        kernels::packed_depthwise<std::int8_t> bytes;
        kernels::packed_depthwise<float> reals;
    };
    const auto t = std::make_shared<state>();
    const auto copy = [](const auto* from, std::size_t n, auto* to) { std::memcpy(to, from, n * sizeof *to); };
    if (floats && depthwise) {
        using kernel = kernels::depthwise_kernel<native, float>;
        t->floats = aligned_array<float>(kernel::packed_size(s));
        t->reals = kernel::pack(p.wf.data(), s, t->floats.data(), nullptr);
        return {"pare", [&p, t] {
                    serial_executor serial;
                    kernels::depthwise_f32<native>(serial, p.s, p.xf.data(), t->reals,
                                                   kernels::epilogue<float>(p.yf.data(), p.s.outputs));
                }};
    }
    if (floats) {
        using kernel = kernels::conv2d_f32_kernel<native>;
        t->floats = aligned_array<float>(kernel::packed_size(s));
        t->padded_floats = aligned_array<float>(s.padded_size());
        kernel::pack(p.wf.data(), s, t->floats.data());
        return {"pare", [&p, t, copy] {
                    serial_executor serial;
                    kernels::pad_image(p.s, p.xf.data(), 0.0f, t->padded_floats.data(), copy);
                    kernels::conv2d_f32<native>(serial, p.s, t->padded_floats.data(), t->floats.data(),
                                                kernels::epilogue<float>(p.yf.data(), p.s.outputs));
                }};
    }
    using dense_kernel = kernels::conv2d_int8_kernel<native>;
    using depthwise_kernel = kernels::depthwise_kernel<native, std::int8_t>;
    t->data = aligned_array<std::int8_t>(depthwise ? depthwise_kernel::packed_size(s) : dense_kernel::packed_size(s));
    t->sums = aligned_array<std::int32_t>(depthwise ? depthwise_kernel::column_sums_size(s) : dense_kernel::column_sums_size(s));
    t->offsets = aligned_array<std::int32_t>(s.outputs);
    t->multipliers = aligned_array<float>(s.outputs);
    std::fill(t->multipliers.begin(), t->multipliers.end(), multiplier);
    if (depthwise) {
        t->bytes = depthwise_kernel::pack(p.w.data(), s, t->data.data(), t->sums.data());
    } else {
        t->view = dense_kernel::pack(p.w.data(), s, t->data.data(), t->sums.data());
        t->padded = aligned_array<std::uint8_t>(s.padded_size() + kernels::conv2d_int8_slack<native>);
    }
    for (std::size_t j = 0; j < s.outputs; ++j) {
        t->offsets[j] = -std::int32_t{zero_point} * t->sums[j];
    }
    return {"pare", [&p, t, copy, depthwise] {
                serial_executor serial;
                const kernels::epilogue<std::int8_t, kernels::add_offsets, kernels::requantize> store(
                    p.y.data(), p.s.outputs, {t->offsets.data()}, {t->multipliers.data(), 0, -128, 127});
                if (depthwise) {
                    kernels::depthwise_int8<native>(serial, p.s, p.x.data(), zero_point, t->bytes, store);
                } else {
                    kernels::pad_image(p.s, p.x.data(), zero_point, t->padded.data(), copy);
                    kernels::conv2d_int8<native>(serial, p.s, t->padded.data(), t->view, store);
                }
            }};
}

#if PARE_PEER_ONEDNN
void add_onednn(problem& p, bool floats, std::vector<contender>& out) {
    using namespace dnnl;
    using dt = memory::data_type;
    using tag = memory::format_tag;
    static engine eng(engine::kind::cpu, 0);
    static stream str(eng);
    const auto n = [](std::size_t x) { return static_cast<memory::dim>(x); };
    const convolution& s = p.s;
    const memory::dims x_dims = {1, n(s.channels), n(s.height), n(s.width)};
    const memory::dims w_dims = {n(s.groups), n(s.group_outputs()), n(s.group_channels()), n(s.kernel_height), n(s.kernel_width)};
    const memory::dims y_dims = {1, n(s.outputs), n(s.output_height()), n(s.output_width())};
    const memory::dims padding = {n(s.padding_height), n(s.padding_width)};
    primitive_attr attr;
    if (!floats) {
        attr.set_scales_mask(DNNL_ARG_WEIGHTS, 0);
    }
    const auto x_type = floats ? dt::f32 : dt::s8, w_type = floats ? dt::f32 : dt::s8, y_type = floats ? dt::f32 : dt::s8;
    const convolution_forward::primitive_desc desc(
        eng, prop_kind::forward_inference, algorithm::convolution_direct, memory::desc(x_dims, x_type, tag::nhwc),
        memory::desc(w_dims, w_type, tag::any), memory::desc(y_dims, y_type, tag::nhwc),
        memory::dims{n(s.stride_height), n(s.stride_width)}, memory::dims{n(s.dilation_height - 1), n(s.dilation_width - 1)},
        padding, padding, attr);
    memory weights(desc.weights_desc(), eng);
    memory plain(memory::desc(w_dims, w_type, tag::gohwi), eng,
                 floats ? static_cast<void*>(p.wf.data()) : static_cast<void*>(p.w.data()));
    reorder(plain, weights).execute(str, plain, weights);
    str.wait();
    const auto scale = std::make_shared<float>(multiplier);
    std::unordered_map<int, memory> args = {{DNNL_ARG_WEIGHTS, weights}};
    args.insert(
        {DNNL_ARG_SRC, memory(desc.src_desc(), eng, floats ? static_cast<void*>(p.xf.data()) : static_cast<void*>(p.xs.data()))});
    args.insert(
        {DNNL_ARG_DST, memory(desc.dst_desc(), eng, floats ? static_cast<void*>(p.yf.data()) : static_cast<void*>(p.y.data()))});
    if (!floats) {
        args.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, memory({{1}, dt::f32, tag::a}, eng, scale.get())});
    }
    const convolution_forward product(desc);
    out.push_back({"oneDNN", [product, args, scale]() mutable {  // which the arguments point to
                       product.execute(str, args);
                       str.wait();
                   }});
}
#endif

#if PARE_PEER_XNNPACK
void add_xnnpack(problem& p, bool floats, std::vector<contender>& out) {
    static const bool ready = xnn_initialize(nullptr) == xnn_status_success;
    const convolution& s = p.s;
    const auto u = [](std::size_t x) { return static_cast<std::uint32_t>(x); };
    const std::uint32_t flags = s.groups == s.channels && s.groups > 1 ? XNN_FLAG_DEPTHWISE_CONVOLUTION : 0;
    // a depthwise kernel is [height, width, channels] there
    std::vector<std::int8_t> w = p.w;
    std::vector<float> wf = p.wf;
    if (flags != 0) {
        for (std::size_t c = 0; c < s.outputs; ++c) {
            for (std::size_t i = 0; i < s.kernel_size(); ++i) {
                w[i * s.outputs + c] = p.w[c * s.kernel_size() + i];
                wf[i * s.outputs + c] = p.wf[c * s.kernel_size() + i];
            }
        }
    }
    const std::vector<float> scales(s.outputs, multiplier);
    xnn_operator_t op = nullptr;
    std::size_t bytes = 0, align = 0, height = 0, width = 0;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const auto created =
        floats ? xnn_create_convolution2d_nhwc_f32(u(s.padding_height), u(s.padding_width), u(s.padding_height), u(s.padding_width),
                                                   u(s.kernel_height), u(s.kernel_width), u(s.stride_height), u(s.stride_width),
                                                   u(s.dilation_height), u(s.dilation_width), u(s.groups), s.group_channels(),
                                                   s.group_outputs(), s.channels, s.outputs, wf.data(), nullptr, -infinity,
                                                   infinity, flags, nullptr, nullptr, &op)
               : xnn_create_convolution2d_nhwc_qs8_qc8w(
                     u(s.padding_height), u(s.padding_width), u(s.padding_height), u(s.padding_width), u(s.kernel_height),
                     u(s.kernel_width), u(s.stride_height), u(s.stride_width), u(s.dilation_height), u(s.dilation_width),
                     u(s.groups), s.group_channels(), s.group_outputs(), s.channels, s.outputs, 0, 1.0f, scales.data(), w.data(),
                     nullptr, 0, 1.0f, -128, 127, flags, nullptr, nullptr, &op);
    const auto shaped =
        !ready || created != xnn_status_success ? created
        : floats ? xnn_reshape_convolution2d_nhwc_f32(op, 1, s.height, s.width, &bytes, &align, &height, &width, nullptr)
                 : xnn_reshape_convolution2d_nhwc_qs8_qc8w(op, 1, s.height, s.width, &bytes, &align, &height, &width, nullptr);
    if (shaped != xnn_status_success) {
        std::fprintf(stderr, "XNNPACK: no such convolution\n");
        return;
    }
    const auto space = std::make_shared<aligned_array<char>>(bytes + 64);
    if (floats) {
        xnn_setup_convolution2d_nhwc_f32(op, space->data(), p.xf.data(), p.yf.data());
    } else {
        xnn_setup_convolution2d_nhwc_qs8_qc8w(op, space->data(), p.xs.data(), p.y.data());
    }
    out.push_back({"XNNPACK", [op, space] { xnn_run_operator(op, nullptr); }});
}
#endif

void check(problem& p, bool floats, const contender& who) {
    std::fill(p.y.begin(), p.y.end(), std::int8_t{55});
    std::fill(p.yf.begin(), p.yf.end(), 1e9f);
    who.run();
    std::vector<std::int32_t> expected(p.y.size());
    kernels::reference::convolve<std::int32_t>(p.s, p.xs.data(), std::int8_t{0}, p.w.data(), expected.data());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const float real = static_cast<float>(expected[i]);
        const float wanted = std::clamp(real * multiplier, -128.0f, 127.0f);
        if (floats ? std::abs(p.yf[i] - real) > 1e-5f * std::abs(real) + 0.5f
                   : std::abs(static_cast<float>(p.y[i]) - wanted) > 0.51f) {
            std::fprintf(stderr, "%s is wrong at %zu: %g, %g\n", who.name.c_str(), i, floats ? p.yf[i] : p.y[i],
                         floats ? real : wanted);
            std::exit(1);
        }
    }
}

}  // namespace

int main() {
    for (const bool floats : {false, true}) {
        double log_sum = 0.0;
        int count = 0;
        for (const convolution& s : shapes) {
            problem p(s);
            std::vector<contender> all = {ours(p, floats)};
#if PARE_PEER_ONEDNN
            add_onednn(p, floats, all);
#endif
#if PARE_PEER_XNNPACK
            add_xnnpack(p, floats, all);
#endif
            for (const auto& who : all) {
                check(p, floats, who);
            }
            turns::measure(all);
            std::printf("%s %3zux%4zux%4zu to %4zu, kernel %zux%zu, stride %zu, groups %4zu:", floats ? "f32" : "s8 ", s.height,
                        s.width, s.channels, s.outputs, s.kernel_height, s.kernel_width, s.stride_width, s.groups);
            double best = 0.0;
            for (std::size_t i = 0; i < all.size(); ++i) {
                const double gop = 1e-9 * p.operations() / all[i].seconds;
                std::printf("  %s %.1f", all[i].name.c_str(), gop);
                best = i > 0 ? std::max(best, gop) : best;
            }
            if (best > 0.0) {
                const double ratio = 1e-9 * p.operations() / all[0].seconds / best;
                std::printf("  = %.2f", ratio);
                log_sum += std::log(ratio);
                ++count;
            }
            std::printf("\n");
            std::fflush(stdout);
        }
        if (count > 0) {
            std::printf("%s: ours / best other, geometric mean %.2f\n", floats ? "f32" : "s8", std::exp(log_sum / count));
        }
    }
}
