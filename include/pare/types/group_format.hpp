#ifndef PARE_TYPES_GROUP_FORMAT_HPP
#define PARE_TYPES_GROUP_FORMAT_HPP

#include <cstddef>

#include <pare/types/float16.hpp>
#include <pare/types/qint.hpp>
#include <pare/types/quantization.hpp>

PARE_NAMESPACE_BEGIN

/// What a group of weights has besides its scale, if that.
enum class group_offset {
    none,          // real = (code - 2^(bits - 1)) * scale
    zero_point,    // real = (code - offset) * scale
    minimum,       // real = code * scale + offset
    levels,        // nothing: real = nf4_levels[code] * scale
    shared_levels  // nor a scale: real = level code of the matrix, which has up to 16
};

/// Weights as codes of Bits bits, from 0 to 2^Bits - 1, each Size of them along a row with one scale and one offset, where the kind
/// says so. Scale is the type of both, float or float16: what elements differ in, and all that their kernels need to know.
template <std::size_t Bits, std::size_t Size, class Scale, group_offset Offset>
struct group_format {
    static_assert(Bits == 4 ||
                      ((Bits == 2 || Bits == 8) && Offset != group_offset::levels && Offset != group_offset::shared_levels),
                  "pare: codes of weights in groups have 2, 4 or 8 bits as kernels read them, those of levels 4");
    static_assert(Size >= 16 && Size <= 256 && Size % 16 == 0, "pare: a group of weights holds 16, 32, 48 ... or 256");
    static constexpr std::size_t bits = Bits;
    static constexpr std::size_t size = Size;
    using scale = Scale;
    static constexpr group_offset offset = Offset;
    static constexpr bool has_levels = Offset == group_offset::levels || Offset == group_offset::shared_levels;
    static constexpr bool has_scale = Offset != group_offset::shared_levels;
    static constexpr bool has_offset = Offset == group_offset::zero_point || Offset == group_offset::minimum;

    static constexpr std::int32_t middle = 1 << (Bits - 1);
    static constexpr std::size_t groups(std::size_t columns) noexcept { return (columns + Size - 1) / Size; }

    static float real(std::int32_t code, float s, float o) noexcept
        requires(has_scale)
    {
        if constexpr (Offset == group_offset::none) {
            return exact_multiply(static_cast<float>(code - middle), s);
        } else if constexpr (Offset == group_offset::zero_point) {
            return exact_multiply(static_cast<float>(code) - o, s);
        } else if constexpr (Offset == group_offset::levels) {
            return exact_multiply(nf4_levels[code], s);
        } else {
            return opaque(exact_multiply(static_cast<float>(code), s) + o);
        }
    }
};

PARE_NAMESPACE_END

#endif
