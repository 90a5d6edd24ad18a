#ifndef PARE_TYPES_QINT_HPP
#define PARE_TYPES_QINT_HPP

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <pare/types/float16.hpp>

PARE_NAMESPACE_BEGIN

/// A signed 8-bit integer that stands for a real number through a `quantization`. Weights use the narrow range
/// [-127, 127], symmetric around zero.
struct qint8 {
    using storage = std::int8_t;
    static constexpr std::int32_t smallest = -128;
    static constexpr std::int32_t largest = 127;
    static constexpr std::int32_t narrow_smallest = -127;
    static constexpr const char* name = "qint8";

    storage raw = 0;
    bool operator==(const qint8&) const = default;
};

/// An unsigned 8-bit integer that stands for a real number through a `quantization`: activations.
struct quint8 {
    using storage = std::uint8_t;
    static constexpr std::int32_t smallest = 0;
    static constexpr std::int32_t largest = 255;
    static constexpr const char* name = "quint8";

    storage raw = 0;
    bool operator==(const quint8&) const = default;
};

/// A 32-bit integer that stands for a real number through a `quantization`: biases and sums of products.
struct qint32 {
    using storage = std::int32_t;
    static constexpr std::int32_t smallest = -2147483647 - 1;
    static constexpr std::int32_t largest = 2147483647;
    static constexpr const char* name = "qint32";

    storage raw = 0;
    bool operator==(const qint32&) const = default;
};

/// What the codes of a group of weights stand for, besides its scale.
enum class qscheme {
    symmetric,  // (code - 2^(bits - 1)) * scale: on both sides of zero, which is a code
    affine,     // (code - zero_point) * scale: anywhere, and zero is a code
    minimum     // code * scale + minimum: anywhere, and zero need not be a code
};

/// An integer of 2, 3, 4 or 8 bits, for weights, with one scale for each Group inputs of an output, as float or float16. Symmetric
/// in the narrow range, [-7, 7] of 4 bits; affine, with a zero point that is a code, for each group too; or with a minimum there,
/// of the scale's type. Codes, from 0 to 2^Bits - 1, lie along a row without gaps, from the low bits of each byte on; rows begin on
/// a byte.
template <std::size_t Bits, std::size_t Group, class Scale = float, qscheme Scheme = qscheme::symmetric>
struct qint {
    static_assert(Bits == 2 || Bits == 3 || Bits == 4 || Bits == 8, "pare: qint weights have 2, 3, 4 or 8 bits");
    static_assert(Group >= 16 && Group <= 256 && Group % 16 == 0, "pare: the groups of qint weights hold 16, 32, 48 ... or 256");
    static_assert(std::is_same_v<Scale, float> || std::is_same_v<Scale, float16>,
                  "pare: the scales of qint weights are float or float16");
    using storage = std::uint8_t;
    using scale = Scale;
    static constexpr std::size_t bits = Bits;
    static constexpr std::size_t group = Group;
    static constexpr qscheme scheme = Scheme;
    static constexpr std::int32_t offset = 1 << (Bits - 1);
    static constexpr std::int32_t smallest = -offset;
    static constexpr std::int32_t largest = offset - 1;
    static constexpr std::int32_t narrow_smallest = -largest;
    static constexpr const char* name = [] {
        constexpr const char* names[3][4] = {{"qint2", "qint3", "qint4", "qint8"},
                                             {"affine qint2", "affine qint3", "affine qint4", "affine qint8"},
                                             {"qint2 and minima", "qint3 and minima", "qint4 and minima", "qint8 and minima"}};
        return names[static_cast<int>(Scheme)][Bits == 8 ? 3 : Bits - 2];
    }();
};

template <std::size_t Group, class Scale = float, qscheme Scheme = qscheme::symmetric>
using qint4 = qint<4, Group, Scale, Scheme>;
template <std::size_t Group, class Scale = float, qscheme Scheme = qscheme::symmetric>
using qint3 = qint<3, Group, Scale, Scheme>;
template <std::size_t Group, class Scale = float, qscheme Scheme = qscheme::symmetric>
using qint2 = qint<2, Group, Scale, Scheme>;

/// A code of 4 bits, for weights, that stands for one of 16 levels times the scale of its group: those between which numbers of a
/// normal distribution fall equally often. Multiplied by float activations. Stored as qint4. Dettmers, Pagnoni, Holtzman,
/// Zettlemoyer 2023 (QLoRA), appendix E.
template <std::size_t Group, class Scale = float>
struct nf4 {
    static_assert(Group >= 16 && Group <= 256 && Group % 16 == 0, "pare: the groups of nf4 weights hold 16, 32, 48 ... or 256");
    static_assert(std::is_same_v<Scale, float> || std::is_same_v<Scale, float16>,
                  "pare: the scales of nf4 weights are float or float16");
    using storage = std::uint8_t;
    using scale = Scale;
    static constexpr std::size_t bits = 4;
    static constexpr std::size_t group = Group;
    static constexpr const char* name = "nf4";
};

inline constexpr float nf4_levels[16] = {-1.0f,
                                         -0.6961928009986877f,
                                         -0.5250730514526367f,
                                         -0.39491748809814453f,
                                         -0.28444138169288635f,
                                         -0.18477343022823334f,
                                         -0.09105003625154495f,
                                         0.0f,
                                         0.07958029955625534f,
                                         0.16093020141124725f,
                                         0.24611230194568634f,
                                         0.33791524171829224f,
                                         0.44070982933044434f,
                                         0.5626170039176941f,
                                         0.7229568362236023f,
                                         1.0f};

PARE_NAMESPACE_END

#endif
