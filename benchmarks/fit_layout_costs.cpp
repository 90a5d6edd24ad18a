// Measures what products by weights in each layout cost on the best instruction set that the flags allow, fits the terms of
// prune/layout_costs.hpp to them, and prints its lines; "worst" is the largest factor between a prediction and what was measured.
//
//   fit_layout_costs              the lines of one instruction set
//   fit_layout_costs check        instead, layers as sparsify() would store them beside dense ones: predicted and measured

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <pare/nn/prepare.hpp>
#include <pare/prune/sparsify.hpp>

#include "limits.hpp"
#include "problem.hpp"
#include "turns.hpp"

namespace {

using namespace pare;
using namespace products;
using isa::native;

struct size {
    std::size_t outputs, inputs;
};
constexpr size sizes[] = {{10, 100}, {64, 64}, {300, 256}, {100, 784}, {512, 512}};
constexpr int kept_percents[] = {50, 20, 10, 5};

/// Blocks of weights that are kept, each by its own draw.
template <std::size_t Rows, std::size_t Columns>
bool blocks(const random_numbers& random, std::size_t row, std::size_t column, float kept) {
    return random.uniform((std::uint64_t{row / Rows} << 32) + column / Columns) < kept;
}
/// Two of each four inputs, or fewer.
bool two_of_four(const random_numbers& random, std::size_t row, std::size_t column, float) {
    return (column + random.below((std::uint64_t{row} << 32) + column / 4, 4)) % 4 < 2;
}
using pattern = bool (*)(const random_numbers&, std::size_t, std::size_t, float);

template <class Element>
weight_matrix<Element, full> weights_of(const problem& p, pattern keep, float kept) {
    const random_numbers random(seed{2}, 0);
    weight_matrix<float, full> w = p.w;
    for (std::size_t i = 0; i < w.values.size(); ++i) {
        w.values[i] = keep(random, i / p.s.k, i % p.s.k, kept) ? w.values[i] : 0.0f;
    }
    if constexpr (std::is_same_v<Element, float>) {
        return w;
    } else {
        auto bytes = *quantize_weights(w, granularity::per_channel);
        for (auto& value : bytes.values) {  // what was kept is not to become a zero
            value = value == 0 && w.values[static_cast<std::size_t>(&value - bytes.values.data())] != 0.0f ? std::int8_t{1} : value;
        }
        return bytes;
    }
}

template <class Element>
using activations_for = std::conditional_t<std::is_same_v<Element, float>, as_float, dynamic_range>;

/// The least of some times of a call, in nanoseconds.
template <class F>
double nanoseconds(const F& f, double budget = 0.002) {
    const turns::contender who{"", f};
    turns::seconds_per_call(who, 2);
    const int calls = 1 + static_cast<int>(budget / 8.0 / turns::seconds_per_call(who, 2));
    double least = 1e9;
    for (int round = 0; round < 8; ++round) {
        least = (std::min)(least, turns::seconds_per_call(who, calls));
    }
    return 1e9 * least;
}
template <class Packed, class Element>
double product_ns(problem& p, const Packed& w, Element, double budget = 0.002) {
    const activations_for<Element> activations;
    workspace space(w.scratch_bytes(activations, p.s.m, p.s.n, p.s.k));
    serial_executor serial;
    return nanoseconds(
        [&] {
            context<native, serial_executor> ctx{serial, space.scratch()};
            w.multiply(activations, ctx, matrix_view<const float>(p.x.data(), p.s.m, p.s.k),
                       matrix_view<float>(p.y.data(), p.s.m, p.s.n), kernels::add_bias{p.bias.data()});
        },
        budget);
}

struct sample {
    double features[4];  // 1, outputs, inputs, values
    double ns;
};

/// The terms with the least squares of relative errors, none of them negative: coordinate descent.
std::vector<double> fitted(const std::vector<sample>& samples) {
    std::vector<double> terms(4, 0.0);
    for (int pass = 0; pass < 20000; ++pass) {
        for (std::size_t t = 0; t < 4; ++t) {
            double with = 0.0, squares = 1e-300;
            for (const sample& s : samples) {
                double rest = s.ns;
                for (std::size_t u = 0; u < 4; ++u) {
                    rest -= u == t ? 0.0 : terms[u] * s.features[u];
                }
                with += rest * s.features[t] / (s.ns * s.ns);
                squares += s.features[t] * s.features[t] / (s.ns * s.ns);
            }
            terms[t] = (std::max)(with / squares, 0.0);
        }
    }
    return terms;
}

void print_terms(const std::vector<sample>& samples, double& worst) {
    const std::vector<double> terms = fitted(samples);
    std::printf("{%.4gf, %.4gf, %.4gf, %.4gf}", terms[0], terms[1], terms[2], terms[3]);
    for (const sample& s : samples) {
        double predicted = 0.0;
        for (std::size_t t = 0; t < 4; ++t) {
            predicted += terms[t] * s.features[t];
        }
        worst = (std::max)({worst, predicted / s.ns, s.ns / predicted});
    }
}

template <class Element, class Layout>
void fit(pattern keep) {
    double worst = 1.0;
    const std::string name = weight_matrix<Element, Layout>(to_layout<Layout>(weight_matrix<Element, full>(1, 1))).describe();
    std::printf("    {\"%s\", \"%s\", {", native::name, name.c_str());
    for (const std::size_t rows : layout_cost::rows) {
        std::vector<sample> samples;
        for (const size& s : sizes) {
            problem p({rows, s.outputs, s.inputs});
            for (const int percent : kept_percents) {
                const auto w = to_layout<Layout>(weights_of<Element>(p, keep, static_cast<float>(percent) * 0.01f));
                const double ns = product_ns(p, packed<weight_matrix<Element, Layout>, native>(w), Element{});
                samples.push_back({{1.0, static_cast<double>(s.outputs), static_cast<double>(s.inputs),
                                    static_cast<double>(w.structure.stored())},
                                   ns});
                if (std::is_same_v<Layout, full>) {
                    break;
                }
            }
        }
        std::printf("%s", rows == 1 ? "" : ", ");
        print_terms(samples, worst);
    }
    std::printf("}},  // worst %.2f\n", worst);
    std::fflush(stdout);
}

/// Per number that copy_patches() writes.
template <class T>
void fit_patches(const char* name) {
    const kernels::convolution s{.height = 14,
                                 .width = 14,
                                 .channels = 32,
                                 .outputs = 1,
                                 .kernel_height = 3,
                                 .kernel_width = 3,
                                 .padding_height = 1,
                                 .padding_width = 1};
    aligned_array<T> image(14 * 14 * 32), patches(64 * s.kernel_size());
    const double ns = nanoseconds([&] { kernels::copy_patches<native>(s, image.data(), 0, 20, 64, patches.data(), T{}); }) /
                      static_cast<double>(s.kernel_size());
    std::printf("    {\"%s\", \"%s patches\", {{0, 0, %.4gf, 0}, {0, 0, %.4gf, 0}, {0, 0, %.4gf, 0}}},\n", native::name, name,
                ns / 64.0, ns / 8.0, ns);
}

/// Calls f.operator()<Layout>(which weights are kept) for each layout, in the pattern that it is for.
template <class F>
void for_each_layout(const F& f) {
    f.template operator()<full>(blocks<1, 1>);
    f.template operator()<csr>(blocks<1, 1>);
    f.template operator()<bsr<16, 4>>(blocks<16, 4>);
    f.template operator()<n_of_m<2, 4>>(two_of_four);
}

template <class Element>
void check(problem& p, pattern keep, const char* pattern_name, int percent, int& slower) {
    const auto w = weights_of<Element>(p, keep, static_cast<float>(percent) * 0.01f);
    const auto net =
        sequential(dense<dyn, dyn, weight_matrix<Element, full>, activations_for<Element>>(w, tensor<float, dyn>(p.s.n)));
    const auto prediction = predict_layouts(net, {.batch = p.s.m}).layers[0];
    const auto chosen = *sparsify(net, {.batch = p.s.m});
    const double full_ns = product_ns(p, packed<weight_matrix<Element, full>, native>(w), Element{}, 0.02);
    const auto& weights = std::get<0>(chosen.layers).weights;
    const double chosen_ns = prediction.chosen == 0
                                 ? full_ns
                                 : product_ns(p, packed<std::remove_cvref_t<decltype(weights)>, native>(weights), Element{}, 0.02);
    slower += chosen_ns > 1.1 * full_ns ? 1 : 0;
    std::printf(
        "%2zux%zux%zu, %s, %2d%% kept: %-16s predicted %8.2f us measured %8.2f us (%.2f); dense predicted %8.2f us measured "
        "%8.2f us (%.2f)%s\n",
        p.s.m, p.s.n, p.s.k, pattern_name, percent, prediction.layouts[prediction.chosen].weights.c_str(),
        prediction.layouts[prediction.chosen].microseconds, 1e-3 * chosen_ns,
        1e3 * prediction.layouts[prediction.chosen].microseconds / chosen_ns, prediction.layouts[0].microseconds, 1e-3 * full_ns,
        1e3 * prediction.layouts[0].microseconds / full_ns, chosen_ns > 1.1 * full_ns ? "  SLOWER THAN DENSE" : "");
    std::fflush(stdout);
}

int check_all() {
    int slower = 0;
    for (const shape& s :
         {shape{1, 300, 784}, shape{1, 1024, 1024}, shape{1, 2048, 2048}, shape{16, 512, 512}, shape{64, 256, 1024}}) {
        problem p(s);
        for (const int percent : {40, 20, 10, 5}) {
            check<float>(p, blocks<1, 1>, "single weights", percent, slower);
            check<qint8>(p, blocks<1, 1>, "single weights", percent, slower);
            check<float>(p, blocks<16, 4>, "blocks 16x4", percent, slower);
            check<qint8>(p, blocks<16, 4>, "blocks 16x4", percent, slower);
        }
        check<float>(p, two_of_four, "2 of 4", 50, slower);
        check<qint8>(p, two_of_four, "2 of 4", 50, slower);
    }
    std::printf("%d slower than dense by more than a tenth\n", slower);
    return slower == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    if (count > 1 && std::string(arguments[1]) == "check") {
        return check_all();
    }
    std::printf("inline constexpr reading_cost layout_reading_cost{%.4g, %.4g};\n", 1.0 / limits::read_gbps(8 << 20),
                1.0 / limits::read_gbps(256 << 20));
    for_each_layout([]<class Layout>(pattern keep) {
        fit<float, Layout>(keep);
        fit<qint8, Layout>(keep);
    });
    fit_patches<float>("float");
    fit_patches<std::uint8_t>("qint8");
}
