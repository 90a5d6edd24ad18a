#ifndef PARE_TESTS_KERNELS_SPARSE_MATRIX_HPP
#define PARE_TESTS_KERNELS_SPARSE_MATRIX_HPP

#include <vector>

#include <pare/core/random.hpp>
#include <pare/types/weight_matrix.hpp>

/// A random matrix [n, k] with about `kept` of the blocks of a layout, or N or fewer of each M inputs, dense and compressed.
template <class Element, class Layout>
struct sparse_matrix {
    using value = typename pare::weight_matrix<Element, Layout>::storage;

    std::vector<value> dense;
    pare::weight_matrix<Element, Layout> weights;

    sparse_matrix(std::size_t n, std::size_t k, float kept, std::uint64_t stream)
        : dense(random(n, k, kept, stream)),
          weights(typename Layout::structure(n, k, [&](std::size_t r, std::size_t c) { return dense[r * k + c] != 0; })) {
        weights.structure.for_each([&](std::size_t r, std::size_t c, std::size_t i) { weights.values[i] = dense[r * k + c]; });
    }

private:
    static std::vector<value> random(std::size_t n, std::size_t k, [[maybe_unused]] float kept, std::uint64_t stream) {
        const pare::random_numbers numbers(pare::seed{51}, stream), blocks(pare::seed{54}, stream);
        const auto is_kept = [&](std::size_t row, std::size_t column) {
            if constexpr (requires { Layout::block_rows; }) {
                return blocks.uniform(row / Layout::block_rows * k + column / Layout::block_columns) < kept;
            } else {  // a run of N inputs, which may end with the group
                const std::size_t begin = blocks.below(row * k + column / Layout::group, Layout::group), i = column % Layout::group;
                return i >= begin && i < begin + Layout::kept;
            }
        };
        std::vector<value> w(n * k);
        for (std::size_t i = 0; i < w.size(); ++i) {
            if (is_kept(i / k, i % k)) {
                w[i] = std::is_same_v<value, float> ? static_cast<value>(numbers.uniform(i, -1.0f, 1.0f))
                                                    : static_cast<value>(static_cast<int>(numbers.below(i, 256)) - 128);
            }
        }
        return w;
    }
};

#endif
