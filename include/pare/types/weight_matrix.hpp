#ifndef PARE_TYPES_WEIGHT_MATRIX_HPP
#define PARE_TYPES_WEIGHT_MATRIX_HPP

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <pare/core/aligned.hpp>
#include <pare/core/result.hpp>
#include <pare/types/bfloat16.hpp>
#include <pare/types/csr.hpp>
#include <pare/types/full.hpp>
#include <pare/types/ggml_blocks.hpp>
#include <pare/types/qint.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// How an element type keeps the numbers of a matrix: what is stored, how many of it and of scales.
template <class Element>
struct element_storage {
    using type = typename Element::storage;
    static constexpr const char* name = Element::name;

    template <class Structure>
    static std::size_t values(const Structure& s) noexcept {
        return s.stored();
    }
    template <class Structure>
    static std::size_t scales(const Structure& s) noexcept {
        return s.rows();
    }
    static float real(const type* values, const float* scales, std::size_t row, std::size_t i, std::size_t) noexcept {
        return static_cast<float>(values[i]) * scales[row];
    }
};
template <>
struct element_storage<float> : element_storage<qint8> {
    using type = float;
    static constexpr const char* name = "float";

    template <class Structure>
    static std::size_t scales(const Structure&) noexcept {
        return 0;
    }
    static float real(const float* values, const float*, std::size_t, std::size_t i, std::size_t) noexcept { return values[i]; }
};
template <>
struct element_storage<bfloat16> : element_storage<float> {
    using type = bfloat16;
    static constexpr const char* name = "bfloat16";

    static float real(const bfloat16* values, const float*, std::size_t, std::size_t i, std::size_t) noexcept { return values[i]; }
};
template <std::size_t Group>
struct element_storage<qint4<Group>> {
    using type = std::uint8_t;
    static constexpr const char* name = "qint4";

    static constexpr std::size_t nibble_group = Group;
    static float group_scale(const type*, const float* scales, std::size_t row, std::size_t g, std::size_t columns) noexcept {
        return scales[row * groups_per_row(columns) + g];
    }

    static constexpr std::size_t bytes_per_row(std::size_t columns) noexcept { return (columns + 1) / 2; }
    static constexpr std::size_t groups_per_row(std::size_t columns) noexcept { return (columns + Group - 1) / Group; }
    static std::size_t values(const full::structure& s) noexcept { return s.rows() * bytes_per_row(s.columns()); }
    static std::size_t scales(const full::structure& s) noexcept { return s.rows() * groups_per_row(s.columns()); }
    static std::int32_t integer(const type* values, std::size_t row, std::size_t column, std::size_t columns) noexcept {
        const int pair = values[row * bytes_per_row(columns) + column / 2];
        return (column % 2 == 0 ? pair & 15 : pair >> 4) - qint4<Group>::offset;
    }
    static float real(const type* values, const float* scales, std::size_t row, std::size_t i, std::size_t columns) noexcept {
        const std::size_t column = i - row * columns;
        return static_cast<float>(integer(values, row, column, columns)) * scales[row * groups_per_row(columns) + column / Group];
    }
};

/// A block of ggml along a row; rows are whole blocks (quantize_weights_to_blocks() makes no others), and scales lie in them.
template <class Block>
struct block_storage {
    using type = Block;
    static constexpr const char* name = Block::name;

    static std::size_t values(const full::structure& s) noexcept {
        return s.rows() * ((s.columns() + Block::size - 1) / Block::size);
    }
    static std::size_t scales(const full::structure&) noexcept { return 0; }
    static float real(const Block* blocks, const float*, std::size_t, std::size_t i, std::size_t) noexcept {
        return blocks[i / Block::size].real(i % Block::size);
    }
};
template <>
struct element_storage<ggml::q8_0> : block_storage<ggml::q8_0> {};
template <>
struct element_storage<ggml::q4_1> : block_storage<ggml::q4_1> {};
template <>
struct element_storage<ggml::q4_K> : block_storage<ggml::q4_K> {};
template <>
struct element_storage<ggml::q6_K> : block_storage<ggml::q6_K> {};
template <>
struct element_storage<ggml::q4_0> : block_storage<ggml::q4_0> {
    static constexpr std::size_t nibble_group = ggml::q4_0::size;

    static std::int32_t integer(const type* blocks, std::size_t row, std::size_t column, std::size_t columns) noexcept {
        return blocks[(row * columns + column) / ggml::q4_0::size].integer(column % ggml::q4_0::size);
    }
    static float group_scale(const type* blocks, const float*, std::size_t row, std::size_t g, std::size_t columns) noexcept {
        return blocks[row * (columns / ggml::q4_0::size) + g].d;
    }
};

}  // namespace detail

/// A matrix of weights [rows = outputs, columns = inputs] as a model holds it: equal on every machine. `Element` says what a number
/// is, `Layout` which numbers are stored and where: two independent choices. Stored value i stands for values[i] itself where the
/// element is float or bfloat16, for values[i] * scales[its row] where it is qint8, and for a half of a byte times the scale
/// of its group where it is qint4. Blocks of ggml know themselves what they stand for.
template <class Element, class Layout>
struct weight_matrix {
    using element = Element;
    using layout = Layout;
    using storage = typename detail::element_storage<Element>::type;

    typename Layout::structure structure;
    aligned_array<storage> values;
    aligned_array<float> scales;

    weight_matrix() = default;
    explicit weight_matrix(typename Layout::structure s)
        : structure(std::move(s)),
          values(detail::element_storage<Element>::values(structure)),
          scales(detail::element_storage<Element>::scales(structure)) {}
    weight_matrix(std::size_t rows, std::size_t columns) requires std::is_same_v<Layout, full>
        : weight_matrix(full::structure(rows, columns)) {}

    std::size_t rows() const noexcept { return structure.rows(); }
    std::size_t columns() const noexcept { return structure.columns(); }
    /// Bytes that a deployed model needs for it.
    std::size_t bytes() const noexcept {
        return values.size() * sizeof(storage) + scales.size() * sizeof(float) + structure.bytes();
    }

    /// The real number that stored value i of a row stands for.
    float real(std::size_t row, std::size_t i) const noexcept {
        return detail::element_storage<Element>::real(values.data(), scales.data(), row, i, columns());
    }

    std::string describe() const { return sentence(detail::element_storage<Element>::name, " ", Layout::name); }
};

PARE_NAMESPACE_END

#endif
