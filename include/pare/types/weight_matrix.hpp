#ifndef PARE_TYPES_WEIGHT_MATRIX_HPP
#define PARE_TYPES_WEIGHT_MATRIX_HPP

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <pare/core/aligned.hpp>
#include <pare/core/result.hpp>
#include <pare/types/bfloat16.hpp>
#include <pare/types/codebook.hpp>
#include <pare/types/csr.hpp>
#include <pare/types/full.hpp>
#include <pare/types/ggml_blocks.hpp>
#include <pare/types/n_of_m.hpp>
#include <pare/types/qint.hpp>

PARE_NAMESPACE_BEGIN

namespace detail {

/// How an element type keeps the numbers of a matrix: what is stored, how many of it, of scales and of zero points.
template <class Element>
struct element_storage {
    using type = typename Element::storage;
    using scale = float;
    using zero_point = std::uint8_t;
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

/// The scales of a codebook are its values.
template <std::size_t K>
struct element_storage<codebook<K>> : element_storage<qint8> {
    using type = std::uint8_t;
    static constexpr const char* name = codebook<K>::name;

    template <class Structure>
    static std::size_t scales(const Structure&) noexcept {
        return K;
    }
    template <class Matrix>
    static float real(const Matrix& m, std::size_t, std::size_t i) noexcept {
        return m.scales[m.values[i]];
    }
};

/// Elements in groups, in full: `format` says what code_at(matrix, row, column), scale_at(matrix, row, group) and
/// offset_at(matrix, row, group) mean. This is what those have in common whose codes lie in the matrix's values.
template <class Element, class Format>
struct grouped_storage {
    using type = std::uint8_t;
    using scale = typename Element::scale;
    using zero_point = std::conditional_t<Format::offset == group_offset::minimum, scale, std::uint8_t>;
    using format = Format;
    static constexpr const char* name = Element::name;
    /// What codes in the matrix differ by from those of the format: codes of 3 bits become some of those of 4.
    static constexpr std::int32_t shift = Format::offset == group_offset::none ? format::middle - (1 << (Element::bits - 1)) : 0;

    static constexpr std::size_t bytes_per_row(std::size_t columns) noexcept { return (columns * Element::bits + 7) / 8; }
    static std::size_t values(const full::structure& s) noexcept { return s.rows() * bytes_per_row(s.columns()); }
    static std::size_t scales(const full::structure& s) noexcept { return s.rows() * format::groups(s.columns()); }
    static std::size_t zero_points(const full::structure& s) noexcept { return format::has_offset ? scales(s) : 0; }

    /// One that lies in two bytes does so only if its bits do not divide 8.
    template <class Matrix>
    static std::int32_t code_at(const Matrix& m, std::size_t row, std::size_t column) noexcept {
        const std::size_t bit = column * Element::bits;
        const std::uint8_t* const bytes = m.values.data() + row * bytes_per_row(m.columns()) + bit / 8;
        const int word = bit % 8 + Element::bits > 8 ? bytes[0] | bytes[1] << 8 : bytes[0];
        return (word >> bit % 8 & ((1 << Element::bits) - 1)) + shift;
    }
    /// For a code that is zero.
    template <class Matrix>
    static void set_code(Matrix& m, std::size_t row, std::size_t column, std::int32_t code) noexcept {
        const std::size_t bit = column * Element::bits;
        std::uint8_t* const bytes = m.values.data() + row * bytes_per_row(m.columns()) + bit / 8;
        const int word = (code - shift) << bit % 8;
        bytes[0] = static_cast<std::uint8_t>(bytes[0] | word);
        if (bit % 8 + Element::bits > 8) {
            bytes[1] = static_cast<std::uint8_t>(bytes[1] | word >> 8);
        }
    }
    template <class Matrix>
    static scale scale_at(const Matrix& m, std::size_t row, std::size_t g) noexcept {
        return m.scales[row * format::groups(m.columns()) + g];
    }
    template <class Matrix>
    static scale offset_at(const Matrix& m, std::size_t row, std::size_t g) noexcept {
        if constexpr (format::has_offset) {
            return scale(m.zero_points[row * format::groups(m.columns()) + g]);
        } else {
            return {};
        }
    }
    template <class Matrix>
    static float real(const Matrix& m, std::size_t row, std::size_t i) noexcept {
        const std::size_t column = i - row * m.columns(), g = column / Element::group;
        return format::real(code_at(m, row, column), scale_at(m, row, g), offset_at(m, row, g));
    }
};

template <qscheme Scheme>
inline constexpr group_offset offset_of = Scheme == qscheme::symmetric ? group_offset::none
                                          : Scheme == qscheme::affine  ? group_offset::zero_point
                                                                       : group_offset::minimum;

template <std::size_t Bits, std::size_t Group, class Scale, qscheme Scheme>
struct element_storage<qint<Bits, Group, Scale, Scheme>>
    : grouped_storage<qint<Bits, Group, Scale, Scheme>, group_format<Bits == 3 ? 4 : Bits, Group, Scale, offset_of<Scheme>>> {};

template <std::size_t Group, class Scale>
struct element_storage<nf4<Group, Scale>>
    : grouped_storage<nf4<Group, Scale>, group_format<4, Group, Scale, group_offset::levels>> {};

/// A block of ggml along a row; rows are whole blocks (quantize_weights_to_blocks() makes no others), and scales lie in them.
template <ggml_block Block>
struct element_storage<Block> {
    using type = Block;
    using scale = float;
    using zero_point = std::uint8_t;
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
/// element is float, bfloat16 or float16, for values[i] * scales[its row] where it is qint8, and for scales[values[i]] where it is a
/// codebook. Where it is qint<...> or nf4, values are
/// bytes full of codes, and each group has a scale and, if it is affine, a zero point, or a minimum in its place. Blocks of ggml
/// know themselves what they stand for.
template <class Element, class Layout>
struct weight_matrix {
    using element = Element;
    using layout = Layout;
    using storage = typename detail::element_storage<Element>::type;
    using scale = typename detail::element_storage<Element>::scale;
    using zero_point = typename detail::element_storage<Element>::zero_point;

    typename Layout::structure structure;
    aligned_array<storage> values;
    aligned_array<scale> scales;
    aligned_array<zero_point> zero_points;

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
        return values.size() * sizeof(storage) + scales.size() * sizeof(scale) + zero_points.size() * sizeof(zero_point) +
               structure.bytes();
    }

    /// The real number that stored value i of a row stands for.
    float real(std::size_t row, std::size_t i) const noexcept { return detail::element_storage<Element>::real(*this, row, i); }

    std::string describe() const { return sentence(detail::element_storage<Element>::name, " ", Layout::name); }
};

PARE_NAMESPACE_END

#endif
