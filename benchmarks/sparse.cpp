// Linear layers with sparse weights, each in turns with the dense layer of the same element type and shape, and compared with plain
// loops first. Weights packed before, bias added, one thread. Prints medians in microseconds and how many times as fast as dense
// sparse is. A layout is a line in main().
//
//   bench_sparse [float | int8] [part of a layout's name] [batch]

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <pare/nn/prepare.hpp>
#include <pare/prune/sparsify.hpp>

#include "problem.hpp"
#include "turns.hpp"

namespace {

using namespace pare;
using namespace products;
using isa::native;
using turns::contender;

constexpr shape layers[] = {{1, 1024, 1024}, {1, 4096, 4096}, {64, 1024, 1024}};

/// Which weights a pattern keeps: keep(random, row, column, sparsity fraction).
using pattern = bool (*)(const random_numbers&, std::size_t, std::size_t, float);

/// Each weight, or each block of them, by its own draw.
template <std::size_t Rows, std::size_t Columns>
bool blocks(const random_numbers& random, std::size_t row, std::size_t column, float sparsity) {
    return random.uniform((std::uint64_t{row / Rows} << 32) + column / Columns) >= sparsity;
}

/// N of each M weights of a row, whichever sparsity is asked for.
template <std::size_t N, std::size_t M>
bool n_of_each_m(const random_numbers& random, std::size_t row, std::size_t column, float) {
    const std::size_t first = random.below((std::uint64_t{row} << 32) + column / M, M);
    return (column + first) % M < N;
}

template <class Weights, class Activations>
contender layer(const char* name, problem& p, const Weights& weights, Activations activations) {
    using packed_type = packed<Weights, native>;
    const auto w = std::make_shared<packed_type>(weights);
    const auto space = std::make_shared<workspace>(w->scratch_bytes(activations, p.s.m, p.s.n, p.s.k));
    return {name, [w, space, activations, &p] {
                serial_executor serial;
                context<native, serial_executor> ctx{serial, space->scratch()};
                w->multiply(activations, ctx, matrix_view<const float>(p.x.data(), p.s.m, p.s.k),
                            matrix_view<float>(p.y.data(), p.s.m, p.s.n), kernels::add_bias{p.bias.data()});
            }};
}

/// Bytes of activations are off by up to 1/255 of their range, products therefore by some hundredths of their typical size.
template <class Element>
void check(problem& p, const weight_matrix<Element, full>& w, const contender& who) {
    std::fill(p.y.begin(), p.y.end(), 1e9f);
    who.run();
    const std::size_t rows = (std::min)(p.checked_rows(), std::size_t{4});
    std::vector<double> expected(rows * p.s.n);
    double squares = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::size_t row = i / p.s.n, j = i % p.s.n;
        expected[i] = static_cast<double>(p.bias[j]);
        for (std::size_t k = 0; k < p.s.k; ++k) {
            expected[i] += static_cast<double>(p.x[row * p.s.k + k]) * static_cast<double>(w.real(j, j * p.s.k + k));
        }
        squares += expected[i] * expected[i];
    }
    const double bound = (std::is_same_v<Element, float> ? 2e-5 : 0.05) * std::sqrt(squares / static_cast<double>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        require(std::abs(expected[i] - static_cast<double>(p.y[i])) <= bound, who.name.c_str(), p.s);
    }
}

struct options {
    std::string element, layout, batch;
};

template <class Layout, class Element, class Activations>
void compare_element(const char* name, const char* element, pattern keep, const std::vector<int>& percents, Activations activations,
                     const options& chosen) {
    if (!chosen.element.empty() && chosen.element != element) {
        return;
    }
    for (const shape& s : layers) {
        if (!chosen.batch.empty() && std::to_string(s.m) != chosen.batch) {
            continue;
        }
        problem p(s);
        const random_numbers random(seed{2}, 0);
        for (const int percent : percents) {
            weight_matrix<float, full> w = p.w;
            for (std::size_t i = 0; i < w.values.size(); ++i) {
                if (!keep(random, i / s.k, i % s.k, static_cast<float>(percent) / 100.0f)) {
                    w.values[i] = 0.0f;
                }
            }
            const weight_matrix<Element, full> dense = [&] {
                if constexpr (std::is_same_v<Element, float>) {
                    return w;
                } else {
                    return *quantize_weights(w, granularity::per_channel);
                }
            }();
            std::vector<contender> all = {layer("dense", p, dense, activations),
                                          layer(name, p, to_layout<Layout>(dense), activations)};
            for (const contender& who : all) {
                check(p, dense, who);
            }
            turns::measure(all);
            std::printf("%-6s %-12s %2zux%zux%-5zu %3d%%  dense %8.1f us  sparse %8.1f us  = %.2f\n", element, name, s.m, s.n, s.k,
                        percent, 1e6 * all[0].seconds, 1e6 * all[1].seconds, all[0].seconds / all[1].seconds);
            std::fflush(stdout);
        }
    }
}

/// Weights of a pattern in a layout, of floats and of bytes.
template <class Layout>
void compare(const char* name, pattern keep, const std::vector<int>& percents, const options& chosen) {
    if (std::string(name).find(chosen.layout) == std::string::npos) {
        return;
    }
    compare_element<Layout, float>(name, "float", keep, percents, as_float{}, chosen);
    compare_element<Layout, qint8>(name, "int8", keep, percents, dynamic_range{}, chosen);
}

}  // namespace

int main(int count, char** arguments) {
    const auto argument = [&](int i) { return std::string(i < count ? arguments[i] : ""); };
    const options chosen = {argument(1), argument(2), argument(3)};
    compare<csr>("csr", blocks<1, 1>, {60, 80, 85, 90, 95}, chosen);
    compare<bsr<16, 4>>("bsr<16, 4>", blocks<16, 4>, {80, 90, 95}, chosen);
    compare<bsr<16, 1>>("bsr<16, 1>", blocks<16, 1>, {80, 90, 95}, chosen);
    compare<bsr<8, 4>>("bsr<8, 4>", blocks<8, 4>, {90}, chosen);
    compare<bsr<4, 4>>("bsr<4, 4>", blocks<4, 4>, {90}, chosen);
    compare<bsr<1, 4>>("bsr<1, 4>", blocks<1, 4>, {80, 90, 95}, chosen);
    compare<n_of_m<2, 4>>("2:4", n_of_each_m<2, 4>, {50}, chosen);
    compare<n_of_m<4, 8>>("4:8", n_of_each_m<4, 8>, {50}, chosen);
    compare<n_of_m<1, 4>>("1:4", n_of_each_m<1, 4>, {75}, chosen);
}
