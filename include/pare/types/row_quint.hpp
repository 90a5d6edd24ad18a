#ifndef PARE_TYPES_ROW_QUINT_HPP
#define PARE_TYPES_ROW_QUINT_HPP

#include <pare/types/weight_matrix.hpp>

PARE_NAMESPACE_BEGIN

/// An unsigned integer of 8 or 4 bits, for tables whose rows are looked up, with one scale and one minimum for each row, as float
/// or float16: real = code * scale + minimum. Of 4 bits two lie in a byte, the even column in the low half. torch.quint8 and
/// torch.quint4x2 of torch.ao.nn.quantized.Embedding.
template <std::size_t Bits, class Scale = float>
struct row_quint {
    static_assert(Bits == 4 || Bits == 8, "pare: the integers of a table's rows have 4 or 8 bits");
    static_assert(std::is_same_v<Scale, float> || std::is_same_v<Scale, float16>,
                  "pare: the scales of a table's rows are float or float16");
    using storage = std::uint8_t;
    using scale = Scale;
    static constexpr std::size_t bits = Bits;
    static constexpr std::int32_t largest = (1 << Bits) - 1;
    static constexpr const char* name = Bits == 4 ? "row_quint4" : "row_quint8";
};

namespace detail {

/// `zero_points` holds the minima.
template <std::size_t Bits, class Scale>
struct element_storage<row_quint<Bits, Scale>> {
    using type = std::uint8_t;
    using scale = Scale;
    using zero_point = Scale;
    static constexpr const char* name = row_quint<Bits, Scale>::name;
    static constexpr bool only_looked_up = true;

    static constexpr std::size_t bytes_per_row(std::size_t columns) noexcept { return (columns * Bits + 7) / 8; }
    static std::size_t values(const full::structure& s) noexcept { return s.rows() * bytes_per_row(s.columns()); }
    static std::size_t scales(const full::structure& s) noexcept { return s.rows(); }
    static std::size_t zero_points(const full::structure& s) noexcept { return s.rows(); }

    template <class Matrix>
    static float real(const Matrix& m, std::size_t row, std::size_t i) noexcept {
        const std::size_t column = i - row * m.columns();
        const std::uint8_t byte = m.values[row * bytes_per_row(m.columns()) + column * Bits / 8];
        const int code = Bits == 8 ? byte : byte >> 4 * (column % 2) & 15;
        return opaque(exact_multiply(static_cast<float>(code), m.scales[row]) + float{m.zero_points[row]});
    }
};

/// Elements that only a lookup of rows understands.
template <class Element>
concept of_rows = requires {
    requires element_storage<Element>::only_looked_up;
};

}  // namespace detail

PARE_NAMESPACE_END

#endif
