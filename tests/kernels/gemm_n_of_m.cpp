#include <pare/kernels/gemm_n_of_m.hpp>

#include <pare/core/random.hpp>

#include "../catch.hpp"
#include "../guarded.hpp"
#include "../test_isa.hpp"
#include "sparse_matrix.hpp"

using namespace pare;

namespace {

/// One tile: patterns differ in their units and indices. Without the table of all tiles, which takes long to compile.
template <class Element, std::size_t N, std::size_t M, std::size_t Rows = 2, std::size_t Panels = 1>
void check_tile() {
    using value = typename weight_matrix<Element, full>::storage;
    if constexpr (kernels::multiplies_n_of_m<test_isa, value, N, M>) {
        using activation = std::conditional_t<std::is_same_v<Element, float>, float, typename simd::ops<test_isa>::activation>;
        using kernel = kernels::gemm_n_of_m_kernel<test_isa, activation, N, M>;
        constexpr std::size_t vectors = Panels == 1 ? 1 : kernel::tile.vectors, n = Panels * vectors * simd::ops<test_isa>::lanes;
        for (const std::size_t k :
             {std::size_t{1}, std::size_t{M}, kernel::layout::unit_inputs, 2 * kernel::layout::unit_inputs + 3, std::size_t{333}}) {
            INFO(N << ":" << M << ", depth " << k);
            const sparse_matrix<Element, n_of_m<N, M>> w(n, k, 0.0f, k);
            aligned_array<std::uint8_t> packed_weights(kernel::layout::bytes(n, k));
            kernel::layout::pack(w.weights.structure, w.weights.values.data(), packed_weights.data());
            const random_numbers random(seed{64}, k);
            guarded<activation> x(Rows * k);
            for (std::size_t i = 0; i < x.size(); ++i) {
                x[i] = static_cast<activation>(random.below(i, 100));
            }
            typename kernel::number y[Rows * n];
            kernel::template multiply_panels<Rows, vectors, Panels>(x.data(), k, packed_weights.data(), nullptr, k, y, n);
            for (std::size_t i = 0; i < Rows * n; ++i) {
                double sum = 0.0;
                for (std::size_t j = 0; j < k; ++j) {
                    sum += static_cast<double>(x[i / n * k + j]) * static_cast<double>(w.dense[i % n * k + j]);
                }
                if constexpr (std::is_same_v<Element, float>) {
                    REQUIRE(static_cast<double>(y[i]) == Approx(sum).margin(1e-3));
                } else {
                    REQUIRE(static_cast<double>(y[i]) == sum);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("tiles of every pattern that an instruction set multiplies as it is") {
    check_tile<qint8, 1, 2>();
    check_tile<qint8, 1, 4>();
    check_tile<qint8, 4, 8>();
    check_tile<qint8, 2, 8>();
    check_tile<qint8, 8, 16>();
    check_tile<qint8, 4, 16>();
    check_tile<float, 2, 4>();
    check_tile<float, 2, 4, 1, 3>();
    check_tile<float, 1, 2>();
    check_tile<float, 3, 4>();
    check_tile<float, 4, 8>();
    check_tile<float, 1, 16>();
}
