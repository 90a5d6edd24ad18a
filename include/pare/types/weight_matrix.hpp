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

/// How an element type keeps the numbers of a matrix: what is stored, how many of it, of scales and of zero points.
template <class Element>
struct element_storage {
    using type = typename Element::storage;
    using scale = float;
    static constexpr const char* name = Element::name;

    template <class Structure>
    static std::size_t values(const Structure& s) noexcept {
        return s.stored();
    }
    template <class Structure>
    static std::size_t scales(const Structure& s) noexcept {
        return s.rows();
    }
    template <class Structure>
    static std::size_t zero_points(const Structure&) noexcept {
        return 0;
    }
    template <class Matrix>
    static float real(const Matrix& m, std::size_t row, std::size_t i) noexcept {
        return static_cast<float>(m.values[i]) * m.scales[row];
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
    template <class Matrix>
    static float real(const Matrix& m, std::size_t, std::size_t i) noexcept {
        return m.values[i];
    }
};
template <>
struct element_storage<bfloat16> : element_storage<float> {
    using type = bfloat16;
    static constexpr const char* name = "bfloat16";
};
template <>
struct element_storage<float16> : element_storage<float> {
    using type = float16;
    static constexpr const char* name = "float16";
};

/// Elements in groups, in full: `format` says what code_at(matrix, row, column), scale_at(matrix, row, group) and
/// offset_at(matrix, row, group) mean.
template <std::size_t Group, class Scale, qscheme Scheme>
struct element_storage<qint4<Group, Scale, Scheme>> {
    static constexpr bool affine = Scheme == qscheme::affine;
    using type = std::uint8_t;
    using scale = Scale;
    using format = group_format<4, Group, Scale, affine ? group_offset::zero_point : group_offset::none>;
    static constexpr const char* name = qint4<Group, Scale, Scheme>::name;

    static constexpr std::size_t bytes_per_row(std::size_t columns) noexcept { return (columns + 1) / 2; }
    static std::size_t values(const full::structure& s) noexcept { return s.rows() * bytes_per_row(s.columns()); }
    static std::size_t scales(const full::structure& s) noexcept { return s.rows() * format::groups(s.columns()); }
    static std::size_t zero_points(const full::structure& s) noexcept { return affine ? scales(s) : 0; }

    template <class Matrix>
    static std::int32_t code_at(const Matrix& m, std::size_t row, std::size_t column) noexcept {
        return m.values[row * bytes_per_row(m.columns()) + column / 2] >> 4 * (column % 2) & 15;
    }
    template <class Matrix>
    static Scale scale_at(const Matrix& m, std::size_t row, std::size_t g) noexcept {
        return m.scales[row * format::groups(m.columns()) + g];
    }
    template <class Matrix>
    static Scale offset_at(const Matrix& m, std::size_t row, std::size_t g) noexcept {
        if constexpr (affine) {
            return Scale(m.zero_points[row * format::groups(m.columns()) + g]);
        } else {
            return {};
        }
    }
    template <class Matrix>
    static float real(const Matrix& m, std::size_t row, std::size_t i) noexcept {
        const std::size_t column = i - row * m.columns();
        return format::real(code_at(m, row, column), scale_at(m, row, column / Group), offset_at(m, row, column / Group));
    }
};

/// A block of ggml along a row; rows are whole blocks (quantize_weights_to_blocks() makes no others), and scales lie in them.
template <ggml_block Block>
struct element_storage<Block> {
    using type = Block;
    using scale = float;
    using format = typename Block::format;
    static constexpr const char* name = Block::name;

    static std::size_t values(const full::structure& s) noexcept {
        return s.rows() * ((s.columns() + Block::size - 1) / Block::size);
    }
    static std::size_t scales(const full::structure&) noexcept { return 0; }
    static std::size_t zero_points(const full::structure&) noexcept { return 0; }

    template <class Matrix>
    static const Block& at(const Matrix& m, std::size_t row, std::size_t column) noexcept {
        return m.values[(row * m.columns() + column) / Block::size];
    }
    template <class Matrix>
    static std::int32_t code_at(const Matrix& m, std::size_t row, std::size_t column) noexcept {
        return at(m, row, column).code(column % Block::size);
    }
    template <class Matrix>
    static typename format::scale scale_at(const Matrix& m, std::size_t row, std::size_t g) noexcept {
        return at(m, row, g * format::size).scale(g % (Block::size / format::size));
    }
    template <class Matrix>
    static typename format::scale offset_at(const Matrix& m, std::size_t row, std::size_t g) noexcept {
        return at(m, row, g * format::size).offset(g % (Block::size / format::size));
    }
    template <class Matrix>
    static float real(const Matrix& m, std::size_t, std::size_t i) noexcept {
        return ggml::real(m.values[i / Block::size], i % Block::size);
    }
};

/// Elements whose weights lie in groups with a scale each.
template <class Element>
concept in_groups = requires {
    typename element_storage<Element>::format;
};

/// Elements that are what they stand for: numbers with a point.
template <class Element>
concept is_real = std::is_same_v<Element, float> || std::is_same_v<Element, bfloat16> || std::is_same_v<Element, float16>;

}  // namespace detail

/// A matrix of weights [rows = outputs, columns = inputs] as a model holds it: equal on every machine. `Element` says what a number
/// is, `Layout` which numbers are stored and where: two independent choices. Stored value i stands for values[i] itself where the
/// element is float, bfloat16 or float16, for values[i] * scales[its row] where it is qint8, and where it is qint4, for a half of a byte
/// with the scale of its group, and its zero point if it is affine. Blocks of ggml know themselves what they stand for.
template <class Element, class Layout>
struct weight_matrix {
    using element = Element;
    using layout = Layout;
    using storage = typename detail::element_storage<Element>::type;
    using scale = typename detail::element_storage<Element>::scale;

    typename Layout::structure structure;
    aligned_array<storage> values;
    aligned_array<scale> scales;
    aligned_array<std::uint8_t> zero_points;

    weight_matrix() = default;
    explicit weight_matrix(typename Layout::structure s)
        : structure(std::move(s)),
          values(detail::element_storage<Element>::values(structure)),
          scales(detail::element_storage<Element>::scales(structure)),
          zero_points(detail::element_storage<Element>::zero_points(structure)) {}
    weight_matrix(std::size_t rows, std::size_t columns) requires std::is_same_v<Layout, full>
        : weight_matrix(full::structure(rows, columns)) {}

    std::size_t rows() const noexcept { return structure.rows(); }
    std::size_t columns() const noexcept { return structure.columns(); }
    /// Bytes that a deployed model needs for it.
    std::size_t bytes() const noexcept {
        return values.size() * sizeof(storage) + scales.size() * sizeof(scale) + zero_points.size() + structure.bytes();
    }

    /// The real number that stored value i of a row stands for.
    float real(std::size_t row, std::size_t i) const noexcept { return detail::element_storage<Element>::real(*this, row, i); }

    std::string describe() const { return sentence(detail::element_storage<Element>::name, " ", Layout::name); }
};

PARE_NAMESPACE_END

#endif
